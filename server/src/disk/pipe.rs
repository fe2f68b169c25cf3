//! A pipe between the page cache and the socket: pages pass through it by reference.
//! It is of use only while it is known what it holds; after an error it is dropped.

use std::io;
use std::net::TcpStream;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use stiefel_core::nbd::transmission::Range;

/// What a pipe may hold without privileges (`fs.pipe-max-size`), in bytes.
const PIPE_BYTES: usize = 1 << 20;
/// A pipe holds references to pages; a range that does not begin with one has one more.
const PAGE_BYTES: u64 = 4096;

/// Filling from the cache takes a tenth of this; a mistake costs a hint to the kernel.
const WAITED: Duration = Duration::from_micros(300);

/// Kept for the whole session, because making it anew for each read costs more than reading.
pub(super) struct Pipe {
    from: OwnedFd,
    to: OwnedFd,
    capacity: usize,
    waited: bool,
}

impl Pipe {
    pub(super) fn new() -> io::Result<Self> {
        let (from, to) = pipe_with(PipeFlags::CLOEXEC)?;
        // Smaller is slower and no less correct.
        let capacity = fcntl_setpipe_size(&to, PIPE_BYTES)
            .or_else(|_| rustix::pipe::fcntl_getpipe_size(&to))?;
        Ok(Self {
            from,
            to,
            capacity,
            waited: false,
        })
    }

    /// Fills the empty pipe with the beginning of `range`; says how many bytes it holds.
    /// After an error the pipe is of no use any more.
    pub(super) fn fill(&mut self, file: BorrowedFd<'_>, range: Range) -> io::Result<u32> {
        let spare = if range.offset.is_multiple_of(PAGE_BYTES) {
            0
        } else {
            PAGE_BYTES as usize
        };
        let wanted = (range.length as usize).min(self.capacity - spare);
        let mut offset = range.offset;
        let mut filled = 0;
        let start = Instant::now();
        while filled < wanted {
            match splice(
                file,
                Some(&mut offset),
                &self.to,
                None,
                wanted - filled,
                SpliceFlags::NONBLOCK,
            ) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(Errno::INTR) => {}
                // Full before its time: some pages came in pieces.
                Err(Errno::AGAIN) if filled > 0 => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.waited = start.elapsed() >= WAITED;
        u32::try_from(filled).map_err(io::Error::other)
    }

    /// Whether the last filling had to wait for the disk.
    pub(super) fn waited(&self) -> bool {
        self.waited
    }

    /// Sends the `length` bytes that the pipe holds; `more`: something follows at once.
    pub(super) fn send(&self, socket: &TcpStream, length: u32, more: bool) -> io::Result<()> {
        let flags = if more {
            SpliceFlags::MORE
        } else {
            SpliceFlags::empty()
        };
        let mut left = length as usize;
        while left > 0 {
            match splice(&self.from, None, socket, None, left, flags) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => left -= sent,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
