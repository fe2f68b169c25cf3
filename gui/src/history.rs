//! The last minutes of what moves, for the plot.

use crate::picture::Moving;
use std::collections::VecDeque;

/// How much of the past is drawn.
pub const SPAN_USEC: u64 = 120_000_000;
/// One sample each second, and some more when somebody else makes it measure.
const MAX_SAMPLES: usize = 512;

/// Samples with the time at which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History(VecDeque<(u64, Moving)>);

/// A line of the plot: where from the left, and how high, both from 0 to 1.
pub type Line = Vec<(f64, f64)>;

impl History {
    /// Takes note of what was measured at `now` (`CLOCK_MONOTONIC`).
    pub fn push(&mut self, now_usec: u64, moving: Moving) {
        self.0.push_back((now_usec, moving));
        let oldest = now_usec.saturating_sub(SPAN_USEC);
        // One that is older stays, because the line begins at it.
        while self.0.len() > MAX_SAMPLES || self.0.get(1).is_some_and(|(at, _)| *at <= oldest) {
            self.0.pop_front();
        }
    }

    /// Forgets everything: another loan is another plot.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What was measured last; 0 if nothing was.
    #[must_use]
    pub fn last(&self, value: fn(&Moving) -> u64) -> u64 {
        self.0.back().map_or(0, |(_, moving)| value(moving))
    }

    /// The highest of all that is drawn; 0 if nothing is.
    #[must_use]
    pub fn highest(&self, value: fn(&Moving) -> u64) -> u64 {
        let all = self.0.iter().map(|(_, moving)| value(moving));
        all.max().unwrap_or(0)
    }

    /// The top of the scale: the next round number above all that is drawn.
    #[must_use]
    pub fn ceiling(&self, value: fn(&Moving) -> u64, least: u64) -> u64 {
        round_up(self.highest(value).max(least))
    }

    /// What is drawn of one value: it holds until the next one is measured.
    #[must_use]
    pub fn line(&self, now_usec: u64, value: fn(&Moving) -> u64, ceiling: u64) -> Line {
        let begin = now_usec.saturating_sub(SPAN_USEC);
        let mut line: Line = self
            .0
            .iter()
            .map(|(at, moving)| {
                let x = at.saturating_sub(begin) as f64 / SPAN_USEC as f64;
                let y = value(moving) as f64 / ceiling.max(1) as f64;
                (x.min(1.0), y.min(1.0))
            })
            .collect();
        if let Some((x, y)) = line.last().copied()
            && x < 1.0
        {
            line.push((1.0, y));
        }
        line
    }
}

/// 1, 2 or 5 times a power of ten.
fn round_up(value: u64) -> u64 {
    let mut power: u64 = 1;
    loop {
        for step in [1, 2, 5] {
            let round = power.saturating_mul(step);
            if round >= value {
                return round;
            }
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn read(bytes: u64) -> Moving {
        Moving {
            read: bytes,
            ..Moving::default()
        }
    }

    #[test]
    fn scales_are_round() {
        for (value, round) in [(0, 1), (1, 1), (3, 5), (11, 20), (51, 100), (112, 200)] {
            assert_eq!(round_up(value), round);
        }
        assert_eq!(round_up(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_value_holds_until_the_next_one() {
        let mut history = History::default();
        history.push(200 * SECOND, read(50));
        let line = history.line(260 * SECOND, |m| m.read, 100);
        assert_eq!(line, [(0.5, 0.5), (1.0, 0.5)]);
    }

    #[test]
    fn the_last_and_the_highest_are_known() {
        let mut history = History::default();
        assert_eq!(
            (history.last(|m| m.read), history.highest(|m| m.read)),
            (0, 0)
        );
        history.push(SECOND, read(7));
        history.push(2 * SECOND, read(3));
        assert_eq!(
            (history.last(|m| m.read), history.highest(|m| m.read)),
            (3, 7)
        );
    }

    #[test]
    fn the_past_is_forgotten() {
        let mut history = History::default();
        for second in 0..1000 {
            history.push(second * SECOND, read(second));
        }
        assert!(history.0.len() <= 122, "{}", history.0.len());
        let line = history.line(999 * SECOND, |m| m.read, 1000);
        assert_eq!(line[0].0, 0.0);
        assert_eq!(line[line.len() - 1].0, 1.0);
    }

    #[test]
    fn a_flood_of_samples_is_bounded() {
        let mut history = History::default();
        for _ in 0..10_000 {
            history.push(SECOND, read(1));
        }
        assert!(history.0.len() <= MAX_SAMPLES);
    }
}
