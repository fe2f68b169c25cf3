//! What people prefer.

use super::{BusError, Desk};
use crate::config::settings::Setting;
use crate::config::{self, words};
use crate::request::Request;
use std::ops::RangeInclusive;
use zbus::fdo;
use zbus::message::Header;

/// `org.stiefelsystem.Stiefel1.Settings`
pub struct Settings(pub Desk);

impl Settings {
    async fn set(
        &self,
        setting: Result<Setting, String>,
        header: Option<Header<'_>>,
    ) -> fdo::Result<()> {
        let setting = setting.map_err(BusError::invalid)?;
        let Some(header) = header else {
            return Err(fdo::Error::AccessDenied("nobody asked for this".into()));
        };
        Ok(self.0.do_it(Request::Set(setting), &header).await?)
    }
}

fn number(
    value: u32,
    range: &RangeInclusive<u32>,
    setting: fn(u32) -> Setting,
) -> Result<Setting, String> {
    config::within(value, range).map(setting)
}

#[zbus::interface(name = "org.stiefelsystem.Stiefel1.Settings")]
impl Settings {
    async fn reset(&self, #[zbus(header)] header: Header<'_>) -> Result<(), BusError> {
        self.0.do_it(Request::ResetSettings, &header).await
    }

    #[zbus(property)]
    fn on_battery(&self) -> String {
        self.0.view().settings.on_battery.to_string()
    }

    #[zbus(property)]
    async fn set_on_battery(
        &self,
        value: String,
        #[zbus(header)] header: Option<Header<'_>>,
    ) -> fdo::Result<()> {
        self.set(words::on_battery(&value).map(Setting::OnBattery), header)
            .await
    }

    #[zbus(property)]
    fn battery_percent(&self) -> u32 {
        self.0.view().settings.battery_percent
    }

    #[zbus(property)]
    async fn set_battery_percent(
        &self,
        value: u32,
        #[zbus(header)] header: Option<Header<'_>>,
    ) -> fdo::Result<()> {
        self.set(
            number(value, &config::PERCENT, Setting::BatteryPercent),
            header,
        )
        .await
    }

    #[zbus(property)]
    fn on_ac_loss(&self) -> String {
        self.0.view().settings.on_ac_loss.to_string()
    }

    #[zbus(property)]
    async fn set_on_ac_loss(
        &self,
        value: String,
        #[zbus(header)] header: Option<Header<'_>>,
    ) -> fdo::Result<()> {
        self.set(words::on_ac_loss(&value).map(Setting::OnAcLoss), header)
            .await
    }

    #[zbus(property)]
    fn on_plug(&self) -> String {
        self.0.view().settings.on_plug.to_string()
    }

    #[zbus(property)]
    async fn set_on_plug(
        &self,
        value: String,
        #[zbus(header)] header: Option<Header<'_>>,
    ) -> fdo::Result<()> {
        self.set(words::policy(&value).map(Setting::OnPlug), header)
            .await
    }

    #[zbus(property)]
    fn countdown_secs(&self) -> u32 {
        self.0.view().settings.countdown_secs
    }

    #[zbus(property)]
    async fn set_countdown_secs(
        &self,
        value: u32,
        #[zbus(header)] header: Option<Header<'_>>,
    ) -> fdo::Result<()> {
        self.set(
            number(value, &config::COUNTDOWN, Setting::CountdownSecs),
            header,
        )
        .await
    }

    #[zbus(property)]
    fn confirm_secs(&self) -> u32 {
        self.0.view().settings.confirm_secs
    }

    #[zbus(property)]
    async fn set_confirm_secs(
        &self,
        value: u32,
        #[zbus(header)] header: Option<Header<'_>>,
    ) -> fdo::Result<()> {
        self.set(
            number(value, &config::CONFIRM, Setting::ConfirmSecs),
            header,
        )
        .await
    }

    #[zbus(property)]
    fn offer_secs(&self) -> u32 {
        self.0.view().settings.offer_secs
    }

    #[zbus(property)]
    async fn set_offer_secs(
        &self,
        value: u32,
        #[zbus(header)] header: Option<Header<'_>>,
    ) -> fdo::Result<()> {
        self.set(number(value, &config::OFFER, Setting::OfferSecs), header)
            .await
    }

    #[zbus(property)]
    fn patience_secs(&self) -> u32 {
        self.0.view().settings.patience_secs
    }

    #[zbus(property)]
    async fn set_patience_secs(
        &self,
        value: u32,
        #[zbus(header)] header: Option<Header<'_>>,
    ) -> fdo::Result<()> {
        self.set(config::patience(value).map(Setting::PatienceSecs), header)
            .await
    }

    #[zbus(property)]
    fn on_low_power(&self) -> String {
        self.0.view().settings.on_low_power.to_string()
    }

    #[zbus(property)]
    async fn set_on_low_power(
        &self,
        value: String,
        #[zbus(header)] header: Option<Header<'_>>,
    ) -> fdo::Result<()> {
        self.set(words::on_low_power(&value).map(Setting::OnLowPower), header)
            .await
    }
}
