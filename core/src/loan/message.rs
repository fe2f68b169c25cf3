//! What is said to a loan, and what it says.

use crate::pairing::PairingId;
use std::time::Instant;

/// What a borrower that releases the disk does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Onward {
    /// It is done.
    Leaves,
    /// It restarts, and wants the same bundle again.
    Restarts,
}

/// Something that happened. Never refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Time has passed; see [`super::Loan::deadline`].
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
    Synced {
        /// What time it is.
        now: Instant,
    },
}

/// The one thing to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// End all sessions; each end is an [`Event::HungUp`].
    HangUp,
    /// Flush the disk, then report [`Event::Synced`].
    Sync,
    /// Leave for our own system.
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
