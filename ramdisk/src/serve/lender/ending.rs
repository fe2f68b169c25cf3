//! The ends of a loan: given back, asked back, taken back, lost; and the pause of a restart.

use super::{Lender, Next};
use crate::console;
use crate::serve::outlook::{Alarm, Said};
use crate::serve::{Way, now};
use std::io;
use std::time::Duration;
use stiefel_core::battery::Level;
use stiefel_core::control::{Refused, Release, Released};
use stiefel_core::loan::{Asked, Effect, Event, Onward, Outcome, Refusal, Stage};
use tokio::sync::oneshot;

impl Lender {
    pub(super) fn released(
        &mut self,
        release: &Release,
        reply: oneshot::Sender<Result<Released, Refused>>,
    ) -> Next {
        match self.loan.release(release.epoch, release.onward()) {
            Ok(Some(effect)) => {
                console::say(match release.onward() {
                    Onward::Leaves => "The borrower gives the disk back; writing what is left.",
                    Onward::Restarts => "The borrower restarts; writing what is left.",
                });
                self.releasing.push(reply);
                self.obey(Some(effect))
            }
            // A repeated release waits for the same end as the first one.
            Ok(None) | Err(Refusal::Closed) => {
                match self.loan.stage() {
                    Stage::Closed { .. } | Stage::Restarting { .. } => {
                        let _ = reply.send(Ok(Released { epoch: self.epoch }));
                    }
                    _ => self.releasing.push(reply),
                }
                Next::Wait
            }
            Err(refusal) => {
                let message = refusal.to_string();
                let _ = reply.send(Err(Refused { message }));
                Next::Wait
            }
        }
    }

    /// The person at this machine, or one of its devices, has said something.
    pub fn told(&mut self, said: Said) -> Next {
        match said {
            Said::AskBack { within } => self.ask(Asked::by_person(within, now())),
            Said::CallOff => {
                if self.loan.asked().is_some() {
                    self.loan.call_off();
                    console::say("The borrower may keep the disk.");
                }
                Next::Wait
            }
            Said::TakeBack => match self.loan.recall() {
                Ok(effect) => {
                    console::say("Taking the disk back.");
                    self.obey(effect)
                }
                Err(_) => Next::Wait,
            },
            Said::Disk(disk) => {
                self.disk_status = Some(disk);
                Next::Wait
            }
        }
    }

    pub(super) fn ask(&mut self, asked: Asked) -> Next {
        let before = self.loan.asked();
        let Ok(effect) = self.loan.ask(asked) else {
            return Next::Wait;
        };
        if effect.is_some() {
            console::say("Nobody uses the disk; this machine takes it back.");
        } else if self.loan.asked() != before {
            self.alarms.push(Alarm::AskedBack);
            let left = asked
                .until
                .map(|until| until.saturating_duration_since(now()));
            console::say(&match left {
                Some(Duration::ZERO) => "The borrower is asked to shut down now.".into(),
                Some(left) => {
                    format!(
                        "The borrower is asked to shut down within {} s.",
                        left.as_secs()
                    )
                }
                None => "The borrower is asked to shut down.".to_owned(),
            });
        }
        self.obey(effect)
    }

    pub fn synced(&mut self, result: io::Result<()>) -> Next {
        if let Err(error) = &result {
            self.alarms.push(Alarm::DiskFailed);
            console::warn(&format!(
                "THE DISK COULD NOT WRITE EVERYTHING ({error}). Check its file systems."
            ));
        }
        for reply in self.releasing.drain(..) {
            let answer = match &result {
                Ok(()) => Ok(Released { epoch: self.epoch }),
                Err(error) => Err(Refused {
                    message: format!("the disk could not write everything: {error}"),
                }),
            };
            let _ = reply.send(answer);
        }
        let next = self.happened(Event::Synced { now: now() });
        if let Stage::Restarting { borrower, .. } = *self.loan.stage() {
            console::say(&format!(
                "All is written. Waiting {} s for {} to start again.",
                self.ticket.limits.offer_secs,
                self.name(borrower)
            ));
        }
        next
    }

    pub(super) fn obey(&mut self, effect: Option<Effect>) -> Next {
        match (effect, &self.service) {
            (None, _) | (Some(Effect::HangUp), None) => Next::Wait,
            (Some(Effect::HangUp), Some(service)) => Next::HangUp(service.server.clone()),
            (Some(Effect::Sync), _) => Next::Sync(self.disk.clone()),
            (Some(Effect::GoHome), _) => Next::GoHome(self.leave()),
        }
    }

    /// Says goodbye, and where to.
    fn leave(&mut self) -> Way {
        let Stage::Closed { outcome } = *self.loan.stage() else {
            return Way::Home;
        };
        self.alarms.push(Alarm::Over(outcome));
        // A system that starts now would not get far.
        let off = self.gauge.level() >= Level::Critical;
        let how = match outcome {
            Outcome::Returned => "The disk is back and complete.",
            Outcome::Recalled => "The disk was taken back.",
            Outcome::Lost => "The borrower did not come back.",
            Outcome::Unused => "Nobody came for the disk.",
            Outcome::Exhausted => "The battery is nearly empty; all that was saved is on the disk.",
        };
        let recovers = matches!(outcome, Outcome::Lost | Outcome::Exhausted);
        console::say(&match (off, recovers) {
            (true, _) => format!("{how} Switching off, because the battery is nearly empty."),
            (false, true) => {
                format!("{how} Starting our own system; it recovers as after a power cut.")
            }
            (false, false) => format!("{how} Starting our own system."),
        });
        if off { Way::Off } else { Way::Home }
    }
}
