//! Boot media of pairings: the one thing that is asked to make them.

use super::{Reporter, Running, Trouble};
use std::os::fd::OwnedFd;
use stiefel_core::pairing::{Name, PairingId};

/// A boot medium that shall be made.
#[derive(Debug)]
pub struct Stick {
    /// The pairing's secret, as an archive to append to the ramdisk: sealed, open for reading.
    pub ticket: OwnedFd,
    /// Whose it is.
    pub pairing: PairingId,
    /// What that pairing is called.
    pub name: Name,
    /// What this machine is called on it.
    pub lender: Name,
    /// What it is made of.
    pub target: Target,
}

/// What a boot medium is made of. Whatever it holds may be erased.
#[derive(Debug)]
pub enum Target {
    /// A drive, by the kernel's name of it, e.g. `sdb`. It was free when it was looked at
    /// last; it has to be opened so that nobody else can use it.
    Drive {
        /// The kernel's name.
        name: String,
        /// File systems on it may be unmounted first.
        unmount: bool,
    },
    /// A drive, by the kernel's name, that has to be a stick of this pairing already.
    OwnStick(String),
    /// A drive, opened by whoever asked: a block device, open for reading and writing.
    OpenDrive(OwnedFd),
    /// A file, open for reading and writing; it becomes an image of a stick.
    File(OwnedFd),
}

/// Makes boot media.
pub trait StickMaker: Send + Sync {
    /// Whether there are any to be made here at all.
    ///
    /// # Errors
    /// Why not, for a person.
    fn able(&self) -> Result<(), Trouble>;

    /// Begins to make one, as the job of this number: reports
    /// [`super::Happening::Progressed`] and, as the last, [`super::Happening::Ended`].
    ///
    /// # Errors
    /// It could not begin.
    fn start(&self, number: u32, stick: Stick, reporter: Reporter) -> Result<Running, Trouble>;
}
