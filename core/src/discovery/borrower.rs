//! The borrower's end of the search.

use super::NONCE_LIFETIME;
use super::wire::{self, DATAGRAM_LEN, Keys, Nonces, Offer, Standing, VERSION};
use crate::pairing::Pairing;
use std::collections::VecDeque;
use std::time::Instant;

/// Questions that may be open at once: ten seconds on two dozen interfaces.
const MAX_ASKED: usize = 256;

/// Searches the lender of one pairing.
pub struct Seeker {
    keys: Keys,
    asked: VecDeque<Asked>,
}

struct Asked {
    nonce: [u8; 32],
    link: u32,
    until: Instant,
}

/// What a datagram meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Not for us, not authentic, or late.
    Nothing,
    /// Our lender has answered.
    Offer {
        /// What it said.
        offer: Offer,
        /// The exchange that a request for the bundle goes on with.
        nonces: Nonces,
        /// Send this to the lender to wake it, if it sleeps.
        wake: Option<Vec<u8>>,
    },
    /// Our lender speaks another version; people here have to update one of the two.
    OtherVersion {
        /// The version it speaks.
        version: u8,
    },
}

impl Seeker {
    /// Searches the lender of `pairing`.
    #[must_use]
    pub fn new(pairing: &Pairing) -> Self {
        Self {
            keys: Keys::new(&pairing.secret),
            asked: VecDeque::new(),
        }
    }

    /// The next question for the interface with index `link`; `nonce` is fresh and random.
    pub fn ask(&mut self, link: u32, nonce: [u8; 32], now: Instant) -> [u8; DATAGRAM_LEN] {
        self.asked.retain(|asked| asked.until > now);
        if self.asked.len() == MAX_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back(Asked {
            nonce,
            link,
            until: now + NONCE_LIFETIME,
        });
        self.keys.seek(VERSION, &nonce)
    }

    /// Takes note of a datagram that came in on the interface with index `link`.
    pub fn hear(&mut self, datagram: &[u8], link: u32, now: Instant) -> Heard {
        self.heard(datagram, link, now).unwrap_or(Heard::Nothing)
    }

    fn heard(&mut self, datagram: &[u8], link: u32, now: Instant) -> Option<Heard> {
        let nonce = wire::peek_answer(datagram)?;
        let at = self
            .asked
            .iter()
            .position(|asked| asked.nonce == nonce && asked.link == link && asked.until > now)?;
        let heard = match self.keys.open_mismatch(datagram) {
            Some(version) => Heard::OtherVersion { version },
            None => {
                let (nonces, offer) = self.keys.open_offer(datagram)?;
                let asleep = offer.standing == Standing::Asleep;
                let wake = asleep.then(|| self.keys.wake(&nonces).to_vec());
                Heard::Offer {
                    offer,
                    nonces,
                    wake,
                }
            }
        };
        self.asked.remove(at);
        Some(heard)
    }
}
