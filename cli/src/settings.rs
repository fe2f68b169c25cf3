//! `stiefelctl settings`, `set`, `reset-settings`

use crate::client::Client;
use crate::output::{Output, Table, json, say};
use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Serialize;
use stiefel_dbus::names;
use stiefel_dbus::proxy::SettingsProxy;
use zbus::zvariant::{ObjectPath, Value};

/// What is set, and to what.
#[derive(Args)]
pub struct SetArgs {
    /// Which setting
    key: Key,
    /// Its new value
    value: String,
}

/// A setting, named as in /etc/stiefelsystem.
#[derive(Clone, Copy, ValueEnum)]
enum Key {
    /// Lending on battery: refuse, warn (with battery-percent or more) or allow
    OnBattery,
    /// The least charge to lend with on battery, percent
    BatteryPercent,
    /// When the charger is unplugged in the countdown: ask, call-off or go-ahead
    OnAcLoss,
    /// When the stiefellink is plugged in: ask, automatic or never
    OnPlug,
    /// How long people may object, seconds
    CountdownSecs,
    /// How long people may agree, seconds
    ConfirmSecs,
    /// How long the ramdisk waits for a borrower, seconds
    OfferSecs,
    /// How long both machines wait while the cable is out, seconds
    PatienceSecs,
    /// On a lent disk, when the lender's battery is nearly empty: give-back or warn
    OnLowPower,
}

/// All settings.
#[derive(Serialize)]
pub struct Settings {
    on_battery: String,
    battery_percent: u32,
    on_ac_loss: String,
    on_plug: String,
    countdown_secs: u32,
    confirm_secs: u32,
    offer_secs: u32,
    patience_secs: u32,
    on_low_power: String,
}

/// Lists all settings.
pub async fn list(client: &Client, output: Output) -> anyhow::Result<()> {
    let settings = read(client).await?;
    if output.json {
        return json(&settings);
    }
    let mut table = Table::new(&["SETTING", "VALUE"]);
    for key in Key::value_variants() {
        table.row(vec![key.name().into(), settings.value(*key).into()]);
    }
    table.print()
}

/// Asks the daemon for them.
pub async fn read(client: &Client) -> anyhow::Result<Settings> {
    let facts = client.properties(names::SETTINGS).await?;
    Ok(Settings {
        on_battery: facts.get("OnBattery"),
        battery_percent: facts.get("BatteryPercent"),
        on_ac_loss: facts.get("OnAcLoss"),
        on_plug: facts.get("OnPlug"),
        countdown_secs: facts.get("CountdownSecs"),
        confirm_secs: facts.get("ConfirmSecs"),
        offer_secs: facts.get("OfferSecs"),
        patience_secs: facts.get("PatienceSecs"),
        on_low_power: facts.get("OnLowPower"),
    })
}

/// Changes one.
pub async fn set(client: &Client, args: SetArgs) -> anyhow::Result<()> {
    let value = match args.key.is_number() {
        true => {
            let number: u32 = args.value.parse().with_context(|| {
                format!("{} needs a number, not {}", args.key.name(), args.value)
            })?;
            Value::from(number)
        }
        false => Value::from(args.value.as_str()),
    };
    let root = ObjectPath::try_from(names::ROOT)?;
    client
        .set(&root, names::SETTINGS, args.key.property(), value)
        .await?;
    say!("{}: {}", args.key.name(), args.value);
    Ok(())
}

/// Forgets all that was set.
pub async fn reset(client: &Client) -> anyhow::Result<()> {
    SettingsProxy::new(&client.bus).await?.reset().await?;
    say!("What /etc/stiefelsystem says holds again.");
    Ok(())
}

impl Settings {
    fn value(&self, key: Key) -> String {
        match key {
            Key::OnBattery => self.on_battery.clone(),
            Key::BatteryPercent => self.battery_percent.to_string(),
            Key::OnAcLoss => self.on_ac_loss.clone(),
            Key::OnPlug => self.on_plug.clone(),
            Key::CountdownSecs => self.countdown_secs.to_string(),
            Key::ConfirmSecs => self.confirm_secs.to_string(),
            Key::OfferSecs => self.offer_secs.to_string(),
            Key::PatienceSecs => self.patience_secs.to_string(),
            Key::OnLowPower => self.on_low_power.clone(),
        }
    }
}

impl Key {
    fn name(self) -> String {
        let value = self.to_possible_value();
        value
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    fn is_number(self) -> bool {
        match self {
            Self::BatteryPercent
            | Self::CountdownSecs
            | Self::ConfirmSecs
            | Self::OfferSecs
            | Self::PatienceSecs => true,
            Self::OnBattery | Self::OnAcLoss | Self::OnPlug | Self::OnLowPower => false,
        }
    }

    fn property(self) -> &'static str {
        match self {
            Self::OnBattery => "OnBattery",
            Self::BatteryPercent => "BatteryPercent",
            Self::OnAcLoss => "OnAcLoss",
            Self::OnPlug => "OnPlug",
            Self::CountdownSecs => "CountdownSecs",
            Self::ConfirmSecs => "ConfirmSecs",
            Self::OfferSecs => "OfferSecs",
            Self::PatienceSecs => "PatienceSecs",
            Self::OnLowPower => "OnLowPower",
        }
    }
}
