//! The lent disk that this system runs from, and its way home.

use super::{Daemon, Now, warnings};
use crate::config::OnLowPower;
use crate::hands::Order;
use crate::request::{Answer, Refused, Reply};
use crate::view::LoanView;
use crate::world::loan::{Hold, Loan};
use crate::world::{Farewell, Trouble};
use std::collections::BTreeSet;
use std::time::Duration;
use stiefel_core::preflight::{BatteryWarning, Inhibitor};
use stiefel_dbus::words::{Ending, LoanState};

/// Clients that may watch a loan at the same time: more than one desk has windows.
pub const MAX_SUBSCRIBERS: usize = 64;
/// How long people have to save their work when the lender's battery is nearly empty.
const LAST_WORDS: Duration = Duration::from_secs(60);

/// What we know and do about the loan.
#[derive(Debug, Default)]
pub(super) struct Borrowing {
    now: Option<Loan>,
    /// When the lender's nearly empty battery ends it.
    empty_at: Option<Duration>,
    /// After a shutdown that failed, the next one is not tried before.
    not_before: Duration,
    /// The end that people at terminals were told of.
    told: Option<(Ending, Duration)>,
    closing: bool,
    detail: String,
    /// Who waits for the shutdown to begin.
    waiting: Vec<Reply>,
    subscribers: BTreeSet<String>,
}

impl Borrowing {
    pub(super) fn unsubscribe(&mut self, name: &str) {
        self.subscribers.remove(name);
    }
}

impl Daemon {
    /// Whether the loan is to be measured each second.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.survey.borrowed && !self.loan.subscribers.is_empty()
    }

    pub(super) fn subscribe(&mut self, name: String) -> Result<Answer, Refused> {
        if !self.survey.borrowed {
            return Err(Refused::NotBorrowed);
        }
        if self.loan.subscribers.contains(&name) {
            return Ok(Answer::Done);
        }
        if self.loan.subscribers.len() >= MAX_SUBSCRIBERS {
            return Err(Refused::TooManySubscribers);
        }
        self.outbox.follow.push(name.clone());
        self.loan.subscribers.insert(name);
        Ok(Answer::Done)
    }

    /// The loan as it is now.
    pub(super) fn borrowed(&mut self, loan: Loan, now: Now) {
        let lender = &loan.lender_now;
        // Also with a charger that does not keep up: then the lender still warns.
        let empty = lender.warning >= BatteryWarning::Critical;
        self.loan.empty_at = match self.config.on_low_power {
            // The lender is about to switch itself off.
            OnLowPower::GiveBack if empty && lender.warning >= BatteryWarning::Action => Some(
                self.loan
                    .empty_at
                    .unwrap_or(now.monotonic)
                    .min(now.monotonic),
            ),
            OnLowPower::GiveBack if empty => {
                Some(self.loan.empty_at.unwrap_or(now.monotonic + LAST_WORDS))
            }
            OnLowPower::GiveBack | OnLowPower::Warn => None,
        };
        self.loan.now = Some(loan);
        self.tell_terminals(now);
    }

    /// Begins to shut down, or refuses; who asked is answered when it has begun.
    pub(super) fn give_back(&mut self, force: bool, reply: Reply) {
        let refused = if !self.survey.borrowed {
            Some(Refused::NotBorrowed)
        } else if self.is_lost() {
            let text = "the lender has taken its disk back already; switch this machine off";
            Some(Refused::Failed(Trouble(text.into())))
        } else if let (false, Some(Inhibitor { who, why })) = (force, self.inhibitors.first()) {
            Some(Refused::Blocked(format!(
                "{who} forbids to shut down: {why} (wait until it is done, or close it)"
            )))
        } else {
            None
        };
        match refused {
            Some(refused) => self.outbox.replies.push((reply, Err(refused))),
            None if self.loan.closing && self.loan.waiting.is_empty() => {
                self.outbox.replies.push((reply, Ok(Answer::Done)));
            }
            None => {
                self.loan.waiting.push(reply);
                self.power_off(force);
            }
        }
    }

    fn power_off(&mut self, force: bool) {
        if !self.loan.closing {
            tracing::info!("gives the lent disk back");
            self.loan.closing = true;
            self.loan.detail.clear();
            self.outbox.orders.push(Order::PowerOff { force });
        }
    }

    pub(super) fn powered_off(&mut self, result: Result<(), Trouble>, now: Now) {
        if let Err(Trouble(why)) = &result {
            tracing::warn!("{why}");
            self.loan.closing = false;
            self.loan.detail.clone_from(why);
            self.loan.not_before = now.monotonic + LAST_WORDS;
            self.tell_terminals(now);
        }
        for reply in self.loan.waiting.drain(..) {
            let answer = result.clone().map(|()| Answer::Done);
            let answer = answer.map_err(Refused::Failed);
            self.outbox.replies.push((reply, answer));
        }
    }

    /// When the loan ends by itself.
    pub(super) fn loan_ends_at(&self) -> Option<Duration> {
        let open = self.survey.borrowed && !self.loan.closing;
        self.ending().1.filter(|_| open)
    }

    pub(super) fn end_loan_when_due(&mut self, now: Now) {
        if self.loan_ends_at().is_some_and(|at| at <= now.monotonic) {
            // There is no power to wait for anybody.
            self.power_off(true);
        }
    }

    /// Tells people who see no window when this system shuts down by itself, and when it does not
    /// after all.
    fn tell_terminals(&mut self, now: Now) {
        let (ending, at) = self.ending();
        // That it happens now is for logind to tell.
        if self.loan.closing || at.is_some_and(|at| at <= now.monotonic) {
            return;
        }
        let due = at.map(|at| (ending, at));
        if due == self.loan.told {
            return;
        }
        let farewell = due.as_ref().map(|(ending, at)| {
            let left = at.saturating_sub(now.monotonic).as_micros();
            Farewell {
                why: self.why(ending),
                at_usec: now
                    .wall_usec
                    .saturating_add(u64::try_from(left).unwrap_or(u64::MAX)),
            }
        });
        self.loan.told = due;
        self.outbox.orders.push(Order::Announce(farewell));
    }

    fn why(&self, ending: &Ending) -> String {
        let lender = self.loan.now.as_ref().map(|loan| loan.lender.as_str());
        let lender = lender.filter(|name| !name.is_empty());
        let lender = lender.unwrap_or("the lender");
        match ending {
            Ending::LowPower => {
                format!("The battery of {lender} is nearly empty. Save your work.")
            }
            Ending::Asked | Ending::None | Ending::Unknown(_) => {
                format!("{lender} wants its disk back. Save your work.")
            }
        }
    }

    fn ending(&self) -> (Ending, Option<Duration>) {
        let asked = self.loan.now.as_ref().and_then(|loan| loan.asked);
        let later = |at: Duration| at.max(self.loan.not_before);
        match (self.loan.empty_at, asked) {
            _ if self.loan.closing => (Ending::None, None),
            (Some(at), _) => (Ending::LowPower, Some(later(at))),
            (None, Some(at)) => (Ending::Asked, at.map(later)),
            (None, None) => (Ending::None, None),
        }
    }

    fn is_lost(&self) -> bool {
        self.loan
            .now
            .as_ref()
            .is_some_and(|loan| loan.hold == Hold::Lost)
    }

    pub(super) fn loan_view(&self) -> Option<LoanView> {
        if !self.survey.borrowed {
            return None;
        }
        let loan = self.loan.now.clone().unwrap_or_else(Loan::unheard);
        let state = match loan.hold {
            Hold::Lost => LoanState::Lost,
            _ if self.loan.closing => LoanState::Closing,
            Hold::Frozen { .. } => LoanState::Frozen,
            Hold::Held => LoanState::Held,
        };
        let (ending, at) = self.ending();
        let usec = |at: Duration| u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        Some(LoanView {
            detail: match &state {
                LoanState::Closing => "This system shuts down, and gives its disk back".into(),
                _ => self.loan.detail.clone(),
            },
            warnings: warnings::of(&loan),
            state,
            ending,
            ends_usec: at.map_or(0, usec),
            loan,
        })
    }
}
