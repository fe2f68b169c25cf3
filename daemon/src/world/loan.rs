//! The lent disk that this system runs from.

use std::time::Duration;
use stiefel_core::preflight::BatteryWarning;

/// How a loan stands, seen from the borrower.
#[derive(Debug, Clone, PartialEq)]
pub struct Loan {
    /// Whether the disk can be used.
    pub hold: Hold,
    /// The machine whose disk it is.
    pub lender: String,
    /// Nobody looks after the disk any more: it works until the next outage, which would be the
    /// end of it.
    pub unguarded: bool,
    /// When the disk was attached, microseconds since the epoch, or 0.
    pub since_usec: u64,
    /// What is known of the cable.
    pub cable: Cable,
    /// Mbit/s, 0 if unknown.
    pub link_speed_mbps: u32,
    /// What moves all the time.
    pub traffic: Traffic,
    /// What was heard of the lender last.
    pub lender_now: LenderNow,
    /// Somebody at the lender asks to have the disk back; until when, on CLOCK_MONOTONIC, if
    /// it shall not be waited for longer.
    pub asked: Option<Option<Duration>>,
}

impl Loan {
    /// One of which nothing was heard yet.
    #[must_use]
    pub fn unheard() -> Self {
        Self {
            hold: Hold::Held,
            unguarded: false,
            lender: String::new(),
            since_usec: 0,
            cable: Cable::Connected,
            link_speed_mbps: 0,
            traffic: Traffic::default(),
            lender_now: LenderNow::default(),
            asked: None,
        }
    }
}

/// Whether the disk can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It can.
    Held,
    /// The lender cannot be reached.
    Frozen {
        /// Since when, microseconds since the epoch.
        since_usec: u64,
        /// When it is given up, on CLOCK_MONOTONIC, if that is known.
        until: Option<Duration>,
    },
    /// It was given up.
    Lost,
}

/// What is known of the way to the lender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cable {
    /// Somebody is at its other end.
    Connected,
    /// Nobody is.
    Unplugged,
    /// The network interface is gone.
    NoCard,
}

/// What moves all the time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Microseconds to the lender and back, 0 if unknown.
    pub latency_usec: u64,
    /// Bytes read from the disk.
    pub rx_bytes: u64,
    /// Bytes written to it.
    pub tx_bytes: u64,
    /// Bytes read in each second.
    pub rx_per_sec: u64,
    /// Bytes written in each second.
    pub tx_per_sec: u64,
}

/// How the lender is.
#[derive(Debug, Clone, PartialEq)]
pub struct LenderNow {
    /// Percent, `None` without a battery.
    pub battery_percent: Option<f64>,
    /// Fed from outside.
    pub on_mains: bool,
    /// How empty the battery is.
    pub warning: BatteryWarning,
    /// Seconds until the battery is empty, 0 if not known.
    pub empty_in_secs: u64,
    /// Degrees Celsius, if known.
    pub celsius: Option<f64>,
    /// What the disk says of itself.
    pub disk: Health,
    /// One sentence about that.
    pub disk_detail: String,
    /// Degrees Celsius of the disk, if known.
    pub disk_celsius: Option<f64>,
}

impl Default for LenderNow {
    fn default() -> Self {
        Self {
            battery_percent: None,
            on_mains: true,
            warning: BatteryWarning::None,
            empty_in_secs: 0,
            celsius: None,
            disk: Health::Unknown,
            disk_detail: String::new(),
            disk_celsius: None,
        }
    }
}

/// What a disk says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nothing.
    Unknown,
    /// It is well.
    Good,
    /// It is near the end of its days.
    Worn,
    /// It has to be saved.
    Failing,
}
