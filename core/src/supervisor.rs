//! What the borrower's supervisor is asked, over a unix socket on the same machine.
//!
//! One line of JSON asks, one line answers. Only root may ask: the shutdown
//! hook for the release, the daemon for the state.

use crate::pairing::Name;
use serde::{Deserialize, Serialize};

/// Name of the socket in the abstract name space, without its leading NUL. It needs no file
/// system, so it is there from the initramfs to the last step of the shutdown.
pub const SOCKET_NAME: &str = "stiefelsystem";

/// Longest line in either direction, bytes.
pub const LINE_LIMIT: usize = 4096;

/// A question to the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
pub enum Question {
    /// How is the loan?
    Status,
    /// Give the disk back; everything that is written is written.
    Release {
        /// What the machine does next: `poweroff`, `reboot`, `halt` or `kexec`.
        verb: String,
    },
}

/// The supervisor's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase")]
pub enum Answer {
    /// To [`Question::Status`].
    Status(Status),
    /// The disk is flushed and detached, and the lender knows it.
    Released,
    /// It was not done.
    Refused {
        /// Why, for a person.
        message: String,
    },
}

/// How the loan is, seen from the borrower.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The lender's name.
    pub lender: Name,
    /// Number of the loan's fence.
    pub epoch: u64,
    /// The disk can be read and written at this moment.
    pub connected: bool,
    /// Seconds since the connection was lost; `None` while it works.
    pub waiting_secs: Option<u64>,
    /// The network card is there and has a cable with somebody at its other end.
    pub carrier: bool,
    /// The disk was given back.
    pub released: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_documented() {
        let release = Question::Release {
            verb: "poweroff".into(),
        };
        let line = r#"{"ask":"release","verb":"poweroff"}"#;
        assert_eq!(serde_json::to_string(&release).unwrap(), line);
        assert_eq!(serde_json::from_str::<Question>(line).unwrap(), release);
        assert_eq!(
            serde_json::to_string(&Answer::Released).unwrap(),
            r#"{"answer":"released"}"#
        );
        assert!(serde_json::from_str::<Question>(r#"{"ask":"surrender"}"#).is_err());
    }
}
