//! Asking another machine to send something back (ICMPv6 echo, RFC 4443).

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, recv, sendto,
    socket_with,
};

use crate::error::{Result, Tried};

const REQUEST: u8 = 128;
const REPLY: u8 = 129;
/// Length of an IPv6 header, bytes.
const IP_HEADER: usize = 40;
/// Type, code, checksum, identifier and sequence number.
const HEADER: usize = 8;

/// Asks other machines for an echo. Needs root.
pub struct Echo {
    socket: OwnedFd,
    /// Tells our questions from others of this machine.
    identifier: [u8; 2],
    sequence: u16,
}

impl Echo {
    /// In the network namespace that this thread is in now; it stays in that one.
    pub fn open() -> Result<Self> {
        let tried = || "cannot open a socket for echoes".to_owned();
        let socket = socket_with(
            AddressFamily::INET6,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(ipproto::ICMPV6),
        );
        let [.., a, b] = std::process::id().to_be_bytes();
        Ok(Self {
            socket: socket.tried(tried)?,
            identifier: [a, b],
            sequence: 0,
        })
    }

    /// Sends a packet of `length` bytes, its IPv6 header included, and waits for one of the same
    /// length to come back. How long that took, or `None` when nothing came within `limit`, or
    /// when the packet is too large for the way.
    pub fn ask(
        &mut self,
        address: Ipv6Addr,
        length: usize,
        limit: Duration,
    ) -> Result<Option<Duration>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut question = vec![0; length.saturating_sub(IP_HEADER).max(HEADER)];
        question[0] = REQUEST;
        question[4..6].copy_from_slice(&self.identifier);
        question[6..8].copy_from_slice(&self.sequence.to_be_bytes());
        let since = Instant::now();
        let to = SocketAddrV6::new(address, 0, 0, 0);
        match sendto(&self.socket, &question, SendFlags::empty(), &to) {
            Ok(_) => {}
            Err(error) if is_no_way(error) => return Ok(None),
            Err(error) => return Err(error).tried(|| format!("cannot ask {address} for an echo")),
        }
        let heard = self.hear(&question, since + limit);
        let heard = heard.tried(|| format!("cannot hear the echo of {address}"))?;
        Ok(heard.then(|| since.elapsed()))
    }

    fn hear(&self, question: &[u8], end: Instant) -> io::Result<bool> {
        let mut answer = vec![0; question.len() + 1];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            // Not less than the kernel counts; zero would mean for ever.
            let left = left.max(Duration::from_millis(1));
            set_socket_timeout(&self.socket, Timeout::Recv, Some(left))?;
            match recv(&self.socket, &mut answer[..], RecvFlags::TRUNC) {
                Ok((_, length)) => {
                    let ours = answer[0] == REPLY && answer[4..8] == question[4..8];
                    if ours && length == question.len() {
                        return Ok(true);
                    }
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The way is not there, or too narrow.
fn is_no_way(error: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    matches!(
        error,
        Errno::MSGSIZE
            | Errno::NETUNREACH
            | Errno::HOSTUNREACH
            | Errno::NOKEY
            | Errno::DESTADDRREQ
            | Errno::NOBUFS
    )
}
