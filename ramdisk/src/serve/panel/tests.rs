//! From keys and news to what is said and seen, without a screen.

use super::*;
use stiefel_core::battery::Level;
use stiefel_linux::input::Key;
use stiefel_linux::power::Power;

fn shown(standing: Standing) -> Shown {
    Shown {
        lender: "Laptop".parse().unwrap(),
        disk: String::new(),
        standing,
        asked_back: None,
        power: Power {
            battery_percent: None,
            on_mains: true,
            charging: false,
            discharging: false,
            empty_in_secs: 0,
        },
        level: Level::Fine,
        link_speed_mbps: 0,
        celsius: None,
        read_bytes: 0,
        written_bytes: 0,
    }
}

fn held(now: Instant) -> Shown {
    shown(Standing::Held {
        borrower: "Workstation".parse().unwrap(),
        since: now,
    })
}

/// A panel without a screen, and what is said at it.
fn panel(now: Instant) -> (Panel, mpsc::Receiver<Said>) {
    let (say, said) = mpsc::channel(8);
    let devices = Devices {
        disk: "none".into(),
        wires: Wires::new(vec![]),
    };
    (Panel::new(None, say, devices, now), said)
}

fn press(panel: &mut Panel, key: Key, now: Instant) {
    panel.touched(Stroke::Pressed(key), now);
    panel.touched(Stroke::Released(key), now);
}

#[test]
fn what_is_answered_is_what_is_offered() {
    let now = Instant::now();
    let (mut panel, mut said) = panel(now);
    let asked = Shown {
        asked_back: Some(None),
        ..held(now)
    };
    let missing = shown(Standing::Missing {
        borrower: "Workstation".parse().unwrap(),
        since: now,
        until: None,
    });
    for (shown, expected) in [
        (held(now), Some(Said::AskBack { within: None })),
        (asked, Some(Said::CallOff)),
        (missing, Some(Said::TakeBack)),
        (shown(Standing::Ending), None),
    ] {
        panel.shown(Some(shown), now);
        press(&mut panel, Key::ESC, now);
        press(&mut panel, Key::ENTER, now);
        assert_eq!(said.try_recv().ok(), expected);
    }
    press(&mut panel, Key::POWER, now);
    assert_eq!(said.try_recv().ok(), Some(POWER_KEY));
}

#[test]
fn a_question_that_changes_under_the_finger_is_not_answered() {
    let now = Instant::now();
    let (mut panel, mut said) = panel(now);
    panel.shown(Some(held(now)), now);
    press(&mut panel, Key::ESC, now);
    let until = now;
    panel.shown(Some(shown(Standing::Offered { to: None, until })), now);
    press(&mut panel, Key::ENTER, now);
    assert!(said.try_recv().is_err());
}

#[test]
fn news_light_a_dark_screen_and_small_changes_do_not() {
    let now = Instant::now();
    let later = now + hands::DARK_AFTER;
    let (mut panel, _said) = panel(now);
    panel.shown(Some(held(now)), now);
    panel.look_at_clock(later);
    assert!(panel.hands.is_dark());
    let read = Shown {
        read_bytes: 1,
        celsius: Some(50.0),
        ..held(now)
    };
    panel.shown(Some(read), later);
    assert!(panel.hands.is_dark());
    let low = Shown {
        level: Level::Low,
        ..held(now)
    };
    panel.shown(Some(low), later);
    assert!(!panel.hands.is_dark());
    panel.look_at_clock(later + hands::DARK_AFTER);
    panel.alarmed(Alarm::BackAgain, later);
    assert!(!panel.hands.is_dark());
    assert!(panel.due().is_some(), "a tune is to be played");
}
