//! The bytes of the search's messages.

use crate::keys::{MAC_LEN, MacKey, Purpose, derive};
use crate::pairing::{MAX_NAME_LEN, Name};
use crate::secret::Secret;
use aes::Aes128;
use eax::Eax;
use eax::aead::{AeadInOut, KeyInit};

/// Version of the protocol, in the fifth byte of every message.
pub const VERSION: u8 = 1;
/// Length of Seek, Offer and Mismatch: an answer is never larger than its question.
pub const DATAGRAM_LEN: usize = 192;
/// Length of Wake.
pub(super) const WAKE_LEN: usize = HEAD_LEN + 2 * NONCE_LEN + MAC_LEN;

const MAGIC: [u8; 4] = *b"STFL";
const HEAD_LEN: usize = 8;
const NONCE_LEN: usize = 32;
const SEEK_MAC_AT: usize = HEAD_LEN + NONCE_LEN;
const SEEK_END: usize = SEEK_MAC_AT + MAC_LEN;
const SEALED_AT: usize = HEAD_LEN + 2 * NONCE_LEN;
const TAG_LEN: usize = 16;
const OFFER_PLAIN_LEN: usize = DATAGRAM_LEN - SEALED_AT - TAG_LEN;

/// What a message is. The numbers are on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Seek = 1,
    Offer = 2,
    Wake = 3,
    Mismatch = 4,
}

/// The two nonces of one exchange: everything that follows is bound to both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nonces {
    /// Made by the borrower for one Seek.
    pub borrower: [u8; NONCE_LEN],
    /// Made by the lender for one Offer.
    pub lender: [u8; NONCE_LEN],
}

/// How a lender stands to a borrower that searches it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It runs its own system and may be woken.
    Asleep,
    /// It was woken; somebody there can object for so many seconds more, or has to agree.
    Announced {
        /// Until the countdown ends.
        seconds: u16,
    },
    /// It is on its way into the ramdisk.
    Leaving,
    /// Somebody there has said no, or something is in the way; waking is useless for now.
    Declined,
    /// It offers the disk: ask for the bundle.
    Offering,
    /// Somebody else has the disk, or it is promised to them.
    Lent {
        /// Name of that pairing.
        to: Name,
    },
}

/// A lender's answer to a search.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Offer {
    /// The lender's name.
    pub lender: Name,
    /// How it stands to us.
    pub standing: Standing,
}

/// The keys of one pairing's search.
#[derive(Clone)]
pub(super) struct Keys {
    secret: Secret,
    search: MacKey,
    mismatch: MacKey,
    wake: MacKey,
}

fn head(version: u8, kind: Kind) -> [u8; HEAD_LEN] {
    let [a, b, c, d] = MAGIC;
    [a, b, c, d, version, kind as u8, 0, 0]
}

/// The version and the rest of a message of this kind, whatever its version.
fn body(datagram: &[u8], kind: Kind) -> Option<(u8, &[u8])> {
    let (given, rest) = datagram.split_at_checked(HEAD_LEN)?;
    let version = given[4];
    (given == head(version, kind)).then_some((version, rest))
}

fn nonce_at(datagram: &[u8], at: usize) -> Option<[u8; NONCE_LEN]> {
    datagram.get(at..at + NONCE_LEN)?.try_into().ok()
}

/// Version and nonce of what looks like a Seek; nothing is verified yet.
pub(super) fn peek_seek(datagram: &[u8]) -> Option<(u8, [u8; NONCE_LEN])> {
    let (version, _) = body(datagram, Kind::Seek)?;
    let padded = datagram.len() == DATAGRAM_LEN && datagram[SEEK_END..].iter().all(|b| *b == 0);
    padded.then_some((version, nonce_at(datagram, HEAD_LEN)?))
}

/// The nonce that what looks like an Offer or a Mismatch answers to.
pub(super) fn peek_answer(datagram: &[u8]) -> Option<[u8; NONCE_LEN]> {
    if datagram.len() != DATAGRAM_LEN {
        return None;
    }
    let _ = body(datagram, Kind::Offer).or_else(|| body(datagram, Kind::Mismatch))?;
    nonce_at(datagram, HEAD_LEN)
}

/// The nonces of what looks like a Wake of our version.
pub(super) fn peek_wake(datagram: &[u8]) -> Option<Nonces> {
    let (version, _) = body(datagram, Kind::Wake)?;
    if version != VERSION || datagram.len() != WAKE_LEN {
        return None;
    }
    Some(Nonces {
        borrower: nonce_at(datagram, HEAD_LEN)?,
        lender: nonce_at(datagram, HEAD_LEN + NONCE_LEN)?,
    })
}

impl Keys {
    pub(super) fn new(secret: &Secret) -> Self {
        Self {
            secret: secret.clone(),
            search: MacKey::new(secret, Purpose::Search),
            mismatch: MacKey::new(secret, Purpose::Mismatch),
            wake: MacKey::new(secret, Purpose::Wake),
        }
    }

    /// A question: head, nonce, MAC over both, zeros. This layout and this MAC
    /// are the same in all versions, so that other versions can be told so.
    pub(super) fn seek(&self, version: u8, nonce: &[u8; NONCE_LEN]) -> [u8; DATAGRAM_LEN] {
        self.short(&self.search, version, Kind::Seek, nonce)
    }

    pub(super) fn verify_seek(&self, datagram: &[u8; DATAGRAM_LEN]) -> bool {
        self.search
            .verify(&datagram[..SEEK_MAC_AT], &datagram[SEEK_MAC_AT..SEEK_END])
    }

    /// The answer to a Seek of another version; its layout is fixed, too.
    pub(super) fn mismatch(&self, version: u8, nonce: &[u8; NONCE_LEN]) -> [u8; DATAGRAM_LEN] {
        self.short(&self.mismatch, version, Kind::Mismatch, nonce)
    }

    /// The version that the answering lender speaks.
    pub(super) fn open_mismatch(&self, datagram: &[u8]) -> Option<u8> {
        let (version, _) = body(datagram, Kind::Mismatch)?;
        let fine = datagram.len() == DATAGRAM_LEN
            && datagram[SEEK_END..].iter().all(|b| *b == 0)
            && self
                .mismatch
                .verify(&datagram[..SEEK_MAC_AT], &datagram[SEEK_MAC_AT..SEEK_END]);
        fine.then_some(version)
    }

    fn short(
        &self,
        key: &MacKey,
        version: u8,
        kind: Kind,
        nonce: &[u8; NONCE_LEN],
    ) -> [u8; DATAGRAM_LEN] {
        let mut datagram = [0; DATAGRAM_LEN];
        datagram[..HEAD_LEN].copy_from_slice(&head(version, kind));
        datagram[HEAD_LEN..SEEK_MAC_AT].copy_from_slice(nonce);
        let mac = key.sign(&datagram[..SEEK_MAC_AT]);
        datagram[SEEK_MAC_AT..SEEK_END].copy_from_slice(&mac);
        datagram
    }

    fn offer_cipher(&self, nonces: &Nonces) -> Eax<Aes128> {
        let key = derive::<16>(
            &[self.secret.expose()],
            Purpose::Offer,
            &[&nonces.borrower, &nonces.lender],
        );
        Eax::new(&(*key).into())
    }

    /// An answer: head, both nonces, and the offer sealed under a key of just these nonces.
    pub(super) fn offer(&self, nonces: &Nonces, offer: &Offer) -> Option<[u8; DATAGRAM_LEN]> {
        let mut datagram = [0; DATAGRAM_LEN];
        datagram[..HEAD_LEN].copy_from_slice(&head(VERSION, Kind::Offer));
        datagram[HEAD_LEN..SEEK_MAC_AT].copy_from_slice(&nonces.borrower);
        datagram[SEEK_MAC_AT..SEALED_AT].copy_from_slice(&nonces.lender);
        let (clear, sealed) = datagram.split_at_mut(SEALED_AT);
        let mut plain = offer.encode().to_vec();
        // The key is used once, so the nonce of the cipher may be constant.
        self.offer_cipher(nonces)
            .encrypt_in_place(&[0; 16].into(), clear, &mut plain)
            .ok()?;
        sealed.copy_from_slice(&plain);
        Some(datagram)
    }

    /// Nonces and content of an authentic Offer of our version.
    pub(super) fn open_offer(&self, datagram: &[u8]) -> Option<(Nonces, Offer)> {
        let (version, _) = body(datagram, Kind::Offer)?;
        if version != VERSION || datagram.len() != DATAGRAM_LEN {
            return None;
        }
        let nonces = Nonces {
            borrower: nonce_at(datagram, HEAD_LEN)?,
            lender: nonce_at(datagram, SEEK_MAC_AT)?,
        };
        let (clear, sealed) = datagram.split_at(SEALED_AT);
        let mut plain = sealed.to_vec();
        self.offer_cipher(&nonces)
            .decrypt_in_place(&[0; 16].into(), clear, &mut plain)
            .ok()?;
        Some((nonces, Offer::decode(&plain)?))
    }

    /// The order to wake up, good for just this exchange.
    pub(super) fn wake(&self, nonces: &Nonces) -> [u8; WAKE_LEN] {
        let mut datagram = [0; WAKE_LEN];
        let (signed, mac) = datagram.split_at_mut(WAKE_LEN - MAC_LEN);
        signed[..HEAD_LEN].copy_from_slice(&head(VERSION, Kind::Wake));
        signed[HEAD_LEN..HEAD_LEN + NONCE_LEN].copy_from_slice(&nonces.borrower);
        signed[HEAD_LEN + NONCE_LEN..].copy_from_slice(&nonces.lender);
        mac.copy_from_slice(&self.wake.sign(signed));
        datagram
    }

    pub(super) fn verify_wake(&self, datagram: &[u8]) -> bool {
        datagram.len() == WAKE_LEN
            && self.wake.verify(
                &datagram[..WAKE_LEN - MAC_LEN],
                &datagram[WAKE_LEN - MAC_LEN..],
            )
    }
}

impl Offer {
    /// Standing, zero, seconds (big endian), two name lengths, two zeros, the lender's name, the other name.
    fn encode(&self) -> [u8; OFFER_PLAIN_LEN] {
        let (code, seconds, other) = match &self.standing {
            Standing::Asleep => (1, 0, ""),
            Standing::Announced { seconds } => (2, *seconds, ""),
            Standing::Leaving => (3, 0, ""),
            Standing::Declined => (4, 0, ""),
            Standing::Offering => (5, 0, ""),
            Standing::Lent { to } => (6, 0, to.as_str()),
        };
        let mut plain = [0; OFFER_PLAIN_LEN];
        let lender = self.lender.as_str();
        let [high, low] = u16::to_be_bytes(seconds);
        // Names have 48 bytes at most, so their lengths fit.
        plain[..6].copy_from_slice(&[code, 0, high, low, lender.len() as u8, other.len() as u8]);
        plain[8..8 + lender.len()].copy_from_slice(lender.as_bytes());
        let at = 8 + MAX_NAME_LEN;
        plain[at..at + other.len()].copy_from_slice(other.as_bytes());
        plain
    }

    pub(super) fn decode(plain: &[u8]) -> Option<Self> {
        let name = |at: usize, len: u8| {
            let len = usize::from(len);
            let bytes = plain.get(at..at + len).filter(|_| len <= MAX_NAME_LEN)?;
            std::str::from_utf8(bytes).ok()?.parse::<Name>().ok()
        };
        let &[code, _, high, low, lender_len, other_len] = plain.get(..6)? else {
            return None;
        };
        let standing = match code {
            1 => Standing::Asleep,
            2 => Standing::Announced {
                seconds: u16::from_be_bytes([high, low]),
            },
            3 => Standing::Leaving,
            4 => Standing::Declined,
            5 => Standing::Offering,
            6 => Standing::Lent {
                to: name(8 + MAX_NAME_LEN, other_len)?,
            },
            _ => return None,
        };
        Some(Self {
            lender: name(8, lender_len)?,
            standing,
        })
    }
}

const _: () = assert!(OFFER_PLAIN_LEN == 8 + 2 * MAX_NAME_LEN);
