//! Every reachable world of a loan, and what people care about by name.

use super::*;
use std::collections::{HashMap, HashSet, VecDeque};

const LIMITS: Limits = Limits {
    offer_secs: 100,
    patience_secs: 50,
};
/// A person decides.
const PATIENT: Limits = Limits {
    patience_secs: 0,
    ..LIMITS
};

/// A loan together with the world around it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    loan: Loan,
    /// Epochs of the sessions that can write.
    open: Vec<u64>,
    /// All grants so far, the newest last.
    granted: Vec<PairingId>,
    syncing: bool,
    gone_home: bool,
}

fn pairing(byte: u8) -> PairingId {
    PairingId::from_bytes([byte; 8])
}

impl World {
    fn new(now: Instant) -> Self {
        Self {
            loan: Loan::offered(LIMITS, now),
            open: vec![],
            granted: vec![],
            syncing: false,
            gone_home: false,
        }
    }

    fn obey(mut self, effect: Option<Effect>) -> Self {
        match effect {
            Some(Effect::Sync) => {
                assert!(!self.syncing, "synced twice");
                assert!(self.open.is_empty(), "synced under a writer");
                self.syncing = true;
            }
            Some(Effect::GoHome) => self.gone_home = true,
            Some(Effect::HangUp) => assert!(!self.open.is_empty(), "nobody to hang up on"),
            None => {}
        }
        let newest = self.granted.len() as u64;
        assert!(
            self.open.iter().all(|epoch| *epoch == newest),
            "a fenced one can write"
        );
        assert!(
            !self.gone_home || self.open.is_empty(),
            "went home under a borrower"
        );
        assert!(
            !self.gone_home || !self.syncing,
            "went home before all was written"
        );
        self
    }

    fn with(&self, act: impl FnOnce(&mut Self) -> Option<Option<Effect>>) -> Option<Self> {
        let mut world = self.clone();
        let effect = act(&mut world)?;
        Some(world.obey(effect))
    }

    fn successors(&self, now: Instant, limits: Limits) -> Vec<Self> {
        let later = now + Duration::from_secs(1000);
        let mut next = vec![];
        if self.gone_home {
            return next;
        }
        for now in [now, later] {
            next.extend(self.with(|w| Some(w.loan.handle(Event::Tick { now }, limits))));
        }
        for borrower in [pairing(1), pairing(2)] {
            if self.granted.len() < 3 {
                next.extend(self.with(|w| {
                    let epoch = w.loan.grant(borrower, limits, now).ok()?;
                    w.granted.push(borrower);
                    assert_eq!(epoch, w.granted.len() as u64);
                    assert!(
                        w.granted.iter().all(|one| *one == borrower),
                        "two borrowers"
                    );
                    Some(None)
                }));
            }
        }
        for epoch in 0..=3 {
            if self.open.len() < 2 {
                next.extend(self.with(|w| {
                    w.loan.open(epoch).ok()?;
                    w.open.push(epoch);
                    Some(None)
                }));
            }
            for onward in [Onward::Leaves, Onward::Restarts] {
                next.extend(self.with(|w| w.loan.release(epoch, onward).ok()));
            }
        }
        next.extend(self.with(|w| w.loan.recall().ok()));
        for asked in [
            Asked::by_person(None, now),
            Asked::by_person(Some(Duration::from_secs(60)), now),
            Asked::by_battery(now),
        ] {
            next.extend(self.with(|w| w.loan.ask(asked).ok()));
        }
        next.extend(self.with(|w| {
            w.loan.call_off();
            Some(None)
        }));
        next.extend(self.with(|w| {
            w.loan.powered();
            Some(None)
        }));
        if !self.open.is_empty() {
            next.extend(self.with(|w| {
                w.open.pop();
                Some(w.loan.handle(Event::HungUp { now }, limits))
            }));
        }
        if self.syncing {
            next.extend(self.with(|w| {
                w.syncing = false;
                Some(w.loan.handle(Event::Synced { now }, limits))
            }));
        }
        next
    }
}

/// Walks every reachable world: the assertions above hold in all of them,
/// and from each there is a way home.
#[test]
fn one_borrower_at_a_time_and_none_when_we_go_home() {
    for limits in [LIMITS, PATIENT] {
        let now = Instant::now();
        let start = World::new(now);
        let mut seen = HashSet::from([start.clone()]);
        let mut queue = VecDeque::from([start]);
        let mut before: HashMap<World, Vec<World>> = HashMap::new();
        while let Some(world) = queue.pop_front() {
            for next in world.successors(now, limits) {
                before.entry(next.clone()).or_default().push(world.clone());
                if seen.insert(next.clone()) {
                    queue.push_back(next);
                }
            }
        }
        let mut home: HashSet<World> = seen.iter().filter(|w| w.gone_home).cloned().collect();
        let mut queue: Vec<World> = home.iter().cloned().collect();
        while let Some(world) = queue.pop() {
            for earlier in before.get(&world).into_iter().flatten() {
                if home.insert(earlier.clone()) {
                    queue.push(earlier.clone());
                }
            }
        }
        assert_eq!(home.len(), seen.len(), "a world without a way home");
        assert!(seen.len() > 100, "the walk ended early: {}", seen.len());
    }
}

/// A loan that is held by pairing 1, and its epoch.
fn held(now: Instant) -> (Loan, u64) {
    let mut loan = Loan::offered(LIMITS, now);
    let epoch = loan.grant(pairing(1), LIMITS, now).unwrap();
    loan.open(epoch).unwrap();
    (loan, epoch)
}

fn outcome(loan: &Loan) -> Option<Outcome> {
    match *loan.stage() {
        Stage::Closing { outcome, .. } | Stage::Closed { outcome } => Some(outcome),
        _ => None,
    }
}

#[test]
fn a_second_borrower_is_told_who_has_it() {
    let now = Instant::now();
    let mut loan = Loan::offered(LIMITS, now);
    let epoch = loan.grant(pairing(1), LIMITS, now).unwrap();
    let lent = Err(Refusal::Lent { to: pairing(1) });
    assert_eq!(loan.grant(pairing(2), LIMITS, now), lent);
    loan.open(epoch).unwrap();
    assert_eq!(loan.grant(pairing(2), LIMITS, now), lent);
    assert_eq!(loan.grant(pairing(1), LIMITS, now), lent, "it still writes");
}

#[test]
fn who_comes_back_by_a_new_grant_fences_its_old_self() {
    let now = Instant::now();
    let (mut loan, old) = held(now);
    loan.handle(Event::HungUp { now }, LIMITS);
    let new = loan.grant(pairing(1), LIMITS, now).unwrap();
    assert_eq!(loan.open(old), Err(Refusal::Fenced));
    assert_eq!(loan.release(old, Onward::Leaves), Err(Refusal::Fenced));
    assert_eq!(loan.open(new), Ok(()));
}

#[test]
fn who_restarts_comes_back_into_the_same_loan() {
    let now = Instant::now();
    let (mut loan, old) = held(now);
    loan.handle(Event::HungUp { now }, LIMITS);
    let synced = loan.release(old, Onward::Restarts).unwrap();
    assert_eq!(synced, Some(Effect::Sync));
    let lent = Err(Refusal::Lent { to: pairing(1) });
    assert_eq!(loan.grant(pairing(1), LIMITS, now), lent, "not written yet");
    assert_eq!(loan.release(old, Onward::Restarts), Ok(None), "it repeats");
    loan.handle(Event::Synced { now }, LIMITS);
    assert_eq!(loan.open(old), Err(Refusal::Fenced));
    assert_eq!(loan.grant(pairing(2), LIMITS, now), lent);
    let new = loan.grant(pairing(1), LIMITS, now).unwrap();
    assert!(new > old);
    assert_eq!(loan.open(new), Ok(()));
}

#[test]
fn who_restarts_and_stays_away_has_given_the_disk_back() {
    let now = Instant::now();
    let (mut loan, epoch) = held(now);
    loan.handle(Event::HungUp { now }, LIMITS);
    loan.release(epoch, Onward::Restarts).unwrap();
    loan.handle(Event::Synced { now }, LIMITS);
    let now = loan.deadline().unwrap();
    let effect = loan.handle(Event::Tick { now }, LIMITS);
    assert_eq!(effect, Some(Effect::Sync));
    assert_eq!(outcome(&loan), Some(Outcome::Returned));
}

#[test]
fn a_person_is_waited_for_where_that_is_the_limit() {
    let now = Instant::now();
    let (mut loan, _) = held(now);
    loan.handle(Event::HungUp { now }, PATIENT);
    assert_eq!(loan.deadline(), None);
    // It comes back, fetches, and is gone again.
    loan.grant(pairing(1), PATIENT, now).unwrap();
    let now = loan.deadline().unwrap();
    assert_eq!(loan.handle(Event::Tick { now }, PATIENT), None);
    assert!(matches!(
        loan.stage(),
        Stage::Orphaned { deadline: None, .. }
    ));
    assert_eq!(loan.recall(), Ok(Some(Effect::Sync)));
}

#[test]
fn who_is_asked_has_its_time_and_then_it_is_taken() {
    let now = Instant::now();
    let (mut loan, _) = held(now);
    let minute = Duration::from_secs(60);
    let asked = Asked::by_person(Some(minute), now);
    assert_eq!(loan.ask(asked), Ok(None));
    assert_eq!(loan.asked().unwrap().until, Some(now + minute));
    assert_eq!(loan.deadline(), Some(now + minute + UNWINDING));
    assert_eq!(
        loan.handle(Event::Tick { now: now + minute }, LIMITS),
        None,
        "it is shutting down"
    );
    let now = loan.deadline().unwrap();
    let effect = loan.handle(Event::Tick { now }, LIMITS);
    assert_eq!(effect, Some(Effect::HangUp));
    assert_eq!(outcome(&loan), Some(Outcome::Recalled));
}

#[test]
fn who_was_asked_and_restarts_gives_it_back() {
    let now = Instant::now();
    let (mut loan, epoch) = held(now);
    loan.ask(Asked::by_person(None, now)).unwrap();
    loan.release(epoch, Onward::Restarts).unwrap();
    assert_eq!(outcome(&loan), Some(Outcome::Returned));
}

#[test]
fn an_empty_battery_has_the_say_until_there_is_power_again() {
    let now = Instant::now();
    let (mut loan, _) = held(now);
    loan.ask(Asked::by_battery(now)).unwrap();
    loan.ask(Asked::by_person(Some(LAST_POWER), now)).unwrap();
    loan.call_off();
    assert_eq!(loan.deadline(), Some(now + LAST_POWER));
    let mut fed = loan.clone();
    fed.powered();
    assert_eq!((fed.asked(), fed.deadline()), (None, None));
    let now = loan.deadline().unwrap();
    loan.handle(Event::Tick { now }, LIMITS);
    assert_eq!(outcome(&loan), Some(Outcome::Exhausted));
}

#[test]
fn what_nobody_uses_is_taken_at_once() {
    let now = Instant::now();
    let mut loan = Loan::offered(LIMITS, now);
    let asked = Asked::by_person(None, now);
    assert_eq!(loan.ask(asked), Ok(Some(Effect::Sync)));
    assert_eq!(loan.ask(asked), Err(Refusal::Closed));
}
