//! The assistant and the preferences.

use super::*;
use crate::picture::{Drive, Settings};
use stiefel_dbus::words::{DriveState, OnAcLoss, OnBattery, OnLowPower};

#[test]
fn unknown_words_of_settings_stay_as_they_are() {
    let picture = changed(&samples::ready(), |picture| {
        picture.settings = Some(Settings {
            on_battery: OnBattery::from(NEWER),
            battery_percent: 30,
            on_ac_loss: OnAcLoss::from(NEWER),
            on_plug: PairingPolicy::from(NEWER),
            countdown_secs: 10,
            confirm_secs: 60,
            offer_secs: 601,
            patience_secs: 600,
            on_low_power: OnLowPower::from(NEWER),
        });
        picture.pairings[0].policy = NEWER.into();
        picture.links[0].policy = NEWER.into();
    });
    let preferences = Preferences::of(&picture);
    let lending = preferences.lending.unwrap();
    assert_eq!(lending.offer_minutes, 11);
    for choice in [
        &lending.on_battery,
        &lending.on_ac_loss,
        &lending.on_plug,
        &lending.on_low_power,
        &preferences.pairings[0].policy,
        &preferences.links[0].policy,
    ] {
        assert_eq!(choice.words[choice.selected], NEWER);
        assert_eq!(choice.labels.len(), choice.words.len());
    }
    let known = Preferences::of(&samples::ready());
    assert_eq!(known.pairings[0].policy.words.len(), 3);
    assert_eq!(known.lending, None);
}

#[test]
fn names_are_checked_before_the_daemon_is_asked() {
    let pairings = samples::ready().pairings;
    let trouble = |name: &str| name_trouble(name, &pairings);
    assert_eq!(trouble("Bench"), None);
    assert_eq!(trouble(" Bench "), None);
    assert_eq!(trouble("  "), Some(NameTrouble::Empty));
    assert_eq!(trouble("Workstation "), Some(NameTrouble::Taken));
    assert_eq!(trouble("a\u{7}b"), Some(NameTrouble::Control));
    assert_eq!(trouble(&"ü".repeat(24)), None);
    assert_eq!(trouble(&"ü".repeat(25)), Some(NameTrouble::TooLong));
}

#[test]
fn only_drives_that_can_be_written_to_can_be_chosen() {
    let states = [
        DriveState::Busy,
        DriveState::ReadOnly,
        DriveState::TooSmall,
        DriveState::NoMedium,
        DriveState::from(NEWER),
        DriveState::Free,
        DriveState::Mounted,
    ];
    let rows = drives(&states.clone().map(drive));
    let usable: Vec<_> = rows.iter().map(|row| row.usable).collect();
    assert_eq!(usable, [true, true, false, false, false, false, false]);
    assert!(!rows[0].mounted && rows[1].mounted);
    assert!(rows[0].warning.contains("PHOTOS") && rows[0].warning.contains("SanDisk"));
    let texts: std::collections::HashSet<_> = rows.iter().map(|row| &row.text).collect();
    // Busy and unknown are one, and so are free and mounted: both hold something.
    assert_eq!(texts.len(), states.len() - 2);
}

#[test]
fn writing_a_stick_is_told_from_the_beginning_to_each_end() {
    let of = |state: JobState, phase: JobPhase| {
        let job = Job {
            phase,
            ..job(JobKind::WriteStick, state)
        };
        Writing::of(Some(&job), "Workstation")
    };
    assert_eq!(Writing::of(None, "Workstation").progress, None);
    let writing = of(JobState::Running, JobPhase::Writing);
    assert_eq!(writing.text, "1 minute left");
    assert_eq!(writing.end, None);
    assert_ne!(
        of(JobState::Running, JobPhase::Verifying).title,
        writing.title
    );
    assert_eq!(Writing::forgotten().end, Some(StickEnd::Failed));
    let newer = of(NEWER.into(), NEWER.into());
    assert_eq!(newer.end, None);
    assert_eq!(of(JobState::Done, JobPhase::None).end, Some(StickEnd::Done));
    assert_eq!(
        of(JobState::Cancelled, JobPhase::None).end,
        Some(StickEnd::Cancelled)
    );
    let image = Writing::of(
        Some(&job(JobKind::SaveStick, JobState::Running)),
        "Workstation",
    );
    assert_ne!(
        (&image.heading, image.icon),
        (&writing.heading, writing.icon)
    );
    assert_eq!(image.heading, Writing::asked_for(true).heading);
    let failed = of(JobState::Failed, JobPhase::None);
    assert_eq!(
        (failed.end, failed.text.as_str()),
        (Some(StickEnd::Failed), "A detail")
    );
}

fn drive(state: DriveState) -> Drive {
    Drive {
        path: names::drive_path("sdb"),
        device: "/dev/sdb".into(),
        model: "SanDisk Ultra Fit".into(),
        serial: "4C530001".into(),
        size: 15_376_318_464,
        bus: "usb".into(),
        volumes: vec!["PHOTOS".into()],
        state,
    }
}
