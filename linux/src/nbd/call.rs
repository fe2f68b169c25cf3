//! Calling a server whose path may be deaf for the moment, and is not for long.

use std::io;
use std::net::{SocketAddrV6, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

/// Between two calls while none has been taken. TCP by itself would repeat one after a second,
/// and then more and more seldom.
const AGAIN: Duration = Duration::from_millis(200);

/// Calls again and again until a call is taken, one is refused, or `reach` is over. The first
/// that is taken counts: a server that is slow answers one that was made long ago.
pub(super) fn call(address: SocketAddrV6, reach: Duration) -> io::Result<TcpStream> {
    let end = Instant::now() + reach;
    let mut calls = Vec::new();
    loop {
        calls.push(begin(address)?);
        let next = end.min(Instant::now() + AGAIN);
        if let Some(at) = first_answered(&calls, next)? {
            let stream = TcpStream::from(calls.swap_remove(at));
            if let Some(refused) = stream.take_error()? {
                return Err(refused);
            }
            stream.set_nonblocking(false)?;
            return Ok(stream);
        }
        if next == end {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

fn begin(address: SocketAddrV6) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET6, SocketType::STREAM, flags, None)?;
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

/// Waits for an answer until then, be it a refusal.
fn first_answered(calls: &[OwnedFd], until: Instant) -> io::Result<Option<usize>> {
    let mut fds: Vec<_> = calls
        .iter()
        .map(|call| PollFd::new(call, PollFlags::OUT))
        .collect();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut fds, Some(&left)) {
            Ok(_) => return Ok(fds.iter().position(|fd| !fd.revents().is_empty())),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::net::{Ipv6Addr, TcpListener};
    use std::thread;

    use rustix::net::{bind, listen};

    /// Only a hang reaches it.
    const FOREVER: Duration = Duration::from_secs(60);

    /// A server that takes no more than one call before it looks.
    fn deaf() -> (TcpListener, SocketAddrV6) {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET6, SocketType::STREAM, flags, None).unwrap();
        bind(&socket, &SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 0)).unwrap();
        listen(&socket, 0).unwrap();
        let server = TcpListener::from(socket);
        let std::net::SocketAddr::V6(address) = server.local_addr().unwrap() else {
            panic!("not what it was bound to");
        };
        (server, address)
    }

    /// Calls that nobody has answered, by the kernel's table (SYN_SENT is 02).
    fn unanswered(address: SocketAddrV6) -> usize {
        let to = format!(":{:04X} 02 ", address.port());
        let table = fs::read_to_string("/proc/self/net/tcp6").unwrap();
        table.lines().filter(|line| line.contains(&to)).count()
    }

    #[test]
    fn who_is_not_heard_calls_again_before_tcp_does() {
        let (server, address) = deaf();
        let _in_the_way = TcpStream::connect(address).unwrap();
        let caller = thread::spawn(move || call(address, FOREVER));
        while unanswered(address) < 3 {
            assert!(!caller.is_finished(), "no call but the first");
            thread::yield_now();
        }
        // There is room now, for one.
        let _first = server.accept().unwrap();
        let stream = caller.join().unwrap().unwrap();
        let (_, taken) = server.accept().unwrap();
        assert_eq!(taken, stream.local_addr().unwrap());
        assert_eq!(unanswered(address), 0, "the others are given up");
    }

    #[test]
    fn nobody_is_waited_for_longer_than_that() {
        let (_server, address) = deaf();
        let _in_the_way = TcpStream::connect(address).unwrap();
        let error = call(address, AGAIN * 2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_refusal_is_told_at_once() {
        let (server, address) = deaf();
        drop(server);
        let error = call(address, FOREVER).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
