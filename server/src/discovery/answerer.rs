//! The lender's end.

use super::wired::{LinkFilter, Wired};
use crate::sockets::{datagrams, random};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::time::Instant;
use stiefel_core::bundle::Request;
use stiefel_core::discovery::lender::{self, Heard};
use stiefel_core::discovery::{DATAGRAM_LEN, Standing};
use stiefel_core::net::{DISCOVERY_GROUP, DISCOVERY_PORT};
use stiefel_core::pairing::{Name, Pairing, PairingId};
use tokio::net::UdpSocket;

/// What a paired borrower wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It searches, and was answered.
    Seen {
        /// Whose search it is.
        pairing: PairingId,
        /// Where it is.
        from: SocketAddrV6,
    },
    /// It asks us to lend our disk.
    Wake {
        /// Whose order it is.
        pairing: PairingId,
        /// Where it is.
        from: SocketAddrV6,
    },
    /// It speaks another version of the protocol; its stick or we have to be updated.
    OtherVersion {
        /// Whose search it is.
        pairing: PairingId,
        /// The version it speaks.
        version: u8,
    },
}

/// Answers the searches of paired borrowers on all wired interfaces.
pub struct Answerer {
    lender: Name,
    rules: lender::Answerer,
    socket: UdpSocket,
    wired: Wired,
    joined: BTreeSet<u32>,
    standing: Standing,
    special: BTreeMap<PairingId, Standing>,
}

impl Answerer {
    /// Starts to listen, on the interfaces that `filter` lets pass.
    ///
    /// # Errors
    /// The port is taken, or the kernel has no IPv6.
    pub fn open(lender: Name, pairings: &[Pairing], filter: LinkFilter) -> io::Result<Self> {
        let mut this = Self {
            rules: lender::Answerer::new(lender.clone(), pairings),
            lender,
            socket: UdpSocket::from_std(datagrams(DISCOVERY_PORT)?)?,
            wired: Wired::open(filter)?,
            joined: BTreeSet::new(),
            standing: Standing::Asleep,
            special: BTreeMap::new(),
        };
        this.join()?;
        Ok(this)
    }

    /// Answers from now on to these pairings only; what was going on is forgotten.
    pub fn set_pairings(&mut self, pairings: &[Pairing]) {
        self.rules = lender::Answerer::new(self.lender.clone(), pairings);
        self.special.clear();
    }

    /// What the next answers say, to everybody.
    pub fn set_standing(&mut self, standing: Standing) {
        self.standing = standing;
        self.special.clear();
    }

    /// What the next answers say to one pairing, whatever they say to others.
    pub fn set_standing_of(&mut self, pairing: PairingId, standing: Standing) {
        self.special.insert(pairing, standing);
    }

    /// The next thing that a paired borrower wants. Cancel-safe.
    ///
    /// # Errors
    /// The socket or the list of interfaces is lost for good.
    pub async fn next(&mut self) -> io::Result<Event> {
        // One byte more than the longest message, so that a longer one is seen to be.
        let mut buffer = [0; DATAGRAM_LEN + 1];
        loop {
            tokio::select! {
                changed = self.wired.changed() => {
                    changed?;
                    self.join()?;
                }
                received = self.socket.recv_from(&mut buffer) => {
                    // An error here is an earlier answer's ICMP message.
                    let Ok((len, SocketAddr::V6(from))) = received else { continue };
                    if let Some(event) = self.heard(&buffer[..len], from)? {
                        return Ok(event);
                    }
                }
            }
        }
    }

    /// Accepts a request for the bundle that belongs to an exchange of the last seconds.
    pub fn claim(&mut self, request: &[u8], from: SocketAddrV6) -> Option<(PairingId, Request)> {
        self.rules.claim(request, *from.ip(), Instant::now())
    }

    fn heard(&mut self, datagram: &[u8], from: SocketAddrV6) -> io::Result<Option<Event>> {
        if !from.ip().is_unicast_link_local() {
            return Ok(None);
        }
        let standing = |pairing| {
            let special = self.special.get(&pairing);
            special.unwrap_or(&self.standing).clone()
        };
        let heard = self
            .rules
            .hear(datagram, from, Instant::now(), random()?, standing);
        let (event, answer) = match heard {
            Heard::Nothing => return Ok(None),
            Heard::Wake { pairing } => return Ok(Some(Event::Wake { pairing, from })),
            Heard::Seek { pairing, answer } => (Event::Seen { pairing, from }, answer),
            Heard::OtherVersion {
                pairing,
                version,
                answer,
            } => (Event::OtherVersion { pairing, version }, answer),
        };
        // A lost answer is asked for again in a second; waiting for room would hold up everybody.
        let _ = self.socket.try_send_to(answer.as_slice(), from.into());
        Ok(Some(event))
    }

    /// Joins the group on interfaces that are new; the kernel leaves it on those that go.
    fn join(&mut self) -> io::Result<()> {
        let now: BTreeSet<u32> = self.wired.list()?.iter().map(|link| link.index).collect();
        self.joined.retain(|index| now.contains(index));
        for index in now {
            if !self.joined.contains(&index)
                && self
                    .socket
                    .join_multicast_v6(&DISCOVERY_GROUP, index)
                    .is_ok()
            {
                self.joined.insert(index);
            }
        }
        Ok(())
    }
}
