//! Request and answer over a netlink socket, and generic netlink families.

use std::fmt::Debug;
use std::io;

use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable,
    NetlinkMessage, NetlinkPayload, NetlinkSerializable, NlasIterator, Parseable,
    ParseableParametrized,
};
use netlink_packet_generic::{GenlFamily, GenlHeader, GenlMessage};
use netlink_sys::{Socket, SocketAddr};
use zeroize::Zeroize;

/// `GENL_ID_CTRL`, the family that knows the other families (linux/genetlink.h).
const CONTROLLER: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const CTRL_ATTR_MCAST_GROUPS: u16 = 7;
const CTRL_ATTR_MCAST_GRP_NAME: u16 = 1;
const CTRL_ATTR_MCAST_GRP_ID: u16 = 2;

/// Room for the kernel's answers that we have not read yet. The default of
/// 208 KiB is enough; a burst beyond it shows as ENOBUFS, which callers treat as "look again".
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// A socket of the network namespace that this thread is in now; it stays in that one.
    pub(crate) fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Sends a command and waits for the kernel's yes or no.
    pub(crate) fn command<T>(&mut self, message: T, flags: u16) -> io::Result<()>
    where
        T: NetlinkSerializable + NetlinkDeserializable + Debug,
    {
        self.transact(message, NLM_F_ACK | flags, |_| {})
            .map(|_| ())
    }

    /// Like [`Netlink::command`]; `after` may wipe secrets from the message once it is sent.
    pub(crate) fn command_then<T>(
        &mut self,
        message: T,
        after: impl FnOnce(&mut T),
    ) -> io::Result<()>
    where
        T: NetlinkSerializable + NetlinkDeserializable + Debug,
    {
        self.transact(message, NLM_F_ACK, after).map(|_| ())
    }

    /// Asks for one object and waits for it and the acknowledgement.
    pub(crate) fn get<T>(&mut self, message: T) -> io::Result<Vec<T>>
    where
        T: NetlinkSerializable + NetlinkDeserializable + Debug,
    {
        self.transact(message, NLM_F_ACK, |_| {})
    }

    /// Asks for all objects of a kind. Objects that this program cannot read are left out:
    /// a newer kernel may say things that are none of our business.
    pub(crate) fn dump<T>(&mut self, message: T) -> io::Result<Vec<T>>
    where
        T: NetlinkSerializable + NetlinkDeserializable + Debug,
    {
        self.transact(message, NLM_F_DUMP, |_| {})
    }

    fn transact<T>(
        &mut self,
        message: T,
        flags: u16,
        after: impl FnOnce(&mut T),
    ) -> io::Result<Vec<T>>
    where
        T: NetlinkSerializable + NetlinkDeserializable + Debug,
    {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message =
            NetlinkMessage::new(Default::default(), NetlinkPayload::InnerMessage(message));
        message.header.flags = NLM_F_REQUEST | flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        let sent = self.socket.send(&bytes, 0);
        // The message may carry a tunnel's keys.
        bytes.zeroize();
        if let NetlinkPayload::InnerMessage(message) = &mut message.payload {
            after(message);
        }
        sent?;
        self.receive()
    }

    fn receive<T>(&mut self) -> io::Result<Vec<T>>
    where
        T: NetlinkDeserializable + Debug,
    {
        let mut objects = Vec::new();
        loop {
            let (datagram, _) = retry(|| self.socket.recv_from_full())?;
            for bytes in Messages(&datagram) {
                let Ok(message) = NetlinkMessage::<T>::deserialize(bytes) else {
                    continue;
                };
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                match message.payload {
                    NetlinkPayload::InnerMessage(object) => objects.push(object),
                    NetlinkPayload::Done(_) => return Ok(objects),
                    NetlinkPayload::Error(error) if error.raw_code() == 0 => return Ok(objects),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    _ => {}
                }
            }
        }
    }
}

/// Calls again when a signal came in between.
pub(crate) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// A socket that hears what the kernel tells to a group. Never blocks.
pub(crate) struct Listener {
    pub(crate) socket: Socket,
    /// Also hears what other processes send to the group.
    relayed: bool,
}

impl Listener {
    /// Listens to a group by its number (rtnetlink's `RTNLGRP_*`, or as a generic family says).
    pub(crate) fn open(protocol: isize, groups: &[u32]) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        for group in groups {
            socket.add_membership(*group)?;
        }
        socket.set_non_blocking(true)?;
        Ok(Self {
            socket,
            relayed: false,
        })
    }

    /// The same for a group in which a service passes on what it has heard. The protocol has to
    /// be one to which only processes with CAP_NET_ADMIN may send, such as the events of
    /// devices (`NL_CFG_F_NONROOT_SEND` is not set in lib/kobject_uevent.c).
    pub(crate) fn open_relayed(protocol: isize, groups: &[u32]) -> io::Result<Self> {
        let listener = Self::open(protocol, groups)?;
        Ok(Self {
            relayed: true,
            ..listener
        })
    }

    /// The next datagram that waits; `None` when there is none. Datagrams that did not come
    /// from the kernel are dropped, if nobody is known to pass them on: any process may send to
    /// a netlink socket.
    pub(crate) fn next(&self) -> io::Result<Option<Vec<u8>>> {
        loop {
            match retry(|| self.socket.recv_from_full()) {
                Ok((datagram, sender)) if self.relayed || sender.port_number() == 0 => {
                    return Ok(Some(datagram));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

/// The netlink messages in one datagram, each with its header.
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_ne_bytes(self.0.get(..4)?.try_into().ok()?) as usize;
        // 16 is the size of struct nlmsghdr; messages start at multiples of four.
        if length < 16 || length > self.0.len() {
            return None;
        }
        let (message, _) = self.0.split_at(length);
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    }
}

/// A generic netlink message as a command and a list of attributes.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) command: u8,
    pub(crate) attributes: Vec<DefaultNla>,
}

impl Command {
    pub(crate) fn to(self, family: u16) -> GenlMessage<Self> {
        let mut message = GenlMessage::from_payload(self);
        message.set_resolved_family_id(family);
        message
    }

    /// The bytes of the first attribute of this kind.
    pub(crate) fn attribute(&self, kind: u16) -> Option<Vec<u8>> {
        find(&self.attributes, kind)
    }
}

impl GenlFamily for Command {
    fn family_name() -> &'static str {
        ""
    }
    fn command(&self) -> u8 {
        self.command
    }
    fn version(&self) -> u8 {
        1
    }
}

impl Emitable for Command {
    fn buffer_len(&self) -> usize {
        self.attributes.as_slice().buffer_len()
    }
    fn emit(&self, buffer: &mut [u8]) {
        self.attributes.as_slice().emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Command {
    fn parse_with_param(bytes: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        Ok(Self {
            command: header.cmd,
            attributes: attributes(bytes)?,
        })
    }
}

/// The attributes that follow each other in `bytes`.
pub(crate) fn attributes(bytes: &[u8]) -> Result<Vec<DefaultNla>, DecodeError> {
    NlasIterator::new(bytes)
        .map(|attribute| DefaultNla::parse(&attribute?))
        .collect()
}

/// The value of the first attribute of this kind, its flags left aside.
pub(crate) fn find(attributes: &[DefaultNla], kind: u16) -> Option<Vec<u8>> {
    use netlink_packet_core::Nla;
    let attribute = attributes
        .iter()
        .find(|attribute| attribute.kind() == kind)?;
    let mut value = vec![0; attribute.value_len()];
    attribute.emit_value(&mut value);
    Some(value)
}

/// A generic netlink family as the running kernel numbers it.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    pub(crate) id: u16,
    groups: Vec<(String, u32)>,
}

impl Family {
    /// Asks for a family by name. ENOENT means that the module that brings it is not there.
    pub(crate) fn resolve(netlink: &mut Netlink, name: &str) -> io::Result<Self> {
        let mut value = name.as_bytes().to_vec();
        value.push(0);
        let question = Command {
            command: CTRL_CMD_GETFAMILY,
            attributes: vec![DefaultNla::new(CTRL_ATTR_FAMILY_NAME, value)],
        };
        let answers = netlink.get(question.to(CONTROLLER))?;
        let garbled = || io::Error::new(io::ErrorKind::InvalidData, "the answer is garbled");
        let answer = answers.first().ok_or_else(garbled)?;
        let id = answer
            .payload
            .attribute(CTRL_ATTR_FAMILY_ID)
            .ok_or_else(garbled)?;
        let id = u16::from_ne_bytes(id.try_into().map_err(|_| garbled())?);
        let groups = answer
            .payload
            .attribute(CTRL_ATTR_MCAST_GROUPS)
            .unwrap_or_default();
        let groups = groups_of(&groups).map_err(|_| garbled())?;
        Ok(Self { id, groups })
    }

    /// The number of the group with this name.
    pub(crate) fn group(&self, name: &str) -> Option<u32> {
        self.groups
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, number)| *number)
    }
}

fn groups_of(bytes: &[u8]) -> Result<Vec<(String, u32)>, DecodeError> {
    use netlink_packet_core::Nla;
    let mut groups = Vec::new();
    for group in attributes(bytes)? {
        let mut value = vec![0; group.value_len()];
        group.emit_value(&mut value);
        let inner = attributes(&value)?;
        let name = find(&inner, CTRL_ATTR_MCAST_GRP_NAME).unwrap_or_default();
        let name = String::from_utf8_lossy(&name)
            .trim_end_matches('\0')
            .to_owned();
        let number = find(&inner, CTRL_ATTR_MCAST_GRP_ID).and_then(|bytes| bytes.try_into().ok());
        if let Some(number) = number {
            groups.push((name, u32::from_ne_bytes(number)));
        }
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_end_where_a_length_lies() {
        let mut bytes = vec![0; 40];
        bytes[..4].copy_from_slice(&18_u32.to_ne_bytes());
        bytes[20..24].copy_from_slice(&16_u32.to_ne_bytes());
        assert_eq!(
            Messages(&bytes).map(<[u8]>::len).collect::<Vec<_>>(),
            [18, 16]
        );
        bytes[20..24].copy_from_slice(&21_u32.to_ne_bytes());
        assert_eq!(Messages(&bytes).count(), 1);
        bytes[..4].copy_from_slice(&3_u32.to_ne_bytes());
        assert_eq!(Messages(&bytes).count(), 0);
    }

    #[test]
    fn the_controller_names_itself() {
        let mut netlink = Netlink::open(netlink_sys::protocols::NETLINK_GENERIC).unwrap();
        let family = Family::resolve(&mut netlink, "nlctrl").unwrap();
        assert_eq!(family.id, CONTROLLER);
        assert_eq!(family.group("notify"), Some(CONTROLLER.into()));
        let missing = Family::resolve(&mut netlink, "stiefel-none").unwrap_err();
        assert_eq!(
            missing.raw_os_error(),
            Some(rustix::io::Errno::NOENT.raw_os_error())
        );
    }
}
