//! Battery and mains of this machine.

use super::{Daemon, Now};
use crate::config::OnAcLoss;
use crate::world::PowerNow;
use stiefel_core::handoff::{Event, HandOff, Silence};
use stiefel_core::preflight::OnBattery;

impl Daemon {
    /// Mains that go away while nobody objects reopen the question.
    pub(super) fn powered(&mut self, power: PowerNow, now: Now) {
        let lost = self.power.on_mains && !power.on_mains;
        self.power = power;
        let HandOff::Announced {
            silence: Silence::GoesAhead,
            ..
        } = self.machine
        else {
            return;
        };
        match self.config.on_ac_loss {
            OnAcLoss::Ask if lost && self.config.on_battery != OnBattery::Allow => {
                self.detail =
                    "The charger was unplugged; shall the disk be lent on battery?".into();
                self.countdown = self.config.confirm_within;
                let deadline = now.monotonic + self.countdown;
                let effect = self.machine.handle(Event::Reopened { deadline });
                self.obey(effect, now);
            }
            OnAcLoss::CallOff if lost => {
                self.detail = "The charger was unplugged".into();
                let effect = self.machine.handle(Event::Blocked);
                self.obey(effect, now);
            }
            OnAcLoss::Ask | OnAcLoss::CallOff | OnAcLoss::GoAhead => {}
        }
    }
}
