use super::*;
use std::collections::{HashMap, HashSet, VecDeque};

const DEADLINE: Duration = Duration::from_secs(10);

/// A hand-off together with the world around it: what was ordered but not yet
/// reported, which steps are really in force, and whether somebody said yes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    machine: HandOff,
    pending: Option<Effect>,
    in_force: Vec<Step>,
    agreed: bool,
}

impl World {
    fn obey(mut self, effect: Option<Effect>) -> Self {
        match effect {
            None | Some(Effect::WakeAt(_)) => return self,
            Some(Effect::Do(_)) => assert!(self.agreed, "touched before somebody agreed"),
            Some(Effect::Undo(step)) => assert_eq!(self.in_force.last(), Some(&step)),
            Some(Effect::Leave) => assert_eq!(self.in_force, Step::ORDER, "left before ready"),
        }
        assert_eq!(self.pending, None, "two things at once");
        self.pending = effect;
        self
    }

    fn report(&self, event: Event) -> Self {
        let mut world = self.clone();
        if let (Event::Tick { now }, HandOff::Announced { silence, .. }) = (event, &self.machine) {
            world.agreed |= now >= DEADLINE && *silence == Silence::GoesAhead;
        }
        let effect = world.machine.handle(event);
        world.obey(effect)
    }

    fn finish(&self, event: Event) -> Self {
        let mut world = Self {
            pending: None,
            ..self.clone()
        };
        match event {
            Event::Done(step) => world.in_force.push(step),
            Event::Undone(step) => assert_eq!(world.in_force.pop(), Some(step)),
            Event::Tick { .. }
            | Event::Blocked
            | Event::Reopened { .. }
            | Event::Failed(_)
            | Event::Stayed => {}
        }
        world.report(event)
    }

    /// All worlds that can come next.
    fn successors(&self) -> Vec<Self> {
        let mut next = vec![
            self.report(Event::Tick {
                now: Duration::ZERO,
            }),
            self.report(Event::Tick { now: DEADLINE }),
            self.report(Event::Blocked),
            self.report(Event::Reopened { deadline: DEADLINE }),
        ];
        for borrower in [
            Borrower::Any,
            Borrower::Pairing(PairingId::from_bytes([1; 8])),
        ] {
            for silence in [Silence::GoesAhead, Silence::CallsOff] {
                let mut asked = self.clone();
                match asked.machine.ask(borrower, DEADLINE, silence) {
                    Ok(effect) => {
                        asked.agreed = false;
                        next.push(asked.obey(Some(effect)));
                    }
                    Err(refusal) => {
                        assert_eq!(refusal, Refusal::InProgress);
                        assert_eq!(asked, *self, "a refusal changed something");
                    }
                }
            }
        }
        let mut turned_away = self.clone();
        match turned_away.machine.turn_away() {
            Ok(()) => next.push(turned_away),
            Err(_) => assert_eq!(turned_away, *self, "a refusal changed something"),
        }
        let mut confirmed = self.clone();
        confirmed.agreed = true;
        match confirmed.machine.confirm() {
            Ok(effect) => next.push(confirmed.obey(effect)),
            Err(refusal) => {
                assert_eq!(refusal, Refusal::NotAnnounced);
                assert_eq!(confirmed.machine, self.machine);
            }
        }
        let mut cancelled = self.clone();
        match cancelled.machine.cancel() {
            Ok(()) => next.push(cancelled),
            Err(refusal) => {
                assert_eq!(refusal, Refusal::TooLate);
                assert!(matches!(self.machine, HandOff::Leaving { .. }));
            }
        }
        match self.pending {
            Some(Effect::Do(step)) => {
                next.push(self.finish(Event::Done(step)));
                next.push(self.finish(Event::Failed(step)));
            }
            Some(Effect::Undo(step)) => next.push(self.finish(Event::Undone(step))),
            Some(Effect::Leave) => next.push(self.finish(Event::Stayed)),
            Some(Effect::WakeAt(_)) | None => {}
        }
        next
    }
}

/// Walks every reachable world, so that what [`World`] asserts holds in all of them.
#[test]
fn nothing_is_left_behind_whatever_happens() {
    let start = World {
        machine: HandOff::default(),
        pending: None,
        in_force: vec![],
        agreed: false,
    };
    let mut seen = HashSet::from([start.clone()]);
    let mut queue = VecDeque::from([start]);
    let mut before: HashMap<World, Vec<World>> = HashMap::new();
    while let Some(world) = queue.pop_front() {
        match world.machine {
            HandOff::Idle { .. } => {
                assert_eq!(world.in_force, [], "idle, but something is in force");
                assert_eq!(world.pending, None, "idle, but something is being done");
            }
            HandOff::Announced { .. } => assert_eq!(world.in_force, []),
            // Nobody would ever report anything, and we would stay here for ever.
            HandOff::Preparing { .. } | HandOff::Leaving { .. } | HandOff::Reverting { .. } => {
                assert!(world.pending.is_some(), "stuck in {world:?}");
            }
        }
        for next in world.successors() {
            before.entry(next.clone()).or_default().push(world.clone());
            if seen.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    assert!(
        seen.iter()
            .any(|world| matches!(world.machine, HandOff::Leaving { .. })),
        "nobody ever leaves"
    );
    let mut home: HashSet<World> = seen
        .iter()
        .filter(|world| matches!(world.machine, HandOff::Idle { .. }))
        .cloned()
        .collect();
    let mut queue: Vec<World> = home.iter().cloned().collect();
    while let Some(world) = queue.pop() {
        for earlier in before.get(&world).into_iter().flatten() {
            if home.insert(earlier.clone()) {
                queue.push(earlier.clone());
            }
        }
    }
    assert_eq!(home.len(), seen.len(), "a world without a way home");
}

#[test]
fn silence_does_what_was_announced() {
    for (silence, expected) in [
        (
            Silence::GoesAhead,
            HandOff::Preparing {
                borrower: Borrower::Any,
                done: Progress(0),
            },
        ),
        (
            Silence::CallsOff,
            HandOff::Idle {
                after: Some(Reason::Expired),
            },
        ),
    ] {
        let mut machine = HandOff::default();
        machine.ask(Borrower::Any, DEADLINE, silence).unwrap();
        machine.handle(Event::Tick { now: DEADLINE });
        assert_eq!(machine, expected);
    }
}

#[test]
fn a_reopened_question_needs_a_yes_and_gives_time_for_it() {
    let later = 2 * DEADLINE;
    let mut machine = HandOff::default();
    machine
        .ask(Borrower::Any, DEADLINE, Silence::GoesAhead)
        .unwrap();
    let reopened = Event::Reopened { deadline: later };
    assert_eq!(machine.handle(reopened), Some(Effect::WakeAt(later)));
    let tick = Event::Tick { now: DEADLINE };
    assert_eq!(machine.handle(tick), Some(Effect::WakeAt(later)));
    assert_eq!(machine.handle(Event::Tick { now: later }), None);
    let expired = HandOff::Idle {
        after: Some(Reason::Expired),
    };
    assert_eq!(machine, expired);
    assert_eq!(machine.handle(reopened), None);
    assert_eq!(machine, expired);
}

#[test]
fn an_early_tick_asks_for_another() {
    let mut machine = HandOff::default();
    machine
        .ask(Borrower::Any, DEADLINE, Silence::GoesAhead)
        .unwrap();
    let early = Event::Tick {
        now: DEADLINE - Duration::from_nanos(1),
    };
    assert_eq!(machine.handle(early), Some(Effect::WakeAt(DEADLINE)));
}

#[test]
fn a_step_that_ends_after_the_cancel_is_undone() {
    let mut machine = HandOff::default();
    machine
        .ask(Borrower::Any, DEADLINE, Silence::CallsOff)
        .unwrap();
    assert_eq!(machine.confirm(), Ok(Some(Effect::Do(Step::HoldSleep))));
    machine.cancel().unwrap();
    assert_eq!(
        machine.handle(Event::Done(Step::HoldSleep)),
        Some(Effect::Undo(Step::HoldSleep))
    );
    assert_eq!(machine.handle(Event::Undone(Step::HoldSleep)), None);
    assert_eq!(
        machine,
        HandOff::Idle {
            after: Some(Reason::Cancelled)
        }
    );
}
