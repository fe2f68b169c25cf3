//! systemd watches over us while something is at stake, and only then: at rest
//! there is nothing to wake up for, and a caller notices that nobody answers.

use sd_notify::NotifyState;
use std::time::Duration;

/// A loop that has not turned for so long will not turn any more.
const LIMIT: Duration = Duration::from_secs(60);
/// How often we say that it turns.
const SAID_EVERY: Duration = Duration::from_secs(20);

/// When to say that we are alive, if at all.
#[derive(Debug, Default)]
pub struct Watchdog {
    next: Option<Duration>,
}

/// What to tell systemd.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// To begin to watch over us.
    Begin,
    /// That we are alive.
    Alive,
    /// To stop watching.
    End,
}

impl Watchdog {
    /// When [`Watchdog::turn`] is needed, at the latest.
    #[must_use]
    pub fn alarm(&self) -> Option<Duration> {
        self.next
    }

    /// Notes that the loop has turned, and whether anything is `at_stake`.
    pub fn turn(&mut self, at_stake: bool, now: Duration) -> Option<Told> {
        match (self.next, at_stake) {
            (None, false) => None,
            (None, true) => {
                self.next = Some(now + SAID_EVERY);
                Some(Told::Begin)
            }
            (Some(_), false) => {
                self.next = None;
                Some(Told::End)
            }
            (Some(next), true) if now < next => None,
            (Some(_), true) => {
                self.next = Some(now + SAID_EVERY);
                Some(Told::Alive)
            }
        }
    }
}

impl Told {
    /// In systemd's words.
    #[must_use]
    pub fn state(&self) -> NotifyState<'static> {
        match self {
            Self::Begin => {
                NotifyState::WatchdogUsec(u32::try_from(LIMIT.as_micros()).unwrap_or(u32::MAX))
            }
            Self::Alive => NotifyState::Watchdog,
            Self::End => NotifyState::WatchdogUsec(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_watches_while_something_is_at_stake() {
        let mut watchdog = Watchdog::default();
        let at = Duration::from_secs;
        assert_eq!(watchdog.turn(false, at(0)), None);
        assert_eq!(watchdog.alarm(), None);
        assert_eq!(watchdog.turn(true, at(1)), Some(Told::Begin));
        assert_eq!(watchdog.turn(true, at(20)), None);
        assert_eq!(watchdog.alarm(), Some(at(21)));
        assert_eq!(watchdog.turn(true, at(21)), Some(Told::Alive));
        assert_eq!(watchdog.turn(false, at(22)), Some(Told::End));
        assert_eq!(watchdog.alarm(), None);
    }
}
