//! The lender's end of the search.

use super::NONCE_LIFETIME;
use super::wire::{self, DATAGRAM_LEN, Keys, Nonces, Offer, Standing, VERSION};
use crate::bundle::{Request, RequestKeys};
use crate::pairing::{Name, Pairing, PairingId, Policy};
use std::collections::{HashSet, VecDeque};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, Instant};

/// Exchanges that may be open at once: ten seconds of a dozen borrowers on two links.
const MAX_OPEN: usize = 256;
/// Nonces of answered searches that are remembered: an hour of one borrower.
const MAX_REMEMBERED: usize = 4096;
/// Answers at once, and each this often another one.
const ANSWERS: u32 = 20;
const ANSWER_INTERVAL: Duration = Duration::from_millis(100);

/// Answers the searches of paired borrowers, and nobody else's.
pub struct Answerer {
    lender: Name,
    peers: Vec<Peer>,
    open: VecDeque<Open>,
    answered: Remembered,
    budget: Budget,
}

struct Peer {
    id: PairingId,
    keys: Keys,
    request_keys: RequestKeys,
}

/// An Offer that was sent and may be followed by a Wake or a request for the bundle.
struct Open {
    pairing: PairingId,
    nonces: Nonces,
    from: Ipv6Addr,
    until: Instant,
}

/// What a datagram meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Not for us, not authentic, repeated, or too much: silence.
    Nothing,
    /// A paired borrower searches: send this back.
    Seek {
        /// Whose search it is.
        pairing: PairingId,
        /// The answer.
        answer: Box<[u8; DATAGRAM_LEN]>,
    },
    /// A paired borrower asks us to lend our disk.
    Wake {
        /// Whose order it is.
        pairing: PairingId,
    },
    /// A paired borrower speaks another version: send this back, tell people here.
    OtherVersion {
        /// Whose search it is.
        pairing: PairingId,
        /// The version it speaks.
        version: u8,
        /// The answer.
        answer: Box<[u8; DATAGRAM_LEN]>,
    },
}

impl Answerer {
    /// Answers as `lender` to all `pairings` but those whose policy is [`Policy::Never`].
    #[must_use]
    pub fn new(lender: Name, pairings: &[Pairing]) -> Self {
        let peers = pairings
            .iter()
            .filter(|pairing| pairing.policy != Policy::Never)
            .map(|pairing| Peer {
                id: pairing.id,
                keys: Keys::new(&pairing.secret),
                request_keys: RequestKeys::new(&pairing.secret),
            })
            .collect();
        Self {
            lender,
            peers,
            open: VecDeque::new(),
            answered: Remembered::default(),
            budget: Budget {
                left: ANSWERS,
                since: None,
            },
        }
    }

    /// Takes note of a datagram. `nonce` is fresh and random; `standing` says
    /// how we stand to a pairing.
    pub fn hear(
        &mut self,
        datagram: &[u8],
        from: SocketAddrV6,
        now: Instant,
        nonce: [u8; 32],
        standing: impl Fn(PairingId) -> Standing,
    ) -> Heard {
        self.open.retain(|open| open.until > now);
        if let Some((version, theirs)) = wire::peek_seek(datagram) {
            let nonces = Nonces {
                borrower: theirs,
                lender: nonce,
            };
            return self
                .seek(datagram, version, nonces, *from.ip(), now, standing)
                .unwrap_or(Heard::Nothing);
        }
        match wire::peek_wake(datagram) {
            Some(nonces) => self
                .wake(datagram, nonces, *from.ip())
                .unwrap_or(Heard::Nothing),
            None => Heard::Nothing,
        }
    }

    fn seek(
        &mut self,
        datagram: &[u8],
        version: u8,
        nonces: Nonces,
        from: Ipv6Addr,
        now: Instant,
        standing: impl Fn(PairingId) -> Standing,
    ) -> Option<Heard> {
        let datagram = datagram.try_into().ok()?;
        let peer = self
            .peers
            .iter()
            .find(|peer| peer.keys.verify_seek(datagram))?;
        if self.answered.contains(&nonces.borrower) || !self.budget.spend(now) {
            return None;
        }
        self.answered.remember(nonces.borrower);
        let pairing = peer.id;
        if version != VERSION {
            let answer = Box::new(peer.keys.mismatch(VERSION, &nonces.borrower));
            return Some(Heard::OtherVersion {
                pairing,
                version,
                answer,
            });
        }
        let offer = Offer {
            lender: self.lender.clone(),
            standing: standing(pairing),
        };
        let answer = Box::new(peer.keys.offer(&nonces, &offer)?);
        if self.open.len() == MAX_OPEN {
            self.open.pop_front();
        }
        self.open.push_back(Open {
            pairing,
            nonces,
            from,
            until: now + NONCE_LIFETIME,
        });
        Some(Heard::Seek { pairing, answer })
    }

    fn wake(&mut self, datagram: &[u8], nonces: Nonces, from: Ipv6Addr) -> Option<Heard> {
        let at = self.open_at(nonces, from)?;
        let pairing = self.open[at].pairing;
        let peer = self.peers.iter().find(|peer| peer.id == pairing)?;
        if !peer.keys.verify_wake(datagram) {
            return None;
        }
        self.open.remove(at);
        Some(Heard::Wake { pairing })
    }

    /// Accepts a request for the bundle: authentic, following an Offer of the
    /// last seconds to the same address, and the first one that does.
    pub fn claim(
        &mut self,
        request: &[u8],
        from: Ipv6Addr,
        now: Instant,
    ) -> Option<(PairingId, Request)> {
        self.open.retain(|open| open.until > now);
        let at = self.open_at(Request::peek(request)?, from)?;
        let pairing = self.open[at].pairing;
        let peer = self.peers.iter().find(|peer| peer.id == pairing)?;
        let request = peer.request_keys.open(request)?;
        self.open.remove(at);
        Some((pairing, request))
    }

    fn open_at(&self, nonces: Nonces, from: Ipv6Addr) -> Option<usize> {
        self.open
            .iter()
            .position(|open| open.nonces == nonces && open.from == from)
    }
}

/// The nonces that were answered last.
#[derive(Default)]
struct Remembered {
    set: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl Remembered {
    fn contains(&self, nonce: &[u8; 32]) -> bool {
        self.set.contains(nonce)
    }

    fn remember(&mut self, nonce: [u8; 32]) {
        if self.order.len() == MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        self.set.insert(nonce);
        self.order.push_back(nonce);
    }
}

/// A token bucket of answers.
struct Budget {
    left: u32,
    since: Option<Instant>,
}

impl Budget {
    fn spend(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let earned = now.saturating_duration_since(since).as_millis() / ANSWER_INTERVAL.as_millis();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(ANSWERS);
            self.since = Some(now);
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}
