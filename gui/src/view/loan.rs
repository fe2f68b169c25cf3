//! This system runs from a lent disk.

use super::heard::heard;
use super::scene::{Look, Scene};
use super::words::{self, fill, icon};
use super::{Button, Drawing, Mark, Message, Now, Page, Row, Until, units};
use crate::picture::{Loan, Moving, Picture};
use gettextrs::gettext;
use stiefel_dbus::words::{Cable, DiskHealth, Ending, LoanState, Severity};

/// The loan, while all is well.
#[derive(Clone, Debug, PartialEq)]
pub struct Lent {
    pub scene: Scene,
    pub title: String,
    pub body: String,
    /// It is about to end by itself, or somebody wants it to.
    pub ending: Option<Ends>,
    /// What a person should know now.
    pub warnings: Vec<Row>,
    pub read: Meter,
    pub written: Meter,
    pub latency: Meter,
    /// Goes into the plot.
    pub moving: Moving,
    pub lender: Vec<Row>,
    pub give_back: Button,
}

/// Something measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    pub name: String,
    pub value: String,
    /// What it has come to.
    pub total: String,
}

/// The end of the loan, in sight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    pub title: String,
    pub text: String,
    /// If it ends by itself.
    pub until: Option<Until>,
}

pub(super) fn page(picture: &Picture, now: &Now) -> Page {
    let Some(loan) = &picture.loan else {
        return Page::Message(unknown());
    };
    match loan.state {
        LoanState::Held | LoanState::Unknown(_) => Page::Lent(Box::new(lent(picture, loan, now))),
        LoanState::Frozen => Page::Message(frozen(picture, loan, now)),
        LoanState::Closing => Page::Message(closing(picture, loan)),
        LoanState::Lost => Page::Message(lost(picture, loan)),
    }
}

pub(super) fn may_give_back(picture: &Picture) -> bool {
    let state = picture.loan.as_ref().map(|loan| &loan.state);
    matches!(state, Some(LoanState::Held | LoanState::Unknown(_)))
}

fn lender(loan: &Loan) -> String {
    match loan.lender.as_str() {
        "" => gettext("the lender"),
        name => name.to_owned(),
    }
}

/// The scene as this machine, the borrower, sees it. Its name is the lent
/// system's, so it is not called by it.
fn scene(picture: &Picture, loan: &Loan, look: Look) -> Scene {
    let this = gettext("This Computer");
    let this = match picture.machine.name.as_str() {
        name if name.is_empty() || name == loan.lender => this,
        name => name.to_owned(),
    };
    Scene::new(lender(loan), this, look)
}

fn lent(picture: &Picture, loan: &Loan, now: &Now) -> Lent {
    let name = lender(loan);
    Lent {
        scene: scene(picture, loan, Look::Lent),
        title: fill(&gettext("Running From {name}"), "name", &name),
        body: gettext("Your system runs on this computer, from the disk over there."),
        ending: ending(loan, &name),
        warnings: warnings(loan),
        read: Meter {
            name: gettext("Reading"),
            value: units::rate(loan.moving.read),
            total: fill(
                &gettext("{size} so far"),
                "size",
                &units::size(loan.moving.all_read),
            ),
        },
        written: Meter {
            name: gettext("Writing"),
            value: units::rate(loan.moving.written),
            total: fill(
                &gettext("{size} so far"),
                "size",
                &units::size(loan.moving.all_written),
            ),
        },
        latency: Meter {
            name: gettext("Latency"),
            value: units::latency(loan.moving.latency_usec),
            total: gettext("there and back"),
        },
        moving: loan.moving,
        lender: lender_rows(loan, now),
        give_back: Button::new(gettext("_Give Back…"), "give-back"),
    }
}

fn ending(loan: &Loan, name: &str) -> Option<Ends> {
    let (title, text) = match loan.ending {
        Ending::None => return None,
        Ending::LowPower => (
            gettext("The Battery of {name} Is Nearly Empty"),
            gettext(
                "Plug its charger in, or save your work: this computer shuts down to give the disk back in time.",
            ),
        ),
        Ending::Asked | Ending::Unknown(_) => (
            gettext("{name} Wants Its Disk Back"),
            gettext("Save your work, then give the disk back."),
        ),
    };
    let until = (loan.ends_usec > 0).then(|| Until {
        usec: loan.ends_usec,
        text: gettext("Shuts down in {time}"),
    });
    Some(Ends {
        title: fill(&title, "name", name),
        text,
        until,
    })
}

fn warnings(loan: &Loan) -> Vec<Row> {
    let warnings = loan.warnings.iter().enumerate();
    // What is about to end the loan has been told already.
    let told = |subject: &str| loan.ending == Ending::LowPower && subject == "power";
    warnings
        .filter(|(_, warning)| !told(&warning.subject))
        .map(|(at, warning)| Row {
            key: format!("{}-{at}", warning.subject),
            mark: match warning.severity {
                Severity::Critical => Mark::Bad,
                Severity::Warn | Severity::Unknown(_) => Mark::Careful,
            },
            title: heard(&warning.text),
            text: heard(&warning.hint),
            ..Row::default()
        })
        .collect()
}

fn lender_rows(loan: &Loan, now: &Now) -> Vec<Row> {
    let mut rows = vec![Row {
        key: "link".into(),
        mark: Mark::Icon("network-wired-symbolic"),
        title: gettext("Connection"),
        text: match loan.cable {
            Cable::Connected | Cable::Unknown(_) => gettext("Encrypted, over the cable"),
            Cable::Unplugged => gettext("The cable is unplugged"),
            Cable::NoCard => gettext("The network adapter is missing"),
        },
        value: match loan.link_speed_mbps {
            0 => String::new(),
            mbps => units::speed(mbps),
        },
        button: None,
    }];
    if let Some(percent) = loan.battery {
        rows.push(Row {
            key: "power".into(),
            mark: match words::is_low(&loan.warning) && !loan.on_ac {
                true => Mark::Careful,
                false => Mark::Icon(words::battery_icon(percent, loan.on_ac)),
            },
            title: fill(&gettext("Battery of {name}"), "name", &lender(loan)),
            text: words::power(loan.on_ac, loan.time_to_empty_usec),
            value: units::percent(percent),
            button: None,
        });
    }
    if let Some(celsius) = loan.temperature {
        rows.push(Row {
            key: "temperature".into(),
            mark: Mark::Icon("weather-clear-symbolic"),
            title: fill(&gettext("Temperature of {name}"), "name", &lender(loan)),
            value: units::degrees(celsius),
            ..Row::default()
        });
    }
    rows.push(Row {
        key: "disk".into(),
        mark: match loan.disk_health {
            DiskHealth::Failing => Mark::Bad,
            DiskHealth::Worn => Mark::Careful,
            DiskHealth::Good | DiskHealth::NotKnown | DiskHealth::Unknown(_) => {
                Mark::Icon("drive-harddisk-symbolic")
            }
        },
        title: gettext("Disk"),
        text: match (loan.disk_detail.as_str(), &loan.disk_health) {
            ("", DiskHealth::Good) => gettext("In good health"),
            ("", DiskHealth::Worn) => gettext("Works, and is near the end of its days"),
            ("", DiskHealth::Failing) => gettext("Failing: copy what is on it to another disk"),
            ("", DiskHealth::NotKnown | DiskHealth::Unknown(_)) => {
                gettext("Says nothing of its health")
            }
            (detail, _) => heard(detail),
        },
        value: loan
            .disk_temperature
            .map_or_else(String::new, units::degrees),
        button: None,
    });
    if loan.since_usec > 0 {
        rows.push(Row {
            key: "since".into(),
            mark: Mark::Icon("document-open-recent-symbolic"),
            title: gettext("Started"),
            value: units::moment(loan.since_usec, now),
            ..Row::default()
        });
    }
    rows
}

fn frozen(picture: &Picture, loan: &Loan, now: &Now) -> Message {
    let name = lender(loan);
    let point = |key: &str, icon, title: String, text: String| Row {
        key: key.into(),
        mark: Mark::Icon(icon),
        title: fill(&title, "name", &name),
        text: fill(&text, "name", &name),
        ..Row::default()
    };
    let cable = match loan.cable {
        Cable::Unplugged => point(
            "cable",
            "network-wired-disconnected-symbolic",
            gettext("Plug the cable in again"),
            gettext("It is out, at this end or at the other."),
        ),
        Cable::NoCard => point(
            "cable",
            "network-wired-disconnected-symbolic",
            gettext("Plug the network adapter in again"),
            gettext("This computer does not see it any more."),
        ),
        Cable::Connected | Cable::Unknown(_) => point(
            "cable",
            "computer-symbolic",
            gettext("See whether {name} is switched on"),
            gettext("The cable is in, but {name} does not answer."),
        ),
    };
    Message {
        kind: "frozen",
        picture: Drawing::Scene(scene(picture, loan, Look::Frozen)),
        title: gettext("Paused"),
        body: match loan.frozen_since_usec {
            0 => fill(&gettext("{name} cannot be reached."), "name", &name),
            since => fill(
                &fill(
                    &gettext("{name} has been out of reach since {when}."),
                    "name",
                    &name,
                ),
                "when",
                &units::clock(since, now),
            ),
        },
        points: vec![
            cable,
            point(
                "wait",
                "media-playback-start-symbolic",
                gettext("It goes on by itself"),
                gettext(
                    "Programs wait for the disk, and nothing is lost. Do not switch this computer off.",
                ),
            ),
        ],
        until: (loan.frozen_until_usec > 0).then(|| Until {
            usec: loan.frozen_until_usec,
            text: fill(
                &gettext("{name} waits for another {time}, then it takes its disk back"),
                "name",
                &name,
            ),
        }),
        button: None,
    }
}

fn closing(picture: &Picture, loan: &Loan) -> Message {
    let name = lender(loan);
    Message {
        kind: "closing",
        picture: Drawing::Scene(scene(picture, loan, Look::Returning)),
        title: gettext("Giving the Disk Back…"),
        body: fill(
            &gettext("This computer shuts down. Then {name} starts your system again by itself."),
            "name",
            &name,
        ),
        ..Message::default()
    }
}

fn lost(picture: &Picture, loan: &Loan) -> Message {
    let name = lender(loan);
    Message {
        kind: "lost",
        picture: Drawing::Scene(scene(picture, loan, Look::Over)),
        title: gettext("The Loan Is Over"),
        body: fill(
            &gettext("{name} was out of reach for too long and has taken its disk back."),
            "name",
            &name,
        ),
        points: vec![Row {
            key: "off".into(),
            mark: Mark::Icon("system-shutdown-symbolic"),
            title: gettext("Switch this computer off"),
            text: gettext(
                "Hold its power button. This system cannot go on; what was saved is on the disk.",
            ),
            ..Row::default()
        }],
        until: None,
        button: None,
    }
}

fn unknown() -> Message {
    Message {
        kind: "borrowed",
        picture: Drawing::Icon(icon::LENT),
        title: gettext("Running From a Lent Disk"),
        body: gettext(
            "The service does not say more about it. To give the disk back, shut this computer down.",
        ),
        ..Message::default()
    }
}
