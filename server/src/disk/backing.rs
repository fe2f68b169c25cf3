//! What the service needs of a disk.

use std::io;
use std::os::fd::BorrowedFd;

use stiefel_core::nbd::transmission::{Extent, Range};

/// A disk as the service uses it: a file, or a simulation in tests.
///
/// All methods may block and are called in parallel. Ranges are checked: inside
/// the disk and aligned to its logical blocks.
pub trait Backing: Send + Sync {
    /// Fills `into` from `offset`.
    fn read(&self, into: &mut [u8], offset: u64) -> io::Result<()>;

    /// Fills `into` if that is possible without waiting for the disk; says whether it was.
    fn read_cached(&self, into: &mut [u8], offset: u64) -> io::Result<bool> {
        self.read(into, offset).map(|()| true)
    }

    /// Writes all of `data`; durable only after [`Backing::sync`].
    fn write(&self, data: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything written durable.
    fn sync(&self) -> io::Result<()>;

    /// The content of the range is no longer needed.
    fn trim(&self, range: Range) -> io::Result<()>;

    /// Makes the range read as zeros.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] when [`Zeroing::fast`] is asked for and not to be had.
    fn zero(&self, range: Range, zeroing: Zeroing) -> io::Result<()>;

    /// The range will be read soon.
    fn prefetch(&self, range: Range) -> io::Result<()>;

    /// What is allocated, from the range's start on; at least one extent, at most
    /// `most`, together no longer than the range.
    fn extents(&self, range: Range, most: usize) -> io::Result<Vec<Extent>>;

    /// How many bytes from the range's start on are known to read as zeros, at no cost
    /// worth mentioning; whole blocks.
    fn leading_hole(&self, _range: Range) -> u32 {
        0
    }

    /// A descriptor to splice from, if there is one.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// How to fill with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zeroing {
    /// May give back the space.
    pub hole: bool,
    /// Must not take as long as writing zeros.
    pub fast: bool,
}
