//! How much goes over the disk each second.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Over how long it is averaged: calm, and a copy that has ended is soon seen to have.
const WINDOW: Duration = Duration::from_secs(5);
/// Samples kept at most; one each second and a few for changes between.
const SAMPLES: usize = 16;

/// Unit of a disk's counters (Documentation/block/stat.rst).
const SECTOR: u64 = 512;

/// Bytes, or bytes each second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    pub read: u64,
    pub written: u64,
}

/// What a disk has read and written since this machine started, by its kernel's name.
pub fn counted(disk: &str) -> Option<Amounts> {
    let stat = fs::read_to_string(Path::new("/sys/block").join(disk).join("stat")).ok()?;
    parse(&stat)
}

fn parse(stat: &str) -> Option<Amounts> {
    let sectors = |at: usize| stat.split_whitespace().nth(at)?.parse::<u64>().ok();
    Some(Amounts {
        read: sectors(2)? * SECTOR,
        written: sectors(6)? * SECTOR,
    })
}

/// The counters of the last seconds.
#[derive(Default)]
pub struct Flow(VecDeque<(Instant, Amounts)>);

impl Flow {
    /// Takes note of the counters, and says how fast they have grown.
    pub fn at(&mut self, now: Instant, counted: Amounts) -> Amounts {
        self.0.push_back((now, counted));
        // The oldest one may be older than the window, so that there are always two.
        while self.0.len() > SAMPLES || self.0.get(1).is_some_and(|(at, _)| *at + WINDOW <= now) {
            self.0.pop_front();
        }
        let Some((since, first)) = self.0.front() else {
            return Amounts::default();
        };
        let msecs = now.duration_since(*since).as_millis() as u64;
        let each_second = |grown: u64| (grown * 1000).checked_div(msecs).unwrap_or(0);
        Amounts {
            read: each_second(counted.read.saturating_sub(first.read)),
            written: each_second(counted.written.saturating_sub(first.written)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let start = Instant::now();
        let mut flow = Flow::default();
        let mut at = |secs: u64, read, written| {
            let rates = flow.at(start + Duration::from_secs(secs), Amounts { read, written });
            (rates.read, rates.written)
        };
        assert_eq!(at(0, 1_000, 0), (0, 0));
        assert_eq!(at(1, 3_000, 10), (2_000, 10));
        assert_eq!(at(2, 3_000, 10), (1_000, 5));
        for secs in 3..=7 {
            at(secs, 3_000, 10);
        }
        assert_eq!(at(8, 3_000, 10), (0, 0));
        // Counters that begin anew.
        assert_eq!(at(9, 0, 0), (0, 0));
    }

    #[test]
    fn a_disk_counts_in_sectors() {
        let stat = "  120  3  8  55  60  2  16  70  0  100  125  0 0 0 0\n";
        assert_eq!(
            parse(stat),
            Some(Amounts {
                read: 8 * 512,
                written: 16 * 512
            })
        );
        assert_eq!(parse(""), None);
    }
}
