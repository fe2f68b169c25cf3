//! The search: how a borrower finds its lender, and wakes it.
//!
//! ```text
//! borrower                                            lender
//!    │ Seek: fresh nonce, MAC            (multicast) ──▶ │  every second, on every interface
//!    │ ◀── (unicast) Offer: fresh nonce, sealed standing │  only for a pairing of ours
//!    │ Wake: both nonces, MAC              (unicast) ──▶ │  only if the lender runs its own system
//! ```
//!
//! Nobody without the pairing's secret gets an answer, and nothing on the wire
//! tells two searches of one pairing apart from those of two. Every message has
//! a nonce of its own: a replayed Seek is not answered, a Wake works once.
//!
//! [`lender::Answerer`] and [`borrower::Seeker`] hold the rules of either end,
//! the bytes are in `docs/protocol.md`.

pub mod borrower;
pub mod lender;
mod wire;

#[cfg(test)]
mod tests;

pub use wire::{DATAGRAM_LEN, Nonces, Offer, Standing, VERSION};

use std::time::Duration;

/// How often a borrower searches.
pub const SEEK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a nonce of either side is good for.
pub const NONCE_LIFETIME: Duration = Duration::from_secs(10);
