//! When there is nothing to do, and when somebody has to watch over us.

use super::{Daemon, Now};
use std::time::Duration;
use stiefel_core::handoff::HandOff;

impl Daemon {
    /// From `now` on, the daemon may end after this time without a call.
    pub fn end_when_idle(&mut self, after: Duration, now: Now) {
        self.idle_after = Some(after);
        self.last_used = now.monotonic;
    }

    /// Somebody has looked at us.
    pub fn used(&mut self, now: Now) {
        self.last_used = now.monotonic;
    }

    /// Whether nobody wants anything, and has not for a while.
    #[must_use]
    pub fn is_idle(&self, now: Now) -> bool {
        self.idle_at().is_some_and(|at| at <= now.monotonic)
    }

    /// When that will be; `None` while there is something to do, or to wait for.
    pub(super) fn idle_at(&self) -> Option<Duration> {
        // Whoever shows a loan does not ask again, and a nearly empty battery has to be heard of.
        let rests = !self.armed
            && !self.survey.borrowed
            && !self.is_at_stake()
            && self.running_job().is_none();
        let after = self.idle_after.filter(|_| rests)?;
        Some(self.last_used + after)
    }

    /// Whether a daemon that hangs now would leave something half-done.
    #[must_use]
    pub fn is_at_stake(&self) -> bool {
        match self.machine {
            HandOff::Idle { .. } | HandOff::Announced { .. } => false,
            HandOff::Preparing { .. } | HandOff::Leaving { .. } | HandOff::Reverting { .. } => true,
        }
    }
}
