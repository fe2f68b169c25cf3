//! Sockets that listen where they should, and nowhere else.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv6Addr, SocketAddrV6, TcpListener, UdpSocket};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 16;

/// Fresh bytes from the kernel's random generator; on a kernel that has just
/// started this waits until there are good ones.
///
/// # Errors
/// The kernel has no generator.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::from)?;
    Ok(bytes)
}

/// A UDP socket on all interfaces of this network namespace, non-blocking.
pub(crate) fn datagrams(port: u16) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_only_v6(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0).into())?;
    Ok(socket.into())
}

/// A TCP listener that hears only what comes in on `interface`, if one is
/// named. The address alone would not do: Linux accepts packets for any of its
/// addresses on every interface.
///
/// # Errors
/// The address or the interface does not exist, or the port is taken.
pub fn listen(address: SocketAddrV6, interface: Option<&str>) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_only_v6(true)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind_device(interface.map(str::as_bytes))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
