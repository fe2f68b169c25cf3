//! The kernel's NBD client (generic netlink).
//!
//! Source: `include/uapi/linux/nbd-netlink.h` and `drivers/block/nbd.c`. The
//! family exists only in the first network namespace: open [`Nbd`] there. The
//! sockets that it is given may belong to any other.

mod call;
mod handshake;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use netlink_packet_core::{DefaultNla, Emitable, NLA_F_NESTED, NetlinkMessage, NetlinkPayload};
use netlink_packet_generic::GenlMessage;
use netlink_sys::protocols::NETLINK_GENERIC;
use rustix::net::sockopt;

use crate::error::{Error, Result, Tried};
use crate::netlink::{Command, Family, Listener, Messages, Netlink, attributes, find};

pub use handshake::{Export, HandshakeError, dial, negotiate};

const CONNECT: u8 = 1;
const DISCONNECT: u8 = 2;
const RECONFIGURE: u8 = 3;
const LINK_DEAD: u8 = 4;
const STATUS: u8 = 5;

const ATTR_INDEX: u16 = 1;
const ATTR_SIZE_BYTES: u16 = 2;
const ATTR_BLOCK_SIZE_BYTES: u16 = 3;
const ATTR_TIMEOUT: u16 = 4;
const ATTR_SERVER_FLAGS: u16 = 5;
const ATTR_SOCKETS: u16 = 7;
const ATTR_DEAD_CONN_TIMEOUT: u16 = 8;
const ATTR_DEVICE_LIST: u16 = 9;
const SOCKET_ITEM: u16 = 1;
const SOCKET_FD: u16 = 1;
const DEVICE_CONNECTED: u16 = 2;

/// How long the kernel waits before it gives up on something. Whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// A request without answer for this long makes its socket dead; it is sent again on another.
    pub request: Duration,
    /// When all sockets are dead for this long, requests fail with an I/O error.
    pub all_dead: Duration,
}

/// What the server said about the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Size in bytes.
    pub size: u64,
    /// Block size of the device in bytes: a power of two from 512 to the page size.
    pub block_size: u32,
    /// Transmission flags of the NBD protocol.
    pub flags: u16,
}

/// What the kernel tells by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// One socket of this device is dead. Others of the same device may be so too.
    LinkDead {
        /// Which `/dev/nbd*`.
        index: u32,
    },
}

/// The NBD devices of this machine.
pub struct Nbd {
    netlink: Netlink,
    family: u16,
    events: Listener,
}

impl Nbd {
    /// Opens the kernel's NBD client. Needs the module `nbd`, and the first network namespace.
    pub fn open() -> Result<Self> {
        let tried = || "cannot open the kernel's NBD client; is the module nbd loaded?".to_owned();
        let mut netlink = Netlink::open(NETLINK_GENERIC).tried(tried)?;
        let family = Family::resolve(&mut netlink, "nbd").tried(tried)?;
        let missing = || Error::new(tried(), rustix::io::Errno::PROTONOSUPPORT);
        let group = family.group("nbd_mc_group").ok_or_else(missing)?;
        let events = Listener::open(NETLINK_GENERIC, &[group]).tried(tried)?;
        Ok(Self {
            netlink,
            family: family.id,
            events,
        })
    }

    /// Makes `/dev/nbd<index>` out of connected sockets that are past their handshake. The
    /// kernel keeps the sockets; the caller may close or keep its descriptors.
    pub fn connect(
        &mut self,
        index: u32,
        sockets: &[BorrowedFd<'_>],
        geometry: Geometry,
        patience: Patience,
    ) -> Result<()> {
        let mut attributes = vec![
            number(ATTR_SIZE_BYTES, geometry.size),
            number(ATTR_BLOCK_SIZE_BYTES, geometry.block_size.into()),
            number(ATTR_SERVER_FLAGS, geometry.flags.into()),
        ];
        attributes.extend(patience_attributes(patience));
        attributes.push(socket_list(sockets));
        self.command(CONNECT, index, attributes).tried(|| {
            format!(
                "cannot connect {} sockets to /dev/nbd{index}",
                sockets.len()
            )
        })
    }

    /// Offers a socket in place of a device's first dead one; says whether the kernel has
    /// taken it. It has not when it knows of no dead one (yet): it notices a closed
    /// connection a moment after us. Needs a limit for requests.
    pub fn reconfigure(
        &mut self,
        index: u32,
        socket: BorrowedFd<'_>,
        patience: Patience,
    ) -> Result<bool> {
        let tried = || format!("cannot give a new socket to /dev/nbd{index}");
        let mut attributes = Vec::from(patience_attributes(patience));
        attributes.push(socket_list(&[socket]));
        match self.command(RECONFIGURE, index, attributes) {
            Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => return Ok(false),
            outcome => outcome.tried(tried)?,
        }
        // The answer is the same in both cases. A socket that was taken has got the limit.
        let limit = sockopt::socket_timeout(socket, sockopt::Timeout::Send);
        limit.map(|limit| limit.is_some()).tried(tried)
    }

    /// Ends a device: requests that wait fail, no write can follow. Returns when the kernel has
    /// let go of the sockets.
    pub fn disconnect(&mut self, index: u32) -> Result<()> {
        self.command(DISCONNECT, index, Vec::new())
            .tried(|| format!("cannot disconnect /dev/nbd{index}"))
    }

    /// Whether a device is connected.
    pub fn is_connected(&mut self, index: u32) -> Result<bool> {
        let question = Command {
            command: STATUS,
            attributes: vec![word(ATTR_INDEX, index)],
        };
        let answers = self
            .netlink
            .get(question.to(self.family))
            .tried(|| format!("cannot ask for the state of /dev/nbd{index}"))?;
        let list = answers
            .first()
            .and_then(|answer| answer.payload.attribute(ATTR_DEVICE_LIST));
        Ok(list.is_some_and(|list| {
            let items = attributes(&list).unwrap_or_default();
            items.iter().any(|item| {
                let device = attributes(&value_of(item)).unwrap_or_default();
                find(&device, DEVICE_CONNECTED).is_some_and(|value| value == [1])
            })
        }))
    }

    /// Descriptor that becomes readable when an event waits.
    pub fn events(&self) -> BorrowedFd<'_> {
        self.events.socket.as_fd()
    }

    /// The events that wait. Never blocks.
    pub fn take_events(&mut self) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        loop {
            match self.events.next() {
                Ok(Some(datagram)) => events.extend(Messages(&datagram).filter_map(event)),
                Ok(None) => return Ok(events),
                // Some are lost: the caller looks at its sockets anyway.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(error) => return Err(error).tried(|| "cannot hear the NBD client".into()),
            }
        }
    }

    fn command(
        &mut self,
        command: u8,
        index: u32,
        mut attributes: Vec<DefaultNla>,
    ) -> io::Result<()> {
        attributes.insert(0, word(ATTR_INDEX, index));
        self.netlink.command(
            Command {
                command,
                attributes,
            }
            .to(self.family),
            0,
        )
    }
}

fn event(bytes: &[u8]) -> Option<Event> {
    let message = NetlinkMessage::<GenlMessage<Command>>::deserialize(bytes).ok()?;
    let NetlinkPayload::InnerMessage(message) = message.payload else {
        return None;
    };
    let index = message.payload.attribute(ATTR_INDEX)?;
    let index = u32::from_ne_bytes(index.try_into().ok()?);
    (message.header.cmd == LINK_DEAD).then_some(Event::LinkDead { index })
}

fn patience_attributes(patience: Patience) -> [DefaultNla; 2] {
    [
        number(ATTR_TIMEOUT, patience.request.as_secs()),
        number(ATTR_DEAD_CONN_TIMEOUT, patience.all_dead.as_secs()),
    ]
}

fn socket_list(sockets: &[BorrowedFd<'_>]) -> DefaultNla {
    let items: Vec<DefaultNla> = sockets
        .iter()
        .map(|socket| {
            nest(
                SOCKET_ITEM,
                &[word(SOCKET_FD, socket.as_raw_fd().cast_unsigned())],
            )
        })
        .collect();
    nest(ATTR_SOCKETS, &items)
}

fn nest(kind: u16, inner: &[DefaultNla]) -> DefaultNla {
    let mut value = vec![0; inner.buffer_len()];
    inner.emit(&mut value);
    DefaultNla::new(kind | NLA_F_NESTED, value)
}

fn word(kind: u16, value: u32) -> DefaultNla {
    DefaultNla::new(kind, value.to_ne_bytes().to_vec())
}

fn number(kind: u16, value: u64) -> DefaultNla {
    DefaultNla::new(kind, value.to_ne_bytes().to_vec())
}

fn value_of(attribute: &DefaultNla) -> Vec<u8> {
    use netlink_packet_core::Nla;
    let mut value = vec![0; attribute.value_len()];
    attribute.emit_value(&mut value);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_nested_as_the_kernel_wants_them() {
        let list = socket_list(&[io::stdin().as_fd(), io::stdout().as_fd()]);
        let mut bytes = vec![0; list.buffer_len()];
        list.emit(&mut bytes);
        let item = |fd: u8| [12, 0, 1, 0x80, 8, 0, 1, 0, fd, 0, 0, 0];
        let expected = [&[28, 0, 7, 0x80][..], &item(0), &item(1)].concat();
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_dead_link_is_told_apart() {
        let message = |command| {
            let command = Command {
                command,
                attributes: vec![word(ATTR_INDEX, 3)],
            };
            let mut message = NetlinkMessage::from(command.to(0x20));
            message.finalize();
            let mut bytes = vec![0; message.buffer_len()];
            message.serialize(&mut bytes);
            bytes
        };
        assert_eq!(
            event(&message(LINK_DEAD)),
            Some(Event::LinkDead { index: 3 })
        );
        assert_eq!(event(&message(STATUS)), None);
    }
}
