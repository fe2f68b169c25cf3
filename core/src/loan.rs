//! The lender's half in the ramdisk: who may touch the disk, and when it goes home.
//!
//! ```text
//!            grant           open            last session gone
//! Offered ─────────▶ Granted ─────▶ Held ◀──────────────────────▶ Orphaned
//!    │                ▲ │             │            open             │  │
//!    │ deadline       └─┼─────────────┼──────── grant, same one ────┼──┘
//!    │                  │ deadline    │ release                     │ deadline
//!    └──────────────────┴─────────────┴──▶ Closing ◀────────────────┘   (recall: from everywhere)
//!                                             │ drained, then synced
//!                                             ▼
//!                                          Closed ─▶ (reboot into our own system)
//! ```
//!
//! Two promises: at most one borrower can touch the disk, and our own system
//! never starts while anybody could still write to it. Each grant has an epoch
//! of its own, and only sessions of the newest one are let in.

use crate::pairing::PairingId;
use crate::ticket::Limits;
use std::time::{Duration, Instant};

/// How the loan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The borrower flushed everything and said so.
    Returned,
    /// Somebody at the lender took the disk back.
    Recalled,
    /// The borrower vanished and did not come back.
    Lost,
    /// Nobody came for the disk.
    Unused,
}

/// Where the loan stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Loan {
    /// Waiting for the first borrower.
    Offered {
        /// When we go home without one.
        deadline: Instant,
    },
    /// The bundle went out; the borrower is on its way into the lent system.
    Granted {
        /// Who got it.
        borrower: PairingId,
        /// Its fence.
        epoch: u64,
        /// When we go home without it.
        deadline: Instant,
        /// What that would be: it never came, or it had the disk before.
        otherwise: Outcome,
    },
    /// The disk is attached.
    Held {
        /// Who has it.
        borrower: PairingId,
        /// Its fence.
        epoch: u64,
        /// Open connections to the disk.
        sessions: u32,
    },
    /// The borrower has vanished, e.g. by a pulled cable, and may come back.
    Orphaned {
        /// Who had it.
        borrower: PairingId,
        /// Its fence.
        epoch: u64,
        /// When we go home.
        deadline: Instant,
    },
    /// Nobody is let in any more; waiting for the last sessions to end and the disk to be synced.
    Closing {
        /// Connections that still end.
        sessions: u32,
        /// What the end will be.
        outcome: Outcome,
    },
    /// All is on the disk, nobody can write: going home.
    Closed {
        /// How it ended.
        outcome: Outcome,
    },
}

/// Something that happened. Never refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Time has passed.
    Tick {
        /// What time it is.
        now: Instant,
    },
    /// A session ended, all its requests are done.
    HungUp {
        /// What time it is.
        now: Instant,
    },
    /// All that was written is on the disk, or the disk has said that it will never be.
    Synced,
}

/// The one thing to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Report [`Event::Tick`] then, if the state is still the same.
    WakeAt(Instant),
    /// End all sessions; each end is an [`Event::HungUp`].
    HangUp,
    /// Flush the disk, then report [`Event::Synced`].
    Sync,
    /// Reboot into our own system.
    GoHome,
}

/// Why a command was refused; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// Somebody else has the disk, or it is on its way to them.
    #[error("another borrower has the disk")]
    Lent {
        /// Who.
        to: PairingId,
    },
    /// The loan ends; nobody is let in any more.
    #[error("the loan is over")]
    Closed,
    /// The epoch is not the newest one: this borrower is fenced off.
    #[error("this borrower's grant is no longer good")]
    Fenced,
}

impl Loan {
    /// A disk that waits for its first borrower.
    #[must_use]
    pub fn offered(limits: Limits, now: Instant) -> (Self, Effect) {
        let deadline = now + secs(limits.offer_secs);
        (Self::Offered { deadline }, Effect::WakeAt(deadline))
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
    ) -> Result<(u64, Effect), Refusal> {
        let (epoch, otherwise) = match *self {
            Self::Offered { .. } => (1, Outcome::Unused),
            Self::Granted {
                borrower: holder,
                epoch,
                otherwise,
                ..
            } if holder == borrower => (epoch + 1, otherwise),
            Self::Orphaned {
                borrower: holder,
                epoch,
                ..
            } if holder == borrower => (epoch + 1, Outcome::Lost),
            Self::Granted { borrower: to, .. }
            | Self::Held { borrower: to, .. }
            | Self::Orphaned { borrower: to, .. } => return Err(Refusal::Lent { to }),
            Self::Closing { .. } | Self::Closed { .. } => return Err(Refusal::Closed),
        };
        let deadline = now + secs(limits.offer_secs);
        *self = Self::Granted {
            borrower,
            epoch,
            deadline,
            otherwise,
        };
        Ok((epoch, Effect::WakeAt(deadline)))
    }

    /// Lets in one more session of the grant `epoch`.
    ///
    /// # Errors
    /// The grant is not the newest one, or the loan is over.
    pub fn open(&mut self, epoch: u64) -> Result<(), Refusal> {
        let (borrower, sessions) = match *self {
            Self::Granted {
                borrower, epoch: e, ..
            } if e == epoch => (borrower, 1),
            Self::Held {
                borrower,
                epoch: e,
                sessions,
            } if e == epoch => (borrower, sessions + 1),
            Self::Orphaned {
                borrower, epoch: e, ..
            } if e == epoch => (borrower, 1),
            Self::Closing { .. } | Self::Closed { .. } => return Err(Refusal::Closed),
            Self::Offered { .. }
            | Self::Granted { .. }
            | Self::Held { .. }
            | Self::Orphaned { .. } => return Err(Refusal::Fenced),
        };
        *self = Self::Held {
            borrower,
            epoch,
            sessions,
        };
        Ok(())
    }

    /// Takes the disk back from the borrower that gives it back.
    ///
    /// # Errors
    /// The grant is not the newest one, or the loan is over already.
    pub fn release(&mut self, epoch: u64) -> Result<Effect, Refusal> {
        match *self {
            Self::Held {
                epoch: e, sessions, ..
            } if e == epoch => Ok(self.close(sessions, Outcome::Returned)),
            Self::Granted { epoch: e, .. } | Self::Orphaned { epoch: e, .. } if e == epoch => {
                Ok(self.close(0, Outcome::Returned))
            }
            Self::Closing { .. } | Self::Closed { .. } => Err(Refusal::Closed),
            Self::Offered { .. }
            | Self::Granted { .. }
            | Self::Held { .. }
            | Self::Orphaned { .. } => Err(Refusal::Fenced),
        }
    }

    /// Takes the disk back because somebody at the lender says so.
    ///
    /// # Errors
    /// The loan is over already.
    pub fn recall(&mut self) -> Result<Effect, Refusal> {
        match *self {
            Self::Offered { .. } | Self::Granted { .. } | Self::Orphaned { .. } => {
                Ok(self.close(0, Outcome::Recalled))
            }
            Self::Held { sessions, .. } => Ok(self.close(sessions, Outcome::Recalled)),
            Self::Closing { .. } | Self::Closed { .. } => Err(Refusal::Closed),
        }
    }

    /// Takes note of what happened and says what to do next.
    pub fn handle(&mut self, event: Event, limits: Limits) -> Option<Effect> {
        match (self.clone(), event) {
            (
                Self::Held {
                    borrower,
                    epoch,
                    sessions,
                },
                Event::HungUp { now },
            ) => {
                if sessions > 1 {
                    *self = Self::Held {
                        borrower,
                        epoch,
                        sessions: sessions - 1,
                    };
                    return None;
                }
                let deadline = now + secs(limits.patience_secs);
                *self = Self::Orphaned {
                    borrower,
                    epoch,
                    deadline,
                };
                Some(Effect::WakeAt(deadline))
            }
            (Self::Offered { deadline }, Event::Tick { now }) => {
                self.overdue(deadline, now, Outcome::Unused)
            }
            (
                Self::Granted {
                    deadline,
                    otherwise,
                    ..
                },
                Event::Tick { now },
            ) => self.overdue(deadline, now, otherwise),
            (Self::Orphaned { deadline, .. }, Event::Tick { now }) => {
                self.overdue(deadline, now, Outcome::Lost)
            }
            (Self::Closing { sessions, outcome }, Event::HungUp { .. }) => {
                let effect = self.close(sessions.saturating_sub(1), outcome);
                (effect == Effect::Sync).then_some(effect)
            }
            (
                Self::Closing {
                    sessions: 0,
                    outcome,
                },
                Event::Synced,
            ) => {
                *self = Self::Closed { outcome };
                Some(Effect::GoHome)
            }
            (
                Self::Held { .. } | Self::Closing { .. } | Self::Closed { .. },
                Event::Tick { .. },
            ) => None,
            (state, event) => {
                debug_assert!(false, "{event:?} reported in {state:?}");
                None
            }
        }
    }

    /// How the state is called in the control service.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        match self {
            Self::Offered { .. } => "offered",
            Self::Granted { .. } => "granted",
            Self::Held { .. } => "held",
            Self::Orphaned { .. } => "orphaned",
            Self::Closing { .. } => "closing",
            Self::Closed { .. } => "closed",
        }
    }

    fn overdue(&mut self, deadline: Instant, now: Instant, outcome: Outcome) -> Option<Effect> {
        Some(if now < deadline {
            Effect::WakeAt(deadline)
        } else {
            self.close(0, outcome)
        })
    }

    fn close(&mut self, sessions: u32, outcome: Outcome) -> Effect {
        *self = Self::Closing { sessions, outcome };
        match sessions {
            0 => Effect::Sync,
            _ => Effect::HangUp,
        }
    }
}

fn secs(secs: u32) -> Duration {
    Duration::from_secs(secs.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet, VecDeque};

    const LIMITS: Limits = Limits {
        offer_secs: 100,
        patience_secs: 50,
    };

    /// A loan together with the world around it.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct World {
        loan: Loan,
        /// Epochs of the sessions that can write.
        open: Vec<u64>,
        /// All grants so far, the newest last.
        granted: Vec<PairingId>,
        syncing: bool,
        gone_home: bool,
    }

    fn pairing(byte: u8) -> PairingId {
        PairingId::from_bytes([byte; 8])
    }

    impl World {
        fn obey(mut self, effect: Option<Effect>) -> Self {
            match effect {
                Some(Effect::Sync) => {
                    assert!(!self.syncing, "synced twice");
                    assert!(self.open.is_empty(), "synced under a writer");
                    self.syncing = true;
                }
                Some(Effect::GoHome) => self.gone_home = true,
                Some(Effect::WakeAt(_) | Effect::HangUp) | None => {}
            }
            let newest = self.granted.len() as u64;
            assert!(
                self.open.iter().all(|epoch| *epoch == newest),
                "a fenced one can write"
            );
            assert!(
                !self.gone_home || self.open.is_empty(),
                "went home under a borrower"
            );
            self
        }

        fn with(&self, act: impl FnOnce(&mut Self) -> Option<Option<Effect>>) -> Option<Self> {
            let mut world = self.clone();
            let effect = act(&mut world)?;
            Some(world.obey(effect))
        }

        fn successors(&self, now: Instant) -> Vec<Self> {
            let later = now + Duration::from_secs(1000);
            let mut next = vec![];
            if self.gone_home {
                return next;
            }
            for now in [now, later] {
                next.extend(self.with(|w| Some(w.loan.handle(Event::Tick { now }, LIMITS))));
            }
            for borrower in [pairing(1), pairing(2)] {
                if self.granted.len() < 3 {
                    next.extend(self.with(|w| {
                        let (epoch, effect) = w.loan.grant(borrower, LIMITS, now).ok()?;
                        w.granted.push(borrower);
                        assert_eq!(epoch, w.granted.len() as u64);
                        assert!(
                            w.granted.iter().all(|one| *one == borrower),
                            "two borrowers"
                        );
                        Some(Some(effect))
                    }));
                }
            }
            for epoch in 0..=3 {
                if self.open.len() < 3 {
                    next.extend(self.with(|w| {
                        w.loan.open(epoch).ok()?;
                        w.open.push(epoch);
                        Some(None)
                    }));
                }
                next.extend(self.with(|w| w.loan.release(epoch).ok().map(Some)));
            }
            next.extend(self.with(|w| w.loan.recall().ok().map(Some)));
            if !self.open.is_empty() {
                next.extend(self.with(|w| {
                    w.open.pop();
                    Some(w.loan.handle(Event::HungUp { now }, LIMITS))
                }));
            }
            if self.syncing {
                next.extend(self.with(|w| {
                    w.syncing = false;
                    Some(w.loan.handle(Event::Synced, LIMITS))
                }));
            }
            next
        }
    }

    /// Walks every reachable world: the assertions above hold in all of them,
    /// and from each there is a way home.
    #[test]
    fn one_borrower_at_a_time_and_none_when_we_go_home() {
        let now = Instant::now();
        let start = World {
            loan: Loan::offered(LIMITS, now).0,
            open: vec![],
            granted: vec![],
            syncing: false,
            gone_home: false,
        };
        let mut seen = HashSet::from([start.clone()]);
        let mut queue = VecDeque::from([start]);
        let mut before: HashMap<World, Vec<World>> = HashMap::new();
        while let Some(world) = queue.pop_front() {
            for next in world.successors(now) {
                before.entry(next.clone()).or_default().push(world.clone());
                if seen.insert(next.clone()) {
                    queue.push_back(next);
                }
            }
        }
        let mut home: HashSet<World> = seen.iter().filter(|w| w.gone_home).cloned().collect();
        let mut queue: Vec<World> = home.iter().cloned().collect();
        while let Some(world) = queue.pop() {
            for earlier in before.get(&world).into_iter().flatten() {
                if home.insert(earlier.clone()) {
                    queue.push(earlier.clone());
                }
            }
        }
        assert_eq!(home.len(), seen.len(), "a world without a way home");
        assert!(seen.len() > 50, "the walk ended early: {}", seen.len());
    }

    #[test]
    fn a_second_borrower_is_told_who_has_it() {
        let now = Instant::now();
        let (mut loan, _) = Loan::offered(LIMITS, now);
        let (epoch, _) = loan.grant(pairing(1), LIMITS, now).unwrap();
        let lent = Err(Refusal::Lent { to: pairing(1) });
        assert_eq!(loan.grant(pairing(2), LIMITS, now), lent);
        loan.open(epoch).unwrap();
        assert_eq!(loan.grant(pairing(2), LIMITS, now), lent);
        assert_eq!(loan.grant(pairing(1), LIMITS, now), lent, "it still writes");
    }

    #[test]
    fn who_comes_back_by_a_new_grant_fences_its_old_self() {
        let now = Instant::now();
        let (mut loan, _) = Loan::offered(LIMITS, now);
        let (old, _) = loan.grant(pairing(1), LIMITS, now).unwrap();
        loan.open(old).unwrap();
        loan.handle(Event::HungUp { now }, LIMITS);
        let (new, _) = loan.grant(pairing(1), LIMITS, now).unwrap();
        assert_eq!(loan.open(old), Err(Refusal::Fenced));
        assert_eq!(loan.release(old), Err(Refusal::Fenced));
        assert_eq!(loan.open(new), Ok(()));
    }
}
