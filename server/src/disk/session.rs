//! What the threads that work for one session share.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use stiefel_core::nbd::strands::Strand;
use stiefel_core::nbd::transmission::{WireError, command, error_chunk, simple_reply};
use stiefel_core::nbd::{Agreed, Export};

use super::lock;
use super::opened::Disk;
use super::sessions::{Link, Sessions};
use super::stats::{Counters, add};
use super::voice::Voice;

/// Most requests of one session that others work on: twice what the kernel's client
/// has under way on one socket. Beyond it the session's thread stops reading.
const MAX_IN_FLIGHT: u32 = 256;
/// Most bytes of replies that others prepare, or keep, for one session: 64 of the longest
/// that are not spliced. One reply that is longer may be prepared alone.
const MAX_BYTES_IN_FLIGHT: usize = 4 << 20;

/// One client with the disk open.
pub(super) struct Session {
    pub(super) link: Arc<Link>,
    pub(super) disk: Arc<Disk>,
    pub(super) agreed: Agreed,
    pub(super) counters: Arc<Counters>,
    /// Where it belongs, and those that it belongs to, if it is one of several.
    pub(super) strand: Option<(Strand, Arc<Sessions>)>,
    pub(super) voice: Voice,
    in_flight: Mutex<Flights>,
    landed: Condvar,
}

/// What others work on.
#[derive(Default)]
struct Flights {
    count: u32,
    bytes: usize,
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
            voice: Voice::default(),
            in_flight: Mutex::default(),
            landed: Condvar::new(),
        })
    }

    pub(super) fn export(&self) -> &Export {
        self.disk.export()
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

    /// Notes that others work for this session, until the ticket is dropped, and prepare a
    /// reply with so much data. Waits while there are too many.
    pub(super) fn take_off(self: &Arc<Self>, bytes: usize) -> InFlight {
        let mut flights = lock(&self.in_flight);
        while flights.count >= MAX_IN_FLIGHT
            || flights.count > 0 && flights.bytes + bytes > MAX_BYTES_IN_FLIGHT
        {
            flights = self
                .landed
                .wait(flights)
                .unwrap_or_else(PoisonError::into_inner);
        }
        flights.count += 1;
        flights.bytes += bytes;
        InFlight {
            session: Arc::clone(self),
            bytes,
        }
    }

    /// Waits until nobody works for this session any more.
    pub(super) fn drain(&self) {
        let mut flights = lock(&self.in_flight);
        while flights.count > 0 {
            flights = self
                .landed
                .wait(flights)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// One request that another thread works on.
pub(super) struct InFlight {
    session: Arc<Session>,
    bytes: usize,
}

impl InFlight {
    /// Whether it is the same session.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.session, &other.session)
    }

    /// Whose it is.
    pub(super) fn session(&self) -> Arc<Session> {
        Arc::clone(&self.session)
    }
}

impl std::ops::Deref for InFlight {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut flights = lock(&self.session.in_flight);
        flights.count -= 1;
        flights.bytes -= self.bytes;
        drop(flights);
        self.session.landed.notify_all();
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
