//! Whether the lender would take a handshake that we begin: it refuses those that look older than
//! the last one, and the lent system may have set this machine's clock back since.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Clocks that are kept in step differ by less.
const SLACK: Duration = Duration::from_millis(100);

/// What the time of day is, by a clock that nobody sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// Since 1970.
    real: Duration,
    /// Since this machine was switched on.
    boot: Duration,
}

/// The time of day as it was seen.
#[derive(Debug)]
pub(super) struct Clock {
    last: Reading,
    /// Handshakes may have been begun until then, by the clock of that time.
    latest: Duration,
}

impl Reading {
    pub(super) fn take() -> Self {
        Self {
            real: since_zero(clock_gettime(ClockId::Realtime)),
            boot: since_zero(clock_gettime(ClockId::Boottime)),
        }
    }
}

impl Clock {
    pub(super) fn new(now: Reading) -> Self {
        Self {
            last: now,
            latest: Duration::ZERO,
        }
    }

    /// Whether a handshake looks younger than any before. Asked often: a clock that was set back
    /// counts from when that is noticed.
    pub(super) fn is_younger(&mut self, now: Reading) -> bool {
        let expected = self.last.real + now.boot.saturating_sub(self.last.boot);
        if now.real + SLACK < expected {
            self.latest = self.latest.max(expected);
        }
        self.last = now;
        now.real > self.latest
    }
}

fn since_zero(time: Timespec) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds)
        + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_has_to_catch_up() {
        let at = |real, boot| Reading {
            real: Duration::from_secs(real),
            boot: Duration::from_secs(boot),
        };
        let mut clock = Clock::new(at(10_000, 10));
        assert!(clock.is_younger(at(10_050, 60)));
        // An hour back, noticed a minute later; and then forth again.
        assert!(!clock.is_younger(at(6_510, 120)));
        assert!(!clock.is_younger(at(10_109, 3_719)));
        assert!(clock.is_younger(at(10_111, 3_721)));
        assert!(clock.is_younger(at(99_999, 3_722)));
    }
}
