//! The lender's half in the ramdisk: who may touch the disk, and when it goes home.
//!
//! ```text
//!            grant           open            last session gone
//! Offered ─────────▶ Granted ─────▶ Held ◀──────────────────────▶ Orphaned
//!    │                ▲ │ ▲           │ │          open             │  │
//!    │ deadline       └─┼─┼───────────┼─┼──────── grant, same one ──┘  │
//!    │                  │ │ grant,    │ │ release, restarts            │ deadline, if any
//!    │         deadline │ │ same one  │ ▼                              │
//!    │                  │ │           │ Parting ─drained, synced─▶ Restarting
//!    │                  │ └───────────┼─────────────────────────────┤  │
//!    │                  │             │ release                     │  │ deadline
//!    └──────────────────┴─────────────┴──▶ Closing ◀────────────────┴──┘  (recall: from everywhere)
//!                                             │ drained, then synced
//!                                             ▼
//!                                          Closed ─▶ (reboot into our own system)
//! ```
//!
//! Two promises: at most one borrower can touch the disk, and our own system
//! never starts while anybody could still write to it. Each grant has an epoch
//! of its own, and only sessions of the newest one are let in.
//!
//! **Asking back.** Whoever has the disk, or has vanished with it, can be asked
//! for it with a deadline, after which it is taken. Where nobody can have unsaved
//! work, it is taken at once.

mod message;
mod stage;

use crate::pairing::PairingId;
use crate::ticket::Limits;
use std::time::{Duration, Instant};

pub use message::{Effect, Event, Onward, Refusal};
pub use stage::{Asked, LAST_POWER, Outcome, Stage, UNWINDING};

/// The loan: where it stands, and whether it was asked back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Loan {
    stage: Stage,
    asked: Option<Asked>,
}

impl Loan {
    /// A disk that waits for its first borrower.
    #[must_use]
    pub fn offered(limits: Limits, now: Instant) -> Self {
        let deadline = now + secs(limits.offer_secs);
        Self {
            stage: Stage::Offered { deadline },
            asked: None,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Whether it was asked back.
    #[must_use]
    pub fn asked(&self) -> Option<Asked> {
        self.asked
    }

    /// When the next [`Event::Tick`] is due, if any.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let stage = match self.stage {
            Stage::Offered { deadline }
            | Stage::Granted { deadline, .. }
            | Stage::Restarting { deadline, .. } => Some(deadline),
            Stage::Orphaned { deadline, .. } => deadline,
            Stage::Held { .. }
            | Stage::Parting { .. }
            | Stage::Closing { .. }
            | Stage::Closed { .. } => None,
        };
        let asked = self.asked.and_then(|asked| asked.ends);
        stage.into_iter().chain(asked).min()
    }

    /// Promises the disk to `borrower` and returns the epoch to let it in with.
    /// One that has vanished may ask again and fences its old self off.
    ///
    /// # Errors
    /// Somebody has the disk (also `borrower` itself, while its sessions live), or the loan is over.
    pub fn grant(
        &mut self,
        borrower: PairingId,
        limits: Limits,
        now: Instant,
    ) -> Result<u64, Refusal> {
        let (epoch, otherwise) = match self.stage {
            Stage::Offered { .. } => (1, Outcome::Unused),
            Stage::Granted {
                borrower: holder,
                epoch,
                otherwise,
                ..
            } if holder == borrower => (epoch + 1, otherwise),
            Stage::Orphaned {
                borrower: holder,
                epoch,
                ..
            } if holder == borrower => (epoch + 1, Outcome::Lost),
            Stage::Restarting {
                borrower: holder,
                epoch,
                ..
            } if holder == borrower => (epoch + 1, Outcome::Returned),
            Stage::Granted { borrower: to, .. }
            | Stage::Held { borrower: to, .. }
            | Stage::Orphaned { borrower: to, .. }
            | Stage::Parting { borrower: to, .. }
            | Stage::Restarting { borrower: to, .. } => return Err(Refusal::Lent { to }),
            Stage::Closing { .. } | Stage::Closed { .. } => return Err(Refusal::Closed),
        };
        self.stage = Stage::Granted {
            borrower,
            epoch,
            deadline: now + secs(limits.offer_secs),
            otherwise,
        };
        Ok(epoch)
    }

    /// Lets in one more session of the grant `epoch`.
    ///
    /// # Errors
    /// The grant is not the newest one, or the loan is over.
    pub fn open(&mut self, epoch: u64) -> Result<(), Refusal> {
        let (borrower, sessions) = match self.stage {
            Stage::Granted {
                borrower, epoch: e, ..
            } if e == epoch => (borrower, 1),
            Stage::Held {
                borrower,
                epoch: e,
                sessions,
            } if e == epoch => (borrower, sessions + 1),
            Stage::Orphaned {
                borrower, epoch: e, ..
            } if e == epoch => (borrower, 1),
            Stage::Closing { .. } | Stage::Closed { .. } => return Err(Refusal::Closed),
            Stage::Offered { .. }
            | Stage::Granted { .. }
            | Stage::Held { .. }
            | Stage::Orphaned { .. }
            | Stage::Parting { .. }
            | Stage::Restarting { .. } => return Err(Refusal::Fenced),
        };
        self.stage = Stage::Held {
            borrower,
            epoch,
            sessions,
        };
        Ok(())
    }

    /// Takes the disk back from the borrower that gives it back, for good or, unless it was
    /// asked for, for as long as it restarts. Without an effect it was told so before.
    ///
    /// # Errors
    /// The grant is not the newest one, or the loan is over already.
    pub fn release(&mut self, epoch: u64, onward: Onward) -> Result<Option<Effect>, Refusal> {
        let (borrower, sessions) = match self.stage {
            Stage::Held {
                borrower,
                epoch: e,
                sessions,
            } if e == epoch => (borrower, sessions),
            Stage::Granted {
                borrower, epoch: e, ..
            }
            | Stage::Orphaned {
                borrower, epoch: e, ..
            } if e == epoch => (borrower, 0),
            Stage::Parting { epoch: e, .. } | Stage::Restarting { epoch: e, .. } if e == epoch => {
                return Ok(None);
            }
            Stage::Closing { .. } | Stage::Closed { .. } => return Err(Refusal::Closed),
            Stage::Offered { .. }
            | Stage::Granted { .. }
            | Stage::Held { .. }
            | Stage::Orphaned { .. }
            | Stage::Parting { .. }
            | Stage::Restarting { .. } => return Err(Refusal::Fenced),
        };
        match onward {
            Onward::Restarts if self.asked.is_none() => {
                self.stage = Stage::Parting {
                    borrower,
                    epoch,
                    sessions,
                };
                Ok(Some(drain(sessions)))
            }
            Onward::Restarts | Onward::Leaves => Ok(Some(self.close(sessions, Outcome::Returned))),
        }
    }

    /// Takes the disk back because somebody at the lender says so. Without an effect, what is
    /// under way leads there.
    ///
    /// # Errors
    /// The loan is over already.
    pub fn recall(&mut self) -> Result<Option<Effect>, Refusal> {
        self.take(Outcome::Recalled)
    }

    /// Asks the borrower for the disk; whoever asks for an earlier end than others did, has
    /// the say. Where nobody can have unsaved work, it is taken at once.
    ///
    /// # Errors
    /// The loan is over already.
    pub fn ask(&mut self, asked: Asked) -> Result<Option<Effect>, Refusal> {
        match self.stage {
            Stage::Held { .. }
            | Stage::Orphaned { .. }
            | Stage::Granted {
                otherwise: Outcome::Lost,
                ..
            } => {
                let sooner = |old: &Asked| match (old.ends, asked.ends) {
                    (Some(old), Some(new)) => new < old,
                    (None, _) => true,
                    (Some(_), None) => false,
                };
                if self.asked.as_ref().is_none_or(sooner) {
                    self.asked = Some(asked);
                }
                Ok(None)
            }
            Stage::Parting { .. } | Stage::Restarting { .. } => self.take(Outcome::Returned),
            Stage::Offered { .. } | Stage::Granted { .. } => self.take(asked.outcome),
            Stage::Closing { .. } | Stage::Closed { .. } => Err(Refusal::Closed),
        }
    }

    /// What a person asked back may be kept.
    pub fn call_off(&mut self) {
        self.asked = self.asked.filter(Asked::is_by_battery);
    }

    /// The lender has power again: what it asked back for want of it may be kept.
    pub fn powered(&mut self) {
        self.asked = self.asked.filter(|asked| !asked.is_by_battery());
    }

    /// Takes note of what happened and says what to do next.
    pub fn handle(&mut self, event: Event, limits: Limits) -> Option<Effect> {
        match event {
            Event::Tick { now } => self.tick(now, limits),
            Event::HungUp { now } => self.hung_up(now, limits),
            Event::Synced { now } => self.synced(now, limits),
        }
    }

    /// How the stage is called in the control service.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        match self.stage {
            Stage::Offered { .. } => "offered",
            Stage::Granted { .. } => "granted",
            Stage::Held { .. } => "held",
            Stage::Orphaned { .. } => "orphaned",
            Stage::Parting { .. } => "parting",
            Stage::Restarting { .. } => "restarting",
            Stage::Closing { .. } => "closing",
            Stage::Closed { .. } => "closed",
        }
    }

    fn tick(&mut self, now: Instant, limits: Limits) -> Option<Effect> {
        let overdue = |deadline: Instant| deadline <= now;
        if let Some(asked) = self.asked.filter(|asked| asked.ends.is_some_and(overdue)) {
            return self.take(asked.outcome).ok().flatten();
        }
        let (deadline, outcome) = match self.stage {
            Stage::Offered { deadline } => (Some(deadline), Outcome::Unused),
            Stage::Granted {
                borrower,
                epoch,
                deadline,
                otherwise: Outcome::Lost,
            } if limits.patience().is_none() => {
                if overdue(deadline) {
                    // Still a person's business.
                    self.stage = Stage::Orphaned {
                        borrower,
                        epoch,
                        deadline: None,
                    };
                }
                return None;
            }
            Stage::Granted {
                deadline,
                otherwise,
                ..
            } => (Some(deadline), otherwise),
            Stage::Orphaned { deadline, .. } => (deadline, Outcome::Lost),
            Stage::Restarting { deadline, .. } => (Some(deadline), Outcome::Returned),
            Stage::Held { .. }
            | Stage::Parting { .. }
            | Stage::Closing { .. }
            | Stage::Closed { .. } => return None,
        };
        deadline
            .is_some_and(overdue)
            .then(|| self.close(0, outcome))
    }

    fn hung_up(&mut self, now: Instant, limits: Limits) -> Option<Effect> {
        match &mut self.stage {
            Stage::Held { sessions, .. } if *sessions > 1 => {
                *sessions -= 1;
                None
            }
            Stage::Held {
                borrower, epoch, ..
            } => {
                self.stage = Stage::Orphaned {
                    borrower: *borrower,
                    epoch: *epoch,
                    deadline: limits.patience().map(|patience| now + patience),
                };
                None
            }
            Stage::Parting { sessions, .. } | Stage::Closing { sessions, .. } if *sessions > 0 => {
                *sessions -= 1;
                (*sessions == 0).then_some(Effect::Sync)
            }
            Stage::Offered { .. }
            | Stage::Granted { .. }
            | Stage::Orphaned { .. }
            | Stage::Parting { .. }
            | Stage::Restarting { .. }
            | Stage::Closing { .. }
            | Stage::Closed { .. } => {
                debug_assert!(false, "a session ended in {:?}", self.stage);
                None
            }
        }
    }

    fn synced(&mut self, now: Instant, limits: Limits) -> Option<Effect> {
        match self.stage {
            Stage::Parting {
                borrower,
                epoch,
                sessions: 0,
            } => {
                self.stage = Stage::Restarting {
                    borrower,
                    epoch,
                    deadline: now + secs(limits.offer_secs),
                };
                None
            }
            Stage::Closing {
                sessions: 0,
                outcome,
            } => {
                self.stage = Stage::Closed { outcome };
                Some(Effect::GoHome)
            }
            Stage::Offered { .. }
            | Stage::Granted { .. }
            | Stage::Held { .. }
            | Stage::Orphaned { .. }
            | Stage::Parting { .. }
            | Stage::Restarting { .. }
            | Stage::Closing { .. }
            | Stage::Closed { .. } => {
                debug_assert!(false, "synced in {:?}", self.stage);
                None
            }
        }
    }

    fn take(&mut self, outcome: Outcome) -> Result<Option<Effect>, Refusal> {
        match self.stage {
            Stage::Offered { .. }
            | Stage::Granted { .. }
            | Stage::Orphaned { .. }
            | Stage::Restarting { .. } => Ok(Some(self.close(0, outcome))),
            Stage::Held { sessions, .. } => Ok(Some(self.close(sessions, outcome))),
            // The sessions end already, or the disk is being synced.
            Stage::Parting { sessions, .. } => {
                self.close(sessions, Outcome::Returned);
                Ok(None)
            }
            Stage::Closing { .. } | Stage::Closed { .. } => Err(Refusal::Closed),
        }
    }

    fn close(&mut self, sessions: u32, outcome: Outcome) -> Effect {
        self.stage = Stage::Closing { sessions, outcome };
        self.asked = None;
        drain(sessions)
    }
}

/// What comes before a sync.
fn drain(sessions: u32) -> Effect {
    match sessions {
        0 => Effect::Sync,
        _ => Effect::HangUp,
    }
}

fn secs(secs: u32) -> Duration {
    Duration::from_secs(secs.into())
}

#[cfg(test)]
mod tests;
