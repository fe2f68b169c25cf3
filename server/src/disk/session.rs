//! What the threads that work for one session share.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use stiefel_core::nbd::strands::Strand;
use stiefel_core::nbd::transmission::{WireError, command, error_chunk, simple_reply};
use stiefel_core::nbd::{Agreed, Export};

use super::lock;
use super::opened::Disk;
use super::sessions::{Link, Sessions};
use super::socket::send_all;
use super::stats::{Counters, add};

/// Most requests of one session that others work on: twice what the kernel's client
/// has under way on one socket. Beyond it the session's thread stops reading.
const MAX_IN_FLIGHT: u32 = 256;

/// One client with the disk open.
pub(super) struct Session {
    pub(super) link: Arc<Link>,
    pub(super) disk: Arc<Disk>,
    pub(super) agreed: Agreed,
    pub(super) counters: Arc<Counters>,
    /// Where it belongs, and those that it belongs to, if it is one of several.
    pub(super) strand: Option<(Strand, Arc<Sessions>)>,
    /// Who holds it speaks; replies must not mix.
    voice: Mutex<()>,
    in_flight: Mutex<u32>,
    landed: Condvar,
}

impl Session {
    pub(super) fn new(
        link: Arc<Link>,
        disk: Arc<Disk>,
        agreed: Agreed,
        counters: Arc<Counters>,
        strand: Option<(Strand, Arc<Sessions>)>,
    ) -> Arc<Self> {
        Arc::new(Self {
            link,
            disk,
            agreed,
            counters,
            strand,
            voice: Mutex::new(()),
            in_flight: Mutex::new(0),
            landed: Condvar::new(),
        })
    }

    pub(super) fn export(&self) -> &Export {
        self.disk.export()
    }

    /// The right to send, for replies in several parts.
    pub(super) fn speak(&self) -> MutexGuard<'_, ()> {
        lock(&self.voice)
    }

    /// Sends whole replies.
    pub(super) fn send(&self, replies: &[u8]) -> io::Result<()> {
        let _voice = self.speak();
        send_all(&self.link.socket, replies, false)
    }

    /// The reply to a request that has no data to send back.
    pub(super) fn reply(
        &self,
        command: u16,
        cookie: u64,
        outcome: Result<(), WireError>,
    ) -> Vec<u8> {
        let chunks =
            self.agreed.structured && matches!(command, command::READ | command::BLOCK_STATUS);
        match outcome {
            Err(error) => {
                add(&self.counters.errors, 1);
                if chunks {
                    error_chunk(cookie, error, None)
                } else {
                    simple_reply(cookie, Err(error)).into()
                }
            }
            Ok(()) => simple_reply(cookie, Ok(())).into(),
        }
    }

    /// Notes that others work for this session, until the ticket is dropped. Waits
    /// while there are too many.
    pub(super) fn take_off(self: &Arc<Self>) -> InFlight {
        let mut in_flight = lock(&self.in_flight);
        while *in_flight >= MAX_IN_FLIGHT {
            in_flight = self
                .landed
                .wait(in_flight)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *in_flight += 1;
        InFlight(Arc::clone(self))
    }

    /// Waits until nobody works for this session any more.
    pub(super) fn drain(&self) {
        let mut in_flight = lock(&self.in_flight);
        while *in_flight > 0 {
            in_flight = self
                .landed
                .wait(in_flight)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// One request that another thread works on.
pub(super) struct InFlight(Arc<Session>);

impl InFlight {
    /// Whether it is the same session.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::ops::Deref for InFlight {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        *lock(&self.0.in_flight) -= 1;
        self.0.landed.notify_all();
    }
}

/// What the client is told of the system's error.
pub(super) fn wire_error(error: &io::Error) -> WireError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            WireError::NoSpace
        }
        io::ErrorKind::OutOfMemory => WireError::NoMemory,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            WireError::NotPermitted
        }
        io::ErrorKind::Unsupported => WireError::NotSupported,
        _ => WireError::Io,
    }
}
