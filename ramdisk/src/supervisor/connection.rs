//! One of the connections to the disk.
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
use rustix::net::connect_unspec;
use stiefel_core::nbd::ExportName;
use stiefel_core::net::{LENDER_ADDRESS, NBD_PORT};
use stiefel_linux::nbd::{self, Export, HandshakeError, Nbd, Patience};

use crate::console::warn;

/// A lender in the same room answers within milliseconds.
const STEP_LIMIT: Duration = Duration::from_secs(2);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(250);
/// Until the kernel notices what we have noticed.
const KERNEL_SOON: Duration = Duration::from_millis(20);

/// Connects to the lent disk, through the tunnel. The lender has `reach` to take the call; nothing
/// else is looked after meanwhile.
pub(super) fn dial(
    export: ExportName,
    reach: Duration,
) -> Result<(TcpStream, Export), HandshakeError> {
    nbd::dial(
        SocketAddrV6::new(LENDER_ADDRESS, NBD_PORT, 0, 0),
        &export.to_string(),
        reach,
        STEP_LIMIT,
    )
}

pub(super) enum Connection {
    /// The kernel works with it.
    Alive(Socket),
    /// There is none.
    Dead {
        /// When to dial.
        next_try: Instant,
    },
    /// Negotiated, and not yet in the kernel's hands.
    Fresh {
        /// Ready for requests.
        socket: Socket,
        /// When to offer it to the kernel.
        next_try: Instant,
    },
}

/// Our descriptor of a connection.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    /// How the lender knows it.
    pub(super) serial: u64,
}

impl Connection {
    /// Dead, and to be dialled at once.
    pub(super) fn dead() -> Self {
        Self::Dead {
            next_try: Instant::now(),
        }
    }

    /// The socket, while it works as far as we know.
    pub(super) fn alive(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Alive(socket) => Some(socket.stream.as_fd()),
            Self::Dead { .. } | Self::Fresh { .. } => None,
        }
    }

    /// The serial, if the kernel uses the connection at this moment, or is going to.
    pub(super) fn answer_roll(&self) -> Option<u64> {
        match self {
            Self::Alive(socket) | Self::Fresh { socket, .. } => {
                (!is_dead(&socket.stream)).then_some(socket.serial)
            }
            Self::Dead { .. } => None,
        }
    }

    /// When something is to be tried; `None` while the connection is alive.
    pub(super) fn next_try(&self) -> Option<Instant> {
        match self {
            Self::Alive(_) => None,
            Self::Dead { next_try } | Self::Fresh { next_try, .. } => Some(*next_try),
        }
    }

    /// Finds out whether the socket is dead, and makes sure that it stays so: what it has not
    /// sent yet is dropped, because the kernel sends it again on another one.
    pub(super) fn bury_dead(&mut self) {
        if let Self::Alive(socket) | Self::Fresh { socket, .. } = self
            && is_dead(&socket.stream)
        {
            // Nothing is lost when it is too late for that.
            let _ = connect_unspec(&socket.stream);
            *self = Self::dead();
        }
    }

    /// Whether there is no connection, and it is time to make one.
    pub(super) fn is_to_be_dialled(&self) -> bool {
        matches!(self, Self::Dead { next_try } if *next_try <= Instant::now())
    }

    /// Whether there is none at all.
    pub(super) fn is_dead(&self) -> bool {
        matches!(self, Self::Dead { .. })
    }

    /// Whatever is planned is due.
    pub(super) fn try_now(&mut self) {
        if let Self::Dead { next_try } | Self::Fresh { next_try, .. } = self {
            *next_try = Instant::now();
        }
    }

    /// Makes a new connection, or plans to try it again.
    pub(super) fn dial(&mut self, export: ExportName, serial: u64, reach: Duration) {
        let dialled = dial(export, reach);
        let now = Instant::now();
        *self = match dialled {
            Ok((stream, _)) => Self::Fresh {
                socket: Socket { stream, serial },
                next_try: now,
            },
            Err(_) => Self::Dead {
                next_try: now + AGAIN,
            },
        };
    }

    /// Offers a new socket to the kernel, if that is due.
    pub(super) fn offer(&mut self, nbd: &mut Nbd, device: u32, patience: Patience) {
        let now = Instant::now();
        if !matches!(self, Self::Fresh { next_try, .. } if *next_try <= now) {
            return;
        }
        *self = match std::mem::replace(self, Self::dead()) {
            Self::Fresh { socket, .. } => {
                match nbd.reconfigure(device, socket.stream.as_fd(), patience) {
                    Ok(true) => Self::Alive(socket),
                    Ok(false) => Self::Fresh {
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
            other @ (Self::Alive(_) | Self::Dead { .. }) => other,
        };
    }
}

/// Whether the other side, the kernel's NBD client or a time limit has ended a connection.
pub(super) fn is_dead(socket: &TcpStream) -> bool {
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

    fn alive(stream: TcpStream) -> Connection {
        Connection::Alive(Socket { stream, serial: 7 })
    }

    #[test]
    fn a_socket_that_lives_is_left_alone() {
        let (near, _far) = pair();
        let mut connection = alive(near);
        connection.bury_dead();
        assert!(connection.alive().is_some());
        assert_eq!(connection.answer_roll(), Some(7));
        assert_eq!(connection.next_try(), None);
    }

    #[test]
    fn a_socket_that_the_kernel_gives_up_is_not_on_the_roll_from_that_moment_on() {
        let (near, _far) = pair();
        let kernel = near.try_clone().unwrap();
        let connection = alive(near);
        kernel.shutdown(Shutdown::Both).unwrap();
        assert_eq!(connection.answer_roll(), None);
    }

    #[test]
    fn a_socket_that_either_side_ends_is_buried_and_dialled_at_once() {
        // As the kernel's client does with a request that takes too long, and as a lender does.
        let (ours, theirs) = (pair(), pair());
        ours.0.shutdown(Shutdown::Both).unwrap();
        theirs.1.shutdown(Shutdown::Both).unwrap();
        for (near, _) in [&ours, &theirs] {
            let mut connection = alive(near.try_clone().unwrap());
            while connection.alive().is_some() {
                connection.bury_dead();
            }
            assert!(connection.next_try().unwrap() <= Instant::now());
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
        let mut connection = alive(near);
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
