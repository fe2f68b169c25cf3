//! What people set on the bus: it comes before the files.

use super::{Config, OnAcLoss, OnLowPower, words};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use stiefel_core::pairing::Policy;
use stiefel_core::preflight::OnBattery;

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// What lending on battery is.
    OnBattery(OnBattery),
    /// The least charge on battery.
    BatteryPercent(u32),
    /// What becomes of an announced hand-off when the charger is unplugged.
    OnAcLoss(OnAcLoss),
    /// What plugging the stiefellink in brings about.
    OnPlug(Policy),
    /// How long people may object.
    CountdownSecs(u32),
    /// How long people have to agree.
    ConfirmSecs(u32),
    /// How long the ramdisk waits for a borrower.
    OfferSecs(u32),
    /// How long both wait for each other.
    PatienceSecs(u32),
    /// What a borrower does when the lender's battery is nearly empty.
    OnLowPower(OnLowPower),
}

/// All that was set, by the names that the files have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_battery: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    battery_percent: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_ac_loss: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_plug: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    countdown_secs: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirm_secs: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offer_secs: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patience_secs: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_low_power: Option<String>,
}

impl Settings {
    /// Notes one.
    pub fn set(&mut self, setting: Setting) {
        let word = |word: &dyn std::fmt::Display| Some(word.to_string());
        match setting {
            Setting::OnBattery(value) => self.on_battery = word(&crate::view::on_battery(value)),
            Setting::BatteryPercent(value) => self.battery_percent = Some(value),
            Setting::OnAcLoss(value) => self.on_ac_loss = word(&crate::view::on_ac_loss(value)),
            Setting::OnPlug(value) => self.on_plug = word(&crate::view::policy(value)),
            Setting::CountdownSecs(value) => self.countdown_secs = Some(value),
            Setting::ConfirmSecs(value) => self.confirm_secs = Some(value),
            Setting::OfferSecs(value) => self.offer_secs = Some(value),
            Setting::PatienceSecs(value) => self.patience_secs = Some(value),
            Setting::OnLowPower(value) => {
                self.on_low_power = word(&crate::view::on_low_power(value));
            }
        }
    }

    /// Lets them come before what a configuration says. What somebody wrote into the file
    /// that is none, or out of its range, holds no more than if it was not there.
    pub fn rule(&self, config: &mut Config) {
        fn word<T>(to: &mut T, from: Option<&String>, read: impl Fn(&str) -> Result<T, String>) {
            if let Some(value) = from.and_then(|word| read(word).ok()) {
                *to = value;
            }
        }
        let number =
            |from: Option<u32>, range| from.and_then(|number| super::within(number, range).ok());
        let secs = |from, range| number(from, range).map(|secs| Duration::from_secs(secs.into()));
        word(
            &mut config.on_battery,
            self.on_battery.as_ref(),
            words::on_battery,
        );
        word(
            &mut config.on_ac_loss,
            self.on_ac_loss.as_ref(),
            words::on_ac_loss,
        );
        word(&mut config.on_plug, self.on_plug.as_ref(), words::policy);
        word(
            &mut config.on_low_power,
            self.on_low_power.as_ref(),
            words::on_low_power,
        );
        if let Some(percent) = number(self.battery_percent, &super::PERCENT) {
            config.battery_percent = percent.into();
        }
        if let Some(time) = secs(self.countdown_secs, &super::COUNTDOWN) {
            config.countdown = time;
        }
        if let Some(time) = secs(self.confirm_secs, &super::CONFIRM) {
            config.confirm_within = time;
        }
        if let Some(secs) = number(self.offer_secs, &super::OFFER) {
            config.limits.offer_secs = secs;
        }
        let patience = |secs| super::patience(secs).ok();
        if let Some(secs) = self.patience_secs.and_then(patience) {
            config.limits.patience_secs = secs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_holds_and_comes_back_and_the_rest_is_left_alone() {
        let mut settings = Settings::default();
        let all = [
            Setting::OnBattery(OnBattery::Refuse),
            Setting::BatteryPercent(55),
            Setting::OnAcLoss(OnAcLoss::CallOff),
            Setting::OnPlug(Policy::Never),
            Setting::CountdownSecs(7),
            Setting::ConfirmSecs(8),
            Setting::OfferSecs(90),
            Setting::PatienceSecs(91),
            Setting::OnLowPower(OnLowPower::Warn),
        ];
        for setting in all {
            settings.set(setting);
        }
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), settings);
        let mut config = Config::default();
        settings.rule(&mut config);
        let mut expected = Config {
            on_battery: OnBattery::Refuse,
            battery_percent: 55.0,
            on_ac_loss: OnAcLoss::CallOff,
            on_plug: Policy::Never,
            countdown: Duration::from_secs(7),
            confirm_within: Duration::from_secs(8),
            on_low_power: OnLowPower::Warn,
            ..Config::default()
        };
        expected.limits.offer_secs = 90;
        expected.limits.patience_secs = 91;
        assert_eq!(config, expected);
        let mut untouched = Config::default();
        Settings::default().rule(&mut untouched);
        assert_eq!(untouched, Config::default());
    }

    #[test]
    fn nonsense_in_the_file_holds_nothing() {
        let json = r#"{"on-battery":"maybe","countdown-secs":0,"battery-percent":101}"#;
        let settings: Settings = serde_json::from_str(json).unwrap();
        let mut config = Config::default();
        settings.rule(&mut config);
        assert_eq!(config, Config::default());
        assert!(serde_json::from_str::<Settings>(r#"{"on-bat":"warn"}"#).is_err());
    }
}
