use super::*;

fn fine() -> Facts {
    Facts {
        image: ImageState::Ready,
        kexec: Kexec::Allowed,
        kernel: Ok(()),
        missing_drivers: vec![],
        disk: Ok("ACME SSD".into()),
        system: System::default(),
        paired: true,
        link: LinkFact::AnyWired,
        power: Power {
            battery_percent: None,
            on_mains: true,
            warning: BatteryWarning::None,
            on_battery: OnBattery::Warn,
            threshold_percent: 30.0,
        },
        users: vec!["anna".into()],
        inhibitors: vec![],
        mistakes: vec![],
    }
}

fn blocking(facts: &Facts) -> Vec<Subject> {
    examine(facts)
        .into_iter()
        .filter(|finding| finding.verdict == Verdict::Block)
        .map(|finding| finding.subject)
        .collect()
}

#[test]
fn a_fine_machine_may_lend() {
    assert_eq!(blocking(&fine()), []);
}

/// One thing wrong at a time: exactly that subject blocks, and says what to do.
#[test]
fn each_obstacle_blocks_by_itself() {
    type Change = fn(&mut Facts);
    let broken: [(Subject, Change); 16] = [
        (Subject::Image, |f| f.image = ImageState::Missing),
        (Subject::Image, |f| f.image = ImageState::Stale),
        (Subject::Image, |f| f.image = ImageState::Building),
        (Subject::Kexec, |f| f.kexec = Kexec::SwitchedOff),
        (Subject::Kexec, |f| f.kexec = Kexec::NotBuilt),
        (Subject::Kexec, |f| f.kexec = Kexec::Unsigned),
        (Subject::Names, |f| {
            f.system.named = system::by_name("root=/dev/sda1", "", "");
        }),
        (Subject::Unlocking, |f| {
            let device = ("/dev/sda2".into(), system::Unlocking::TpmOnly);
            f.system.unlocking.push(device);
        }),
        (Subject::Hibernation, |f| {
            f.system.hibernated = Some("/dev/sda3".into());
        }),
        (Subject::Power, |f| {
            f.power.on_mains = false;
            f.power.battery_percent = Some(99.0);
            f.power.on_battery = OnBattery::Refuse;
        }),
        (Subject::Kernel, |f| f.kernel = Err("no initramfs".into())),
        (Subject::Disk, |f| f.disk = Err("root is on NFS".into())),
        (Subject::Pairing, |f| f.paired = false),
        (Subject::Link, |f| {
            f.link = LinkFact::Gone {
                name: "lan0".into(),
                needed: true,
            };
        }),
        (Subject::Power, |f| {
            f.power.on_mains = false;
            f.power.battery_percent = Some(29.9);
        }),
        (Subject::Inhibitor, |f| {
            f.inhibitors.push(Inhibitor {
                who: "apt".into(),
                why: "upgrade".into(),
            });
        }),
    ];
    for (subject, break_it) in broken {
        let mut facts = fine();
        break_it(&mut facts);
        assert_eq!(blocking(&facts), [subject]);
        for finding in examine(&facts) {
            assert_eq!(
                finding.hint.is_empty(),
                finding.verdict == Verdict::Ok,
                "{finding:?}"
            );
        }
    }
}

/// One thing worth a look at a time: it is told with a hint, and forbids nothing.
#[test]
fn what_is_only_worth_a_look_does_not_block() {
    type Change = fn(&mut Facts);
    let strange: [(Subject, Change); 7] = [
        (Subject::Driver, |f| f.missing_drivers.push("r8152".into())),
        (Subject::Names, |f| {
            f.system.named = system::by_name("", "/dev/sda1 / ext4", "");
        }),
        (Subject::Unlocking, |f| {
            let device = ("/dev/sda2".into(), system::Unlocking::TpmFirst);
            f.system.unlocking.push(device);
        }),
        (Subject::Session, |f| f.users.push("bert".into())),
        (Subject::Link, |f| f.link = present(Cable::Loose)),
        (Subject::Link, |f| f.link = present(Cable::Connected(100))),
        (Subject::Configuration, |f| {
            f.mistakes.push("a.toml:3: what?".into())
        }),
    ];
    for (subject, change) in strange {
        let mut facts = fine();
        change(&mut facts);
        assert_eq!(blocking(&facts), []);
        let told: Vec<Subject> = examine(&facts)
            .into_iter()
            .filter(|finding| finding.verdict == Verdict::Warn && !finding.hint.is_empty())
            .map(|finding| finding.subject)
            .collect();
        assert_eq!(told, [subject]);
    }
}

fn present(cable: Cable) -> LinkFact {
    let name = "lan0".into();
    LinkFact::Present { name, cable }
}

#[test]
fn a_cable_that_nobody_knows_or_that_is_fast_is_fine() {
    for cable in [Cable::Unknown, Cable::Connected(0), Cable::Connected(2500)] {
        let mut facts = fine();
        facts.link = present(cable);
        assert!(
            examine(&facts)
                .iter()
                .all(|finding| finding.verdict == Verdict::Ok)
        );
    }
}

/// Every policy, with and without mains, at a good charge, a low one, and one that the
/// desktop calls critical.
#[test]
fn the_policy_decides_what_a_battery_means() {
    use BatteryWarning::{Critical, None};
    use OnBattery::{Allow, Refuse, Warn};
    for (policy, percent, warning, expected) in [
        (Refuse, 90.0, None, Verdict::Block),
        (Refuse, 10.0, None, Verdict::Block),
        (Warn, 30.0, None, Verdict::Warn),
        (Warn, 29.0, None, Verdict::Block),
        (Warn, 90.0, Critical, Verdict::Block),
        (Allow, 90.0, None, Verdict::Ok),
        (Allow, 10.0, None, Verdict::Warn),
        (Allow, 90.0, Critical, Verdict::Warn),
    ] {
        let verdict = |on_mains| {
            let mut facts = fine();
            facts.power = Power {
                battery_percent: Some(percent),
                on_mains,
                warning,
                on_battery: policy,
                threshold_percent: 30.0,
            };
            let is_power = |finding: &Finding| finding.subject == Subject::Power;
            examine(&facts).into_iter().find(is_power).unwrap().verdict
        };
        assert_eq!(verdict(false), expected, "{policy:?} {percent} {warning:?}");
        assert_eq!(verdict(true), Verdict::Ok);
    }
}

/// Clients show findings in this order, and find one about each subject.
#[test]
fn each_subject_is_told_of_in_order() {
    let subjects: Vec<Subject> = examine(&fine()).iter().map(|one| one.subject).collect();
    assert!(subjects.is_sorted());
    assert_eq!(subjects.len(), 14);
}
