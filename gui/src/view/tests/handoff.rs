//! A hand-off, from the question to what came of it.

use super::*;

#[test]
fn a_search_is_announced_by_name() {
    let picture = asked();
    let page = announced(&picture);
    assert!(page.title.contains("Workstation"), "{}", page.title);
    assert!(!page.goes_ahead);
    let always = page.always.unwrap();
    assert_eq!(
        (always.pairing.as_str(), always.active),
        (WORKSTATION, false)
    );
    assert!(view(&picture).may.confirm && view(&picture).may.cancel);
    let automatic = changed(&picture, |picture| {
        picture.handoff.at_deadline = AtDeadline::GoAhead;
        picture.pairings[0].policy = PairingPolicy::Automatic;
    });
    let page = announced(&automatic);
    assert!(page.goes_ahead && page.always.unwrap().active);
}

#[test]
fn who_lends_by_hand_is_not_asked_whether_always() {
    let picture = changed(&asked(), |picture| {
        picture.handoff.trigger = Trigger::Person
    });
    assert_eq!(announced(&picture).always, None);
    let any = changed(&asked(), |picture| {
        picture.handoff.borrower = names::PAIRINGS.into();
        let another = picture.pairings[0].clone();
        picture.pairings.push(another);
    });
    assert_eq!(announced(&any).always, None);
    assert!(announced(&any).title.contains("a paired computer"));
}

#[test]
fn steps_are_marked_as_they_are_done() {
    let picture = changed(&asked(), |picture| {
        picture.handoff.state = State::Preparing;
        picture.handoff.step = Step::ClaimLink;
    });
    let page = handing_over(&picture);
    use Mark::{Busy, Good, Later};
    assert_eq!(marks(&page.steps), [Good, Good, Busy, Later, Later]);
    assert!(page.stop.is_some() && view(&picture).may.cancel);
    let leaving = changed(&picture, |picture| {
        picture.handoff.state = State::Leaving;
        picture.handoff.step = Step::None;
    });
    let page = handing_over(&leaving);
    assert_eq!(marks(&page.steps), [Busy]);
    assert!(page.leaving && page.stop.is_none());
    assert!(!view(&leaving).may.cancel);
    assert!(
        page.last_words
            .iter()
            .any(|row| row.title.contains("shut down Workstation"))
    );
}

#[test]
fn coming_back_says_why() {
    for reason in reasons() {
        let picture = changed(&asked(), |picture| {
            picture.handoff.state = State::Reverting;
            picture.handoff.reason = reason.clone();
        });
        let message = message(&picture);
        assert_eq!(message.kind, "coming-back");
        assert!(!message.body.is_empty(), "{reason:?}");
    }
}

#[test]
fn what_came_of_it_is_noticed_unless_somebody_wanted_it() {
    for reason in reasons() {
        let picture = changed(&samples::ready(), |picture| {
            picture.handoff.reason = reason.clone();
        });
        let silent = matches!(reason, Reason::None | Reason::Cancelled);
        assert_eq!(view(&picture).notice.is_none(), silent, "{reason:?}");
    }
}
