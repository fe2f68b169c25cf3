//! What people ask of the daemon, and why it may refuse.

use crate::bouncer::Action;
use crate::config::settings::Setting;
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
#[derive(Debug)]
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
    /// Make a boot medium of a pairing.
    WriteStick(PairingId, Medium),
    /// Change a setting.
    Set(Setting),
    /// Forget all settings.
    ResetSettings,
    /// Give the lent disk back, although a program may forbid it.
    GiveBack {
        /// Whether it may not.
        force: bool,
    },
    /// Measure the loan each second for whoever has this name on the bus.
    Subscribe(String),
    /// End that.
    Unsubscribe(String),
}

/// What a boot medium is made of.
#[derive(Debug)]
pub enum Medium {
    /// The drive of this name.
    Drive {
        /// The kernel's name.
        name: String,
        /// File systems on it may be unmounted first.
        unmount: bool,
    },
    /// The drive of this name, which has to be a stick of the pairing already.
    OwnStick(String),
    /// A block device, open for reading and writing.
    Block {
        /// The device.
        fd: OwnedFd,
        /// The kernel's numbers of it, major and minor.
        device: (u32, u32),
    },
    /// A file, open for reading and writing.
    File(OwnedFd),
}

impl Request {
    /// What somebody has to be allowed to do in order to ask for this.
    #[must_use]
    pub fn action(&self) -> Action {
        match self {
            Self::Arm | Self::Disarm => Action::Arm,
            Self::Pair(_) | Self::Forget(_) => Action::Pair,
            Self::UpdateImage => Action::Manage,
            Self::Refresh | Self::Rename(..) | Self::SetPolicy(..) | Self::SetLinkPolicy(..) => {
                Action::Manage
            }
            Self::Set(_) | Self::ResetSettings => Action::Manage,
            Self::Begin(_) | Self::Confirm => Action::HandOff,
            Self::Cancel | Self::StopJob(_) => Action::Cancel,
            Self::ExportTicket(_) | Self::WriteStick(..) => Action::WriteStick,
            Self::GiveBack { .. } => Action::GiveBack,
            Self::Subscribe(_) | Self::Unsubscribe(_) => Action::Watch,
        }
    }

    /// Whether it is about lending this machine's own disk, which a system on a lent disk
    /// has none of.
    #[must_use]
    pub fn is_for_lenders(&self) -> bool {
        match self {
            Self::Refresh
            | Self::Set(_)
            | Self::ResetSettings
            | Self::GiveBack { .. }
            | Self::Subscribe(_)
            | Self::Unsubscribe(_) => false,
            Self::Arm
            | Self::Disarm
            | Self::Pair(_)
            | Self::UpdateImage
            | Self::StopJob(_)
            | Self::Begin(_)
            | Self::Confirm
            | Self::Cancel
            | Self::Rename(..)
            | Self::SetPolicy(..)
            | Self::ExportTicket(_)
            | Self::Forget(_)
            | Self::SetLinkPolicy(..)
            | Self::WriteStick(..) => true,
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
    /// Another job goes on.
    #[error("another job goes on; wait for it, or cancel it")]
    JobRuns,
    /// A ramdisk is needed, and there is none.
    #[error("there is no ramdisk for the running kernel yet; run: stiefelctl update")]
    ImageMissing,
    /// It is neither a file nor a removable drive.
    #[error("a stick can be made of a file or of a removable drive only; this is neither")]
    NotRemovable,
    /// The drive was unplugged while the call was on its way.
    #[error("there is no such drive any more")]
    NoDrive,
    /// The drive cannot be written to now.
    #[error("the drive {name} cannot be written to: {why}")]
    DriveBusy {
        /// Its device file.
        name: String,
        /// Why, and what to do.
        why: &'static str,
    },
    /// Something that this version cannot do.
    #[error("{0}")]
    NotSupported(String),
    /// The system does not run from a lent disk.
    #[error("this system runs from its own disk; there is nothing to give back")]
    NotBorrowed,
    /// As many as may have subscribed already.
    #[error("{max} others watch this loan already", max = crate::daemon::loan::MAX_SUBSCRIBERS)]
    TooManySubscribers,
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
