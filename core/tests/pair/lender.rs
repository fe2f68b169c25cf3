//! What the ramdisk does around the rules of the loan.

use crate::world::{Happening, Rules, SECOND, Time, ToBorrower, ToLender, World};
use std::collections::BTreeMap;
use std::time::Instant;
use stiefel_core::loan::{Effect, Event, Loan, Onward, Stage};
use stiefel_core::pairing::PairingId;
use stiefel_core::ticket::Limits;

/// Firmware and boot.
const START: Time = 30 * SECOND;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Serving,
    /// Without power.
    Dead,
    /// In its own system.
    Home,
}

pub struct Lender {
    pub place: Place,
    pub loan: Loan,
    limits: Limits,
    /// Open sessions, and when they were heard last.
    sessions: BTreeMap<u64, Time>,
    releasing: Option<u64>,
    epoch: u64,
}

impl Lender {
    pub fn new(patience_secs: u32, zero: Instant) -> Self {
        let limits = Limits {
            offer_secs: 120,
            patience_secs,
        };
        Self {
            place: Place::Serving,
            loan: Loan::offered(limits, zero),
            limits,
            sessions: BTreeMap::new(),
            releasing: None,
            epoch: 0,
        }
    }
}

impl World {
    pub fn lender_hears(&mut self, message: ToLender) {
        let breaks = |rules| self.rules == rules;
        let open_home = breaks(Rules::HomeUnderAWriter) || breaks(Rules::OldEpochLetIn);
        match self.lender.place {
            Place::Serving => {}
            Place::Home if open_home => {}
            Place::Dead | Place::Home => return,
        }
        match message {
            ToLender::Request { life } => self.lender_is_asked(life),
            ToLender::Open { session, epoch } => self.lender_opens(session, epoch),
            ToLender::Write {
                session,
                block,
                value,
            } => {
                if !self.heard(session) {
                    return;
                }
                if self.lender.place == Place::Home {
                    return self.fail("written to under the lender's own system");
                }
                self.disk.write(block, value);
                let written = ToBorrower::Written {
                    session,
                    block,
                    value,
                };
                self.stream(session, Happening::ToBorrower(written));
                self.fate_of_write();
            }
            ToLender::Flush { session, flush } => {
                if !self.heard(session) {
                    return;
                }
                if self.rules != Rules::FlushDoesNothing {
                    self.disk.flush();
                }
                let flushed = ToBorrower::Flushed { session, flush };
                self.stream(session, Happening::ToBorrower(flushed));
            }
            ToLender::Bye { session } => self.lender_drops(session),
            ToLender::Release { epoch, restarts } => self.lender_is_released(epoch, restarts),
        }
        self.look_at_lender();
    }

    /// Whether the session may still do anything.
    fn heard(&mut self, session: u64) -> bool {
        let now = self.now;
        match self.lender.sessions.get_mut(&session) {
            Some(last) => {
                *last = now;
                true
            }
            None => false,
        }
    }

    fn lender_is_asked(&mut self, life: u32) {
        let borrower = PairingId::from_bytes([1; 8]);
        let now = self.instant();
        match self.lender.loan.grant(borrower, self.lender.limits, now) {
            Ok(epoch) => {
                self.say(format!("grant {epoch}"));
                self.lender.epoch = epoch;
                let grant = ToBorrower::Grant { life, epoch };
                self.send(Happening::ToBorrower(grant));
            }
            Err(_) => {
                self.say("refused");
                self.send(Happening::ToBorrower(ToBorrower::Refused { life }));
            }
        }
    }

    fn lender_opens(&mut self, session: u64, epoch: u64) {
        let decision = self.lender.loan.open(epoch);
        if let Err(refusal) = decision {
            self.say(format!("session {session} is fenced: {refusal}"));
            if self.rules != Rules::OldEpochLetIn {
                let denied = ToBorrower::Denied { session };
                return self.stream(session, Happening::ToBorrower(denied));
            }
        }
        // A slot has one connection. A later one that was overtaken is the one that counts.
        let others: Vec<u64> = self.lender.sessions.keys().copied().collect();
        self.lender.sessions.insert(session, self.now);
        if !matches!(self.rules, Rules::OldConnectionLives | Rules::OldEpochLetIn) {
            for other in others {
                self.lender_drops(other);
            }
        }
        let opened = ToBorrower::Opened { session };
        self.stream(session, Happening::ToBorrower(opened));
        let since = self.now;
        self.after(15 * SECOND, Happening::Silent { session, since });
    }

    /// A session is over, and drained.
    fn lender_drops(&mut self, session: u64) {
        if self.lender.sessions.remove(&session).is_none() || self.lender.place == Place::Home {
            return;
        }
        let now = self.instant();
        let counted = matches!(
            self.lender.loan.stage(),
            Stage::Held { .. }
                | Stage::Parting { sessions: 1.., .. }
                | Stage::Closing { sessions: 1.., .. }
        );
        if counted {
            let event = Event::HungUp { now };
            let effect = self.lender.loan.handle(event, self.lender.limits);
            self.lender_obeys(effect);
        }
    }

    pub fn lender_misses(&mut self, session: u64, since: Time) {
        match self.lender.sessions.get(&session) {
            Some(last) if *last <= since => {
                self.say(format!("session {session} is dead"));
                self.lender_drops(session);
                self.look_at_lender();
            }
            Some(last) => {
                let since = *last;
                self.at(
                    since + 15 * SECOND + 1,
                    Happening::Silent { session, since },
                );
            }
            None => {}
        }
    }

    fn lender_is_released(&mut self, epoch: u64, restarts: bool) {
        let onward = match restarts {
            true => Onward::Restarts,
            false => Onward::Leaves,
        };
        match self.lender.loan.release(epoch, onward) {
            Ok(effect) => {
                self.lender.releasing = Some(epoch);
                self.say(format!("lender: {}", self.lender.loan.tag()));
                if effect.is_none() && matches!(self.lender.loan.stage(), Stage::Restarting { .. })
                {
                    self.lender_acknowledges();
                }
                self.lender_obeys(effect);
            }
            Err(refusal) => self.say(format!("release of {epoch}: {refusal}")),
        }
    }

    fn lender_acknowledges(&mut self) {
        if let Some(epoch) = self.lender.releasing.take() {
            let answered = self.disk.answered();
            self.disk.promise_flushed(&answered);
            self.send(Happening::ToBorrower(ToBorrower::Released { epoch }));
        }
    }

    pub fn lender_obeys(&mut self, effect: Option<Effect>) {
        match effect {
            None => {}
            Some(Effect::HangUp) if self.rules == Rules::HomeUnderAWriter => self.home(None),
            Some(Effect::HangUp) => {
                let all: Vec<u64> = self.lender.sessions.keys().copied().collect();
                for session in all {
                    self.lender_drops(session);
                }
            }
            Some(Effect::Sync) => self.after(50, Happening::LenderSynced),
            Some(Effect::GoHome) => {
                let outcome = match *self.lender.loan.stage() {
                    Stage::Closed { outcome } => Some(outcome),
                    _ => None,
                };
                self.home(outcome);
            }
        }
        self.look_at_lender();
    }

    pub fn lender_synced(&mut self) {
        if self.lender.place != Place::Serving {
            return;
        }
        if !matches!(self.rules, Rules::HomeUnsynced | Rules::FlushDoesNothing) {
            self.disk.flush();
        }
        self.lender_acknowledges();
        let now = self.instant();
        let effect = self
            .lender
            .loan
            .handle(Event::Synced { now }, self.lender.limits);
        self.say(format!("lender: {}", self.lender.loan.tag()));
        self.lender_obeys(effect);
    }

    pub fn lender_looks_at_clock(&mut self) {
        if self.lender.place != Place::Serving {
            return;
        }
        let now = self.instant();
        if self.lender.loan.deadline().is_some_and(|at| at <= now) {
            let effect = self
                .lender
                .loan
                .handle(Event::Tick { now }, self.lender.limits);
            self.lender_obeys(effect);
        }
    }

    pub fn look_at_lender(&mut self) {
        if let Some(deadline) = self.lender.loan.deadline() {
            let when = self.since_zero(deadline).max(self.now);
            self.at(when, Happening::LenderTick);
        }
    }

    pub fn lender_loses_power(&mut self) {
        if self.lender.place != Place::Serving {
            return;
        }
        self.say("lender loses power");
        self.lender.place = Place::Dead;
        self.lender.sessions.clear();
        let World { disk, dice, .. } = self;
        disk.lose_power(dice);
        self.after(START, Happening::LenderStarts);
    }

    pub fn lender_starts_by_itself(&mut self) {
        self.home(None);
    }
}
