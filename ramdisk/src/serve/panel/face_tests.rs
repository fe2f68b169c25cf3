//! The pages as they are, in `golden/`: `STIEFEL_GOLDEN=write` writes them anew, to be looked at.

use super::*;
use std::fs;
use std::path::Path;
use stiefel_core::pairing::Name;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn shown(standing: Standing) -> Shown {
    Shown {
        lender: name("Laptop"),
        disk: "nvme0n1, 512 GB".into(),
        standing,
        asked_back: None,
        power: Power {
            battery_percent: Some(63.2),
            on_mains: true,
            charging: true,
            discharging: false,
            empty_in_secs: 0,
        },
        level: Level::Fine,
        link_speed_mbps: 2500,
        celsius: Some(44.4),
        read_bytes: 3_100_000_000,
        written_bytes: 412_300_000,
    }
}

fn held(now: Instant) -> Shown {
    shown(Standing::Held {
        borrower: name("Workstation"),
        since: now.checked_sub(Duration::from_secs(8_045)).unwrap(),
    })
}

fn missing(now: Instant) -> Shown {
    shown(Standing::Missing {
        borrower: name("Workstation"),
        since: now.checked_sub(Duration::from_secs(42)).unwrap(),
        until: None,
    })
}

fn wire() -> Wire {
    Wire {
        name: "eth1".into(),
        bus: Some("USB"),
        mbps: 2500,
    }
}

fn healthy() -> DiskStatus {
    DiskStatus {
        health: DiskHealth::Good,
        detail: String::new(),
        celsius: Some(38.0),
    }
}

/// What a test may change of a view.
struct Given {
    wires: Vec<Wire>,
    disk: Option<DiskStatus>,
    disk_failed: bool,
    keys: bool,
    asking: bool,
}

impl Given {
    fn well() -> Self {
        Self {
            wires: vec![wire()],
            disk: Some(healthy()),
            disk_failed: false,
            keys: true,
            asking: false,
        }
    }

    fn draw(&self, shown: &Shown, now: Instant, columns: u16, rows: u16) -> Vec<Line> {
        let view = View {
            shown,
            now,
            rates: Amounts {
                read: 12_400_000,
                written: 0,
            },
            wires: &self.wires,
            disk: self.disk.as_ref(),
            disk_failed: self.disk_failed,
            keys: self.keys,
            asking: self.asking,
        };
        draw(&view, Size { columns, rows })
    }
}

fn text(lines: &[Line]) -> Vec<String> {
    let row = |line: &Line| {
        line.iter()
            .map(|(_, text)| text.as_str())
            .collect::<String>()
    };
    lines.iter().map(row).collect()
}

fn is_golden(file: &str, lines: &[Line]) {
    let found: String = text(lines)
        .iter()
        .map(|row| row.trim_end().to_owned() + "\n")
        .collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/serve/panel/golden")
        .join(file);
    if std::env::var_os("STIEFEL_GOLDEN").is_some_and(|word| word == "write") {
        return fs::write(path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    assert_eq!(found, expected, "{}:\n{found}", path.display());
}

#[test]
fn pages_are_as_they_were_approved() {
    let now = Instant::now();
    let well = Given::well();
    is_golden("held-80x25.txt", &well.draw(&held(now), now, 80, 25));
    is_golden("held-160x50.txt", &well.draw(&held(now), now, 160, 50));
    is_golden("held-40x12.txt", &well.draw(&held(now), now, 40, 12));
    let offered = shown(Standing::Offered {
        to: Some(name("Workstation")),
        until: now + Duration::from_secs(540),
    });
    is_golden("offered-80x25.txt", &well.draw(&offered, now, 80, 25));
    let unplugged = Given {
        wires: vec![],
        disk: None,
        ..Given::well()
    };
    is_golden(
        "missing-80x25.txt",
        &unplugged.draw(&missing(now), now, 80, 25),
    );
    let asking = Given {
        asking: true,
        ..Given::well()
    };
    is_golden("asking-80x25.txt", &asking.draw(&held(now), now, 80, 25));
    let empty = Shown {
        power: Power {
            battery_percent: Some(4.6),
            on_mains: false,
            charging: false,
            discharging: true,
            empty_in_secs: 0,
        },
        level: Level::Critical,
        asked_back: Some(Some(now + Duration::from_secs(60))),
        ..held(now)
    };
    let failing = Given {
        disk: Some(DiskStatus {
            health: DiskHealth::Failing,
            detail: "The disk has 4 % of its spare blocks left.".into(),
            celsius: None,
        }),
        disk_failed: true,
        ..Given::well()
    };
    is_golden("troubles-80x25.txt", &failing.draw(&empty, now, 80, 25));
}

#[test]
fn no_page_is_larger_than_its_screen_and_the_borrower_is_on_each() {
    let now = Instant::now();
    for asking in [false, true] {
        let given = Given {
            asking,
            ..Given::well()
        };
        for shown in [held(now), missing(now)] {
            for (columns, rows) in
                (1..120).flat_map(|columns| (1..50).map(move |rows| (columns, rows)))
            {
                let page = text(&given.draw(&shown, now, columns, rows));
                assert!(
                    page.len() <= usize::from(rows),
                    "{columns}x{rows}: {page:#?}"
                );
                let widest = page
                    .iter()
                    .map(|row| row.chars().count())
                    .max()
                    .unwrap_or(0);
                assert!(
                    widest <= usize::from(columns),
                    "{columns}x{rows}: {page:#?}"
                );
                if columns >= 40 && rows >= 8 {
                    let all = page.join("\n");
                    assert!(all.contains("Workstation"), "{columns}x{rows}: {all}");
                    assert_eq!(
                        all.contains("Enter"),
                        asking || all.contains("Esc"),
                        "{all}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_keys_offer_what_makes_sense() {
    let now = Instant::now();
    let asked = Shown {
        asked_back: Some(None),
        ..held(now)
    };
    let restarting = shown(Standing::Restarting {
        borrower: name("Workstation"),
        until: now,
    });
    let over = shown(Standing::Over(Outcome::Returned));
    let offers = [&held(now), &asked, &missing(now), &restarting, &over].map(offer);
    let expected = [
        Some(Offer::AskBack),
        Some(Offer::CallOff),
        Some(Offer::TakeBack),
        Some(Offer::TakeBack),
        None,
    ];
    assert_eq!(offers, expected);
    let without_keys = Given {
        keys: false,
        ..Given::well()
    };
    let page = text(&without_keys.draw(&held(now), now, 80, 25)).join("\n");
    assert!(!page.contains("Esc"), "{page}");
    let page = text(&Given::well().draw(&over, now, 80, 25)).join("\n");
    assert!(
        !page.contains("Esc") && page.contains("back and complete"),
        "{page}"
    );
}

#[test]
fn all_is_well_only_when_it_is() {
    let now = Instant::now();
    let says_so = |given: &Given, shown: &Shown| {
        let page = text(&given.draw(shown, now, 80, 25)).join("\n");
        page.contains("as it should be")
    };
    assert!(says_so(&Given::well(), &held(now)));
    let low = Shown {
        level: Level::Low,
        ..held(now)
    };
    assert!(!says_so(&Given::well(), &low));
    let failed = Given {
        disk_failed: true,
        ..Given::well()
    };
    assert!(!says_so(&failed, &held(now)));
}
