//! A loan, as the borrower sees it.

use super::*;

#[test]
fn an_empty_battery_is_not_told_twice() {
    let power = crate::picture::Warning {
        subject: "power".into(),
        severity: "critical".into(),
        text: "a text".into(),
        hint: String::new(),
    };
    let picture = loan(|loan| loan.warnings = vec![power]);
    assert_eq!(lent(&picture).warnings.len(), 1);
    let ending = changed(&picture, |picture| {
        picture.loan.as_mut().unwrap().ending = Ending::LowPower;
    });
    assert_eq!(lent(&ending).warnings, []);
}

#[test]
fn a_loan_is_shown_with_all_that_is_known() {
    let page = lent(&samples::held());
    assert!(page.title.contains("Laptop"));
    assert_eq!(page.give_back.action, "give-back");
    assert!(view(&samples::held()).may.give_back);
    assert!(!view(&samples::held()).may.lend);
}

#[test]
fn a_loan_tells_who_wants_it_to_end() {
    for (ending, ends_usec) in [
        (Ending::Asked, 0),
        (Ending::LowPower, 1001 * MINUTE_USEC),
        (Ending::from(NEWER), 0),
    ] {
        let picture = loan(|loan| {
            loan.ending = ending.clone();
            loan.ends_usec = ends_usec;
        });
        let ends = lent(&picture).ending.unwrap();
        assert_eq!(ends.until.is_some(), ends_usec > 0, "{ending:?}");
    }
    assert_eq!(lent(&samples::held()).ending, None);
}

#[test]
fn each_end_of_a_loan_has_a_page() {
    for (state, kind) in [
        (LoanState::Frozen, "frozen"),
        (LoanState::Closing, "closing"),
        (LoanState::Lost, "lost"),
    ] {
        let picture = loan(|loan| loan.state = state);
        assert_eq!(message(&picture).kind, kind);
        assert!(!view(&picture).may.give_back, "{kind}");
    }
    let bare = changed(&samples::held(), |picture| picture.loan = None);
    assert_eq!(message(&bare).kind, "borrowed");
}

#[test]
fn a_frozen_loan_says_what_to_do_about_the_cable() {
    let point = |cable: Cable| {
        let picture = loan(|loan| {
            loan.state = LoanState::Frozen;
            loan.cable = cable;
        });
        message(&picture).points[0].title.clone()
    };
    let all = [Cable::Unplugged, Cable::NoCard, Cable::Connected].map(point);
    assert!(all[0].contains("cable") && all[1].contains("adapter"));
    assert!(all[2].contains("Laptop"));
    assert_eq!(point(NEWER.into()), all[2]);
}
