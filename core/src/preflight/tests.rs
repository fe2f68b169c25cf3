use super::*;

fn fine() -> Facts {
    Facts {
        image: ImageState::Ready,
        kexec: Kexec::Allowed,
        kernel: Ok(()),
        disk: Ok("ACME SSD".into()),
        paired: true,
        link: LinkFact::AnyWired,
        power: Power {
            battery_percent: None,
            on_mains: true,
            threshold_percent: 30.0,
        },
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
    let broken: [(Subject, Change); 11] = [
        (Subject::Image, |f| f.image = ImageState::Missing),
        (Subject::Image, |f| f.image = ImageState::Stale),
        (Subject::Image, |f| f.image = ImageState::Building),
        (Subject::Kexec, |f| f.kexec = Kexec::SwitchedOff),
        (Subject::Kexec, |f| f.kexec = Kexec::NotBuilt),
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

#[test]
fn a_full_battery_warns_and_mains_do_not() {
    let mut facts = fine();
    facts.power.battery_percent = Some(30.0);
    let verdict = |facts: &Facts| {
        examine(facts)
            .into_iter()
            .find(|finding| finding.subject == Subject::Power)
            .unwrap()
            .verdict
    };
    assert_eq!(verdict(&facts), Verdict::Ok);
    facts.power.on_mains = false;
    assert_eq!(verdict(&facts), Verdict::Warn);
}
