//! Options of a session's socket, and sending.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use socket2::{SockRef, TcpKeepalive};

/// How long a peer may be silent before it is asked for a sign of life.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// How long to wait for each sign of life.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// How many times to ask.
const KEEPALIVE_PROBES: u32 = 3;
/// How long what was sent may go unread. Shorter than any patience with a vanished
/// borrower, longer than a link that is plugged over.
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// Makes answers leave at once and a vanished peer's session end by itself.
pub(super) fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    let socket = SockRef::from(socket);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))
}

/// Sends all of `bytes`; `more`: something follows at once.
pub(super) fn send_all(socket: &TcpStream, bytes: &[u8], more: bool) -> io::Result<()> {
    let mut flags = SendFlags::NOSIGNAL;
    if more {
        flags |= SendFlags::MORE;
    }
    let mut left = bytes;
    while !left.is_empty() {
        match send(socket, left, flags) {
            Ok(sent) => left = &left[sent..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_vanished_peer_is_noticed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        prepare(&socket).unwrap();
        let options = SockRef::from(&socket);
        assert!(options.tcp_nodelay().unwrap());
        assert!(options.keepalive().unwrap());
        assert_eq!(options.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
        assert_eq!(
            options.tcp_keepalive_interval().unwrap(),
            KEEPALIVE_INTERVAL
        );
        assert_eq!(options.tcp_keepalive_retries().unwrap(), KEEPALIVE_PROBES);
        assert_eq!(options.tcp_user_timeout().unwrap(), Some(USER_TIMEOUT));
    }
}
