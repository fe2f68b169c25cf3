//! The lender's way from its running system to the reboot into the ramdisk, or
//! back again as if nothing had happened.
//!
//! ```text
//!  ask        deadline or confirm       every step done
//! Idle ─▶ Announced ────────▶ Preparing ───────────────▶ Leaving ─▶ (kexec)
//!  ▲          │ cancel,           │ cancel, blocked,       │ the reboot was
//!  │          │ blocked,          │ step failed            │ refused
//!  │          │ expired           ▼                        │
//!  ├──────────┘                Reverting ◀─────────────────┘
//!  └──────────────────────────────┘ every step undone
//! ```
//!
//! What people want arrives as a method that may refuse; what happened arrives
//! as an [`Event`] that may not. What shall be done leaves as an [`Effect`], and
//! the next one comes only after the end of the last one was reported: never
//! two things at once.
//!
//! Times are durations since the origin of one monotonic clock.

use crate::pairing::PairingId;
use std::time::Duration;

/// Who the disk is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Borrower {
    /// Whichever paired machine asks the ramdisk first.
    Any,
    /// Only the machine with this pairing's boot medium.
    Pairing(PairingId),
}

/// What happens when nobody says anything until the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Silence {
    /// The hand-off goes ahead.
    GoesAhead,
    /// The hand-off is off; only [`HandOff::confirm`] starts it.
    CallsOff,
}

/// What must be in force before we may leave, in this order.
/// Each can be undone, and undoing goes backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The machine neither suspends nor reacts to its lid.
    HoldSleep,
    /// The ramdisk for the running kernel is there and whole.
    CheckImage,
    /// Nobody else configures the stiefellink.
    ClaimLink,
    /// Kernel, ramdisk and ticket are in the kernel's hands: from here on *any*
    /// reboot takes them, so this comes last.
    LoadKernel,
}

impl Step {
    /// All steps in the order in which they are taken.
    pub const ORDER: [Self; 4] = [
        Self::HoldSleep,
        Self::CheckImage,
        Self::ClaimLink,
        Self::LoadKernel,
    ];
}

/// How many steps are in force. They come strictly in order, so a count is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Progress(usize);

impl Progress {
    /// The step to take next, `None` when all are in force.
    #[must_use]
    pub fn next(self) -> Option<Step> {
        Step::ORDER.get(self.0).copied()
    }

    /// The step that was taken last, `None` when none is in force.
    #[must_use]
    pub fn last(self) -> Option<Step> {
        self.0.checked_sub(1).map(|at| Step::ORDER[at])
    }
}

/// Why a hand-off came back to `Idle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Somebody said no.
    Cancelled,
    /// Nobody said yes in time.
    Expired,
    /// Something came in the way; see [`crate::preflight`].
    Blocked,
    /// This step could not be done.
    StepFailed(Step),
    /// All was ready, but the reboot did not happen.
    RebootRefused,
}

/// Where the hand-off stands. Each state holds what is needed to leave it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HandOff {
    /// The disk belongs to this running system.
    Idle {
        /// Why the last hand-off came back, if there was one.
        after: Option<Reason>,
    },
    /// Nothing is touched yet; people may object.
    Announced {
        /// Who the disk is meant for.
        borrower: Borrower,
        /// When this state ends by itself.
        deadline: Duration,
        /// How it ends by itself.
        silence: Silence,
    },
    /// One step is being taken.
    Preparing {
        /// Who the disk is meant for.
        borrower: Borrower,
        /// The steps that are in force.
        done: Progress,
    },
    /// All is ready and the reboot was ordered. Too late to cancel.
    Leaving {
        /// Who the disk is meant for.
        borrower: Borrower,
    },
    /// On the way back to `Idle`, one undo at a time.
    Reverting {
        /// Who the disk was meant for.
        borrower: Borrower,
        /// The steps that are still in force.
        done: Progress,
        /// Why we go back.
        reason: Reason,
    },
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Time has passed.
    Tick {
        /// The time it is.
        now: Duration,
    },
    /// Something came in the way.
    Blocked,
    /// What people did not object to has changed: only a yes is a yes from now on.
    Reopened {
        /// How long they have for it.
        deadline: Duration,
    },
    /// The ordered step is in force.
    Done(Step),
    /// The ordered step could not be done and has left nothing behind.
    Failed(Step),
    /// The step was undone as well as it could be; complaints are the reporter's business.
    Undone(Step),
    /// The ordered reboot was refused or given up.
    Stayed,
}

/// The one thing to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Report a [`Event::Tick`] at this time.
    WakeAt(Duration),
    /// Take this step, then report [`Event::Done`] or [`Event::Failed`].
    Do(Step),
    /// Undo this step, then report [`Event::Undone`].
    Undo(Step),
    /// Reboot into the loaded kernel; report [`Event::Stayed`] if that does not happen.
    Leave,
}

/// Why a command was refused; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// There is one hand-off at a time.
    #[error("another hand-off is under way")]
    InProgress,
    /// There is nothing that could be confirmed.
    #[error("no hand-off waits for a confirmation")]
    NotAnnounced,
    /// The reboot was ordered.
    #[error("the machine is already leaving its system")]
    TooLate,
}

impl Default for HandOff {
    fn default() -> Self {
        Self::Idle { after: None }
    }
}

impl HandOff {
    /// Announces a hand-off; `silence` says what the deadline will bring.
    ///
    /// # Errors
    /// [`Refusal::InProgress`] unless idle.
    pub fn ask(
        &mut self,
        borrower: Borrower,
        deadline: Duration,
        silence: Silence,
    ) -> Result<Effect, Refusal> {
        let Self::Idle { .. } = self else {
            return Err(Refusal::InProgress);
        };
        *self = Self::Announced {
            borrower,
            deadline,
            silence,
        };
        Ok(Effect::WakeAt(deadline))
    }

    /// Notes that somebody would have asked, but something is in the way.
    ///
    /// # Errors
    /// [`Refusal::InProgress`] unless idle.
    pub fn turn_away(&mut self) -> Result<(), Refusal> {
        let Self::Idle { after } = self else {
            return Err(Refusal::InProgress);
        };
        *after = Some(Reason::Blocked);
        Ok(())
    }

    /// Ends the countdown now; changes nothing when the hand-off is already under way.
    ///
    /// # Errors
    /// [`Refusal::NotAnnounced`] when idle or on the way back.
    pub fn confirm(&mut self) -> Result<Option<Effect>, Refusal> {
        match *self {
            Self::Announced { borrower, .. } => Ok(self.prepare(borrower, Progress::default())),
            Self::Preparing { .. } | Self::Leaving { .. } => Ok(None),
            Self::Idle { .. } | Self::Reverting { .. } => Err(Refusal::NotAnnounced),
        }
    }

    /// Calls the hand-off off; changes nothing when there is none or it is on its way back.
    ///
    /// # Errors
    /// [`Refusal::TooLate`] once the reboot was ordered.
    pub fn cancel(&mut self) -> Result<(), Refusal> {
        match self {
            Self::Idle { .. } | Self::Reverting { .. } => Ok(()),
            Self::Leaving { .. } => Err(Refusal::TooLate),
            Self::Announced { .. } | Self::Preparing { .. } => {
                self.give_up(Reason::Cancelled);
                Ok(())
            }
        }
    }

    /// Takes note of what happened and says what to do next.
    pub fn handle(&mut self, event: Event) -> Option<Effect> {
        match (&*self, event) {
            (
                &Self::Announced {
                    borrower,
                    deadline,
                    silence,
                },
                Event::Tick { now },
            ) => {
                if now < deadline {
                    return Some(Effect::WakeAt(deadline));
                }
                match silence {
                    Silence::GoesAhead => self.prepare(borrower, Progress::default()),
                    Silence::CallsOff => {
                        self.give_up(Reason::Expired);
                        None
                    }
                }
            }
            (Self::Announced { .. } | Self::Preparing { .. }, Event::Blocked) => {
                self.give_up(Reason::Blocked);
                None
            }
            (&Self::Announced { borrower, .. }, Event::Reopened { deadline }) => {
                *self = Self::Announced {
                    borrower,
                    deadline,
                    silence: Silence::CallsOff,
                };
                Some(Effect::WakeAt(deadline))
            }
            (&Self::Preparing { borrower, done }, Event::Done(_)) => {
                self.prepare(borrower, Progress(done.0 + 1))
            }
            (&Self::Preparing { borrower, done }, Event::Failed(step)) => {
                self.revert(borrower, done, Reason::StepFailed(step))
            }
            // A step was being taken when we gave up; it counts, too.
            (
                &Self::Reverting {
                    borrower,
                    done,
                    reason,
                },
                Event::Done(_),
            ) => self.revert(borrower, Progress(done.0 + 1), reason),
            (
                &Self::Reverting {
                    borrower,
                    done,
                    reason,
                },
                Event::Failed(_),
            ) => self.revert(borrower, done, reason),
            (
                &Self::Reverting {
                    borrower,
                    done,
                    reason,
                },
                Event::Undone(_),
            ) => self.revert(borrower, Progress(done.0.saturating_sub(1)), reason),
            (&Self::Leaving { borrower }, Event::Stayed) => {
                self.revert(borrower, Progress(Step::ORDER.len()), Reason::RebootRefused)
            }
            // A late tick, or something that no longer matters.
            (_, Event::Tick { .. } | Event::Blocked | Event::Reopened { .. }) => None,
            (
                Self::Idle { .. } | Self::Announced { .. },
                Event::Done(_) | Event::Failed(_) | Event::Undone(_) | Event::Stayed,
            )
            | (Self::Preparing { .. }, Event::Undone(_) | Event::Stayed)
            | (Self::Leaving { .. }, Event::Done(_) | Event::Failed(_) | Event::Undone(_))
            | (Self::Reverting { .. }, Event::Stayed) => {
                debug_assert!(false, "{event:?} reported in {self:?}");
                None
            }
        }
    }

    /// Who the disk is meant for, `None` while idle.
    #[must_use]
    pub fn borrower(&self) -> Option<Borrower> {
        match *self {
            Self::Idle { .. } => None,
            Self::Announced { borrower, .. }
            | Self::Preparing { borrower, .. }
            | Self::Leaving { borrower }
            | Self::Reverting { borrower, .. } => Some(borrower),
        }
    }

    fn prepare(&mut self, borrower: Borrower, done: Progress) -> Option<Effect> {
        let Some(step) = done.next() else {
            *self = Self::Leaving { borrower };
            return Some(Effect::Leave);
        };
        *self = Self::Preparing { borrower, done };
        Some(Effect::Do(step))
    }

    /// Turns back without an effect: while preparing, a step is still being
    /// taken, and its end is what sets the undoing off.
    fn give_up(&mut self, reason: Reason) {
        match *self {
            Self::Announced { .. } => {
                *self = Self::Idle {
                    after: Some(reason),
                };
            }
            Self::Preparing { borrower, done } => {
                *self = Self::Reverting {
                    borrower,
                    done,
                    reason,
                };
            }
            Self::Idle { .. } | Self::Leaving { .. } | Self::Reverting { .. } => {}
        }
    }

    fn revert(&mut self, borrower: Borrower, done: Progress, reason: Reason) -> Option<Effect> {
        let Some(step) = done.last() else {
            *self = Self::Idle {
                after: Some(reason),
            };
            return None;
        };
        *self = Self::Reverting {
            borrower,
            done,
            reason,
        };
        Some(Effect::Undo(step))
    }
}

#[cfg(test)]
mod tests;
