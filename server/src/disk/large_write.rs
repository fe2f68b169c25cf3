//! Writes that go from the socket to the page cache with one copy instead of two.
//!
//! What is received stays where the network card (or the loopback) has put it; the
//! pipe holds references to it until the disk's file takes it over.

use std::io;
use std::os::fd::BorrowedFd;

use stiefel_core::nbd::transmission::Range;

use super::pipe::Pipe;
use super::sessions::Link;

/// Pieces of a long write end where pages end, so that no page is written twice.
pub(super) const PAGE_BYTES: u64 = 4096;

/// How a large write ended that keeps the stream in step.
pub(super) enum Outcome {
    /// Everything is written. The pipe is empty.
    Written(Pipe),
    /// The disk has failed; so many bytes of the payload were not received yet.
    Failed {
        /// What the disk said.
        error: io::Error,
        /// What has to be skipped.
        unreceived: u32,
    },
}

/// Receives the payload of `range` and writes it to `file`, through the empty pipe.
///
/// # Errors
/// When the stream is broken, or the session was cut.
pub(super) fn receive(
    link: &Link,
    mut pipe: Pipe,
    file: BorrowedFd<'_>,
    range: Range,
) -> io::Result<Outcome> {
    let mut at = range.offset;
    let end = range.offset + u64::from(range.length);
    let mut held = 0;
    while at < end {
        held += pipe.receive(&link.socket, end - at - held)?;
        let ready = match at + held {
            all if all == end => held,
            // Less than a page only where it came in very small pieces.
            some => (some - some % PAGE_BYTES)
                .checked_sub(at)
                .filter(|ready| *ready > 0)
                .unwrap_or(held),
        };
        // What a cut session has left in its socket is received like anything else.
        if link.is_cut() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if let Err(error) = pipe.write(file, at, ready) {
            let unreceived = u32::try_from(end - at - held).unwrap_or(u32::MAX);
            return Ok(Outcome::Failed { error, unreceived });
        }
        at += ready;
        held -= ready;
    }
    Ok(Outcome::Written(pipe))
}
