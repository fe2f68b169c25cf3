//! Hearing of changes (rtnetlink's groups).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use netlink_sys::protocols::NETLINK_ROUTE;

use crate::error::{Result, Tried};
use crate::netlink::Listener;
use crate::process;

/// Group numbers of `linux/rtnetlink.h`.
const RTNLGRP_LINK: u32 = 1;
const RTNLGRP_IPV6_IFADDR: u32 = 9;

/// Tells that interfaces or IPv6 addresses of a network namespace changed.
///
/// Open it first, then list: no change is missed.
pub struct Monitor(Listener);

impl Monitor {
    /// Listens in the network namespace that this thread is in now.
    pub fn open() -> Result<Self> {
        Listener::open(NETLINK_ROUTE, &[RTNLGRP_LINK, RTNLGRP_IPV6_IFADDR])
            .map(Self)
            .tried(|| "cannot listen for changes of network interfaces".into())
    }

    /// Reads away what waits; true when something had changed. Never blocks.
    pub fn drain(&mut self) -> Result<bool> {
        let mut changed = false;
        loop {
            match self.0.next() {
                Ok(Some(_)) => changed = true,
                Ok(None) => return Ok(changed),
                // More happened than the socket could hold: look at everything again.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changed = true,
                Err(error) => return Err(error).tried(|| "cannot hear interface changes".into()),
            }
        }
    }

    /// Sleeps until something changes or the time is over; true when something changed.
    pub fn wait(&mut self, limit: Duration) -> Result<bool> {
        process::wait_readable(&self.0.socket, limit)?;
        self.drain()
    }
}

impl AsRawFd for Monitor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.socket.as_fd().as_raw_fd()
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.socket.as_fd()
    }
}
