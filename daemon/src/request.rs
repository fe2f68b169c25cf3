//! What people ask of the daemon, and why it may refuse.

use crate::bouncer::Action;
use crate::store::LinkPolicy;
use crate::world::Trouble;
use std::os::fd::OwnedFd;
use stiefel_core::handoff::{Borrower, Refusal};
use stiefel_core::pairing::{Name, PairingId, Policy};
use tokio::sync::oneshot;

/// A request that has passed the bouncer, and where its answer goes.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes.
    pub reply: Reply,
}

/// Where an answer goes.
pub type Reply = oneshot::Sender<Result<Answer, Refused>>;

/// What people can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Begin to answer searches.
    Arm,
    /// End that.
    Disarm,
    /// Make a pairing.
    Pair(Name),
    /// Look at everything again.
    Refresh,
    /// Make the ramdisk.
    UpdateImage,
    /// Call the job of this number off.
    StopJob(u32),
    /// Announce a hand-off.
    Begin(Borrower),
    /// Say yes to it.
    Confirm,
    /// Call it off.
    Cancel,
    /// Rename a pairing.
    Rename(PairingId, Name),
    /// Change a pairing's policy.
    SetPolicy(PairingId, Policy),
    /// Give out a pairing's ticket.
    ExportTicket(PairingId),
    /// Destroy a pairing.
    Forget(PairingId),
    /// Change what the interface of this name is used for.
    SetLinkPolicy(String, LinkPolicy),
}

impl Request {
    /// What somebody has to be allowed to do in order to ask for this.
    #[must_use]
    pub fn action(&self) -> Action {
        match self {
            Self::Arm | Self::Disarm => Action::Arm,
            Self::Pair(_) | Self::Forget(_) => Action::Pair,
            Self::UpdateImage | Self::StopJob(_) => Action::Manage,
            Self::Refresh | Self::Rename(..) | Self::SetPolicy(..) | Self::SetLinkPolicy(..) => {
                Action::Manage
            }
            Self::Begin(_) | Self::Confirm => Action::HandOff,
            Self::Cancel => Action::Cancel,
            Self::ExportTicket(_) => Action::WriteStick,
        }
    }
}

/// What a request brought about.
#[derive(Debug)]
pub enum Answer {
    /// It is done.
    Done,
    /// This pairing was made.
    Paired(PairingId),
    /// The job of this number goes on.
    Begun(u32),
    /// The ticket, to be read once.
    Ticket(OwnedFd),
}

/// Why a request was refused; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Something forbids a hand-off.
    #[error("{0}")]
    Blocked(String),
    /// The hand-off machine refused.
    #[error("{0}")]
    HandOff(#[from] Refusal),
    /// There is no such pairing.
    #[error("there is no such pairing; see: stiefelctl pairings")]
    NotPaired,
    /// Another pairing has the name.
    #[error("another pairing is called {0}; choose another name, or forget that one")]
    NameTaken(Name),
    /// There are as many pairings as there may be.
    #[error("there are {max} pairings, and no more can be made; forget one", max = crate::store::MAX_PAIRINGS)]
    TooMany,
    /// The job was forgotten while the call was on its way.
    #[error("there is no such job any more")]
    NoJob,
    /// The interface was unplugged while the call was on its way.
    #[error("there is no such interface any more; see: stiefelctl links")]
    NoLink,
    /// There are as many policies of interfaces as there may be.
    #[error("there are policies for {max} interfaces, and no more can be kept", max = crate::store::MAX_LINKS)]
    TooManyLinks,
    /// The system runs from a lent disk.
    #[error("this system runs from a lent disk, which cannot be lent on; give it back first")]
    Borrowed,
    /// Something did not work.
    #[error("{0}")]
    Failed(#[from] Trouble),
}
