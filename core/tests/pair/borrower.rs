//! What a borrower does: fetch, boot, write, flush, reconnect, restart, give back, die.

use crate::disk::BLOCKS;
use crate::lender::Place;
use crate::world::{Happening, SECOND, Time, ToBorrower, ToLender, World};
use std::collections::BTreeMap;

/// Firmware, stick, kexec.
const START: Time = 8 * SECOND;
/// A request without an answer for that long means a dead connection.
const REQUEST_LIMIT: Time = 5 * SECOND;
/// How long to tell the lender that it has its disk back, and how often.
const RELEASE_LIMIT: Time = 10 * SECOND;
const RELEASE_AGAIN: Time = 3 * SECOND;
/// It is switched off by somebody who does not want to wait.
const FROZEN_LIMIT: Time = 600 * SECOND;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Off,
    Searching,
    /// With a grant.
    Running,
    /// All is flushed and detached; telling the lender since then.
    Releasing {
        since: Time,
    },
}

#[derive(Default)]
pub struct Borrower {
    /// Which start of the machine this is.
    pub life: u32,
    stage: Stage,
    epoch: u64,
    /// Connections that were ever made.
    sessions: u64,
    session: u64,
    connected: bool,
    /// When anything was heard last.
    heard: Time,
    /// Writes that wait for an answer.
    pending: BTreeMap<usize, u64>,
    /// Values that were answered.
    answered: [u64; BLOCKS],
    /// Flushes that wait for an answer: what had been answered when they were sent.
    flushes: BTreeMap<u64, [u64; BLOCKS]>,
    values: u64,
    flushed: u64,
    /// It shuts down from then on.
    until: Option<Time>,
    restarts: bool,
    asked_at: Option<Time>,
}

impl World {
    pub fn borrower_starts(&mut self) {
        self.borrower = Borrower {
            life: self.borrower.life,
            stage: Stage::Searching,
            sessions: self.borrower.sessions,
            values: self.borrower.values,
            flushed: self.borrower.flushed,
            heard: self.now,
            until: Some(self.now + 20 * SECOND + self.dice.below(120 * SECOND)),
            restarts: !self.is_calm() && self.dice.below(2) == 0,
            ..Borrower::default()
        };
        self.borrower_acts();
    }

    pub fn borrower_loses_power(&mut self) {
        if self.borrower.stage == Stage::Off {
            return;
        }
        self.say("borrower loses power");
        self.switch_off();
        // Some never come back.
        if self.dice.below(4) > 0 {
            let life = self.borrower.life;
            self.after(START, Happening::BorrowerOn { life });
        }
    }

    fn switch_off(&mut self) {
        self.borrower.life += 1;
        self.borrower.stage = Stage::Off;
    }

    fn again(&mut self, wait: Time) {
        let life = self.borrower.life;
        self.after(wait, Happening::BorrowerTick { life });
    }

    pub fn borrower_acts(&mut self) {
        match self.borrower.stage {
            Stage::Off => {}
            Stage::Searching => {
                if self.now > self.borrower.heard + FROZEN_LIMIT {
                    return self.switch_off();
                }
                let life = self.borrower.life;
                self.send(Happening::ToLender(ToLender::Request { life }));
                self.again(SECOND);
            }
            Stage::Running => self.borrower_works(),
            Stage::Releasing { since } => self.borrower_releases(since),
        }
    }

    fn borrower_works(&mut self) {
        let waiting = !self.borrower.connected
            || !self.borrower.pending.is_empty()
            || !self.borrower.flushes.is_empty();
        if waiting && self.now > self.borrower.heard + FROZEN_LIMIT {
            self.say("borrower is given up");
            return self.switch_off();
        }
        let asked = self.borrower.asked_at.unwrap_or(self.borrower.heard);
        if waiting && self.now > asked.max(self.borrower.heard) + REQUEST_LIMIT {
            self.borrower_dials();
        }
        if self.borrower.connected {
            let leaving = self.borrower.until.is_some_and(|until| until <= self.now);
            if leaving {
                self.borrower_leaves();
            } else {
                self.borrower_uses_disk();
            }
        }
        if self.borrower.stage == Stage::Running {
            let wait = 1 + self.dice.below(400);
            self.again(wait);
        } else {
            self.again(1);
        }
    }

    /// A new connection, on which everything is sent again.
    fn borrower_dials(&mut self) {
        self.borrower.sessions += 1;
        self.borrower.session = self.borrower.sessions;
        self.borrower.connected = false;
        self.borrower.asked_at = Some(self.now);
        let (session, epoch) = (self.borrower.session, self.borrower.epoch);
        let open = ToLender::Open { session, epoch };
        self.stream(session, Happening::ToLender(open));
    }

    fn borrower_uses_disk(&mut self) {
        match self.dice.below(5) {
            0..=2 => {
                let block = self.dice.below(BLOCKS as u64) as usize;
                if self.borrower.pending.contains_key(&block) {
                    return;
                }
                self.borrower.values += 1;
                let value = self.borrower.values;
                self.borrower.pending.insert(block, value);
                self.borrower_writes(block, value);
            }
            3 => self.borrower_flushes(),
            _ => {}
        }
    }

    fn borrower_writes(&mut self, block: usize, value: u64) {
        self.borrower.asked_at = Some(self.now);
        let session = self.borrower.session;
        let write = ToLender::Write {
            session,
            block,
            value,
        };
        self.stream(session, Happening::ToLender(write));
    }

    fn borrower_flushes(&mut self) {
        self.borrower.flushed += 1;
        self.borrower.asked_at = Some(self.now);
        let (session, flush) = (self.borrower.session, self.borrower.flushed);
        self.borrower.flushes.insert(flush, self.borrower.answered);
        let flush = ToLender::Flush { session, flush };
        self.stream(session, Happening::ToLender(flush));
    }

    /// The end of a shutdown: all is written and flushed, then it detaches.
    fn borrower_leaves(&mut self) {
        if !self.borrower.pending.is_empty() || !self.borrower.flushes.is_empty() {
            return;
        }
        if self.disk_lags() {
            return self.borrower_flushes();
        }
        self.say(match self.borrower.restarts {
            true => "the borrower restarts",
            false => "the borrower gives back",
        });
        let session = self.borrower.session;
        self.stream(session, Happening::ToLender(ToLender::Bye { session }));
        self.borrower.stage = Stage::Releasing { since: self.now };
    }

    /// Whether anything was answered since the last flush.
    fn disk_lags(&self) -> bool {
        self.borrower.answered != [0; BLOCKS] && self.borrower.asked_at.is_some()
    }

    fn borrower_releases(&mut self, since: Time) {
        if self.now > since + RELEASE_LIMIT {
            return self.borrower_is_down();
        }
        let (epoch, restarts) = (self.borrower.epoch, self.borrower.restarts);
        let release = ToLender::Release { epoch, restarts };
        self.send(Happening::ToLender(release));
        self.again(RELEASE_AGAIN);
    }

    fn borrower_is_down(&mut self) {
        let restarts = self.borrower.restarts;
        self.switch_off();
        if restarts {
            let life = self.borrower.life;
            self.after(START, Happening::BorrowerOn { life });
        }
    }

    pub fn borrower_hears(&mut self, message: ToBorrower) {
        let now = self.now;
        let current = |heard: u64, borrower: &Borrower| {
            borrower.stage == Stage::Running && heard == borrower.session
        };
        match message {
            ToBorrower::Grant { life, epoch } => {
                let wanted = self.borrower.stage == Stage::Searching && life == self.borrower.life;
                if wanted {
                    self.borrower.epoch = epoch;
                    self.borrower.stage = Stage::Running;
                    self.borrower.heard = now;
                    self.borrower_dials();
                }
            }
            ToBorrower::Refused { life } => {
                if life == self.borrower.life {
                    self.borrower.heard = now;
                }
            }
            ToBorrower::Opened { session } if current(session, &self.borrower) => {
                self.borrower.heard = now;
                self.borrower.connected = true;
                // Whoever starts here reads what is there.
                if let Err(why) = self.disk.check() {
                    return self.fail(format!("the borrower reads: {why}"));
                }
                for (block, value) in self.borrower.pending.clone() {
                    self.borrower_writes(block, value);
                }
                let flushes = std::mem::take(&mut self.borrower.flushes);
                if !flushes.is_empty() {
                    self.borrower_flushes();
                }
            }
            ToBorrower::Denied { session } if current(session, &self.borrower) => {
                self.say("borrower is denied");
                self.switch_off();
                let life = self.borrower.life;
                self.after(START, Happening::BorrowerOn { life });
            }
            ToBorrower::Written {
                session,
                block,
                value,
            } if current(session, &self.borrower) => {
                self.borrower.heard = now;
                if self.borrower.pending.get(&block) == Some(&value) {
                    self.borrower.pending.remove(&block);
                    self.borrower.answered[block] = value;
                    // An answer of a machine that has lost its power since is no promise.
                    if self.lender.place != Place::Dead {
                        self.disk.promise_answered(block, value);
                    }
                }
            }
            ToBorrower::Flushed { session, flush } if current(session, &self.borrower) => {
                self.borrower.heard = now;
                if let Some(values) = self.borrower.flushes.remove(&flush) {
                    self.disk.promise_flushed(&values);
                    if values == self.borrower.answered && self.borrower.pending.is_empty() {
                        self.borrower.asked_at = None;
                    }
                }
            }
            ToBorrower::Released { epoch } => {
                let telling = matches!(self.borrower.stage, Stage::Releasing { .. });
                if telling && epoch == self.borrower.epoch {
                    self.borrower_is_down();
                }
            }
            ToBorrower::AskedBack { within } => {
                if self.borrower.stage == Stage::Running {
                    self.borrower.until = Some(now + within);
                    self.borrower.restarts = false;
                }
            }
            ToBorrower::Opened { .. }
            | ToBorrower::Denied { .. }
            | ToBorrower::Written { .. }
            | ToBorrower::Flushed { .. } => {}
        }
    }
}
