//! Between the loop and the person in front of the lender: what is to be shown and heard, and
//! what they and the machine's own devices say.
//!
//! The loop keeps the [`Desk`]; whoever drives screen, keys and beeper has the [`Outlook`].
//! A desk that nobody sits at is no trouble: what is shown there is shown to nobody.

use std::time::{Duration, Instant};

use stiefel_core::battery::Level;
use stiefel_core::control::DiskStatus;
use stiefel_core::loan::Outcome;
use stiefel_core::pairing::Name;
use stiefel_linux::power::Power;
use tokio::sync::{mpsc, watch};

/// Alarms and words that may wait for somebody who is slow; more are dropped.
const QUEUE: usize = 16;

/// Something that somebody near the lender should hear, now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The charger was unplugged, or there is a power cut.
    MainsLost,
    /// The machine is fed from outside again.
    MainsBack,
    /// The battery has become as empty as this.
    Battery(Level),
    /// The borrower has vanished. Comes again, more and more seldom, while it is missed.
    Missing {
        /// For how long.
        secs: u64,
    },
    /// It is back.
    BackAgain,
    /// The borrower was asked to give the disk back.
    AskedBack,
    /// Nobody has the disk any more; this machine starts its own system, or switches itself off.
    Over(Outcome),
    /// The disk could not write everything.
    DiskFailed,
}

/// What the person says by the keys, and what this machine's devices say.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The key to have the disk back, or the power key: the borrower is asked to shut down
    /// within this time, and then it is taken. Without a time, it is asked and waited for.
    AskBack {
        /// How long people there have to save their work.
        within: Option<Duration>,
    },
    /// The disk was asked back by mistake.
    CallOff,
    /// Take it now, as when the cable is cut.
    TakeBack,
    /// What the disk says of itself now.
    Disk(DiskStatus),
}

/// What the power key says.
pub const POWER_KEY: Said = Said::AskBack {
    within: Some(Duration::from_secs(60)),
};

/// All that a screen needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// This machine.
    pub lender: Name,
    /// The disk, for people: name and size.
    pub disk: String,
    /// How the loan stands.
    pub standing: Standing,
    /// It was asked back; until when, if it shall not be waited for longer.
    pub asked_back: Option<Option<Instant>>,
    /// Battery and mains.
    pub power: Power,
    /// How empty the battery is.
    pub level: Level,
    /// Speed of the link, Mbit/s, 0 if not known.
    pub link_speed_mbps: u32,
    /// The hottest sensor, degrees Celsius.
    pub celsius: Option<f64>,
    /// Bytes that the borrower has read.
    pub read_bytes: u64,
    /// Bytes that the borrower has written.
    pub written_bytes: u64,
}

/// How the loan stands, with the names that people gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Waiting for the first borrower.
    Offered {
        /// The only one that may come, or `None` for the first.
        to: Option<Name>,
        /// When this machine goes home without one.
        until: Instant,
    },
    /// It has fetched the system, and starts it.
    Starting {
        /// Who.
        borrower: Name,
    },
    /// It has the disk.
    Held {
        /// Who.
        borrower: Name,
        /// When it got it first.
        since: Instant,
    },
    /// It has vanished.
    Missing {
        /// Who.
        borrower: Name,
        /// Since when.
        since: Instant,
        /// When this machine goes home without it; `None`: a person decides.
        until: Option<Instant>,
    },
    /// It has given the disk back for as long as it restarts.
    Restarting {
        /// Who.
        borrower: Name,
        /// When this machine goes home without it.
        until: Instant,
    },
    /// The loan ends, the last is written.
    Ending,
    /// It is over.
    Over(Outcome),
}

/// The loop's end.
pub struct Desk {
    shown: watch::Sender<Option<Shown>>,
    alarms: mpsc::Sender<Alarm>,
    said: mpsc::Receiver<Said>,
}

/// The person's end.
pub struct Outlook {
    /// What to show; `None` until there is something.
    pub shown: watch::Receiver<Option<Shown>>,
    /// What to let them hear.
    pub alarms: mpsc::Receiver<Alarm>,
    /// Takes what they and the devices say.
    pub say: mpsc::Sender<Said>,
}

/// Both ends.
pub fn open() -> (Desk, Outlook) {
    let (shown, show) = watch::channel(None);
    let (alarms, heard) = mpsc::channel(QUEUE);
    let (say, said) = mpsc::channel(QUEUE);
    let desk = Desk {
        shown,
        alarms,
        said,
    };
    let outlook = Outlook {
        shown: show,
        alarms: heard,
        say,
    };
    (desk, outlook)
}

impl Desk {
    /// Shows this, if it is anything else than before.
    pub fn show(&self, now: Shown) {
        self.shown.send_if_modified(|shown| {
            let news = shown.as_ref() != Some(&now);
            *shown = Some(now);
            news
        });
    }

    /// Lets people hear it. Whoever is slow or not there hears less.
    pub fn alarm(&self, alarm: Alarm) {
        let _ = self.alarms.try_send(alarm);
    }

    /// The next thing that is said; waits for ever if nobody is there.
    pub async fn next(&mut self) -> Said {
        match self.said.recv().await {
            Some(said) => said,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_desk_without_anybody_at_it_is_no_trouble() {
        let (mut desk, outlook) = open();
        outlook.say.try_send(POWER_KEY).unwrap();
        drop(outlook);
        for _ in 0..QUEUE + 1 {
            desk.alarm(Alarm::MainsLost);
        }
        assert_eq!(desk.next().await, POWER_KEY);
        let next = tokio::time::timeout(Duration::ZERO, desk.next());
        assert!(next.await.is_err(), "nobody is there to say anything");
    }
}
