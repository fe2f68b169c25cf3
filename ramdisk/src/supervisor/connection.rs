//! The one connection to the disk (`docs/decisions/0001-one-connection-to-the-disk.md`).
//!
//! The kernel has the socket and does all reading and writing on it; we keep a second
//! descriptor, which tells when it is dead. The lender keeps one connection for each slot: a
//! new one fences the old one, so that nothing that the old one still carries can be written
//! after what the new one has written.
//!
//! ```text
//! Alive ──dead──▶ Dead ──dialled──▶ Fresh ──the kernel took it──▶ Alive
//!                   ▲                 └──dead──▶ Dead
//! ```

use std::net::{SocketAddrV6, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::connect_unspec;
use stiefel_core::net::{LENDER_ADDRESS, NBD_PORT};
use stiefel_linux::nbd::{self, Export, HandshakeError, Nbd, Patience};

use crate::console::warn;

/// What the lender offers to whoever holds the loan, with the slot of our only connection.
const EXPORT: &str = "disk/0";
/// A lender in the same room answers within milliseconds. Short, because each try starts
/// TCP afresh, which after an outage is sooner than waiting for its own retries.
const DIAL_LIMIT: Duration = Duration::from_secs(2);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(250);
/// Until the kernel notices what we have noticed.
const KERNEL_SOON: Duration = Duration::from_millis(20);

/// Connects to the lent disk, through the tunnel.
pub(super) fn dial() -> Result<(TcpStream, Export), HandshakeError> {
    nbd::dial(
        SocketAddrV6::new(LENDER_ADDRESS, NBD_PORT, 0, 0),
        EXPORT,
        DIAL_LIMIT,
    )
}

pub(super) enum Connection {
    /// The kernel works with it.
    Alive(TcpStream),
    /// There is none.
    Dead {
        /// When to dial.
        next_try: Instant,
    },
    /// Negotiated, and not yet in the kernel's hands.
    Fresh {
        /// Ready for requests.
        socket: TcpStream,
        /// When to offer it to the kernel.
        next_try: Instant,
    },
}

impl Connection {
    /// The socket, while it works as far as we know.
    pub(super) fn alive(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Alive(socket) => Some(socket.as_fd()),
            Self::Dead { .. } | Self::Fresh { .. } => None,
        }
    }

    /// How long until something is to be tried; `None` while the connection is alive.
    pub(super) fn until_next_try(&self) -> Option<Duration> {
        match self {
            Self::Alive(_) => None,
            Self::Dead { next_try } | Self::Fresh { next_try, .. } => {
                Some(next_try.saturating_duration_since(Instant::now()))
            }
        }
    }

    /// Finds out whether the socket is dead, and makes sure that it stays so: what it has not
    /// sent yet is dropped, because the kernel sends it again on the next one.
    pub(super) fn bury_dead(&mut self) {
        if let Self::Alive(socket) | Self::Fresh { socket, .. } = self
            && is_dead(socket)
        {
            // Nothing is lost when it is too late for that.
            let _ = connect_unspec(&*socket);
            *self = Self::Dead {
                next_try: Instant::now(),
            };
        }
    }

    /// Does what is due: dials, or gives a new socket to the kernel.
    pub(super) fn revive(&mut self, nbd: &mut Nbd, device: u32, patience: Patience) {
        if self.until_next_try() != Some(Duration::ZERO) {
            return;
        }
        let now = Instant::now();
        *self = match std::mem::replace(
            self,
            Self::Dead {
                next_try: now + AGAIN,
            },
        ) {
            Self::Alive(socket) => Self::Alive(socket),
            Self::Dead { .. } => match dial() {
                Ok((socket, _)) => Self::Fresh {
                    socket,
                    next_try: now,
                },
                Err(_) => Self::Dead {
                    next_try: Instant::now() + AGAIN,
                },
            },
            Self::Fresh { socket, .. } => {
                match nbd.reconfigure(device, &[socket.as_fd()], patience) {
                    Ok(()) => Self::Alive(socket),
                    Err(error) if error.is(Errno::NOSPC) => Self::Fresh {
                        socket,
                        next_try: now + KERNEL_SOON,
                    },
                    Err(error) => {
                        warn(&format!("{error}."));
                        Self::Fresh {
                            socket,
                            next_try: now + AGAIN,
                        }
                    }
                }
            }
        };
    }
}

/// Whether the other side, the kernel's NBD client or a time limit has ended a connection.
fn is_dead(socket: &TcpStream) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::RDHUP)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv6Addr, Shutdown, TcpListener};

    fn pair() -> (TcpStream, TcpStream) {
        let server = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let near = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        (near, server.accept().unwrap().0)
    }

    #[test]
    fn a_socket_that_lives_is_left_alone() {
        let (near, _far) = pair();
        let mut connection = Connection::Alive(near);
        connection.bury_dead();
        assert!(connection.alive().is_some());
        assert_eq!(connection.until_next_try(), None);
    }

    #[test]
    fn a_socket_that_either_side_ends_is_buried_and_dialled_at_once() {
        // As the kernel's client does with a request that takes too long, and as a lender does.
        let (ours, theirs) = (pair(), pair());
        ours.0.shutdown(Shutdown::Both).unwrap();
        theirs.1.shutdown(Shutdown::Both).unwrap();
        for (near, _) in [&ours, &theirs] {
            let mut connection = Connection::Alive(near.try_clone().unwrap());
            while connection.alive().is_some() {
                connection.bury_dead();
            }
            assert_eq!(connection.until_next_try(), Some(Duration::ZERO));
        }
    }

    #[test]
    fn what_a_dead_socket_had_not_sent_is_dropped() {
        let (near, mut far) = pair();
        let kernel = near.try_clone().unwrap();
        kernel.set_nonblocking(true).unwrap();
        let chunk = [7; 1 << 16];
        let mut sent = 0;
        while let Ok(count) = std::io::Write::write(&mut &kernel, &chunk) {
            sent += count;
        }
        kernel.shutdown(Shutdown::Both).unwrap();
        let mut connection = Connection::Alive(near);
        connection.bury_dead();
        let mut heard = Vec::new();
        let end = std::io::Read::read_to_end(&mut far, &mut heard);
        assert!(
            end.is_err() && heard.len() < sent,
            "{} of {sent} bytes",
            heard.len()
        );
    }
}
