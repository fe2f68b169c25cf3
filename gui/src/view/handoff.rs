//! A hand-off, from the question to the moment when the screen goes dark.

use super::heard::heard;
use super::scene::{self, Look, Scene};
use super::words::{self, fill, icon};
use super::{Button, Drawing, Mark, Message, Row, Until, setup};
use crate::picture::Picture;
use gettextrs::gettext;
use stiefel_dbus::words::{AtDeadline, PairingPolicy, Reason, State, Step, Trigger, Verdict};

/// Somebody wants the disk, and there is time to say no.
#[derive(Clone, Debug, PartialEq)]
pub struct Announced {
    pub title: String,
    pub body: String,
    /// `CLOCK_MONOTONIC`
    pub deadline_usec: u64,
    /// The whole wait; 0 if it is not known.
    pub countdown_usec: u64,
    /// What happens when the time is up.
    pub at_deadline: String,
    /// It goes ahead by itself.
    pub goes_ahead: bool,
    /// What to consider.
    pub remarks: Vec<Row>,
    pub yes: Button,
    pub no: Button,
    pub always: Option<Always>,
}

/// Whether this borrower has to ask again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Always {
    pub pairing: String,
    pub title: String,
    pub text: String,
    pub active: bool,
}

pub(super) fn announced(picture: &Picture) -> Announced {
    let handoff = &picture.handoff;
    let name = words::borrower_name(picture);
    let title = match &handoff.trigger {
        Trigger::Search => fill(&gettext("“{name}” Wants Your Disk"), "name", &name),
        Trigger::Plug => gettext("Lend Your Disk Over This Cable?"),
        Trigger::None | Trigger::Person | Trigger::Unknown(_) => {
            fill(&gettext("Lending Your Disk to {name}"), "name", &name)
        }
    };
    let goes_ahead = handoff.at_deadline != AtDeadline::CallOff;
    Announced {
        title,
        body: gettext(
            "All programs on this computer are closed, and your system goes on over there. Save what you are working on.",
        ),
        deadline_usec: handoff.deadline_usec,
        countdown_usec: handoff.countdown_usec,
        at_deadline: match goes_ahead {
            true => gettext("Goes ahead by itself when the time is up"),
            false => gettext("Nothing happens unless you agree"),
        },
        goes_ahead,
        remarks: remarks(picture),
        yes: Button::new(gettext("_Lend Now"), "confirm"),
        no: Button::new(gettext("_Not Now"), "cancel"),
        always: always(picture),
    }
}

fn remarks(picture: &Picture) -> Vec<Row> {
    let handoff = &picture.handoff;
    let detail = (!handoff.detail.is_empty()).then(|| Row {
        key: "detail".into(),
        mark: Mark::Careful,
        title: heard(&handoff.detail),
        ..Row::default()
    });
    let blockers = handoff.blockers.iter().enumerate();
    let blockers = blockers.map(|(at, blocker)| Row {
        key: format!("blocker-{at}"),
        mark: Mark::Bad,
        title: heard(&blocker.text),
        text: heard(&blocker.hint),
        ..Row::default()
    });
    let checks = picture.machine.checks.iter().enumerate();
    let warnings = checks
        .filter(|(_, check)| matches!(check.verdict, Verdict::Warn | Verdict::Unknown(_)))
        .map(|(at, check)| Row {
            title: heard(&check.text),
            text: heard(&check.hint),
            // There are seconds to decide, none to mend anything.
            button: None,
            ..setup::row(at, check, picture)
        });
    detail.into_iter().chain(blockers).chain(warnings).collect()
}

fn always(picture: &Picture) -> Option<Always> {
    let handoff = &picture.handoff;
    let pairing = words::borrower(picture)?;
    if handoff.trigger != Trigger::Search {
        return None;
    }
    let active = match pairing.policy {
        PairingPolicy::Ask => false,
        PairingPolicy::Automatic => true,
        PairingPolicy::Never | PairingPolicy::Unknown(_) => return None,
    };
    Some(Always {
        pairing: pairing.path.clone(),
        title: fill(&gettext("Always Allow {name}"), "name", &pairing.name),
        text: gettext("Next time, a countdown runs and it goes ahead without you"),
        active,
    })
}

/// This machine is on its way out of its system.
#[derive(Clone, Debug, PartialEq)]
pub struct HandingOver {
    pub scene: Scene,
    pub title: String,
    /// It is too late to stop.
    pub leaving: bool,
    pub steps: Vec<Row>,
    /// What will happen to the machine in front of you.
    pub last_words: Vec<Row>,
    pub stop: Option<Button>,
}

pub(super) fn handing_over(picture: &Picture) -> HandingOver {
    let handoff = &picture.handoff;
    let leaving = handoff.state == State::Leaving;
    let name = words::borrower_name(picture);
    HandingOver {
        scene: scene::of_lender(picture, Look::Going),
        title: fill(&gettext("Handing Over to {name}"), "name", &name),
        leaving,
        steps: steps(picture, leaving),
        last_words: last_words(&name),
        stop: (!leaving).then(|| Button::new(gettext("_Stop"), "cancel")),
    }
}

fn steps(picture: &Picture, leaving: bool) -> Vec<Row> {
    let handoff = &picture.handoff;
    let leave = Row {
        key: "leave".into(),
        mark: if leaving { Mark::Busy } else { Mark::Later },
        title: gettext("Shut the system down"),
        ..Row::default()
    };
    if leaving {
        // What has been done makes room for the last words.
        return vec![leave];
    }
    let known = [
        Step::HoldSleep,
        Step::CheckImage,
        Step::ClaimLink,
        Step::LoadKernel,
    ];
    let all = match handoff.steps.as_slice() {
        [] => &known[..],
        steps => steps,
    };
    let at = all.iter().position(|step| *step == handoff.step);
    let rows = all.iter().enumerate().map(|(index, step)| Row {
        key: step.as_str().to_owned(),
        mark: match at {
            Some(at) if index < at => Mark::Good,
            Some(at) if index == at => Mark::Busy,
            Some(_) | None => Mark::Later,
        },
        title: words::step(step),
        ..Row::default()
    });
    rows.chain([leave]).collect()
}

fn last_words(name: &str) -> Vec<Row> {
    let point = |key: &str, icon, title, text| Row {
        key: key.into(),
        mark: Mark::Icon(icon),
        title,
        text,
        ..Row::default()
    };
    vec![
        point(
            "screen",
            "video-display-symbolic",
            gettext("The screen goes dark, then shows how the loan stands"),
            gettext(
                "Leave this computer switched on, plugged in, and connected. The lid may be closed.",
            ),
        ),
        point(
            "back",
            "system-shutdown-symbolic",
            fill(&gettext("To get it back, shut down {name}"), "name", name),
            gettext("This computer then starts your system again by itself."),
        ),
        point(
            "force",
            "input-keyboard-symbolic",
            gettext("If that is not possible, press Ctrl+Alt+Delete here"),
            gettext("What was not saved over there is lost then."),
        ),
    ]
}

/// The hand-off is being undone.
pub(super) fn coming_back(picture: &Picture) -> Message {
    let handoff = &picture.handoff;
    let why = match handoff.reason {
        // While it is under way, "was not lent" is not yet true of everything.
        Reason::None => None,
        _ => words::outcome(handoff),
    };
    Message {
        kind: "coming-back",
        picture: Drawing::Scene(scene::of_lender(picture, Look::Returning)),
        title: gettext("Coming Back…"),
        body: why.unwrap_or_else(|| gettext("Everything is put back as it was.")),
        points: match &handoff.step {
            Step::None => Vec::new(),
            step => vec![Row {
                key: "step".into(),
                mark: Mark::Busy,
                title: gettext("Being undone"),
                text: words::step(step),
                ..Row::default()
            }],
        },
        until: None::<Until>,
        button: None,
    }
}

/// A state that this version does not know.
pub(super) fn busy() -> Message {
    Message {
        kind: "busy",
        picture: Drawing::Icon(icon::LEAVING),
        title: gettext("This Computer Is Busy"),
        body: gettext(
            "The service is doing something that this version of the application does not know.",
        ),
        ..Message::default()
    }
}
