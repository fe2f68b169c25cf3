//! What people set on the bus.

use super::Daemon;
use crate::config::settings::{Setting, Settings};
use crate::config::{self};
use crate::request::{Answer, Refused};
use crate::view::{self, SettingsView};

impl Daemon {
    pub(super) fn set(&mut self, setting: Setting) -> Result<Answer, Refused> {
        let mut settings = self.settings.clone();
        settings.set(setting);
        self.store.save_settings(&settings)?;
        settings.rule(&mut self.config);
        self.settings = settings;
        Ok(Answer::Done)
    }

    pub(super) fn reset_settings(&mut self) -> Result<Answer, Refused> {
        self.store.save_settings(&Settings::default())?;
        self.settings = Settings::default();
        (self.config, self.config_mistakes) = config::load(&self.folder);
        Ok(Answer::Done)
    }

    pub(super) fn settings_view(&self) -> SettingsView {
        let config = &self.config;
        let secs = |time: std::time::Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        SettingsView {
            on_battery: view::on_battery(config.on_battery),
            // A float that is too large becomes the largest number.
            battery_percent: config.battery_percent.round() as u32,
            on_ac_loss: view::on_ac_loss(config.on_ac_loss),
            on_plug: view::policy(config.on_plug),
            countdown_secs: secs(config.countdown),
            confirm_secs: secs(config.confirm_within),
            offer_secs: config.limits.offer_secs,
            patience_secs: config.limits.patience_secs,
            on_low_power: view::on_low_power(config.on_low_power),
        }
    }
}
