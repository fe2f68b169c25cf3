//! A second interface on a card that somebody else uses (`drivers/net/macvlan.c`).

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVlan, LinkAttribute, LinkInfo, LinkMessage, MacVlanMode,
};
use stiefel_core::net::MacAddress;

use super::Links;
use crate::error::{Result, Tried};

impl Links {
    /// Makes an interface on top of the card with the index `below`, with an Ethernet address of
    /// its own, straight in another network namespace, given by a descriptor of `/proc/*/ns/net`.
    /// It is switched off, goes with the card, and cannot speak with whoever uses the card itself.
    ///
    /// Without a `mac` the kernel draws one. The module `macvlan` has to be loaded: otherwise the
    /// kernel starts `modprobe` of the system it finds at `/`, and waits for it.
    pub fn create_macvlan(
        &mut self,
        below: u32,
        name: &str,
        mac: Option<MacAddress>,
        namespace: BorrowedFd<'_>,
    ) -> Result<()> {
        let mut message = LinkMessage::default();
        let mode = InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Private)]);
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Link(below),
            LinkAttribute::NetNsFd(namespace.as_raw_fd()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::MacVlan),
                LinkInfo::Data(mode),
            ]),
        ];
        message
            .attributes
            .extend(mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
        self.netlink
            .command(
                RouteNetlinkMessage::NewLink(message),
                NLM_F_CREATE | NLM_F_EXCL,
            )
            .tried(|| format!("cannot make {name} on top of network interface {below}"))
    }
}
