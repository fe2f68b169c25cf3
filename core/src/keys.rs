//! All keys come from the pairing's secret by HKDF-SHA256 (RFC 5869), each
//! under a label of its own, so that no message of one purpose can ever pass
//! for one of another.

use crate::secret::Secret;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Length of a message authentication code, bytes.
pub const MAC_LEN: usize = 32;

/// What a key is for. The label is part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Search,
    Mismatch,
    Offer,
    Wake,
    Request,
    Seal,
    Tunnel,
    Serve,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Search => b"stiefelsystem 1 search",
            Self::Mismatch => b"stiefelsystem 1 mismatch",
            Self::Offer => b"stiefelsystem 1 offer",
            Self::Wake => b"stiefelsystem 1 wake",
            Self::Request => b"stiefelsystem 1 request",
            Self::Seal => b"stiefelsystem 1 seal",
            Self::Tunnel => b"stiefelsystem 1 tunnel",
            Self::Serve => b"stiefelsystem 1 serve",
        }
    }
}

/// HKDF-SHA256 without salt; `info` is the purpose's label, one zero byte, and
/// the parts of `context`, which have fixed lengths.
pub(crate) fn derive<const N: usize>(
    material: &[&[u8]],
    purpose: Purpose,
    context: &[&[u8]],
) -> Zeroizing<[u8; N]> {
    let ikm = Zeroizing::new(material.concat());
    let mut info = vec![purpose.label(), &[0]];
    info.extend_from_slice(context);
    let mut okm = Zeroizing::new([0; N]);
    let expanded = Hkdf::<Sha256>::new(None, &ikm).expand_multi_info(&info, okm.as_mut_slice());
    debug_assert!(expanded.is_ok(), "N is far below 255 hash lengths");
    okm
}

/// A key that authenticates messages of one purpose.
#[derive(Clone)]
pub(crate) struct MacKey(Secret);

impl MacKey {
    pub(crate) fn new(secret: &Secret, purpose: Purpose) -> Self {
        Self(Secret::from_bytes(*derive(
            &[secret.expose()],
            purpose,
            &[],
        )))
    }

    fn hmac(&self, message: &[u8]) -> Option<Hmac<Sha256>> {
        #[cfg(test)]
        HMACS.with(|count| count.set(count.get() + 1));
        // HMAC takes keys of any length, so this is never `None`.
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.0.expose()).ok()?;
        mac.update(message);
        Some(mac)
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; MAC_LEN] {
        self.hmac(message)
            .map(|mac| mac.finalize().into_bytes().into())
            .unwrap_or_default()
    }

    /// In constant time.
    pub(crate) fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        self.hmac(message)
            .is_some_and(|own| own.verify_slice(mac).is_ok())
    }
}

#[cfg(test)]
thread_local! {
    /// How many MACs this thread has made or verified: what a datagram may cost has a limit.
    pub(crate) static HMACS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
