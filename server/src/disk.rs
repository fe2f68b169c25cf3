//! The disk service: one disk, served by NBD to whoever the gate lets in.
//!
//! ```text
//! accept ─▶ handshake ─▶ Gate::open ─▶ fence ─▶ requests … ─▶ drained ─▶ Gate::closed
//!                            │           └ the slot's older session is cut and drained first
//!                            └ denied: the client is told why
//!
//!              ┌ session thread ┐ parses what the socket holds, writes, reads from the cache,
//! socket ──────┤  (one each)    ├ answers in batches
//!              └───────┬────────┘
//!                      ├─▶ 16 workers: reads that miss the cache, TRIM, WRITE_ZEROES, …
//!                      └─▶ the flusher: one fdatasync for all FLUSHes, and WRITEs with FUA,
//!                          that wait
//! ```
//!
//! Replies leave in the order in which the work is done. What the rules of the
//! wire are is in [`stiefel_core::nbd`].
//!
//! **The fence.** A slot (`disk/0` to `disk/15`) has one session. A new one is
//! answered only once nothing of the old one can reach the disk any more: the
//! old socket is shut down, requests that still lie in its buffers are never
//! looked at, and those that have begun are waited for. Without this, a write
//! that was stuck in an old connection could land on top of a newer one.
//! It holds within a slot. A client that by itself moves writes from one connection
//! to another, as the kernel's does, opens strands (`disk/0/1` and so on) and a
//! watch: see [`stiefel_core::nbd::strands`]. A second server on the same disk
//! fences all sessions of the first.
//!
//! **Flushed means flushed.** All sessions share one descriptor, so that FLUSH on
//! any of them covers the writes of all; and a flush that has failed once fails
//! for ever, because the kernel tells of lost writes only once.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stiefel_core::nbd::Slot;

mod backing;
mod batch;
mod file;
mod handshake;
mod inbox;
mod large_read;
mod opened;
mod pipe;
mod queue;
mod server;
mod session;
mod sessions;
mod socket;
mod stats;
mod transmission;
mod voice;
mod work;

pub use backing::{Backing, Zeroing};
pub use opened::{Access, Disk, DiskError};
pub use server::Server;
pub use stats::Stats;

/// Decides who may use the disk. Called by session threads, in parallel.
pub trait Gate: Send + Sync {
    /// A client asks to open the disk. May block; the client waits for its answer.
    ///
    /// # Errors
    /// The client is told the reason and stays outside.
    fn open(&self, session: &SessionInfo) -> Result<(), Denied>;

    /// A session that was let in has ended: nothing of it can reach the disk any
    /// more. Called exactly once for each [`Gate::open`] that let somebody in.
    fn closed(&self, session: &SessionInfo);
}

/// A gate that lets everybody in.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenGate;

impl Gate for OpenGate {
    fn open(&self, _: &SessionInfo) -> Result<(), Denied> {
        Ok(())
    }

    fn closed(&self, _: &SessionInfo) {}
}

/// One client that has opened the disk, or wants to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Counts up; later connections have higher numbers.
    pub id: u64,
    /// The client's address.
    pub peer: SocketAddr,
    /// The slot that it opened; `None` for the export `disk`, which has no fence.
    pub slot: Option<Slot>,
}

/// Why a client may not open the disk, in words for the person at the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Denied {
    /// For example "lent to desktop".
    pub reason: String,
}

/// Locks, also after a panic elsewhere: what our mutexes guard is changed in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
