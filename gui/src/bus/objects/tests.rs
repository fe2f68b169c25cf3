use super::*;
use stiefel_dbus::words::{Role, State};
use zbus::zvariant::{ObjectPath, Value};

const PAIRING: &str = "/org/stiefelsystem/Stiefel1/pairings/0123456789abcdef";

fn properties<const N: usize>(all: [(&str, Value<'static>); N]) -> Properties {
    let all = all.into_iter();
    all.map(|(name, value)| (name.to_owned(), OwnedValue::try_from(value).unwrap()))
        .collect()
}

fn here(objects: &Objects) -> Picture {
    objects.picture(Daemon::Here)
}

#[test]
fn nothing_is_claimed_of_a_daemon_that_said_nothing() {
    let picture = here(&Objects::default());
    assert_eq!(picture.handoff.state, State::Idle);
    assert_ne!(picture.machine.role, Role::Borrower);
    assert_eq!(
        (picture.machine.disk, picture.machine.battery),
        (None, None)
    );
    assert_eq!((picture.settings, picture.loan), (None, None));
}

#[test]
fn properties_of_the_contract_are_read() {
    let mut objects = Objects::default();
    let checks = vec![("disk", "ok", "fine", "", "update-image")];
    let borrower = ObjectPath::try_from(PAIRING).unwrap();
    objects.change(
        names::ROOT,
        names::MANAGER,
        properties([
            ("Role", "lender".into()),
            ("Armed", true.into()),
            ("Disk", Value::from(("Model", 512_u64, "id"))),
            ("Battery", 81.5.into()),
            ("Checks", Value::from(checks)),
            ("LastLoan", Value::from((borrower, 5_u64, 7_u64))),
        ]),
    );
    let machine = here(&objects).machine;
    assert_eq!(machine.role, Role::Lender);
    assert!(machine.armed && machine.on_ac);
    assert_eq!(machine.disk.unwrap().size, 512);
    assert_eq!(machine.battery, Some(81.5));
    assert_eq!(machine.checks[0].text, "fine");
    assert_eq!(machine.last_loan.unwrap().borrower, PAIRING);
}

/// A daemon of another version is no reason to show nothing.
#[test]
fn what_is_not_of_the_contract_claims_least() {
    let mut objects = Objects::default();
    objects.change(
        names::ROOT,
        names::MANAGER,
        properties([
            ("Role", 7_u32.into()),
            ("Armed", "yes".into()),
            ("Battery", (-1.0).into()),
            ("Checks", Value::from(vec!["a check"])),
            ("Novelty", true.into()),
        ]),
    );
    let machine = here(&objects).machine;
    assert_eq!(machine.role, Role::Unknown(String::new()));
    assert_eq!((machine.armed, machine.battery), (false, None));
    assert_eq!(machine.checks, []);
}

#[test]
fn objects_come_change_and_go() {
    let mut objects = Objects::default();
    let name = |name: &'static str| properties([("Name", name.into())]);
    let interfaces = || HashMap::from([(names::PAIRING.to_owned(), name("Desk"))]);
    objects.add(PAIRING, interfaces());
    assert_eq!(here(&objects).pairing(PAIRING).unwrap().name, "Desk");
    objects.change(PAIRING, names::PAIRING, name("Bench"));
    assert_eq!(here(&objects).pairings[0].name, "Bench");
    objects.remove(PAIRING, &[names::PAIRING]);
    assert_eq!(here(&objects).pairings, []);
}

#[test]
fn a_loan_comes_and_goes_at_the_root() {
    let mut objects = Objects::default();
    let loan = properties([("State", "held".into()), ("RxBytesPerSec", 9_u64.into())]);
    objects.add(names::ROOT, HashMap::from([(names::LOAN.to_owned(), loan)]));
    assert_eq!(here(&objects).loan.unwrap().moving.read, 9);
    objects.remove(names::ROOT, &[names::LOAN]);
    assert_eq!(here(&objects).loan, None);
}

#[test]
fn lists_have_an_order_that_lasts() {
    let mut objects = Objects::default();
    for number in [10, 9] {
        let job = properties([("Kind", "write-stick".into())]);
        objects.change(&names::job_path(number), names::JOB, job);
    }
    let paths: Vec<_> = here(&objects)
        .jobs
        .into_iter()
        .map(|job| job.path)
        .collect();
    assert_eq!(paths, [names::job_path(9), names::job_path(10)]);
}
