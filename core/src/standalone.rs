//! The tunnel to a disk that is served without a loan (`stiefelctl serve --tunnel`).
//!
//! There is no exchange in which keys of a session could be made, so both ends take keys that
//! follow from their pairing's secret, always the same. That keeps others out and lets nobody
//! read along; but who learns the secret later can read what he has recorded. A loan's tunnel
//! has keys of its own.

use crate::keys::{Purpose, derive};
use crate::secret::Secret;

/// The keys of one pairing's tunnel.
pub struct TunnelKeys {
    /// The serving end's private X25519 key.
    pub lender: Secret,
    /// The other end's private X25519 key.
    pub borrower: Secret,
    /// WireGuard's pre-shared key.
    pub preshared: Secret,
}

impl TunnelKeys {
    /// The keys that follow from a pairing's secret.
    pub fn of(secret: &Secret) -> Self {
        let keys = derive::<96>(&[secret.expose()], Purpose::Serve, &[]);
        let mut keys = keys.as_chunks::<32>().0.iter();
        let mut next = || Secret::from_bytes(keys.next().copied().unwrap_or_default());
        Self {
            lender: next(),
            borrower: next(),
            preshared: next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::public_key;

    /// Made by HKDF and X25519 of Python's `cryptography`.
    #[test]
    fn keys_are_those_of_another_implementation() {
        let secret = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let keys = TunnelKeys::of(&Secret::from_bytes(secret));
        let found = [
            keys.lender.expose(),
            keys.borrower.expose(),
            keys.preshared.expose(),
            &public_key(&keys.lender),
            &public_key(&keys.borrower),
        ];
        let expected = [
            "543baca316ab9219c93cb14f54ac5111ab1d2e2f5b1d09276d0e08b7eb90d4e2",
            "c721d88b905e3d5719ee2c14aa2a33034d3c4289ff0a1bc365c50a767be4e3f3",
            "51e7ce7048dddadde3e93e8a022557222cddc826e8b39b5090dcfe1b25ac1037",
            "e22009fc50fd9c38d8ec5475755c08025613e7838d877c84465c6fe9180e3f19",
            "4665041628d1209e2dc3dfc0127cfe2b177559fa14d67b4371a00dbd8d467a0c",
        ];
        assert_eq!(found.map(hex::encode), expected);
    }
}
