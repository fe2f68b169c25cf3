use super::*;
use crate::samples::{self, MINUTE_USEC, NOW_USEC};

fn told(picture: &Picture) -> Vec<String> {
    notices(picture, NOW_USEC)
        .iter()
        .map(|notice| {
            let deeds: Vec<_> = notice.deeds.iter().map(|deed| deed.action).collect();
            format!("{} {:?} {}", notice.id, notice.weight, deeds.join(" "))
                .trim_end()
                .to_owned()
        })
        .collect()
}

#[test]
fn nothing_is_told_of_what_is_as_it_should_be() {
    for picture in [
        Picture::default(),
        samples::alone(),
        samples::ready(),
        samples::armed(),
        samples::unfit(),
        samples::preparing(),
        samples::leaving(),
        samples::reverting(),
        samples::held(),
        samples::closing(),
        samples::odd(),
        samples::ended(Reason::Cancelled, ""),
    ] {
        assert_eq!(told(&picture), [""; 0], "{picture:?}");
    }
}

#[test]
fn a_question_can_be_answered() {
    assert_eq!(told(&samples::announced()), ["asked Urgent confirm cancel"]);
    let notice = &notices(&samples::announced(), NOW_USEC)[0];
    assert_eq!(notice.title, "Workstation wants to boot from this computer");
    assert_eq!(notice.body, "Nothing happens unless you agree");

    let mut automatic = samples::announced();
    automatic.handoff.at_deadline = AtDeadline::GoAhead;
    assert!(
        notices(&automatic, NOW_USEC)[0]
            .body
            .contains("Save your work")
    );
    automatic.handoff.at_deadline = AtDeadline::from("tomorrow");
    assert!(
        notices(&automatic, NOW_USEC)[0]
            .body
            .contains("Save your work")
    );

    let in_the_way = samples::in_the_way();
    assert_eq!(told(&in_the_way), ["asked Urgent cancel"]);
    assert_eq!(
        notices(&in_the_way, NOW_USEC)[0].body,
        "Apt forbids to shut down"
    );
}

#[test]
fn a_hand_off_that_failed_is_news_once() {
    for reason in [
        Reason::Expired,
        Reason::Blocked,
        Reason::StepFailed,
        Reason::RebootRefused,
        Reason::from("tired"),
    ] {
        let notices = notices(&samples::ended(reason, "the ramdisk is gone"), NOW_USEC);
        assert_eq!(notices.len(), 1);
        assert!(notices[0].only_news);
        assert_eq!(notices[0].body, "The ramdisk is gone");
    }
}

#[test]
fn a_loan_that_is_over_is_told_when_it_has_just_ended() {
    let mut picture = samples::given_back();
    assert_eq!(told(&picture), ["given-back Normal"]);
    assert_eq!(
        notices(&picture, NOW_USEC)[0].body,
        "It was lent to Workstation for 1 hour"
    );
    assert!(notices(&picture, NOW_USEC + 10 * MINUTE_USEC).is_empty());
    picture.pairings.clear();
    assert_eq!(
        notices(&picture, NOW_USEC)[0].body,
        "It was lent for 1 hour"
    );
    picture.handoff.state = State::Announced;
    assert_eq!(told(&picture), ["asked Urgent confirm cancel"]);
}

#[test]
fn the_lenders_power_is_told_in_steps() {
    let low = |warning| told(&samples::on_battery(12.0, warning));
    assert_eq!(low(BatteryWarning::None), ["power Normal give-back"]);
    assert_eq!(low(BatteryWarning::Low), ["power High give-back"]);
    assert_eq!(
        low(BatteryWarning::from("hungry")),
        ["power High give-back"]
    );
    assert_eq!(low(BatteryWarning::Critical), ["power Urgent give-back"]);
    assert_eq!(low(BatteryWarning::Action), ["power Urgent give-back"]);

    let with = |percent| samples::on_battery(percent, BatteryWarning::Low);
    let at = |percent| notices(&with(percent), NOW_USEC);
    assert_eq!(at(12.0), at(11.0), "a percent less is no news");

    let mut plugged_in = with(12.0);
    let mut ending = with(3.0);
    if let Some(loan) = &mut plugged_in.loan {
        loan.on_ac = true;
    }
    assert_eq!(told(&plugged_in), [""; 0]);
    if let Some(loan) = &mut ending.loan {
        loan.ending = Ending::LowPower;
    }
    assert_eq!(told(&ending), ["ending Urgent give-back"]);
}

#[test]
fn a_frozen_loan_says_what_to_do() {
    let mut picture = samples::frozen();
    assert_eq!(told(&picture), ["frozen Urgent"]);
    let mut bodies = vec![];
    for cable in ["unplugged", "no-card", "connected", "gnawed"] {
        if let Some(loan) = &mut picture.loan {
            loan.cable = cable.into();
        }
        bodies.push(notices(&picture, NOW_USEC)[0].body.clone());
    }
    assert_eq!(bodies[2], bodies[3]);
    bodies.dedup();
    assert_eq!(bodies.len(), 3);
    assert_eq!(told(&samples::lost()), ["lost Urgent"]);
}

#[test]
fn the_lender_may_ask_and_its_disk_may_fail() {
    let mut picture = samples::held();
    if let Some(loan) = &mut picture.loan {
        loan.ending = Ending::Asked;
        loan.disk_health = DiskHealth::Failing;
    }
    assert_eq!(told(&picture), ["ending Urgent give-back", "disk Urgent"]);
}

#[test]
fn the_end_of_a_stick_is_news() {
    let mut picture = samples::ready();
    picture.jobs = ["running", "done", "failed", "cancelled", "paused"]
        .into_iter()
        .zip(1..)
        .map(|(state, number)| Job {
            path: format!("/org/stiefelsystem/Stiefel1/jobs/{number}"),
            kind: JobKind::WriteStick,
            state: state.into(),
            subject: samples::WORKSTATION.into(),
            phase: "".into(),
            progress: 1.0,
            remaining_usec: 0,
            detail: String::new(),
        })
        .collect();
    assert_eq!(told(&picture), ["job-2 Normal", "job-3 Normal"]);
    picture.jobs[1].kind = JobKind::UpdateImage;
    assert_eq!(told(&picture), ["job-3 Normal"]);
}

#[test]
fn durations_are_for_people() {
    let minutes = |count| duration(count * MINUTE_USEC);
    assert_eq!(minutes(0), "0 minutes");
    assert_eq!(minutes(1), "1 minute");
    assert_eq!(minutes(60), "1 hour");
    assert_eq!(minutes(61), "1 hour and 1 minute");
    assert_eq!(minutes(150), "2 hours and 30 minutes");
}

#[test]
fn nothing_is_told_that_may_be_over() {
    for daemon in [Daemon::Asked, Daemon::Late, Daemon::Gone(String::new())] {
        let picture = Picture {
            daemon,
            ..samples::announced()
        };
        assert_eq!(told(&picture), [""; 0]);
    }
}
