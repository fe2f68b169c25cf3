//! What TCP knows of a connection.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use crate::error::{Result, Tried};

/// How long a message takes to the other side and back, smoothed, as far as it was measured
/// (`tcpi_rtt` of `TCP_INFO`, include/uapi/linux/tcp.h). `None` for no TCP socket.
pub fn round_trip(socket: impl AsFd) -> Result<Option<Duration>> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let whole = size_of::<libc::tcp_info>();
    let mut len = whole as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to `info`, which has so many.
    #[allow(unsafe_code)]
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result != 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::EOPNOTSUPP | libc::ENOPROTOOPT) => Ok(None),
            _ => Err(error).tried(|| "cannot ask TCP about a connection".into()),
        };
    }
    // SAFETY: it was zeroed, and all of its fields are integers.
    #[allow(unsafe_code)]
    let info = unsafe { info.assume_init() };
    Ok(Some(Duration::from_micros(info.tcpi_rtt.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Ipv6Addr, TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_connection_that_has_carried_something_was_measured() {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut far = listener.accept().unwrap().0;
        near.write_all(b"x").unwrap();
        far.read_exact(&mut [0]).unwrap();
        far.write_all(b"y").unwrap();
        near.read_exact(&mut [0]).unwrap();
        let measured = round_trip(&near).unwrap().unwrap();
        assert!(measured > Duration::ZERO && measured < Duration::from_secs(5));
        let (other, _) = UnixStream::pair().unwrap();
        assert_eq!(round_trip(&other).unwrap(), None);
    }
}
