//! The bundle: what a borrower needs to start the lent system, and how it asks for it.
//!
//! ```text
//! borrower                                              lender
//!    │ Request: both nonces, two public keys, MAC  ────▶  │  POST /bundle
//!    │ ◀────  Preamble: the lender's public key           │  200, not sealed
//!    │ ◀────  sealed: length, Answer as JSON, the files   │  in chunks, see `seal`
//! ```
//!
//! The key of the seal comes from the pairing's secret *and* a Diffie-Hellman
//! exchange of keys that live for this answer only: who learns the secret later
//! cannot open what was recorded before.

use crate::discovery::{Nonces, VERSION};
use crate::keys::{MAC_LEN, MacKey, Purpose, derive};
use crate::pairing::Name;
use crate::seal::SealKey;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// Length of a request, bytes.
pub const REQUEST_LEN: usize = SIGNED_LEN + MAC_LEN;
/// Length of the part of the answer that is not sealed, bytes.
pub const PREAMBLE_LEN: usize = 40;
/// Longest [`Answer`] as JSON, bytes.
pub const MAX_ANSWER_LEN: usize = 64 << 10;
/// Largest kernel or initramfs, bytes: four times the largest seen on a distribution.
pub const MAX_PART_LEN: u64 = 1 << 30;
/// Most parts of an initramfs.
pub const MAX_PARTS: usize = 8;

const SIGNED_LEN: usize = 8 + 4 * 32;
const REQUEST_HEAD: [u8; 8] = [b'S', b'T', b'F', b'B', VERSION, 1, 0, 0];
const PREAMBLE_HEAD: [u8; 8] = [b'S', b'T', b'F', b'B', VERSION, 2, 0, 0];

/// Public key that belongs to a private X25519 key; also WireGuard's keys.
#[must_use]
pub fn public_key(private: &Secret) -> [u8; 32] {
    PublicKey::from(&StaticSecret::from(*private.expose())).to_bytes()
}

/// What a borrower asks with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The exchange that this goes on with.
    pub nonces: Nonces,
    /// The borrower's public key for the seal.
    pub exchange_key: [u8; 32],
    /// The borrower's public key for the tunnel.
    pub tunnel_key: [u8; 32],
}

/// Authenticates requests of one pairing.
pub(crate) struct RequestKeys(MacKey);

impl Request {
    fn signed(&self) -> [u8; SIGNED_LEN] {
        let mut bytes = [0; SIGNED_LEN];
        bytes[..8].copy_from_slice(&REQUEST_HEAD);
        let fields = [
            &self.nonces.borrower,
            &self.nonces.lender,
            &self.exchange_key,
            &self.tunnel_key,
        ];
        for (at, field) in fields.into_iter().enumerate() {
            bytes[8 + 32 * at..40 + 32 * at].copy_from_slice(field);
        }
        bytes
    }

    /// The request as it is sent, authenticated by the pairing's secret.
    #[must_use]
    pub fn to_bytes(&self, secret: &Secret) -> [u8; REQUEST_LEN] {
        let signed = self.signed();
        let mut bytes = [0; REQUEST_LEN];
        bytes[..SIGNED_LEN].copy_from_slice(&signed);
        bytes[SIGNED_LEN..].copy_from_slice(&MacKey::new(secret, Purpose::Request).sign(&signed));
        bytes
    }

    /// The nonces of what looks like a request; nothing is verified yet.
    pub(crate) fn peek(bytes: &[u8]) -> Option<Nonces> {
        let bytes: &[u8; REQUEST_LEN] = bytes.try_into().ok()?;
        let field = |at: usize| bytes[8 + 32 * at..40 + 32 * at].try_into().ok();
        (bytes[..8] == REQUEST_HEAD).then_some(Nonces {
            borrower: field(0)?,
            lender: field(1)?,
        })
    }
}

impl RequestKeys {
    pub(crate) fn new(secret: &Secret) -> Self {
        Self(MacKey::new(secret, Purpose::Request))
    }

    pub(crate) fn open(&self, bytes: &[u8]) -> Option<Request> {
        let nonces = Request::peek(bytes)?;
        let (signed, mac) = bytes.split_at(SIGNED_LEN);
        let field = |at: usize| signed[8 + 32 * at..40 + 32 * at].try_into().ok();
        let request = Request {
            nonces,
            exchange_key: field(2)?,
            tunnel_key: field(3)?,
        };
        self.0.verify(signed, mac).then_some(request)
    }
}

/// The clear beginning of an answer.
#[must_use]
pub fn preamble(exchange_key: &[u8; 32]) -> [u8; PREAMBLE_LEN] {
    let mut bytes = [0; PREAMBLE_LEN];
    bytes[..8].copy_from_slice(&PREAMBLE_HEAD);
    bytes[8..].copy_from_slice(exchange_key);
    bytes
}

/// The lender's public key in a preamble.
#[must_use]
pub fn read_preamble(bytes: &[u8; PREAMBLE_LEN]) -> Option<[u8; 32]> {
    let (head, key) = bytes.split_at(8);
    (head == PREAMBLE_HEAD).then(|| key.try_into().ok())?
}

/// The secrets that both ends of one exchange have, and nobody else.
pub struct Agreed {
    /// Seals the answer.
    pub seal: SealKey,
    /// WireGuard's pre-shared key.
    pub preshared_key: Secret,
}

/// Agrees on the secrets of this exchange: the borrower with its own private
/// exchange key and the lender's public one, the lender the other way round.
/// `None` if the other's key is of the kind that makes the result predictable.
#[must_use]
pub fn agree(
    pairing: &Secret,
    private: &Secret,
    other_public: &[u8; 32],
    request: &Request,
    lender_exchange_key: &[u8; 32],
) -> Option<Agreed> {
    let shared =
        StaticSecret::from(*private.expose()).diffie_hellman(&PublicKey::from(*other_public));
    if !shared.was_contributory() {
        return None;
    }
    let shared = Zeroizing::new(shared.to_bytes());
    let material: [&[u8]; 2] = [pairing.expose(), &*shared];
    let signed = request.signed();
    let transcript: [&[u8]; 2] = [&signed, lender_exchange_key];
    Some(Agreed {
        seal: SealKey(derive(&material, Purpose::Seal, &transcript)),
        preshared_key: Secret::from_bytes(*derive(&material, Purpose::Tunnel, &transcript)),
    })
}

/// The beginning of the sealed stream, after its length in 4 bytes, big endian.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase")]
pub enum Answer {
    /// Here it is: kernel and initramfs parts follow in this order.
    Grant(Grant),
    /// Not now.
    Refused {
        /// Who has the disk, if somebody has.
        lent_to: Option<Name>,
        /// For the borrower's screen.
        message: String,
    },
}

/// What the borrower needs beside the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The lender's name.
    pub lender: Name,
    /// Length of the kernel, bytes.
    pub kernel_len: u64,
    /// Lengths of the initramfs parts, bytes; each is padded to 4 bytes when they are joined.
    pub initramfs_lens: Vec<u64>,
    /// Command line of the lent system.
    pub cmdline: String,
    /// The lender's public key for the tunnel.
    #[serde(with = "hex::serde")]
    pub tunnel_key: [u8; 32],
    /// Number of the loan's fence.
    pub epoch: u64,
    /// The disk's size, bytes.
    pub disk_size: u64,
    /// The disk's logical block size, bytes.
    pub logical_block: u32,
    /// How long the lender waits for a vanished borrower, seconds.
    pub patience_secs: u32,
}

impl Grant {
    /// Whether all lengths are within their limits.
    #[must_use]
    pub fn is_sane(&self) -> bool {
        (1..=MAX_PART_LEN).contains(&self.kernel_len)
            && (1..=MAX_PARTS).contains(&self.initramfs_lens.len())
            && self.initramfs_lens.iter().all(|len| *len <= MAX_PART_LEN)
            && self.logical_block.is_power_of_two()
            && (512..=4096).contains(&self.logical_block)
            && self.disk_size >= u64::from(self.logical_block)
    }
}

#[cfg(test)]
mod tests;
