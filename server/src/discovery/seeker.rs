//! The borrower's end.

use super::wired::{LinkFilter, Wired};
use crate::sockets::{datagrams, random};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::time::Instant;
use stiefel_core::discovery::borrower::{self, Heard};
use stiefel_core::discovery::{DATAGRAM_LEN, Nonces, Offer, SEEK_INTERVAL};
use stiefel_core::net::{DISCOVERY_GROUP, DISCOVERY_PORT};
use stiefel_core::pairing::Pairing;
use tokio::net::UdpSocket;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// What the search has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Our lender has answered.
    Lender {
        /// What it said; if it sleeps, it was told to wake up.
        offer: Offer,
        /// The exchange that a request for the bundle goes on with.
        nonces: Nonces,
        /// Where it is; the scope is the index of the interface.
        address: SocketAddrV6,
    },
    /// Our lender speaks another version of the protocol.
    OtherVersion {
        /// The version it speaks.
        version: u8,
    },
}

/// Mbit/s by an interface's index; 0 where nobody knows.
pub type Speeds = BTreeMap<u32, u32>;

/// Searches the lender of a pairing on all wired interfaces at once.
pub struct Seeker {
    rules: borrower::Seeker,
    socket: UdpSocket,
    wired: Wired,
    asked: BTreeSet<u32>,
    again: Interval,
}

impl Seeker {
    /// Starts to search, on the interfaces that `filter` lets pass.
    ///
    /// # Errors
    /// The kernel has no IPv6.
    pub fn open(pairing: &Pairing, filter: LinkFilter) -> io::Result<Self> {
        let mut again = interval(SEEK_INTERVAL);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            rules: borrower::Seeker::new(pairing),
            socket: UdpSocket::from_std(datagrams(0)?)?,
            wired: Wired::open(filter)?,
            asked: BTreeSet::new(),
            again,
        })
    }

    /// Names of the interfaces that the last questions went out on.
    ///
    /// # Errors
    /// The list of interfaces is lost.
    pub fn links(&mut self) -> io::Result<Vec<String>> {
        let mut links = self.wired.list()?;
        links.retain(|link| self.asked.contains(&link.index));
        Ok(links.into_iter().map(|link| link.name).collect())
    }

    /// The speeds of the interfaces that are asked on and have a cable in.
    ///
    /// # Errors
    /// The list of interfaces is lost.
    pub fn speeds(&mut self) -> io::Result<Speeds> {
        let links = self.wired.list()?.into_iter();
        let asked = links.filter(|link| link.carrier && self.asked.contains(&link.index));
        Ok(asked
            .map(|link| (link.index, link.speed_mbps.unwrap_or(0)))
            .collect())
    }

    /// Asks every second, and at once on interfaces that come up, until our
    /// lender answers. Wakes it if it sleeps. Cancel-safe.
    ///
    /// # Errors
    /// The socket or the list of interfaces is lost for good.
    pub async fn next(&mut self) -> io::Result<Found> {
        // One byte more than the longest message, so that a longer one is seen to be.
        let mut buffer = [0; DATAGRAM_LEN + 1];
        loop {
            tokio::select! {
                _ = self.again.tick() => self.ask(|_| true)?,
                changed = self.wired.changed() => {
                    changed?;
                    let asked = self.asked.clone();
                    self.ask(|index| !asked.contains(&index))?;
                }
                received = self.socket.recv_from(&mut buffer) => {
                    let Ok((len, SocketAddr::V6(from))) = received else { continue };
                    if let Some(found) = self.heard(&buffer[..len], from) {
                        return Ok(found);
                    }
                }
            }
        }
    }

    fn heard(&mut self, datagram: &[u8], from: SocketAddrV6) -> Option<Found> {
        if !from.ip().is_unicast_link_local() || from.port() != DISCOVERY_PORT {
            return None;
        }
        match self.rules.hear(datagram, from.scope_id(), Instant::now()) {
            Heard::Nothing => None,
            Heard::OtherVersion { version } => Some(Found::OtherVersion { version }),
            Heard::Offer {
                offer,
                nonces,
                wake,
            } => {
                if let Some(wake) = wake {
                    // If it is lost, the next offer brings the next chance.
                    let _ = self.socket.try_send_to(&wake, from.into());
                }
                Some(Found::Lender {
                    offer,
                    nonces,
                    address: from,
                })
            }
        }
    }

    /// One question with a nonce of its own for each chosen interface. Those
    /// without a link-local address yet refuse, and are asked when they have one.
    fn ask(&mut self, chosen: impl Fn(u32) -> bool) -> io::Result<()> {
        let links = self.wired.list()?;
        self.asked
            .retain(|index| links.iter().any(|link| link.index == *index));
        for link in links.iter().filter(|link| chosen(link.index)) {
            let question = self.rules.ask(link.index, random()?, Instant::now());
            let group = SocketAddrV6::new(DISCOVERY_GROUP, DISCOVERY_PORT, 0, link.index);
            if self.socket.try_send_to(&question, group.into()).is_ok() {
                self.asked.insert(link.index);
            }
        }
        Ok(())
    }
}
