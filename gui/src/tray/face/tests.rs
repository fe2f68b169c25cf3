use super::*;
use crate::samples;

/// The menu, as one reads it: deeds by their labels, in brackets.
fn menu(picture: &Picture) -> Vec<String> {
    let read = |entry| match entry {
        Entry::Text(text) => text,
        Entry::Deed(deed) => format!("[{}]", deed.label),
        Entry::Line => "-".to_owned(),
    };
    Face::of(picture).menu.into_iter().map(read).collect()
}

fn with_end(start: &[&str]) -> Vec<String> {
    let all = [start, &["-", "[Open]", "[Quit]"]].concat();
    all.into_iter().map(str::to_owned).collect()
}

#[test]
fn a_lender_reads_what_is_the_case() {
    let expected: [(Picture, &[&str]); 8] = [
        (samples::alone(), &["The disk is not lent"]),
        (
            samples::ready(),
            &["The disk is not lent", "-", "[Lend My Disk]"],
        ),
        (
            samples::armed(),
            &[
                "Waiting for a paired computer",
                "-",
                "[Hand Over Without Waiting]",
                "[Stop Waiting]",
            ],
        ),
        (samples::unfit(), &["The disk cannot be lent yet"]),
        (
            samples::announced(),
            &[
                "Workstation wants to boot from here",
                "-",
                "[Lend Now]",
                "[Not Now]",
            ],
        ),
        (
            samples::in_the_way(),
            &[
                "Workstation wants to boot from here",
                "Apt forbids to shut down",
                "-",
                "[Not Now]",
            ],
        ),
        (
            samples::preparing(),
            &["Handing over to Workstation", "-", "[Cancel]"],
        ),
        (samples::leaving(), &["Handing over to Workstation"]),
    ];
    for (picture, start) in expected {
        assert_eq!(menu(&picture), with_end(start));
    }
}

#[test]
fn a_borrower_reads_of_its_lender() {
    assert_eq!(
        menu(&samples::held()),
        with_end(&[
            "Running from Laptop",
            "Battery of Laptop: 81 %, plugged in",
            "-",
            "[Give Back…]"
        ])
    );
    assert_eq!(
        menu(&samples::frozen()),
        with_end(&[
            "Laptop cannot be reached",
            "Battery of Laptop: 81 %, plugged in"
        ])
    );
    let mut picture = samples::on_battery(7.6, BatteryWarning::Low);
    assert_eq!(menu(&picture)[1], "Battery of Laptop: 8 %, not plugged in");
    if let Some(loan) = &mut picture.loan {
        loan.battery = None;
    }
    assert_eq!(menu(&picture)[1], "-");
}

/// The last word of its icon, and `!` if it wants attention.
fn sign(picture: &Picture) -> String {
    let face = Face::of(picture);
    let icon = face
        .icon
        .strip_prefix("org.stiefelsystem.Stiefelsystem-")
        .and_then(|icon| icon.strip_suffix("-symbolic"))
        .unwrap();
    format!("{icon}{}", if face.urgent { "!" } else { "" })
}

#[test]
fn each_state_has_its_icon() {
    let gone = Picture {
        daemon: Daemon::Gone("it is masked".into()),
        ..samples::ready()
    };
    for (picture, expected) in [
        (Picture::default(), "idle"),
        (samples::ready(), "idle"),
        (samples::odd(), "idle"),
        (samples::unfit(), "warning"),
        (gone, "warning"),
        (samples::armed(), "armed"),
        (samples::announced(), "announced!"),
        (samples::preparing(), "handing-over"),
        (samples::leaving(), "handing-over"),
        (samples::reverting(), "handing-over"),
        (samples::held(), "lent"),
        (samples::closing(), "handing-over"),
        (samples::on_battery(50.0, BatteryWarning::None), "lent"),
        (samples::on_battery(9.0, BatteryWarning::Low), "lent!"),
        (
            samples::on_battery(9.0, BatteryWarning::from("hungry")),
            "lent!",
        ),
        (samples::frozen(), "frozen!"),
        (samples::lost(), "frozen!"),
    ] {
        assert_eq!(sign(&picture), expected, "{picture:?}");
    }
}

#[test]
fn every_icon_is_drawn() {
    let icons = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../data/icons/hicolor/symbolic/apps/"
    );
    for picture in [
        samples::ready(),
        samples::unfit(),
        samples::armed(),
        samples::announced(),
        samples::preparing(),
        samples::held(),
        samples::frozen(),
    ] {
        let file = format!("{icons}{}.svg", Face::of(&picture).icon);
        assert!(std::path::Path::new(&file).exists(), "{file}");
    }
}

#[test]
fn what_moves_all_the_time_changes_no_face() {
    let before = samples::held();
    let mut after = before.clone();
    if let Some(loan) = &mut after.loan {
        loan.moving.latency_usec = 400;
        loan.moving.read = 1 << 30;
        loan.battery = Some(81.2);
        loan.time_to_empty_usec = 1;
    }
    assert_eq!(Face::of(&before), Face::of(&after));
}

#[test]
fn nothing_is_offered_while_nobody_knows() {
    for daemon in [Daemon::Asked, Daemon::Late, Daemon::Gone(String::new())] {
        let picture = Picture {
            daemon,
            ..samples::announced()
        };
        assert_eq!(menu(&picture).len(), 4, "{:?}", menu(&picture));
    }
}

#[test]
fn whichever_asks_first_has_no_name() {
    let mut picture = samples::announced();
    picture.handoff.borrower = names::PAIRINGS.into();
    assert_eq!(Face::of(&picture).title, "The disk is about to be lent");
    picture.handoff.state = State::Leaving;
    assert_eq!(Face::of(&picture).title, "Handing over the disk");
}
