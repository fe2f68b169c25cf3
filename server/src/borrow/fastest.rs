//! Which of several ways to the lender to take, when more than one cable is in.

use crate::discovery::Speeds;
use std::time::Duration;
use stiefel_core::discovery::SEEK_INTERVAL;
use tokio::time::Instant;

/// How long an answer over a faster interface is waited for: it is asked once more in this time.
const PATIENCE: Duration = Duration::from_millis(SEEK_INTERVAL.as_millis() as u64 * 3 / 2);

/// Takes the first of several answers over an interface than which there is no faster one, or
/// the fastest of those that came in time.
pub(super) struct Fastest<T> {
    best: Option<(u32, T)>,
    until: Instant,
}

impl<T> Fastest<T> {
    /// Nobody has answered yet.
    pub(super) fn none() -> Self {
        Self {
            best: None,
            until: Instant::now(),
        }
    }

    /// The way to take, if it is time to go; otherwise as [`Fastest::until`] says.
    pub(super) fn answered(&mut self, index: u32, way: T, speeds: &Speeds) -> Option<T> {
        let speed = |index| speeds.get(&index).copied().unwrap_or(0);
        if self.best.is_none() {
            self.until = Instant::now() + PATIENCE;
        }
        let known = self
            .best
            .take()
            .filter(|(best, _)| speed(*best) > speed(index));
        let (best, way) = known.unwrap_or((index, way));
        if speeds.values().all(|other| *other <= speed(best)) {
            return Some(way);
        }
        self.best = Some((best, way));
        None
    }

    /// Nobody faster has answered in time.
    pub(super) fn give_up(&mut self) -> Option<T> {
        self.best.take().map(|(_, way)| way)
    }

    /// How long to wait; none if nobody has answered.
    pub(super) fn until(&self) -> Option<Instant> {
        self.best.as_ref().map(|_| self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: u32 = 2;
    const FAST: u32 = 3;
    const UNKNOWN: u32 = 4;

    fn speeds() -> Speeds {
        [(SLOW, 1000), (FAST, 10_000), (UNKNOWN, 0)].into()
    }

    #[test]
    fn the_only_cable_is_taken_at_once() {
        let mut fastest = Fastest::none();
        let alone = Speeds::from([(UNKNOWN, 0)]);
        assert_eq!(fastest.answered(UNKNOWN, "way", &alone), Some("way"));
        assert_eq!(fastest.until(), None);
    }

    #[test]
    fn a_faster_one_is_waited_for() {
        let mut fastest = Fastest::none();
        assert_eq!(fastest.answered(UNKNOWN, "unknown", &speeds()), None);
        assert!(fastest.until().is_some());
        assert_eq!(fastest.answered(SLOW, "slow", &speeds()), None);
        assert_eq!(fastest.answered(FAST, "fast", &speeds()), Some("fast"));
    }

    #[test]
    fn who_does_not_come_in_time_is_not_taken() {
        let mut fastest = Fastest::none();
        assert_eq!(fastest.answered(SLOW, "slow", &speeds()), None);
        assert_eq!(fastest.answered(UNKNOWN, "unknown", &speeds()), None);
        assert_eq!(fastest.give_up(), Some("slow"));
        assert_eq!(fastest.until(), None);
    }

    #[test]
    fn the_newest_answer_of_an_interface_counts() {
        let mut fastest = Fastest::none();
        assert_eq!(fastest.answered(SLOW, "old", &speeds()), None);
        assert_eq!(fastest.answered(SLOW, "new", &speeds()), None);
        assert_eq!(fastest.give_up(), Some("new"));
    }
}
