//! The lender's battery: how empty it is, and what is news about that.
//!
//! ```text
//! percent   level      what follows
//!  > 20     Fine
//! ≤ 20      Warn       a beep, and a warning on both screens
//! ≤ 10      Low        the same again
//! ≤  5      Critical   the borrower shuts down in good order, a minute later
//! ≤  3      Action     whoever still has the disk shuts down now; then the lender switches itself off
//! ```
//!
//! On battery the level only gets worse: a gauge that trembles warns once. Power
//! from outside that does not keep up counts as none.

use crate::preflight::BatteryWarning;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// How long [`Level::Action`] has to last before it is believed: when a charger is unplugged,
/// some gauges say zero for a moment.
const SURE: Duration = Duration::from_secs(5);
/// At and below which charge each level begins, percent. The first two are what desktops warn
/// at; the others are a little more than theirs, because two machines have to go down.
const LEVELS: [(f64, Level); 4] = [
    (3.0, Level::Action),
    (5.0, Level::Critical),
    (10.0, Level::Low),
    (20.0, Level::Warn),
];

/// How empty the battery is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Fed from outside, or full enough.
    #[default]
    Fine,
    /// It is time to look for the charger.
    Warn,
    /// It is high time.
    Low,
    /// The loan has to end now.
    Critical,
    /// The machine has to be off before it dies.
    Action,
}

impl Level {
    /// The level of a battery that is being emptied and has so much left.
    #[must_use]
    pub fn of(percent: f64) -> Self {
        let found = LEVELS.iter().find(|(least, _)| percent <= *least);
        found.map_or(Self::Fine, |(_, level)| *level)
    }

    /// In the words of desktops.
    #[must_use]
    pub fn warning(self) -> BatteryWarning {
        match self {
            Self::Fine => BatteryWarning::None,
            Self::Warn | Self::Low => BatteryWarning::Low,
            Self::Critical => BatteryWarning::Critical,
            Self::Action => BatteryWarning::Action,
        }
    }
}

/// What the machine's supplies say at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Charge of all batteries together, percent; `None` without one, or if it does not say.
    pub percent: Option<f64>,
    /// A charger is plugged in.
    pub on_mains: bool,
    /// The batteries are being emptied, with or without a charger.
    pub discharging: bool,
}

/// News of a battery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The charger was unplugged, or there is a power cut.
    MainsLost,
    /// The machine is fed from outside again.
    MainsBack,
    /// It is as empty as this now.
    Fell(Level),
}

/// Follows a battery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauge {
    level: Level,
    on_mains: Option<bool>,
    /// Since when all readings said [`Level::Action`].
    nearly: Option<Instant>,
}

impl Gauge {
    /// How empty the battery is.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Takes a reading, and says what is new. A machine is not switched off for one reading alone.
    pub fn read(&mut self, reading: Reading, now: Instant) -> Vec<News> {
        let mut news = vec![];
        let before = self.on_mains.replace(reading.on_mains);
        match (before, reading.on_mains) {
            (Some(true), false) => news.push(News::MainsLost),
            (Some(false), true) => news.push(News::MainsBack),
            (Some(_) | None, _) => {}
        }
        if reading.on_mains && !reading.discharging {
            self.level = Level::Fine;
            self.nearly = None;
            return news;
        }
        // A gauge that has fallen silent knows nothing better.
        let Some(percent) = reading.percent else {
            return news;
        };
        let level = match Level::of(percent) {
            Level::Action if now < *self.nearly.get_or_insert(now) + SURE => Level::Critical,
            Level::Action => Level::Action,
            other => {
                self.nearly = None;
                other
            }
        };
        if level > self.level {
            self.level = level;
            news.push(News::Fell(level));
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_battery(percent: f64) -> Reading {
        Reading {
            percent: Some(percent),
            on_mains: false,
            discharging: true,
        }
    }

    const MAINS: Reading = Reading {
        percent: Some(50.0),
        on_mains: true,
        discharging: false,
    };

    /// A gauge that is read every ten seconds.
    struct Watched(Gauge, Instant);

    impl Watched {
        fn new() -> Self {
            Self(Gauge::default(), Instant::now())
        }

        fn read(&mut self, reading: Reading) -> Vec<News> {
            self.1 += Duration::from_secs(10);
            self.0.read(reading, self.1)
        }

        fn level(&self) -> Level {
            self.0.level()
        }
    }

    #[test]
    fn each_step_down_is_told_once() {
        let mut gauge = Watched::new();
        assert_eq!(gauge.read(MAINS), []);
        assert_eq!(gauge.read(on_battery(50.0)), [News::MainsLost]);
        let mut told = vec![];
        for tenths in (0..500).rev() {
            // It trembles by half a percent.
            let tremble = if tenths % 2 == 0 { 0.5 } else { 0.0 };
            told.extend(gauge.read(on_battery(f64::from(tenths) / 10.0 + tremble)));
        }
        use Level::{Action, Critical, Low, Warn};
        assert_eq!(told, [Warn, Low, Critical, Action].map(News::Fell));
        assert_eq!(gauge.level(), Action);
        assert_eq!(gauge.read(MAINS), [News::MainsBack]);
        assert_eq!(gauge.level(), Level::Fine);
    }

    #[test]
    fn nothing_is_switched_off_for_one_strange_reading() {
        let mut gauge = Watched::new();
        gauge.read(MAINS);
        gauge.read(on_battery(0.0));
        gauge.0.read(on_battery(0.0), gauge.1);
        assert_eq!(gauge.level(), Level::Critical);
        gauge.read(on_battery(60.0));
        gauge.read(on_battery(0.0));
        assert_eq!(gauge.level(), Level::Critical);
        gauge.read(on_battery(0.0));
        assert_eq!(gauge.level(), Level::Action);
    }

    #[test]
    fn a_weak_charger_does_not_hide_an_empty_battery() {
        let mut gauge = Watched::new();
        let weak = Reading {
            on_mains: true,
            ..on_battery(9.0)
        };
        assert_eq!(gauge.read(weak), [News::Fell(Level::Low)]);
    }

    #[test]
    fn a_gauge_that_falls_silent_changes_nothing() {
        let mut gauge = Watched::new();
        gauge.read(on_battery(4.0));
        let silent = Reading {
            percent: None,
            ..on_battery(0.0)
        };
        assert_eq!(gauge.read(silent), []);
        assert_eq!(gauge.level(), Level::Critical);
    }
}
