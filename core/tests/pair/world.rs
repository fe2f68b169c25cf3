//! Clock, cable and fate.

use crate::borrower::Borrower;
use crate::disk::Disk;
use crate::lender::{Lender, Place};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use stiefel_core::loan::{Asked, Outcome};

/// Milliseconds since the loan began.
pub type Time = u64;
pub const SECOND: Time = 1000;
/// From then on nothing breaks any more.
const CALM: Time = 300 * SECOND;
/// And from then on a person at the lender wants to go home.
const ENOUGH: Time = CALM + 7200 * SECOND;
/// That long after it, it is home or never will be.
const END: Time = ENOUGH + 300 * SECOND;
/// More than ever happens.
const MOST: usize = 200_000;
/// TCP and WireGuard give a silent peer up.
const SILENCE: Time = 15 * SECOND;

/// Which rule is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    Kept,
    /// A flush is answered, and the disk hears nothing of it.
    FlushDoesNothing,
    /// Whoever has any grant is let in, and nobody is cut off for that.
    OldEpochLetIn,
    /// A new connection leaves the older one of its slot alone.
    OldConnectionLives,
    /// The way home begins under those who still write.
    HomeUnderAWriter,
    /// Home without writing the last.
    HomeUnsynced,
    /// A borrower that has vanished is waited for, whatever the person says.
    NobodyRecalls,
}

impl Rules {
    pub const BROKEN: [Self; 6] = [
        Self::FlushDoesNothing,
        Self::OldEpochLetIn,
        Self::OldConnectionLives,
        Self::HomeUnderAWriter,
        Self::HomeUnsynced,
        Self::NobodyRecalls,
    ];
}

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Dice(u64);

impl Dice {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

#[derive(Clone, Debug)]
pub enum ToLender {
    Request {
        life: u32,
    },
    Open {
        session: u64,
        epoch: u64,
    },
    Write {
        session: u64,
        block: usize,
        value: u64,
    },
    Flush {
        session: u64,
        flush: u64,
    },
    Bye {
        session: u64,
    },
    Release {
        epoch: u64,
        restarts: bool,
    },
}

#[derive(Clone, Debug)]
pub enum ToBorrower {
    Grant {
        life: u32,
        epoch: u64,
    },
    Refused {
        life: u32,
    },
    Opened {
        session: u64,
    },
    Denied {
        session: u64,
    },
    Written {
        session: u64,
        block: usize,
        value: u64,
    },
    Flushed {
        session: u64,
        flush: u64,
    },
    Released {
        epoch: u64,
    },
    AskedBack {
        within: Time,
    },
}

#[derive(Clone, Debug)]
pub enum Happening {
    ToLender(ToLender),
    ToBorrower(ToBorrower),
    /// Something that the lender wanted to be woken for.
    LenderTick,
    LenderSynced,
    LenderStarts,
    /// A session was silent since then.
    Silent {
        session: u64,
        since: Time,
    },
    /// Something that this life of the borrower wanted to be woken for.
    BorrowerTick {
        life: u32,
    },
    BorrowerOn {
        life: u32,
    },
    PersonAsks,
    BatteryEmpty,
    Enough,
}

pub struct World {
    pub dice: Dice,
    pub rules: Rules,
    pub now: Time,
    pub disk: Disk,
    pub trace: Vec<String>,
    zero: Instant,
    agenda: BTreeMap<(Time, u64), Happening>,
    scheduled: u64,
    cable_back: Time,
    /// When the last message of each stream arrives, by session and direction.
    streams: BTreeMap<(u64, bool), Time>,
    pub lender: Lender,
    pub borrower: Borrower,
    pub failure: Option<String>,
}

impl World {
    pub fn new(seed: u64, rules: Rules) -> Self {
        let zero = Instant::now();
        let mut dice = Dice(seed);
        let patience_secs = if dice.below(2) == 0 { 0 } else { 60 };
        let mut world = Self {
            lender: Lender::new(patience_secs, zero),
            borrower: Borrower::default(),
            disk: Disk::default(),
            dice,
            rules,
            now: 0,
            trace: vec![],
            zero,
            agenda: BTreeMap::new(),
            scheduled: 0,
            cable_back: 0,
            streams: BTreeMap::new(),
            failure: None,
        };
        world.at(ENOUGH, Happening::Enough);
        if world.dice.below(20) > 0 {
            let life = world.borrower.life;
            world.after(SECOND, Happening::BorrowerOn { life });
        }
        if world.dice.below(4) == 0 {
            let when = world.dice.below(CALM);
            let what = match world.dice.below(3) {
                0 => Happening::BatteryEmpty,
                _ => Happening::PersonAsks,
            };
            world.at(when, what);
        }
        world.look_at_lender();
        world
    }

    /// Plays it to its end.
    pub fn play(&mut self) -> Result<(), String> {
        for _ in 0..MOST {
            let Some(((now, _), happening)) = self.agenda.pop_first() else {
                break;
            };
            if now > END {
                break;
            }
            self.now = now;
            self.happen(happening);
            if let Some(failure) = self.failure.take() {
                return Err(format!("after {now} ms: {failure}"));
            }
        }
        match self.lender.place {
            Place::Home => Ok(()),
            Place::Serving | Place::Dead => Err("the lender did not get home".into()),
        }
    }

    pub fn story(&self) -> String {
        self.trace.join("\n")
    }

    pub fn say(&mut self, what: impl std::fmt::Display) {
        self.trace.push(format!("{:>8} {what}", self.now));
    }

    pub fn fail(&mut self, why: impl Into<String>) {
        let why = why.into();
        self.say(&why);
        self.failure.get_or_insert(why);
    }

    pub fn instant(&self) -> Instant {
        self.zero + Duration::from_millis(self.now)
    }

    pub fn since_zero(&self, at: Instant) -> Time {
        at.duration_since(self.zero).as_millis() as Time
    }

    pub fn is_calm(&self) -> bool {
        self.now >= CALM
    }

    pub fn at(&mut self, when: Time, what: Happening) {
        self.scheduled += 1;
        self.agenda.insert((when, self.scheduled), what);
    }

    pub fn after(&mut self, wait: Time, what: Happening) {
        self.at(self.now + wait, what);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::ToLender(message) => self.lender_hears(message),
            Happening::ToBorrower(message) => self.borrower_hears(message),
            Happening::LenderTick => self.lender_looks_at_clock(),
            Happening::LenderSynced => self.lender_synced(),
            Happening::LenderStarts => self.lender_starts_by_itself(),
            Happening::Silent { session, since } => self.lender_misses(session, since),
            Happening::BorrowerTick { life } if life == self.borrower.life => self.borrower_acts(),
            Happening::BorrowerOn { life } if life == self.borrower.life => self.borrower_starts(),
            Happening::BorrowerTick { .. } | Happening::BorrowerOn { .. } => {}
            Happening::PersonAsks => {
                let within = Duration::from_secs(self.dice.below(60));
                self.ask_back(Asked::by_person(Some(within), self.instant()));
            }
            Happening::BatteryEmpty => self.ask_back(Asked::by_battery(self.instant())),
            Happening::Enough => self.person_recalls(),
        }
    }

    /// Sends something that is a message by itself: it may be lost, late, or come twice.
    pub fn send(&mut self, message: Happening) {
        self.fate();
        let copies = if !self.is_calm() && self.dice.below(20) == 0 {
            self.say("twice");
            2
        } else {
            1
        };
        for _ in 0..copies {
            let late = if self.is_calm() { 20 } else { 2000 };
            let arrives = self.now + 1 + self.dice.below(late);
            // Nobody repeats it.
            if arrives >= self.cable_back {
                self.at(arrives, message.clone());
            }
        }
    }

    /// Sends something in a stream: it comes once and in order, but maybe late, also when
    /// nobody waits for it any more.
    pub fn stream(&mut self, session: u64, message: Happening) {
        self.fate();
        let to_lender = matches!(message, Happening::ToLender(_));
        let late = match self.dice.below(50) {
            0 if !self.is_calm() => 30 * SECOND,
            _ => 5,
        };
        let soonest = (self.now + 1 + self.dice.below(late)).max(self.cable_back);
        let last = self.streams.entry((session, to_lender)).or_default();
        *last = soonest.max(*last + 1);
        let arrives = *last;
        self.at(arrives, message);
        if to_lender && arrives > self.now + SILENCE {
            let since = self.now;
            self.after(SILENCE, Happening::Silent { session, since });
        }
    }

    /// What may break at a message.
    fn fate(&mut self) {
        if self.is_calm() {
            return;
        }
        match self.dice.below(600) {
            0..=5 => {
                self.cable_back = self.now + self.dice.below(40 * SECOND);
                self.say("cable pulled");
            }
            6 | 7 => self.borrower_loses_power(),
            8 if self.dice.below(3) == 0 => self.lender_loses_power(),
            _ => {}
        }
    }

    /// What may break at a write.
    pub fn fate_of_write(&mut self) {
        if self.is_calm() {
            return;
        }
        match self.dice.below(1000) {
            0 | 1 => self.borrower_loses_power(),
            2 => self.lender_loses_power(),
            _ => {}
        }
    }

    fn ask_back(&mut self, asked: Asked) {
        if self.lender.place != Place::Serving {
            return;
        }
        self.say("asked back");
        if let Some(until) = asked.until {
            let within = self.since_zero(until).saturating_sub(self.now);
            self.send(Happening::ToBorrower(ToBorrower::AskedBack { within }));
        }
        let effect = self.lender.loan.ask(asked).ok().flatten();
        self.lender_obeys(effect);
    }

    fn person_recalls(&mut self) {
        if self.lender.place == Place::Serving && self.rules != Rules::NobodyRecalls {
            self.say("a person takes the disk back");
            let effect = self.lender.loan.recall().ok().flatten();
            self.lender_obeys(effect);
        }
    }

    pub fn home(&mut self, outcome: Option<Outcome>) {
        self.lender.place = Place::Home;
        match outcome {
            Some(outcome) => self.say(format!("home: {outcome:?}")),
            None => self.say("home: power lost"),
        }
        if let Err(why) = self.disk.check() {
            return self.fail(why);
        }
        // Our own system may lose its power as well.
        if self.dice.below(2) == 0 {
            let World { disk, dice, .. } = self;
            disk.lose_power(dice);
            if let Err(why) = self.disk.check() {
                self.fail(format!("at home: {why}"));
            }
        }
    }
}
