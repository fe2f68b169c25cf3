//! The control service inside the tunnel: HTTP with JSON bodies.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET /status` | none | 200, [`Status`] |
//! | `POST /release` | [`Release`] | 200, [`Released`], or 409, [`Refused`] |

use crate::pairing::Name;
use serde::{Deserialize, Serialize};

/// Longest request or answer body, bytes.
pub const MAX_BODY_LEN: usize = 16 << 10;

/// How the lender and the loan are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The lender's name.
    pub lender: Name,
    /// `offered`, `held`, `orphaned`, `closing` or `closed`.
    pub loan: String,
    /// Number of the loan's fence.
    pub epoch: u64,
    /// Seconds since the disk was first attached.
    pub held_secs: u64,
    /// The lender's battery in percent, or `None` if it has none.
    pub battery_percent: Option<f64>,
    /// Whether the lender is on mains.
    pub on_ac: bool,
    /// Bytes that the borrower has read from the disk.
    pub read_bytes: u64,
    /// Bytes that the borrower has written to the disk.
    pub written_bytes: u64,
    /// Memory in use on the lender, bytes: what is neither free nor a copy of something on a disk.
    pub memory_bytes: u64,
}

/// Gives the disk back. The borrower has flushed and disconnected before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The fence of the loan that ends; any other is refused.
    pub epoch: u64,
    /// What the borrower does next: `poweroff`, `reboot`, `halt` or `kexec`.
    pub verb: String,
}

/// The lender has flushed its disk and goes home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// The fence of the loan that ended.
    pub epoch: u64,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// For a person.
    pub message: String,
}
