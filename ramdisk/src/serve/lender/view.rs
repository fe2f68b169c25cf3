//! How the lender is, for the borrower's machine and for its own screen.

use super::{Lender, Next};
use crate::console;
use crate::serve::outlook::{Alarm, Shown, Standing};
use crate::serve::{now, status};
use std::time::Instant;
use stiefel_core::battery::{Level, News, Reading};
use stiefel_core::control::Status;
use stiefel_core::loan::{Asked, Stage};
use stiefel_linux::power::Power;

/// What is looked at every now and then.
pub struct Seen {
    pub power: Power,
    pub link_speed_mbps: u32,
    pub celsius: Option<f64>,
}

impl Lender {
    /// Looks at battery, warmth and link, and does what follows.
    pub fn look_around(&mut self) -> Next {
        let power = status::power();
        let before = self.seen.replace(Seen {
            power,
            link_speed_mbps: status::link_speed_mbps(&self.ticket.links),
            celsius: status::hottest_celsius(),
        });
        let before = before.map(|before| before.power.on_mains);
        if let Some(percent) = power.battery_percent
            && before != Some(power.on_mains)
        {
            let source = if power.on_mains { "mains" } else { "battery" };
            console::say(&format!("Running on {source}, battery at {percent:.0} %."));
        }
        self.gauged(power, now())
    }

    pub(super) fn gauged(&mut self, power: Power, now: Instant) -> Next {
        let reading = Reading {
            percent: power.battery_percent,
            on_mains: power.on_mains,
            discharging: power.discharging,
        };
        let news = self.gauge.read(reading, now);
        for news in news {
            self.alarms.push(match news {
                News::MainsLost => Alarm::MainsLost,
                News::MainsBack => Alarm::MainsBack,
                News::Fell(level) => {
                    let percent = power.battery_percent.unwrap_or_default();
                    console::warn(&format!(
                        "BATTERY AT {percent:.0} %. Plug in the charger{}.",
                        match level {
                            Level::Fine | Level::Warn | Level::Low => "",
                            Level::Critical => ", or the loan ends now",
                            Level::Action => "; this machine switches itself off",
                        }
                    ));
                    Alarm::Battery(level)
                }
            });
        }
        match self.gauge.level() {
            Level::Action => self.ask(Asked::by_battery(now)),
            Level::Fine => {
                self.loan.powered();
                Next::Wait
            }
            Level::Warn | Level::Low | Level::Critical => Next::Wait,
        }
    }

    /// What the borrower's machine is told.
    pub(super) fn status(&self) -> Status {
        let power = status::power();
        let stats = self.service.as_ref().map(|service| service.server.stats());
        let held = self.held_since;
        let asked = self.loan.asked();
        Status {
            lender: self.ticket.lender.clone(),
            loan: self.loan.tag().into(),
            epoch: self.epoch,
            held_secs: held.map_or(0, |since| since.elapsed().as_secs()),
            battery_percent: power.battery_percent,
            on_ac: power.on_mains,
            battery_level: self.gauge.level(),
            read_bytes: stats.map_or(0, |stats| stats.read_bytes),
            written_bytes: stats.map_or(0, |stats| stats.written_bytes),
            memory_bytes: status::memory_bytes(),
            empty_in_secs: power.empty_in_secs,
            link_speed_mbps: status::link_speed_mbps(&self.ticket.links),
            celsius: status::hottest_celsius(),
            disk: self.disk_status.clone(),
            // Nought means that it is waited for.
            asked_back_secs: asked.map(|asked| {
                asked.until.map_or(0, |until| {
                    until.saturating_duration_since(now()).as_secs().max(1)
                })
            }),
            news: 0,
        }
    }

    /// What is on the screen.
    pub fn shown(&self) -> Shown {
        let seen = self.seen.as_ref();
        let stats = self.service.as_ref().map(|service| service.server.stats());
        Shown {
            lender: self.ticket.lender.clone(),
            disk: self.disk_name.clone(),
            standing: self.standing(),
            asked_back: self.loan.asked().map(|asked| asked.until),
            power: seen.map_or_else(status::power, |seen| seen.power),
            level: self.gauge.level(),
            link_speed_mbps: seen.map_or(0, |seen| seen.link_speed_mbps),
            celsius: seen.and_then(|seen| seen.celsius),
            read_bytes: stats.map_or(0, |stats| stats.read_bytes),
            written_bytes: stats.map_or(0, |stats| stats.written_bytes),
        }
    }

    fn standing(&self) -> Standing {
        match *self.loan.stage() {
            Stage::Offered { deadline } => Standing::Offered {
                to: self.ticket.promised_to.map(|id| self.name(id)),
                until: deadline,
            },
            Stage::Granted { borrower, .. } => Standing::Starting {
                borrower: self.name(borrower),
            },
            Stage::Held { borrower, .. } => Standing::Held {
                borrower: self.name(borrower),
                since: self.held_since.unwrap_or_else(now),
            },
            Stage::Orphaned {
                borrower, deadline, ..
            } => Standing::Missing {
                borrower: self.name(borrower),
                since: self
                    .missing
                    .as_ref()
                    .map_or_else(now, |missing| missing.since),
                until: deadline,
            },
            Stage::Restarting {
                borrower, deadline, ..
            } => Standing::Restarting {
                borrower: self.name(borrower),
                until: deadline,
            },
            Stage::Parting { .. } | Stage::Closing { .. } => Standing::Ending,
            Stage::Closed { outcome } => Standing::Over(outcome),
        }
    }
}
