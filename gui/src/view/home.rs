//! This machine is in its own system: ready to lend, or waiting for whom.

use super::heard::heard;
use super::scene::{self, Look, Scene};
use super::words::{self, fill};
use super::{Button, Mark, Now, Row, setup, units};
use crate::picture::{Link, Pairing, Picture};
use gettextrs::gettext;
use stiefel_dbus::names;
use stiefel_dbus::words::{LinkPolicy, LinkState, PairingPolicy, Presence, Role, Verdict};

/// How long the disk's coming back is news: a quarter of an hour.
const WELCOME_USEC: u64 = 900_000_000;

/// The page.
#[derive(Clone, Debug, PartialEq)]
pub struct Home {
    /// Paired machines are answered.
    pub waiting: bool,
    pub scene: Scene,
    pub title: String,
    pub body: String,
    /// The one thing to do here.
    pub button: Button,
    /// What else there is to do.
    pub other: Option<Button>,
    /// What is in the way now, or worth a look.
    pub remarks: Vec<Row>,
    pub pairings: Vec<Row>,
    pub machine: Vec<Row>,
}

pub(super) fn page(picture: &Picture, now: &Now) -> Home {
    let armed = picture.machine.armed;
    let (title, body) = match armed {
        true => waiting(picture),
        false => ready(picture, now),
    };
    Home {
        waiting: armed,
        scene: scene::of_lender(picture, if armed { Look::Waiting } else { Look::Apart }),
        title,
        body,
        button: match armed {
            true => Button::new(gettext("_Stop Waiting"), "disarm"),
            false => Button::new(gettext("_Lend My Disk"), "lend"),
        },
        other: armed.then(|| other(picture)),
        remarks: remarks(picture),
        pairings: picture
            .pairings
            .iter()
            .map(|pairing| pairing_row(picture, pairing, now))
            .collect(),
        machine: machine_rows(picture, now),
    }
}

/// What else there is to do while it waits.
fn other(picture: &Picture) -> Button {
    if willing(picture).is_empty() {
        let label = gettext("Open _Preferences");
        return Button::about(label, "preferences-at", "computers");
    }
    match searching(picture) {
        Some(one) => {
            let label = fill(&gettext("_Hand Over to {name}"), "name", &one.name);
            Button::about(label, "lend-to", &one.path)
        }
        None => {
            let label = gettext("_Hand Over Without Waiting");
            Button::about(label, "lend-to", names::PAIRINGS)
        }
    }
}

fn ready(picture: &Picture, now: &Now) -> (String, String) {
    if picture.machine.role != Role::Lender {
        let body = gettext("The service is newer than this window. Start the application again.");
        return (gettext("This Disk Cannot Be Lent Now"), body);
    }
    if let Some(welcome) = welcome(picture, now) {
        return welcome;
    }
    let body = match willing(picture).as_slice() {
        [only] => fill(
            &gettext(
                "{name} can run your system from this computer’s disk, over a cable. Everything you do there is kept here.",
            ),
            "name",
            &only.name,
        ),
        _ => gettext(
            "A paired computer can run your system from this computer’s disk, over a cable. Everything you do there is kept here.",
        ),
    };
    (gettext("Ready to Lend"), body)
}

/// What somebody wants to read first who comes back to this computer.
fn welcome(picture: &Picture, now: &Now) -> Option<(String, String)> {
    let last = picture.machine.last_loan.as_ref()?;
    let since = now.epoch_usec.saturating_sub(last.back_usec);
    if last.back_usec == 0 || since > WELCOME_USEC {
        return None;
    }
    let body = match picture.pairing(&last.borrower) {
        Some(pairing) => fill(
            &gettext("{name} has given it back. Everything you did there is here."),
            "name",
            &pairing.name,
        ),
        None => gettext("It has been given back. Everything you did over there is here."),
    };
    Some((gettext("Your Disk Is Back"), body))
}

fn waiting(picture: &Picture) -> (String, String) {
    let willing = willing(picture);
    if let Some(pairing) = searching(picture) {
        let title = fill(&gettext("{name} Is Searching"), "name", &pairing.name);
        let body = fill(
            &gettext("{name} has started from its stick and looks for this computer."),
            "name",
            &pairing.name,
        );
        return (title, body);
    }
    match willing.as_slice() {
        [] => (
            gettext("Nobody to Wait For"),
            gettext(
                "No paired computer is allowed to borrow. You can change that in the preferences.",
            ),
        ),
        [only] => {
            let body = match only.policy {
                PairingPolicy::Automatic => gettext(
                    "Connect the cable and start {name} from its stick. A countdown tells you before this computer leaves its system.",
                ),
                PairingPolicy::Ask | PairingPolicy::Never | PairingPolicy::Unknown(_) => gettext(
                    "Connect the cable and start {name} from its stick. You are asked before anything happens.",
                ),
            };
            (
                fill(&gettext("Waiting for {name}"), "name", &only.name),
                fill(&body, "name", &only.name),
            )
        }
        _ => (
            gettext("Waiting for a Paired Computer"),
            gettext(
                "Connect the cable and start the other computer from its stick. You can go on working meanwhile.",
            ),
        ),
    }
}

fn searching(picture: &Picture) -> Option<&Pairing> {
    let mut willing = willing(picture).into_iter();
    willing.find(|pairing| pairing.presence == Presence::Searching)
}

fn willing(picture: &Picture) -> Vec<&Pairing> {
    let pairings = picture.pairings.iter();
    pairings
        .filter(|pairing| pairing.policy != PairingPolicy::Never)
        .collect()
}

/// All but what is well.
fn remarks(picture: &Picture) -> Vec<Row> {
    let checks = picture.machine.checks.iter().enumerate();
    let mut open: Vec<_> = checks
        .filter(|(_, check)| check.verdict != Verdict::Ok)
        .collect();
    open.sort_by_key(|(_, check)| check.verdict != Verdict::Block);
    let open = open.into_iter();
    open.map(|(at, check)| Row {
        // Here the news are what matters, and what it is about can be seen from it.
        title: heard(&check.text),
        text: heard(&check.hint),
        ..setup::row(at, check, picture)
    })
    .collect()
}

fn pairing_row(picture: &Picture, pairing: &Pairing, now: &Now) -> Row {
    if let Some(job) = picture.stick_job(&pairing.path) {
        return Row {
            key: pairing.path.clone(),
            mark: Mark::Busy,
            title: pairing.name.clone(),
            text: gettext("Its stick is being made"),
            value: units::percent(job.progress.clamp(0.0, 1.0) * 100.0),
            button: Some(Button::about(
                gettext("_Show…"),
                "write-stick",
                &pairing.path,
            )),
        };
    }
    let stick = |label| Some(Button::about(label, "write-stick", &pairing.path));
    let (text, button) = match pairing.presence {
        Presence::Outdated => (
            gettext("Its stick is of another version and finds nobody"),
            stick(gettext("_Make Stick Again…")),
        ),
        Presence::Searching => (gettext("Searching for this computer now"), None),
        Presence::Away | Presence::Unknown(_) => away(pairing, now, stick),
    };
    let mark = match pairing.presence {
        Presence::Outdated => Mark::Careful,
        Presence::Searching => Mark::Icon("network-transmit-receive-symbolic"),
        Presence::Away | Presence::Unknown(_) => Mark::Icon("computer-symbolic"),
    };
    Row {
        key: pairing.path.clone(),
        mark,
        title: pairing.name.clone(),
        text,
        value: match button {
            Some(_) => String::new(),
            None => words::pairing_policy(&pairing.policy),
        },
        button,
    }
}

fn away(
    pairing: &Pairing,
    now: &Now,
    stick: impl Fn(String) -> Option<Button>,
) -> (String, Option<Button>) {
    let when = |text: String, usec| fill(&text, "when", &units::moment(usec, now));
    match pairing {
        Pairing {
            last_loan_usec: usec @ 1..,
            ..
        } => (when(gettext("Borrowed {when}"), *usec), None),
        Pairing {
            last_seen_usec: usec @ 1..,
            ..
        } => (when(gettext("Seen {when}"), *usec), None),
        Pairing {
            last_stick_usec: 0, ..
        } => (
            gettext("Needs a stick to start from"),
            stick(gettext("_Make Stick…")),
        ),
        Pairing {
            last_stick_usec: usec,
            ..
        } => (when(gettext("Stick made {when}"), *usec), None),
    }
}

fn machine_rows(picture: &Picture, now: &Now) -> Vec<Row> {
    let machine = &picture.machine;
    let mut rows = Vec::new();
    if let Some((model, size)) = words::disk(machine) {
        rows.push(Row {
            key: "disk".into(),
            mark: Mark::Icon("drive-harddisk-symbolic"),
            title: gettext("Disk"),
            text: model,
            value: size,
            button: None,
        });
    }
    if let Some(percent) = machine.battery {
        rows.push(Row {
            key: "power".into(),
            mark: Mark::Icon(words::battery_icon(percent, machine.on_ac)),
            title: gettext("Battery"),
            text: words::power(machine.on_ac, machine.time_to_empty_usec),
            value: units::percent(percent),
            button: None,
        });
    }
    rows.extend(picture.links.iter().map(link_row));
    if let Some(last) = &machine.last_loan {
        let name = picture
            .pairing(&last.borrower)
            .map(|pairing| pairing.name.clone());
        rows.push(Row {
            key: "last".into(),
            mark: Mark::Icon("document-open-recent-symbolic"),
            title: gettext("Last Lent"),
            text: name.unwrap_or_else(|| gettext("To a computer that is no longer paired")),
            value: units::moment(last.left_usec, now),
            button: None,
        });
    }
    rows
}

fn link_row(link: &Link) -> Row {
    let connected = link.state == LinkState::Up;
    let used = link.policy != LinkPolicy::Ignore;
    Row {
        key: link.path.clone(),
        mark: Mark::Icon(match connected {
            true => "network-wired-symbolic",
            false => "network-wired-disconnected-symbolic",
        }),
        title: words::link_kind(link),
        text: match used {
            true if link.policy == LinkPolicy::Shared => link.interface.clone(),
            _ => format!("{} · {}", link.interface, words::link_policy(&link.policy)),
        },
        value: words::link_state(link),
        button: None,
    }
}
