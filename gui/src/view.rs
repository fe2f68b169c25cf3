//! What is shown: a pure function of the [`Picture`] and the time.
//!
//! ```text
//! Picture ──▶ View { page, notice, may }
//!
//!   daemon      asked, gone                         Message
//!   a lender    something basic is in the way       Setup
//!               idle                                Home: ready, or waiting while armed
//!               announced                           Announced
//!               preparing, leaving                  HandingOver
//!               reverting                           Message
//!   a borrower  held                                Lent
//!               frozen, closing, lost               Message
//! ```
//!
//! Widgets show a view and know nothing else; equal views are not shown twice.
//! Words that a newer daemon may say are shown as the contract tells.

mod handoff;
pub mod heard;
mod home;
mod loan;
mod preferences;
mod scene;
mod setup;
pub mod spoken;
mod stick;
pub mod units;
pub mod words;

use crate::picture::{Daemon, Picture};
use gettextrs::gettext;
pub use handoff::{Announced, HandingOver};
pub use home::Home;
pub use loan::{Lent, Meter};
pub use preferences::{Choice, LinkChoice, PairingChoice, Preferences};
pub use scene::{Look, Scene};
pub use setup::Setup;
pub use setup::is_needed as needs_setup;
pub use stick::{DriveRow, End as StickEnd, NameTrouble, Writing, drives, name_trouble};
use stiefel_dbus::words::{JobKind, JobState, Reason, Role, State};

/// What the clocks say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// `CLOCK_MONOTONIC`
    pub monotonic_usec: u64,
    /// Since the epoch.
    pub epoch_usec: u64,
    /// How far the local clock is before UTC.
    pub offset_secs: i64,
}

/// Everything that the window shows.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What fills it.
    pub page: Page,
    /// A line above it.
    pub notice: Option<Notice>,
    /// What can be asked for.
    pub may: May,
}

/// What fills the window.
#[derive(Clone, Debug, PartialEq)]
pub enum Page {
    /// Something to read, and to wait for.
    Message(Message),
    /// What has to be done before this machine can lend.
    Setup(Setup),
    /// Ready, or waiting.
    Home(Home),
    /// Somebody wants the disk.
    Announced(Announced),
    /// This machine leaves its system.
    HandingOver(HandingOver),
    /// This system runs from a lent disk.
    Lent(Box<Lent>),
}

/// Something to read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// Which one it is; a new one is read out, a changed one is not.
    pub kind: &'static str,
    pub picture: Drawing,
    pub title: String,
    pub body: String,
    /// What to do, or to know.
    pub points: Vec<Row>,
    /// When it ends, and how that is called.
    pub until: Option<Until>,
    pub button: Option<Button>,
}

/// What stands above a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Drawing {
    /// Something turns, because something goes on.
    #[default]
    Turning,
    Icon(&'static str),
    Scene(Scene),
}

/// A moment to which seconds are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Until {
    /// `CLOCK_MONOTONIC`
    pub usec: u64,
    /// With "{time}" where the rest of the time goes.
    pub text: String,
}

/// A line above the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    /// Without one it stays as long as it is true.
    pub dismiss: Option<String>,
}

/// A line of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Stays the same while the rest changes.
    pub key: String,
    pub mark: Mark,
    pub title: String,
    /// Below the title.
    pub text: String,
    /// At the end of the line.
    pub value: String,
    pub button: Option<Button>,
}

/// What stands before a line; each has a form, a colour, and a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    #[default]
    None,
    Icon(&'static str),
    Good,
    Careful,
    Bad,
    /// It is being done.
    Busy,
    /// It will be done.
    Later,
}

/// Something to press.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    pub label: String,
    /// One of the application's actions.
    pub action: &'static str,
    /// What the action is about.
    pub target: Option<String>,
}

impl Button {
    pub(crate) fn new(label: String, action: &'static str) -> Self {
        let target = None;
        Self {
            label,
            action,
            target,
        }
    }

    pub(crate) fn about(label: String, action: &'static str, target: &str) -> Self {
        let target = Some(target.to_owned());
        Self {
            label,
            action,
            target,
        }
    }
}

/// Which of the application's actions make sense now. Whether one is permitted
/// is for polkit to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct May {
    pub lend: bool,
    pub disarm: bool,
    pub hand_over: bool,
    pub confirm: bool,
    pub cancel: bool,
    pub give_back: bool,
    pub update_image: bool,
    pub pair: bool,
    pub refresh: bool,
}

impl View {
    /// What is shown of `picture`.
    #[must_use]
    pub fn of(picture: &Picture, now: &Now) -> Self {
        Self {
            page: page(picture, now),
            notice: notice(picture),
            may: may(picture),
        }
    }
}

fn page(picture: &Picture, now: &Now) -> Page {
    let known = !picture.machine.version.is_empty();
    match &picture.daemon {
        Daemon::Gone(why) => return Page::Message(gone(why)),
        Daemon::Asked if !known => return Page::Message(asked()),
        Daemon::Late if !known => return Page::Message(late()),
        Daemon::Asked | Daemon::Here | Daemon::Resting | Daemon::Late => {}
    }
    if picture.machine.role == Role::Borrower {
        return loan::page(picture, now);
    }
    match picture.handoff.state {
        State::Idle if setup::is_needed(picture) => Page::Setup(setup::page(picture)),
        State::Idle => Page::Home(home::page(picture, now)),
        State::Announced => Page::Announced(handoff::announced(picture)),
        State::Preparing | State::Leaving => Page::HandingOver(handoff::handing_over(picture)),
        State::Reverting => Page::Message(handoff::coming_back(picture)),
        State::Unknown(_) => Page::Message(handoff::busy()),
    }
}

fn asked() -> Message {
    Message {
        kind: "asked",
        title: gettext("Looking at This Computer…"),
        ..Message::default()
    }
}

fn late() -> Message {
    Message {
        kind: "late",
        title: gettext("Waiting for the Service…"),
        body: gettext("The service of Stiefelsystem has not answered yet."),
        ..Message::default()
    }
}

fn gone(why: &str) -> Message {
    Message {
        kind: "gone",
        picture: Drawing::Icon(words::icon::WARNING),
        title: gettext("The Service Cannot Be Reached"),
        body: gettext(
            "Without it, nothing can be lent. It is a part of Stiefelsystem that runs in the background, and is started when it is needed.",
        ),
        points: vec![Row {
            key: "why".into(),
            title: gettext("What went wrong"),
            text: why.to_owned(),
            ..Row::default()
        }],
        button: Some(Button::new(gettext("_Try Again"), "look")),
        until: None,
    }
}

fn notice(picture: &Picture) -> Option<Notice> {
    match picture.daemon {
        Daemon::Late => {
            return Some(Notice {
                text: gettext("The service does not answer. What is shown may be out of date."),
                dismiss: None,
            });
        }
        Daemon::Gone(_) | Daemon::Asked => return None,
        Daemon::Here | Daemon::Resting => {}
    }
    let handoff = &picture.handoff;
    if handoff.state != State::Idle || handoff.reason == Reason::Cancelled {
        return None;
    }
    let text = words::outcome(handoff)?;
    Some(Notice {
        dismiss: Some(text.clone()),
        text,
    })
}

/// What would not be refused, or is not known to be.
#[must_use]
pub fn may(picture: &Picture) -> May {
    let reached = match picture.daemon {
        Daemon::Here | Daemon::Resting => true,
        Daemon::Asked | Daemon::Late | Daemon::Gone(_) => false,
    };
    if !reached {
        // The launcher may ask before we know anything; the daemon decides then.
        let early = picture.daemon == Daemon::Asked;
        return May {
            lend: early,
            disarm: early,
            ..May::default()
        };
    }
    let (machine, handoff) = (&picture.machine, &picture.handoff);
    let lender = machine.role == Role::Lender;
    let idle = lender && handoff.state == State::Idle;
    let making = picture
        .jobs
        .iter()
        .any(|job| job.kind == JobKind::UpdateImage && job.state == JobState::Running);
    May {
        lend: idle && !machine.armed && !picture.pairings.is_empty(),
        disarm: lender && machine.armed,
        hand_over: idle && handoff.blockers.is_empty() && !picture.pairings.is_empty(),
        confirm: lender && handoff.state == State::Announced,
        cancel: lender && matches!(handoff.state, State::Announced | State::Preparing),
        give_back: loan::may_give_back(picture),
        update_image: idle && !making,
        pair: lender,
        refresh: true,
    }
}

#[cfg(test)]
mod tests;
