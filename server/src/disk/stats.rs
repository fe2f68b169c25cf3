//! What has been done so far.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counted since the server's start. Only what clients were told to be done counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sessions that were let in.
    pub sessions: u64,
    /// Requests of all kinds, good and bad.
    pub requests: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Bytes read by clients.
    pub read_bytes: u64,
    /// Bytes written by clients, without those of WRITE_ZEROES.
    pub written_bytes: u64,
    /// FLUSHes.
    pub flushes: u64,
    /// Requests that came by another connection than that of their kernel's queue, and changed
    /// the disk.
    pub moved: u64,
}

/// The counters behind [`Stats`].
#[derive(Default)]
pub(super) struct Counters {
    pub(super) sessions: AtomicU64,
    pub(super) requests: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) read_bytes: AtomicU64,
    pub(super) written_bytes: AtomicU64,
    pub(super) flushes: AtomicU64,
    pub(super) moved: AtomicU64,
}

impl Counters {
    pub(super) fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            sessions: read(&self.sessions),
            requests: read(&self.requests),
            errors: read(&self.errors),
            read_bytes: read(&self.read_bytes),
            written_bytes: read(&self.written_bytes),
            flushes: read(&self.flushes),
            moved: read(&self.moved),
        }
    }
}

/// Counts `more`.
pub(super) fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}
