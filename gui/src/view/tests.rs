//! Every state, and a word of a newer daemon for each enumeration.

mod dialogs;
mod handoff;
mod loan;

use super::*;
use crate::picture::{Check, Job, Loan};
use crate::samples::{self, MINUTE_USEC, NOW_USEC, WORKSTATION};
use stiefel_dbus::names;
use stiefel_dbus::words::{
    AtDeadline, BatteryWarning, Cable, DiskHealth, Ending, JobPhase, LinkPolicy, LinkState,
    LoanState, PairingPolicy, Presence, Remedy, Step, Trigger, Verdict,
};

const NEWER: &str = "from-the-future";

fn now() -> Now {
    Now {
        monotonic_usec: 1000 * MINUTE_USEC,
        epoch_usec: NOW_USEC,
        offset_secs: 0,
    }
}

fn view(picture: &Picture) -> View {
    View::of(picture, &now())
}

fn page(picture: &Picture) -> Page {
    view(picture).page
}

fn changed(picture: &Picture, change: impl FnOnce(&mut Picture)) -> Picture {
    let mut picture = picture.clone();
    change(&mut picture);
    picture
}

fn message(picture: &Picture) -> Message {
    match page(picture) {
        Page::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

fn home(picture: &Picture) -> Home {
    match page(picture) {
        Page::Home(home) => home,
        other => panic!("{other:?}"),
    }
}

fn announced(picture: &Picture) -> Announced {
    match page(picture) {
        Page::Announced(announced) => announced,
        other => panic!("{other:?}"),
    }
}

fn handing_over(picture: &Picture) -> HandingOver {
    match page(picture) {
        Page::HandingOver(page) => page,
        other => panic!("{other:?}"),
    }
}

fn lent(picture: &Picture) -> Lent {
    match page(picture) {
        Page::Lent(lent) => *lent,
        other => panic!("{other:?}"),
    }
}

fn marks(rows: &[Row]) -> Vec<Mark> {
    rows.iter().map(|row| row.mark).collect()
}

#[test]
fn before_the_first_answer_nothing_is_claimed() {
    let picture = Picture::default();
    assert_eq!(message(&picture).kind, "asked");
    assert!(!view(&picture).may.confirm && !view(&picture).may.give_back);
    let late = changed(&picture, |picture| picture.daemon = Daemon::Late);
    assert_eq!(message(&late).kind, "late");
}

#[test]
fn a_daemon_that_is_gone_is_told_with_the_reason() {
    let picture = changed(&samples::ready(), |picture| {
        picture.daemon = Daemon::Gone("no such unit".into());
    });
    let message = message(&picture);
    assert_eq!(message.kind, "gone");
    assert_eq!(message.points[0].text, "no such unit");
    assert!(message.button.is_some());
    assert_eq!(view(&picture).may, May::default());
}

#[test]
fn what_a_late_daemon_said_stays_with_a_notice_and_nothing_to_press() {
    let picture = changed(&samples::ready(), |picture| picture.daemon = Daemon::Late);
    home(&picture);
    let view = view(&picture);
    assert_eq!(view.may, May::default());
    assert_eq!(view.notice.map(|notice| notice.dismiss), Some(None));
}

#[test]
fn a_daemon_at_rest_looks_like_one_that_is_there() {
    let resting = changed(&samples::ready(), |picture| {
        picture.daemon = Daemon::Resting
    });
    assert_eq!(view(&resting), view(&samples::ready()));
}

#[test]
fn without_a_pairing_there_is_something_to_set_up() {
    let picture = changed(&samples::alone(), |picture| {
        picture.machine.checks = vec![
            check("disk", Verdict::Ok, Remedy::None),
            check("link", Verdict::Warn, Remedy::None),
            check("pairing", Verdict::Block, Remedy::Pair),
        ];
    });
    let Page::Setup(setup) = page(&picture) else {
        panic!("no set-up");
    };
    assert_eq!(marks(&setup.open), [Mark::Bad, Mark::Careful]);
    assert_eq!(marks(&setup.good), [Mark::Good]);
    let button = setup.open[0].button.as_ref().unwrap();
    assert_eq!(button.action, "new-pairing");
    assert!(setup.open[1].text.ends_with("hint"));
}

#[test]
fn the_ramdisk_can_be_made_and_its_making_is_shown() {
    let mut picture = changed(&samples::ready(), |picture| {
        picture.machine.checks = vec![check("image", Verdict::Block, Remedy::UpdateImage)];
    });
    let row = |picture: &Picture| match page(picture) {
        Page::Setup(setup) => setup.open[0].clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(row(&picture).button.unwrap().action, "update-image");
    assert!(view(&picture).may.update_image);
    picture.jobs = vec![job(JobKind::UpdateImage, JobState::Running)];
    assert_eq!(row(&picture).mark, Mark::Busy);
    assert_eq!(row(&picture).value, "25%");
    assert_eq!(row(&picture).button, None);
    assert!(!view(&picture).may.update_image);
    picture.jobs[0].state = JobState::Failed;
    assert_eq!(row(&picture).mark, Mark::Bad);
    assert!(row(&picture).text.contains("A detail"));
    assert!(row(&picture).button.is_some());
}

/// What goes away by itself is no reason to hide what the application is for.
#[test]
fn passing_blocks_are_remarks() {
    for subject in ["link", "power", "session", "inhibitor"] {
        let picture = changed(&samples::ready(), |picture| {
            picture.machine.checks = vec![check(subject, Verdict::Block, Remedy::None)];
        });
        assert_eq!(marks(&home(&picture).remarks), [Mark::Bad], "{subject}");
    }
    let newer = changed(&samples::ready(), |picture| {
        picture.machine.checks = vec![check(NEWER, Verdict::Block, Remedy::None)];
    });
    assert!(matches!(page(&newer), Page::Setup(_)));
}

#[test]
fn ready_and_waiting() {
    let ready = samples::ready();
    assert_eq!(home(&ready).button.action, "lend");
    assert!(view(&ready).may.lend && !view(&ready).may.disarm);
    let waiting = changed(&ready, |picture| picture.machine.armed = true);
    assert_eq!(home(&waiting).title, "Waiting for Workstation");
    assert_eq!(home(&waiting).button.action, "disarm");
    assert!(view(&waiting).may.disarm && !view(&waiting).may.lend);
    let searching = changed(&waiting, |picture| {
        picture.pairings[0].presence = Presence::Searching;
    });
    assert_eq!(home(&searching).title, "Workstation Is Searching");
    let nobody = changed(&waiting, |picture| {
        picture.pairings[0].policy = PairingPolicy::Never;
    });
    assert_eq!(home(&nobody).title, "Nobody to Wait For");
    assert_eq!(home(&nobody).other.unwrap().action, "preferences-at");
}

#[test]
fn a_disk_that_has_just_come_back_is_news() {
    let back = samples::given_back();
    assert_eq!(home(&back).title, "Your Disk Is Back");
    assert!(home(&back).body.contains("Workstation"));
    let later = Now {
        epoch_usec: NOW_USEC + 60 * MINUTE_USEC,
        ..now()
    };
    match View::of(&back, &later).page {
        Page::Home(home) => assert_eq!(home.title, "Ready to Lend"),
        other => panic!("{other:?}"),
    }
    let armed = changed(&back, |picture| picture.machine.armed = true);
    assert_eq!(home(&armed).title, "Waiting for Workstation");
    let away = changed(&back, |picture| {
        picture.machine.last_loan.as_mut().unwrap().back_usec = 0;
    });
    assert_eq!(home(&away).title, "Ready to Lend");
}

#[test]
fn a_pairing_without_a_good_stick_offers_one() {
    let row = |change: fn(&mut crate::picture::Pairing)| {
        let picture = changed(&samples::ready(), |picture| {
            change(&mut picture.pairings[0]);
        });
        home(&picture).pairings.remove(0)
    };
    assert_eq!(row(|_| {}).button, None);
    let outdated = row(|pairing| pairing.presence = Presence::Outdated);
    assert_eq!(outdated.button.unwrap().action, "write-stick");
    let none = row(|pairing| pairing.last_stick_usec = 0);
    assert_eq!(none.button.unwrap().target.as_deref(), Some(WORKSTATION));
}

#[test]
fn a_stick_that_is_being_made_is_shown_with_its_computer() {
    let picture = changed(&samples::ready(), |picture| {
        picture.jobs = vec![Job {
            subject: WORKSTATION.into(),
            ..job(JobKind::WriteStick, JobState::Running)
        }];
    });
    let row = home(&picture).pairings.remove(0);
    assert_eq!((row.mark, row.value.as_str()), (Mark::Busy, "25%"));
    let other = changed(&picture, |picture| picture.jobs[0].subject = "/".into());
    assert_ne!(home(&other).pairings[0].mark, Mark::Busy);
    let done = changed(&picture, |picture| picture.jobs[0].state = JobState::Done);
    assert_ne!(home(&done).pairings[0].mark, Mark::Busy);
}

/// What is about to end the loan is told once, where it counts.
/// One word of each enumeration that this version does not know.
#[test]
fn unknown_words_are_shown_as_the_contract_tells() {
    let idle = changed(&samples::ready(), |picture| {
        picture.machine.checks = vec![check("power", NEWER.into(), NEWER.into())];
        picture.machine.image = NEWER.into();
        picture.machine.warning = BatteryWarning::from(NEWER);
        picture.pairings[0].policy = NEWER.into();
        picture.pairings[0].presence = NEWER.into();
        picture.links[0].state = LinkState::from(NEWER);
        picture.links[0].policy = LinkPolicy::from(NEWER);
        picture.jobs = vec![job(NEWER.into(), NEWER.into())];
    });
    let page = home(&idle);
    assert_eq!(marks(&page.remarks), [Mark::Careful]);
    assert_eq!(page.remarks[0].button, None);
    assert_eq!(page.pairings[0].value, NEWER);
    let link = page.machine.iter().find(|row| row.value == NEWER);
    assert!(link.unwrap().text.contains(NEWER));

    let role = changed(&samples::ready(), |picture| {
        picture.machine.role = NEWER.into()
    });
    home(&role);
    assert!(!view(&role).may.lend && !view(&role).may.hand_over);

    let busy = changed(&samples::ready(), |picture| {
        picture.handoff.state = NEWER.into()
    });
    assert_eq!(message(&busy).kind, "busy");

    let question = changed(&asked(), |picture| {
        picture.handoff.trigger = NEWER.into();
        picture.handoff.at_deadline = NEWER.into();
    });
    assert!(announced(&question).goes_ahead);

    let step = changed(&asked(), |picture| {
        picture.handoff.state = State::Preparing;
        picture.handoff.steps = vec![Step::HoldSleep, NEWER.into()];
        picture.handoff.step = NEWER.into();
    });
    let page = handing_over(&step);
    assert_eq!(page.steps[1].title, NEWER);
    assert_eq!(page.steps[1].mark, Mark::Busy);

    let held = loan(|loan| {
        loan.state = NEWER.into();
        loan.cable = NEWER.into();
        loan.disk_health = DiskHealth::from(NEWER);
        loan.warning = NEWER.into();
        loan.warnings = vec![crate::picture::Warning {
            subject: NEWER.into(),
            severity: NEWER.into(),
            text: "a text".into(),
            hint: String::new(),
        }];
    });
    assert_eq!(marks(&lent(&held).warnings), [Mark::Careful]);
    assert!(view(&held).may.give_back);
}

#[test]
fn equal_pictures_give_equal_views() {
    for picture in [samples::ready(), asked(), samples::held()] {
        assert_eq!(view(&picture), view(&picture.clone()));
    }
}

#[test]
fn without_a_window_it_goes_on_as_long_as_there_is_something_to_tell() {
    let busy = changed(&samples::ready(), |picture| {
        picture.jobs = vec![job(JobKind::WriteStick, JobState::Running)];
    });
    for picture in [samples::armed(), asked(), samples::held(), busy] {
        assert!(picture.goes_on());
    }
    let done = changed(&samples::ready(), |picture| {
        picture.jobs = vec![job(JobKind::WriteStick, JobState::Done)];
    });
    for picture in [Picture::default(), samples::ready(), done] {
        assert!(!picture.goes_on());
    }
}

fn reasons() -> [Reason; 7] {
    [
        Reason::None,
        Reason::Cancelled,
        Reason::Expired,
        Reason::Blocked,
        Reason::StepFailed,
        Reason::RebootRefused,
        Reason::from(NEWER),
    ]
}

fn asked() -> Picture {
    changed(&samples::ready(), |picture| {
        picture.machine.armed = true;
        picture.handoff.state = State::Announced;
        picture.handoff.trigger = Trigger::Search;
        picture.handoff.borrower = WORKSTATION.into();
        picture.handoff.at_deadline = AtDeadline::CallOff;
        picture.handoff.deadline_usec = 1001 * MINUTE_USEC;
        picture.handoff.countdown_usec = MINUTE_USEC;
    })
}

fn loan(change: impl FnOnce(&mut Loan)) -> Picture {
    changed(&samples::held(), |picture| {
        change(picture.loan.as_mut().unwrap());
    })
}

fn check(subject: &str, verdict: Verdict, remedy: Remedy) -> Check {
    Check {
        subject: subject.into(),
        verdict,
        text: "a text".into(),
        hint: "a hint".into(),
        remedy,
    }
}

fn job(kind: JobKind, state: JobState) -> Job {
    Job {
        path: names::job_path(1),
        kind,
        state,
        subject: "/".into(),
        phase: JobPhase::None,
        progress: 0.25,
        remaining_usec: MINUTE_USEC,
        detail: "a detail".into(),
    }
}
