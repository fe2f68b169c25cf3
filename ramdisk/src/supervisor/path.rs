//! The path to the lender: card, addresses, tunnel; in a network namespace of our own.

mod clock;
mod detour;
mod way;

use std::fs::File;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use stiefel_core::net::{
    BORROWER_ADDRESS, LENDER_ADDRESS, MacAddress, TUNNEL_INTERFACE, TUNNEL_PORT, TUNNEL_PREFIX,
    USUAL_MTU, tunnel_mtu,
};
use stiefel_core::ticket::AttachTicket;
use stiefel_linux::echo::Echo;
use stiefel_linux::links::{Link, Links, Monitor, link_local_of};
use stiefel_linux::wireguard::{Config, Peer, WireGuard};
use stiefel_linux::{Result, mounts, process, sysctl};

use crate::console::{note, warn};
use clock::{Clock, Reading};
use detour::Detours;

/// The card's name in our namespace, for whoever looks there.
const CARD_NAME: &str = "stiefel0";

/// A packet that goes there and back through an empty tunnel; the first one brings the handshake.
const FIRST_ECHO: Duration = Duration::from_millis(500);
/// Large packets take little longer than small ones, or never come.
const LARGE_ECHO: Duration = Duration::from_millis(100);
/// One may be lost.
const LARGE_TRIES: usize = 2;

/// Between two handshakes with a lender that has not answered on this cable. WireGuard itself
/// would wait five seconds.
const AFRESH: Duration = Duration::from_secs(1);

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

/// One card, seen from the namespace that devices appear in, and from our own; and the way over
/// another one for as long as that card leads nowhere.
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
    /// How far the card reaches.
    reach: Reach,
    detours: Detours,
    /// We can tell wireless cards from others.
    sees_radio: bool,
    /// When we last began afresh with the lender; it has not answered since.
    unproven: Option<Instant>,
    clock: Clock,
}

impl Path {
    /// Moves this process into a new network namespace and takes the card along.
    pub(super) fn leave(ticket: &AttachTicket) -> anyhow::Result<Self> {
        let outside_monitor = Monitor::open()?;
        // Soon there is no /sys to see; without one all is well but detours.
        let sysfs = mounts::private_sysfs();
        let sees_radio = sysfs.is_ok();
        let outside = sysfs.map_or_else(|_| Links::open(), Links::open_with)?;
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
            detours: Detours::default(),
            sees_radio,
            unproven: None,
            clock: Clock::new(Reading::take()),
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
        let outside = self.outside_monitor.drain().unwrap_or(true);
        let inside = self.inside_monitor.drain().unwrap_or(true);
        if !outside && !inside {
            return false;
        }
        self.detours.changed |= outside;
        let before = (self.reach, self.card);
        self.look();
        // On a detour the card has time: see [`Path::choose`].
        let on_card = self.detours.now.is_none();
        let again = on_card && self.carrier() && before != (self.reach, self.card);
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
        if let Err(error) = self.restore().and_then(|()| self.look_at_detour()) {
            warn(&format!("{error}."));
        }
    }

    /// Calls whoever is on the cable, instead of the lender's card where it was heard last: it
    /// may have another one now, and so another address. Only the lender can answer, and from
    /// then on the tunnel leads to where its answer came from.
    pub(super) fn call(&mut self) {
        match self.unproven {
            Some(since) if since.elapsed() >= AFRESH => self.begin_afresh(),
            _ => self
                .point_to_everybody()
                .unwrap_or_else(|error| warn(&format!("{error}."))),
        }
    }

    /// Calls as [`Path::call`] does, and forgets what was agreed on with the lender: until it has
    /// answered on this cable, nothing but handshakes goes out. If it would not take ours, we keep
    /// what we have.
    fn begin_afresh(&mut self) {
        let restarted = match self.may_begin() {
            true => self.restart_tunnel(),
            false => self.point_to_everybody(),
        };
        if let Err(error) = restarted {
            warn(&format!("{error}."));
        }
        self.unproven = Some(Instant::now());
    }

    /// Whether the lender takes a handshake that we begin.
    fn may_begin(&mut self) -> bool {
        self.clock.is_younger(Reading::take())
    }

    /// A tunnel that is switched off forgets its sessions, and when it last shook hands; and the
    /// kernel takes its address away. Connections inside do not notice.
    fn restart_tunnel(&mut self) -> Result<()> {
        let Some((_, index)) = self.tunnel else {
            return Ok(());
        };
        self.inside.set_down(index)?;
        self.point_to_everybody()?;
        self.inside.set_up(index)?;
        self.inside
            .add_address(index, BORROWER_ADDRESS, TUNNEL_PREFIX)
    }

    fn point_to_everybody(&mut self) -> Result<()> {
        let Some(interface) = self.interface() else {
            return Ok(());
        };
        match &mut self.tunnel {
            Some((wireguard, index)) => {
                let everybody = SocketAddrV6::new(ALL_NODES, TUNNEL_PORT, 0, interface);
                wireguard.set_endpoint(*index, self.lender_key, everybody)
            }
            None => Ok(()),
        }
    }

    /// The interface that packets go out by.
    fn interface(&self) -> Option<u32> {
        let detour = self.detours.now.as_ref();
        detour.map(|detour| detour.index).or(self.card)
    }

    /// Makes the tunnel's packets as large as they get through to the lender and back. Cards may
    /// be able to, and a switch between them may not; so it is tried, each time that the path
    /// has changed. TCP agrees on a size when it connects, so this comes before.
    pub(super) fn size_packets(&mut self) {
        let mtu = match &self.detours.now {
            Some(detour) => detour.mtu,
            None => self.card_mtu,
        };
        let usual = tunnel_mtu(USUAL_MTU);
        if mtu <= USUAL_MTU || !self.carrier() {
            self.set_packets(usual);
            return;
        }
        let large = tunnel_mtu(mtu);
        let large_passes = self.set_packets(large) && self.answers(FIRST_ECHO) && {
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

    fn answers(&mut self, limit: Duration) -> bool {
        self.passes(tunnel_mtu(USUAL_MTU), limit)
    }

    fn passes(&mut self, size: u32, limit: Duration) -> bool {
        let echo = self.echo.ask(LENDER_ADDRESS, size as usize, limit);
        matches!(echo, Ok(Some(_)))
    }

    /// How far the path reaches, as far as we have heard.
    pub(super) fn reach(&self) -> Reach {
        match &self.detours.now {
            Some(detour) if detour.carrier => Reach::Cable,
            _ => self.reach,
        }
    }

    /// Whether the cable has two ends.
    pub(super) fn carrier(&self) -> bool {
        match &self.detours.now {
            Some(detour) => detour.carrier,
            None => self.reach == Reach::Cable,
        }
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
