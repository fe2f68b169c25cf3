//! The path to the lender: card, addresses, tunnel; in a network namespace of our own.

use std::fs::File;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use stiefel_core::net::{
    BORROWER_ADDRESS, LENDER_ADDRESS, MacAddress, TUNNEL_INTERFACE, TUNNEL_PORT, TUNNEL_PREFIX,
    USUAL_MTU, tunnel_mtu,
};
use stiefel_core::ticket::AttachTicket;
use stiefel_linux::echo::Echo;
use stiefel_linux::links::{Link, Links, Monitor, link_local_of};
use stiefel_linux::wireguard::{Config, Peer, WireGuard};
use stiefel_linux::{Result, process, sysctl};

use crate::console::{note, warn};

/// The card's name in our namespace, for whoever looks there.
const CARD_NAME: &str = "stiefel0";

/// A packet that goes there and back through an empty tunnel; the first one brings the handshake.
const FIRST_ECHO: Duration = Duration::from_millis(500);
/// Large packets take little longer than small ones, or never come.
const LARGE_ECHO: Duration = Duration::from_millis(100);
/// One may be lost.
const LARGE_TRIES: usize = 2;

/// All machines on a link (RFC 4291, section 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// How far the path reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The card is not in this machine.
    NoCard,
    /// Nobody is at the other end of the cable.
    NoCarrier,
    /// The cable has two ends.
    Cable,
}

/// One card, seen from the namespace that devices appear in, and from our own.
pub(super) struct Path {
    mac: MacAddress,
    lender: Ipv6Addr,
    lender_key: [u8; 32],
    outside: Links,
    outside_monitor: Monitor,
    inside: Links,
    inside_monitor: Monitor,
    namespace: File,
    /// The card's index in our namespace, once it is set up there.
    card: Option<u32>,
    tunnel: Option<(WireGuard, u32)>,
    /// Largest packet of the card, bytes.
    card_mtu: u32,
    echo: Echo,
    reach: Reach,
}

impl Path {
    /// Moves this process into a new network namespace and takes the card along.
    pub(super) fn leave(ticket: &AttachTicket) -> anyhow::Result<Self> {
        let outside_monitor = Monitor::open()?;
        let outside = Links::open()?;
        process::enter_new_network()?;
        // New interfaces start with these: no detection of duplicates, no advice from routers.
        sysctl::prepare_interface("default")?;
        let mut path = Self {
            mac: ticket.link,
            lender: ticket.session.lender_address,
            lender_key: ticket.session.lender_key,
            outside,
            outside_monitor,
            inside: Links::open()?,
            inside_monitor: Monitor::open()?,
            namespace: process::network_namespace()?,
            card: None,
            tunnel: None,
            card_mtu: USUAL_MTU,
            echo: Echo::open()?,
            reach: Reach::NoCard,
        };
        path.restore()?;
        Ok(path)
    }

    /// Makes the tunnel with the keys of this loan. Needs the module `wireguard`.
    pub(super) fn make_tunnel(&mut self, ticket: &AttachTicket) -> Result<()> {
        let mut wireguard = WireGuard::open()?;
        let index = wireguard.create(&mut self.inside, TUNNEL_INTERFACE)?;
        let session = &ticket.session;
        let peer = Peer {
            public_key: session.lender_key,
            preshared_key: &session.preshared_key,
            endpoint: self.card.map(|card| self.endpoint(card)),
            allowed_ips: &[(LENDER_ADDRESS, 128)],
            keepalive_secs: 0,
        };
        wireguard.configure(
            index,
            &Config {
                private_key: &session.private_key,
                listen_port: 0,
                peer,
            },
        )?;
        self.inside.set_mtu(index, tunnel_mtu(USUAL_MTU))?;
        self.inside
            .add_address(index, BORROWER_ADDRESS, TUNNEL_PREFIX)?;
        self.inside.set_up(index)?;
        self.tunnel = Some((wireguard, index));
        Ok(())
    }

    /// Reads what the kernel told of interfaces, and sets the card up again if it is a new one.
    /// True when the cable is in again.
    pub(super) fn heed(&mut self) -> bool {
        let changes = [self.outside_monitor.drain(), self.inside_monitor.drain()];
        let changed = changes.into_iter().any(|change| change.unwrap_or(true));
        if !changed {
            return false;
        }
        let before = (self.reach, self.card);
        self.look();
        let again = self.carrier() && before != (self.reach, self.card);
        if again {
            self.call();
            self.size_packets();
        }
        again
    }

    /// Sleeps until an interface changes or the time is over; then as [`Path::heed`].
    pub(super) fn wait(&mut self, limit: Duration) -> Result<()> {
        process::wait_readable(&self.inside_monitor, limit)?;
        self.heed();
        Ok(())
    }

    /// Looks anew at how things are.
    pub(super) fn look(&mut self) {
        if let Err(error) = self.restore() {
            warn(&format!("{error}."));
        }
    }

    /// Calls whoever is on the cable, instead of the lender's card where it was heard last: it
    /// may have another one now, and so another address. Only the lender can answer, and from
    /// then on the tunnel leads to where its answer came from.
    pub(super) fn call(&mut self) {
        if let (Some((wireguard, index)), Some(card)) = (&mut self.tunnel, self.card) {
            let everybody = SocketAddrV6::new(ALL_NODES, TUNNEL_PORT, 0, card);
            if let Err(error) = wireguard.set_endpoint(*index, self.lender_key, everybody) {
                warn(&format!("{error}."));
            }
        }
    }

    /// Makes the tunnel's packets as large as they get through to the lender and back. Cards may
    /// be able to, and a switch between them may not; so it is tried, each time that the path
    /// has changed. TCP agrees on a size when it connects, so this comes before.
    pub(super) fn size_packets(&mut self) {
        if self.card_mtu <= USUAL_MTU || !self.carrier() {
            return;
        }
        let large = tunnel_mtu(self.card_mtu);
        let usual = tunnel_mtu(USUAL_MTU);
        let large_passes = self.set_packets(large) && self.passes(usual, FIRST_ECHO) && {
            (0..LARGE_TRIES).any(|_| self.passes(large, LARGE_ECHO))
        };
        let size = if large_passes { large } else { usual };
        self.set_packets(size);
        note(&format!("Packets of {size} bytes get through."));
    }

    fn set_packets(&mut self, size: u32) -> bool {
        match &self.tunnel {
            Some((_, index)) => self.inside.set_mtu(*index, size).is_ok(),
            None => false,
        }
    }

    fn passes(&mut self, size: u32, limit: Duration) -> bool {
        let echo = self.echo.ask(LENDER_ADDRESS, size as usize, limit);
        matches!(echo, Ok(Some(_)))
    }

    /// How far the path reaches, as far as we have heard.
    pub(super) fn reach(&self) -> Reach {
        self.reach
    }

    /// Whether the cable has two ends.
    pub(super) fn carrier(&self) -> bool {
        self.reach == Reach::Cable
    }

    /// What to poll for [`Path::heed`].
    pub(super) fn monitors(&self) -> [BorrowedFd<'_>; 2] {
        [self.outside_monitor.as_fd(), self.inside_monitor.as_fd()]
    }

    /// Fetches the card if it is outside (it was plugged in again), and sets it up if it is new.
    fn restore(&mut self) -> Result<()> {
        let mut card = self.inside.by_mac(self.mac)?;
        if card.is_none()
            && let Some(outside) = self.outside.by_mac(self.mac)?
        {
            self.outside
                .move_to_namespace(outside.index, self.namespace.as_fd())?;
            card = self.inside.by_mac(self.mac)?;
        }
        let Some(card) = card else {
            self.card = None;
            self.reach = Reach::NoCard;
            return Ok(());
        };
        if self.card != Some(card.index) {
            self.set_up(&card)?;
            self.card = Some(card.index);
        }
        self.reach = if card.carrier {
            Reach::Cable
        } else {
            Reach::NoCarrier
        };
        Ok(())
    }

    fn set_up(&mut self, card: &Link) -> Result<()> {
        if card.name != CARD_NAME {
            self.inside.rename(card.index, CARD_NAME)?;
        }
        // It is as good as before if it cannot.
        let _ = self.inside.widen(card);
        self.card_mtu = match self.inside.by_mac(self.mac)? {
            Some(card) => card.mtu,
            None => USUAL_MTU,
        };
        self.inside.without_own_addresses(card.index)?;
        self.inside.set_up(card.index)?;
        self.inside
            .add_address(card.index, link_local_of(self.mac), 64)
    }

    fn endpoint(&self, card: u32) -> SocketAddrV6 {
        SocketAddrV6::new(self.lender, TUNNEL_PORT, 0, card)
    }
}
