//! Where a loan can stand, and how it can end.

use crate::pairing::PairingId;
use std::time::{Duration, Instant};

/// How long a borrower that was asked has to shut down, after the time that its people have: by
/// default systemd gives a stubborn service 90 s (`DefaultTimeoutStopSec=`).
pub const UNWINDING: Duration = Duration::from_secs(120);
/// The same when the lender's battery is nearly empty: at [`crate::battery::Level::Action`] it
/// lasts for a few minutes at most.
pub const LAST_POWER: Duration = Duration::from_secs(60);

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
    /// The lender's battery is empty.
    Exhausted,
}

/// Where the loan stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
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
        /// When it is not waited for any longer.
        deadline: Instant,
        /// How that ends the loan: it never came, it had given the disk back before, or it
        /// had vanished with it.
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
        /// When we go home; `None`: when a person says so.
        deadline: Option<Instant>,
    },
    /// The borrower restarts and has said so; waiting for its last sessions to end and the
    /// disk to be synced.
    Parting {
        /// Who had it.
        borrower: PairingId,
        /// Its fence.
        epoch: u64,
        /// Connections that still end.
        sessions: u32,
    },
    /// All is on the disk, nobody can write, and the borrower will ask for it again.
    Restarting {
        /// Who had it.
        borrower: PairingId,
        /// The last fence.
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

/// The borrower is asked for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Until when the people there can work; `None`: as long as they like.
    pub until: Option<Instant>,
    /// When it is taken.
    pub(super) ends: Option<Instant>,
    /// How that ends the loan.
    pub(super) outcome: Outcome,
}

impl Asked {
    /// A person at the lender wants it back, within this time if they say so.
    #[must_use]
    pub fn by_person(within: Option<Duration>, now: Instant) -> Self {
        let until = within.map(|within| now + within);
        Self {
            until,
            ends: until.map(|until| until + UNWINDING),
            outcome: Outcome::Recalled,
        }
    }

    /// The lender's battery is nearly empty: there is no time to finish anything.
    #[must_use]
    pub fn by_battery(now: Instant) -> Self {
        Self {
            until: Some(now),
            ends: Some(now + LAST_POWER),
            outcome: Outcome::Exhausted,
        }
    }

    /// There is too little power to go on.
    pub(super) fn is_by_battery(&self) -> bool {
        self.outcome == Outcome::Exhausted
    }
}
