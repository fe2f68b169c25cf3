//! Network interfaces and their addresses (rtnetlink).
//!
//! [`Links`] and [`Monitor`] belong to the network namespace in which they were
//! opened and stay with it, whatever the process does later: one process can
//! look after two namespaces without ever changing its own.

mod devices;
mod macvlan;
mod monitor;

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage,
};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute,
    LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use stiefel_core::net::MacAddress;

use crate::error::{Result, Tried};
use crate::netlink::Netlink;
use devices::Devices;
pub use monitor::Monitor;

/// Largest packet that is used, bytes: what switches and cards that can more than 1500 have in
/// common (9000 of payload; larger ones are each vendor's own).
pub const LARGE_MTU: u32 = 9000;

/// A network interface as the kernel describes it at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number of the interface; a device that is plugged in again gets a new one.
    pub index: u32,
    /// The name, which udev or a person may change.
    pub name: String,
    /// The address in use; `None` on interfaces that have no Ethernet address.
    pub mac: Option<MacAddress>,
    /// The address that the device was made with, where the driver knows it.
    pub permanent_mac: Option<MacAddress>,
    /// A wired Ethernet device, or one end of a virtual cable (veth): what a loan can use.
    /// False for wireless devices, bridges, tunnels, taps, VLANs and the loopback.
    pub is_ethernet: bool,
    /// The same without virtual cables: a device that a person can put a cable in.
    pub is_physical: bool,
    /// Switched on by software.
    pub up: bool,
    /// A cable with somebody at its other end. Only known while the link is up.
    pub carrier: bool,
    /// Largest packet in bytes, as it is set.
    pub mtu: u32,
    /// Largest packet in bytes that the driver can be set to; 0 where it does not say.
    pub max_mtu: u32,
    /// Speed in Mbit/s, where the driver knows it. Read from sysfs, so only known in the
    /// network namespace that `/sys` belongs to.
    pub speed_mbps: Option<u32>,
}

impl Link {
    /// The address that stays with the device: the permanent one where known.
    pub fn identity(&self) -> Option<MacAddress> {
        self.permanent_mac.or(self.mac)
    }
}

/// The interfaces of one network namespace.
pub struct Links {
    netlink: Netlink,
    devices: Devices,
}

impl Links {
    /// Opens the interfaces of the network namespace that this thread is in now.
    pub fn open() -> Result<Self> {
        Self::with(Devices::mounted())
    }

    /// The same for a program that will no longer see `/sys` then: it has one of its own,
    /// see [`crate::mounts::private_sysfs`], that was made in the same network namespace.
    pub fn open_with(sysfs: OwnedFd) -> Result<Self> {
        Self::with(Devices::below(sysfs))
    }

    fn with(devices: Devices) -> Result<Self> {
        let netlink = Netlink::open(NETLINK_ROUTE)
            .tried(|| "cannot open a netlink socket for network interfaces".into())?;
        Ok(Self { netlink, devices })
    }

    /// All interfaces, in the kernel's order.
    pub fn list(&mut self) -> Result<Vec<Link>> {
        let question = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let answers = self
            .netlink
            .dump(question)
            .tried(|| "cannot list network interfaces".into())?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(message) => Some(describe(message, &self.devices)),
                _ => None,
            })
            .collect())
    }

    /// The interface with this name.
    pub fn by_name(&mut self, name: &str) -> Result<Option<Link>> {
        Ok(self.list()?.into_iter().find(|link| link.name == name))
    }

    /// The Ethernet device with this address, its permanent one or the one in use.
    pub fn by_mac(&mut self, mac: MacAddress) -> Result<Option<Link>> {
        let fits = |link: &Link| {
            link.is_ethernet && (link.permanent_mac == Some(mac) || link.mac == Some(mac))
        };
        Ok(self.list()?.into_iter().find(fits))
    }

    /// Switches an interface on. It has no carrier and no address yet when this returns.
    pub fn set_up(&mut self, index: u32) -> Result<()> {
        self.set_flag_up(index, true)
            .tried(|| format!("cannot switch on network interface {index}"))
    }

    /// Switches an interface off. Its IPv6 addresses are gone then.
    pub fn set_down(&mut self, index: u32) -> Result<()> {
        self.set_flag_up(index, false)
            .tried(|| format!("cannot switch off network interface {index}"))
    }

    /// Gives an interface, which must be down on kernels before 6.2, another name.
    pub fn rename(&mut self, index: u32, name: &str) -> Result<()> {
        self.change(index, LinkAttribute::IfName(name.to_owned()))
            .tried(|| format!("cannot rename network interface {index} to {name}"))
    }

    /// Sets the largest packet in bytes.
    pub fn set_mtu(&mut self, index: u32, mtu: u32) -> Result<()> {
        self.change(index, LinkAttribute::Mtu(mtu))
            .tried(|| format!("cannot set the packet size of network interface {index} to {mtu}"))
    }

    /// Lets an interface carry large packets, if its driver can: at best [`LARGE_MTU`]. While it
    /// is switched off: some devices lose their cable for a moment.
    pub fn widen(&mut self, link: &Link) -> Result<()> {
        match link.max_mtu.min(LARGE_MTU) {
            most if most > link.mtu => self.set_mtu(link.index, most),
            _ => Ok(()),
        }
    }

    /// Moves an interface to another network namespace, given by a descriptor of `/proc/*/ns/net`.
    /// It arrives switched off, without addresses, and usually with its old index.
    pub fn move_to_namespace(&mut self, index: u32, namespace: BorrowedFd<'_>) -> Result<()> {
        self.change(index, LinkAttribute::NetNsFd(namespace.as_raw_fd()))
            .tried(|| format!("cannot move network interface {index} to another network namespace"))
    }

    /// Says that the kernel shall make no link-local address for this interface when it comes
    /// up: the caller adds one, see [`link_local_of`], and need not wait for the kernel.
    pub fn without_own_addresses(&mut self, index: u32) -> Result<()> {
        let inet6 = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        let attribute = LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![inet6])]);
        self.change(index, attribute)
            .tried(|| format!("cannot set the address mode of network interface {index}"))
    }

    /// Adds an IPv6 address, usable at once: no duplicate address detection. Adding it twice is fine.
    pub fn add_address(&mut self, index: u32, address: Ipv6Addr, prefix: u8) -> Result<()> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet6;
        message.header.prefix_len = prefix;
        message.header.index = index;
        message.header.flags = AddressHeaderFlags::Nodad | AddressHeaderFlags::Permanent;
        message.attributes = vec![
            AddressAttribute::Address(IpAddr::V6(address)),
            AddressAttribute::Local(IpAddr::V6(address)),
            AddressAttribute::Flags(AddressFlags::Nodad | AddressFlags::Permanent),
        ];
        self.netlink
            .command(
                RouteNetlinkMessage::NewAddress(message),
                NLM_F_CREATE | NLM_F_REPLACE,
            )
            .tried(|| format!("cannot add {address}/{prefix} to network interface {index}"))
    }

    /// Removes an IPv6 address; an error if it is not there.
    pub fn remove_address(&mut self, index: u32, address: Ipv6Addr, prefix: u8) -> Result<()> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet6;
        message.header.prefix_len = prefix;
        message.header.index = index;
        message.attributes = vec![AddressAttribute::Local(IpAddr::V6(address))];
        self.netlink
            .command(RouteNetlinkMessage::DelAddress(message), 0)
            .tried(|| format!("cannot remove {address}/{prefix} from network interface {index}"))
    }

    /// A link-local address of this interface that may be used now, if it has one.
    pub fn link_local(&mut self, index: u32) -> Result<Option<Ipv6Addr>> {
        let mut question = AddressMessage::default();
        question.header.family = AddressFamily::Inet6;
        let answers = self
            .netlink
            .dump(RouteNetlinkMessage::GetAddress(question))
            .tried(|| "cannot list network addresses".into())?;
        Ok(answers.into_iter().find_map(|answer| match answer {
            RouteNetlinkMessage::NewAddress(message) if message.header.index == index => {
                usable_link_local(&message)
            }
            _ => None,
        }))
    }

    /// Makes a virtual cable with two ends, both switched off.
    pub fn create_veth(&mut self, name: &str, peer: &str) -> Result<()> {
        let mut other = LinkMessage::default();
        other
            .attributes
            .push(LinkAttribute::IfName(peer.to_owned()));
        let data = InfoData::Veth(InfoVeth::Peer(other));
        self.create(
            name,
            vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(data)],
        )
        .tried(|| format!("cannot make the virtual cable {name}-{peer}"))
    }

    /// Removes a virtual interface.
    pub fn delete(&mut self, index: u32) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        self.netlink
            .command(RouteNetlinkMessage::DelLink(message), 0)
            .tried(|| format!("cannot remove network interface {index}"))
    }

    pub(crate) fn create(&mut self, name: &str, info: Vec<LinkInfo>) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::LinkInfo(info),
        ];
        self.netlink.command(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    fn set_flag_up(&mut self, index: u32, up: bool) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.change_mask = LinkFlags::Up;
        message.header.flags = if up {
            LinkFlags::Up
        } else {
            LinkFlags::empty()
        };
        self.netlink
            .command(RouteNetlinkMessage::SetLink(message), 0)
    }

    fn change(&mut self, index: u32, attribute: LinkAttribute) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes.push(attribute);
        self.netlink
            .command(RouteNetlinkMessage::SetLink(message), 0)
    }
}

/// The link-local address that belongs to an Ethernet address (RFC 4291, appendix A).
pub fn link_local_of(mac: MacAddress) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    Ipv6Addr::from([
        0xfe,
        0x80,
        0,
        0,
        0,
        0,
        0,
        0,
        a ^ 2,
        b,
        c,
        0xff,
        0xfe,
        d,
        e,
        f,
    ])
}

fn describe(message: LinkMessage, devices: &Devices) -> Link {
    let header = message.header;
    let mut link = Link {
        index: header.index,
        name: String::new(),
        mac: None,
        permanent_mac: None,
        is_ethernet: false,
        is_physical: false,
        up: header.flags.contains(LinkFlags::Up),
        carrier: header.flags.contains(LinkFlags::LowerUp),
        mtu: 0,
        max_mtu: 0,
        speed_mbps: None,
    };
    let mut kind = None;
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Address(bytes) => link.mac = bytes.try_into().ok().map(MacAddress),
            LinkAttribute::PermAddress(bytes) => {
                link.permanent_mac = bytes.try_into().ok().map(MacAddress)
            }
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::MaxMtu(mtu) => link.max_mtu = mtu,
            LinkAttribute::LinkInfo(info) => {
                kind = info.into_iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    link.is_ethernet = header.link_layer_type == LinkLayerType::Ether
        && link.mac.is_some()
        && matches!(kind, None | Some(InfoKind::Veth | InfoKind::Dsa))
        && !devices.is_radio(&link.name);
    link.is_physical = link.is_ethernet && !matches!(kind, Some(InfoKind::Veth));
    link.speed_mbps = devices.speed_mbps(&link.name);
    link
}

fn usable_link_local(message: &AddressMessage) -> Option<Ipv6Addr> {
    let unusable = AddressFlags::Tentative | AddressFlags::Dadfailed;
    let mut flags = AddressFlags::from_bits_retain(message.header.flags.bits().into());
    let mut address = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Address(IpAddr::V6(found)) => address = Some(*found),
            AddressAttribute::Flags(all) => flags = *all,
            _ => {}
        }
    }
    address.filter(|found| found.is_unicast_link_local() && !flags.intersects(unusable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ethernet_address_makes_a_link_local_one() {
        let address = link_local_of(MacAddress([0x52, 0x54, 0x00, 0x12, 0x34, 0x56]));
        assert_eq!(address.to_string(), "fe80::5054:ff:fe12:3456");
    }

    fn answer(address: &str, flags: AddressFlags) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.attributes = vec![
            AddressAttribute::Address(address.parse().unwrap()),
            AddressAttribute::Flags(flags),
        ];
        message
    }

    #[test]
    fn only_a_settled_link_local_address_counts() {
        let settled = AddressFlags::Permanent;
        assert!(usable_link_local(&answer("fe80::1", settled)).is_some());
        assert!(usable_link_local(&answer("fd00::1", settled)).is_none());
        assert!(usable_link_local(&answer("fe80::1", settled | AddressFlags::Tentative)).is_none());
        assert!(usable_link_local(&answer("fe80::1", settled | AddressFlags::Dadfailed)).is_none());
    }
}
