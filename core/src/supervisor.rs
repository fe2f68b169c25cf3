//! What the borrower's supervisor is asked, over a unix socket on the same machine.
//!
//! One line of JSON asks, one line answers, or to [`Question::Follow`] as many as there are.
//! Only root may ask: the shutdown hook for the release, the daemon for the state.

use crate::control;
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
    /// How is it now, and whenever that changes, until the asker hangs up? Measured numbers
    /// are no change.
    Follow,
    /// How is the lender, as soon as its news are others than these (see
    /// [`crate::control::Status::news`]), or after [`crate::control::NEWS_WAIT`]?
    Lender {
        /// The news that are known; 0 for an answer at once.
        news: u64,
    },
    /// Give the disk back; everything that is written is written.
    Release {
        /// What the machine does next: `poweroff`, `reboot`, `halt` or `kexec`.
        verb: String,
    },
}

/// The supervisor's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase")]
pub enum Answer {
    /// To [`Question::Status`] and [`Question::Follow`].
    Status(Status),
    /// To [`Question::Lender`].
    Lender(Box<control::Status>),
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
    /// The network card is there.
    #[serde(default = "yes")]
    pub card: bool,
    /// The lender was waited for too long, and has its disk back.
    #[serde(default)]
    pub lost: bool,
    /// How long the lender is waited for, seconds; 0 if that is not said.
    #[serde(default)]
    pub patience_secs: u64,
    /// Seconds since the disk was attached; 0 if that is not said.
    #[serde(default)]
    pub held_secs: u64,
    /// Mbit/s of the card, 0 if not known.
    #[serde(default)]
    pub speed_mbps: u32,
    /// Microseconds to the lender and back, as TCP has measured it; 0 if not known.
    #[serde(default)]
    pub latency_usec: u32,
}

fn yes() -> bool {
    true
}

impl Status {
    /// The same without what is measured and without what passes: two of these that are equal
    /// are no news.
    #[must_use]
    pub fn settled(&self) -> Self {
        Self {
            waiting_secs: self.waiting_secs.map(|_| 0),
            held_secs: 0,
            latency_usec: 0,
            ..self.clone()
        }
    }
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
        let news = Question::Lender { news: 7 };
        let line = r#"{"ask":"lender","news":7}"#;
        assert_eq!(serde_json::to_string(&news).unwrap(), line);
    }

    #[test]
    fn an_older_supervisor_is_understood() {
        let line = r#"{"answer":"status","lender":"laptop","epoch":1,"connected":true,
            "waiting_secs":null,"carrier":true,"released":false}"#;
        let Answer::Status(status) = serde_json::from_str(line).unwrap() else {
            panic!("no status");
        };
        assert!(status.card && !status.lost && status.speed_mbps == 0);
        let later = Status {
            held_secs: 9,
            latency_usec: 300,
            ..status.clone()
        };
        assert_eq!(later.settled(), status.settled());
    }
}
