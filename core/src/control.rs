//! The control service inside the tunnel: HTTP with JSON bodies.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET /status` | none | 200, [`Status`] |
//! | `GET /status?news=N` | none | the same, as soon as [`Status::news`] is not N, or after [`NEWS_WAIT`] |
//! | `POST /release` | [`Release`] | 200, [`Released`], or 409, [`Refused`] |

use crate::battery::Level;
use crate::loan::Onward;
use crate::pairing::Name;
use serde::{Deserialize, Serialize};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// Longest request or answer body, bytes.
pub const MAX_BODY_LEN: usize = 16 << 10;

/// How long a question for news waits for any. Shorter than what a person takes for a machine
/// that hangs, and long against the cost of a question.
pub const NEWS_WAIT: Duration = Duration::from_secs(30);

/// How the lender and the loan are. What an older lender does not know has its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The lender's name.
    pub lender: Name,
    /// How the loan stands: what [`crate::loan::Loan::tag`] says.
    pub loan: String,
    /// Number of the loan's fence.
    pub epoch: u64,
    /// Seconds since the disk was first attached.
    pub held_secs: u64,
    /// The lender's battery in percent, or `None` if it has none.
    pub battery_percent: Option<f64>,
    /// Whether the lender is on mains.
    pub on_ac: bool,
    /// How empty the battery is.
    #[serde(default)]
    pub battery_level: Level,
    /// Bytes that the borrower has read from the disk.
    pub read_bytes: u64,
    /// Bytes that the borrower has written to the disk.
    pub written_bytes: u64,
    /// Memory in use on the lender, bytes: what is neither free nor a copy of something on a disk.
    pub memory_bytes: u64,
    /// Seconds until the battery is empty, 0 if not known.
    #[serde(default)]
    pub empty_in_secs: u64,
    /// Speed of the link, Mbit/s, 0 if not known.
    #[serde(default)]
    pub link_speed_mbps: u32,
    /// The hottest sensor, degrees Celsius.
    #[serde(default)]
    pub celsius: Option<f64>,
    /// What the disk says of itself.
    #[serde(default)]
    pub disk: Option<DiskStatus>,
    /// Somebody at the lender asks to have the disk back: in how many seconds at the latest, or
    /// 0 if they wait.
    #[serde(default)]
    pub asked_back_secs: Option<u64>,
    /// Another number whenever a person would want to know; see [`Status::with_news`].
    #[serde(default)]
    pub news: u64,
}

impl Status {
    /// Numbers what a person would want to know: all but traffic, memory and the passing of
    /// time, and of what always moves a little, only what counts.
    #[must_use]
    pub fn with_news(mut self) -> Self {
        let mut hash = DefaultHasher::new();
        (self.lender.as_str(), &self.loan, self.epoch, self.on_ac).hash(&mut hash);
        let rounded = |number: f64| number.round() as i64;
        self.battery_percent.map(rounded).hash(&mut hash);
        // Five degrees.
        self.celsius
            .map(|celsius| rounded(celsius / 5.0))
            .hash(&mut hash);
        let disk = self.disk.as_ref();
        disk.map(|disk| (disk.health, &disk.detail)).hash(&mut hash);
        (self.asked_back_secs.is_some(), self.link_speed_mbps).hash(&mut hash);
        self.battery_level.hash(&mut hash);
        self.news = hash.finish();
        self
    }
}

/// What a disk says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskStatus {
    /// How it is.
    pub health: DiskHealth,
    /// One sentence for people, or empty.
    pub detail: String,
    /// Degrees Celsius.
    pub celsius: Option<f64>,
}

/// How a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskHealth {
    /// It is well.
    Good,
    /// It is near the end of its days.
    Worn,
    /// It has to be saved.
    Failing,
}

/// Gives the disk back. The borrower has flushed and disconnected before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The fence of the loan that ends; any other is refused.
    pub epoch: u64,
    /// What the borrower does next: `poweroff`, `reboot`, `halt` or `kexec`; see [`RESTARTS`].
    pub verb: String,
}

/// The [`Release::verb`] of a borrower that restarts and wants the same bundle again: it comes
/// back into the same loan. With any other word the loan ends.
pub const RESTARTS: &str = "reboot";
/// The [`Release::verb`] of one that restarts and needs another bundle, because its system has
/// other boot files now: only the lender's own system can make it.
pub const RENEWS: &str = "renew";

impl Release {
    /// Whether the loan goes on.
    #[must_use]
    pub fn onward(&self) -> Onward {
        match self.verb.as_str() {
            RESTARTS => Onward::Restarts,
            _ => Onward::Leaves,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        let json = r#"{"lender":"laptop","loan":"held","epoch":3,"held_secs":7,"battery_percent":50.2,
            "on_ac":false,"read_bytes":1,"written_bytes":2,"memory_bytes":3}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn only_who_wants_the_same_bundle_again_keeps_the_loan() {
        let release = |verb: &str| Release {
            epoch: 1,
            verb: verb.into(),
        };
        assert_eq!(release("reboot").onward(), Onward::Restarts);
        for verb in ["poweroff", "halt", "kexec", RENEWS, "", "Reboot"] {
            assert_eq!(release(verb).onward(), Onward::Leaves, "{verb}");
        }
    }

    #[test]
    fn news_are_what_a_person_wants_to_know() {
        let news = |change: fn(&mut Status)| {
            let mut other = status();
            change(&mut other);
            other.with_news().news != status().with_news().news
        };
        assert!(news(|s| s.on_ac = true));
        assert!(news(|s| s.battery_percent = Some(48.0)));
        assert!(news(|s| s.asked_back_secs = Some(0)));
        assert!(news(|s| s.battery_level = Level::Low));
        assert!(news(|s| s.celsius = Some(90.0)));
        assert!(!news(|s| s.battery_percent = Some(50.4)));
        assert!(!news(|s| s.held_secs = 8));
        assert!(!news(|s| s.read_bytes = 1 << 30));
    }
}
