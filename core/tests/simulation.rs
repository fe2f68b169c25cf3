//! A lender, two paired borrowers, a stranger and a hostile network in one
//! process, on a clock of their own. Messages are lost, doubled, late, out of
//! order, altered and repeated; machines lose their power and cables are pulled.
//!
//! Whatever happens: nothing works twice, one borrower at most can write, the
//! lender's own system never runs beside a borrower, and everybody gets home.
//! Each run follows from its number alone.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "simulation/actors.rs"]
mod actors;
#[path = "simulation/chance.rs"]
mod chance;

use actors::{Borrower, LIMITS, Lender, Message, pairing};
use chance::Chance;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::time::{Duration, Instant};
use stiefel_core::loan::Outcome;

const RUNS: u64 = 16;
const STEP: Duration = Duration::from_millis(100);
/// How long the network is hostile and people borrow.
const TROUBLE: Duration = Duration::from_secs(900);

/// Who gets a datagram.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Lender,
    Borrower(usize),
}

struct Datagram {
    to: To,
    from: Ipv6Addr,
    message: Message,
}

fn address(of: usize) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x10 + of as u16)
}

struct World {
    chance: Chance,
    start: Instant,
    time: Duration,
    lender: Lender,
    borrowers: Vec<Borrower>,
    /// On their way, by when they arrive.
    flying: BTreeMap<(Duration, u64), Datagram>,
    sent: u64,
    /// What an attacker has heard.
    recorded: Vec<(To, Ipv6Addr, Message)>,
    /// Cables that are out until then.
    pulled: Vec<Duration>,
    /// What borrowers have sent, and what of it had an effect.
    genuine: BTreeSet<Vec<u8>>,
    worked: BTreeSet<Vec<u8>>,
}

impl World {
    fn new(number: u64) -> Self {
        // The third one is a stranger: its pairing is not the lender's.
        let borrowers: Vec<_> = [1, 2, 9]
            .map(|number| Borrower::new(pairing(number)))
            .into();
        Self {
            chance: Chance::new(number),
            start: Instant::now(),
            time: Duration::ZERO,
            lender: Lender::new(&[pairing(1), pairing(2)]),
            pulled: vec![Duration::ZERO; borrowers.len()],
            borrowers,
            flying: BTreeMap::new(),
            sent: 0,
            recorded: vec![],
            genuine: BTreeSet::new(),
            worked: BTreeSet::new(),
        }
    }

    fn now(&self) -> Instant {
        self.start + self.time
    }

    fn hostile(&self) -> bool {
        self.time < TROUBLE
    }

    fn has_cable(&self, borrower: usize) -> bool {
        self.pulled[borrower] <= self.time
    }

    fn send(&mut self, to: To, from: Ipv6Addr, message: Message) {
        self.recorded.push((to, from, message.clone()));
        if to == To::Lender {
            self.genuine.insert(message.bytes().to_vec());
        }
        let copies = match self.chance.below(100) {
            0..15 if self.hostile() => 0,
            15..30 if self.hostile() => 2,
            _ => 1,
        };
        for _ in 0..copies {
            self.fly(to, from, message.clone());
        }
    }

    fn fly(&mut self, to: To, from: Ipv6Addr, message: Message) {
        let delay = match self.chance.below(20) {
            // Long enough that some arrive after their nonces' lives.
            0 if self.hostile() => self.chance.below(15_000),
            _ => self.chance.below(300),
        };
        self.sent += 1;
        let at = (self.time + Duration::from_millis(delay), self.sent);
        self.flying.insert(at, Datagram { to, from, message });
    }

    /// Sends something old again, perhaps altered, perhaps to somebody else.
    fn attack(&mut self) {
        let Some((to, from, message)) = self.chance.pick(&self.recorded).cloned() else {
            return;
        };
        let to = match self.chance.below(4) {
            0 => To::Lender,
            1 => To::Borrower(self.chance.below(3) as usize),
            _ => to,
        };
        let from = match self.chance.below(3) {
            0 => address(7),
            _ => from,
        };
        let message = match self.chance.below(3) {
            0 => message.altered(&mut self.chance),
            _ => message,
        };
        self.fly(to, from, message);
    }

    fn arrive(&mut self, datagram: Datagram) {
        let now = self.now();
        match datagram.to {
            To::Lender => {
                let fresh = self.chance.bytes();
                let heard = self
                    .lender
                    .hear(&datagram.message, datagram.from, now, fresh);
                if heard.took_effect {
                    let bytes = datagram.message.bytes();
                    assert!(self.genuine.contains(bytes), "a forged message worked");
                    let first = self.worked.insert(bytes.to_vec());
                    assert!(first, "a message worked twice");
                }
                let sender = (0..self.borrowers.len()).find(|of| address(*of) == datagram.from);
                if let (Some(answer), Some(sender)) = (heard.answer, sender) {
                    self.send(To::Borrower(sender), address(100), answer);
                }
            }
            To::Borrower(at) => {
                let fresh = self.chance.bytes();
                if let Some(next) = self.borrowers[at].hear(&datagram.message, now, fresh) {
                    self.send(To::Lender, address(at), next);
                }
            }
        }
    }

    fn step(&mut self) {
        self.time += STEP;
        let now = self.now();
        while let Some(first) = self.flying.first_entry() {
            if first.key().0 > self.time {
                break;
            }
            let datagram = first.remove();
            let through = match datagram.to {
                To::Borrower(at) => self.has_cable(at),
                To::Lender => true,
            };
            if through {
                self.arrive(datagram);
            }
        }
        if self.hostile() {
            self.attack();
            self.mishaps();
        }
        let calm = !self.hostile();
        for at in 0..self.borrowers.len() {
            let cable = self.has_cable(at);
            let (fresh, luck) = (self.chance.bytes(), self.chance.below(1000));
            let sent = self.borrowers[at].live(&mut self.lender, now, cable, fresh, luck, calm);
            if let Some(message) = sent.filter(|_| cable) {
                self.send(To::Lender, address(at), message);
            }
        }
        self.lender.live(now);
        self.check();
    }

    fn mishaps(&mut self) {
        let at = self.chance.below(3) as usize;
        match self.chance.below(3000) {
            0..4 => self.borrowers[at].lose_power(),
            4..12 => {
                let long = Duration::from_secs(self.chance.below(120));
                self.pulled[at] = self.time + long;
            }
            12 => self.lender.recall(),
            _ => {}
        }
    }

    fn check(&self) {
        let writers: BTreeSet<_> = self.lender.writers().collect();
        assert!(writers.len() <= 1, "two can write: {writers:?}");
        assert!(
            !self.lender.runs_its_own_system() || writers.is_empty(),
            "the lender's system runs beside a borrower"
        );
        assert!(
            !self.borrowers[2].was_ever_answered(),
            "a stranger was answered"
        );
    }
}

/// One run; returns how its loans ended.
fn run(number: u64) -> Vec<Outcome> {
    let mut world = World::new(number);
    let patience = u64::from(LIMITS.offer_secs + LIMITS.patience_secs);
    let end = TROUBLE + Duration::from_secs(120) + 2 * Duration::from_secs(patience);
    while world.time < end {
        world.step();
    }
    assert!(
        world.lender.runs_its_own_system(),
        "run {number}: the lender did not get home"
    );
    world.lender.outcomes
}

#[test]
fn whatever_the_network_does() {
    let outcomes: Vec<Outcome> = (0..RUNS).flat_map(run).collect();
    // The runs are worth something only if all of it happened in them.
    for wanted in [
        Outcome::Returned,
        Outcome::Lost,
        Outcome::Recalled,
        Outcome::Unused,
    ] {
        let times = outcomes
            .iter()
            .filter(|outcome| **outcome == wanted)
            .count();
        assert!(
            times > 0,
            "{wanted:?} happened {times} times in {}",
            outcomes.len()
        );
    }
}
