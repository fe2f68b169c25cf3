//! What the tray shows of a [`Picture`]: an icon, a title, a menu.
//!
//! ```text
//!   who is asked what      icon            wants attention
//!   nobody is answered     idle
//!   something to mend      warning
//!   armed                  armed
//!   announced              announced       yes
//!   on the way out         handing-over
//!   runs from a loan       lent            if the lender's power is low, or the loan ends
//!   frozen, lost           frozen          yes
//!   no daemon              warning
//! ```

use crate::deeds::{self, Deed};
use crate::picture::{Daemon, Loan, Picture};
use crate::view::{self, heard::heard};
use gettextrs::gettext;
use stiefel_dbus::names;
use stiefel_dbus::words::{BatteryWarning, LoanState, State};

/// All of the tray. Two that are equal need not be told apart by the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Face {
    /// Name of an icon.
    pub icon: &'static str,
    /// Whether a person should look now.
    pub urgent: bool,
    /// What is the case, in a few words.
    pub title: String,
    /// From top to bottom.
    pub menu: Vec<Entry>,
}

/// A line of the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Something to read.
    Text(String),
    /// Something to do.
    Deed(Deed),
    /// Between groups.
    Line,
}

macro_rules! icon {
    ($state:literal) => {
        concat!("org.stiefelsystem.Stiefelsystem-", $state, "-symbolic")
    };
}

impl Face {
    /// The face that goes with the picture.
    #[must_use]
    pub fn of(picture: &Picture) -> Self {
        let title = title(picture);
        let mut menu = vec![Entry::Text(title.clone())];
        menu.extend(details(picture).into_iter().map(Entry::Text));
        let deeds = deeds::deeds(picture);
        if !deeds.is_empty() {
            menu.push(Entry::Line);
        }
        menu.extend(deeds.into_iter().map(Entry::Deed));
        menu.extend([
            Entry::Line,
            Entry::Deed(Deed::open()),
            Entry::Deed(Deed::quit()),
        ]);
        Self {
            icon: icon(picture),
            urgent: is_urgent(picture),
            title,
            menu,
        }
    }
}

fn icon(picture: &Picture) -> &'static str {
    if matches!(picture.daemon, Daemon::Gone(_)) {
        return icon!("warning");
    }
    if let Some(loan) = &picture.loan {
        return match loan.state {
            LoanState::Frozen | LoanState::Lost => icon!("frozen"),
            LoanState::Closing => icon!("handing-over"),
            LoanState::Held | LoanState::Unknown(_) => icon!("lent"),
        };
    }
    match picture.handoff.state {
        State::Announced => icon!("announced"),
        State::Preparing | State::Leaving | State::Reverting => icon!("handing-over"),
        State::Idle | State::Unknown(_) if view::needs_setup(picture) => icon!("warning"),
        State::Idle | State::Unknown(_) if picture.machine.armed => icon!("armed"),
        State::Idle | State::Unknown(_) => icon!("idle"),
    }
}

fn is_urgent(picture: &Picture) -> bool {
    match &picture.loan {
        Some(loan) => {
            matches!(loan.state, LoanState::Frozen | LoanState::Lost)
                || loan.warning != BatteryWarning::None
                || deeds::is_ending(picture)
        }
        None => picture.handoff.state == State::Announced,
    }
}

fn title(picture: &Picture) -> String {
    match &picture.daemon {
        Daemon::Here | Daemon::Resting => {}
        Daemon::Asked => return gettext("Looking for the service…"),
        Daemon::Late => return gettext("The service does not answer"),
        Daemon::Gone(_) => return gettext("The service is not there"),
    }
    if let Some(loan) = &picture.loan {
        let text = match loan.state {
            LoanState::Held | LoanState::Unknown(_) => gettext("Running from {lender}"),
            LoanState::Frozen => gettext("{lender} cannot be reached"),
            LoanState::Closing => gettext("Giving the disk back to {lender}"),
            LoanState::Lost => gettext("{lender} has taken its disk back"),
        };
        return text.replace("{lender}", &loan.lender);
    }
    match picture.handoff.state {
        State::Idle | State::Unknown(_) if view::needs_setup(picture) => {
            gettext("The disk cannot be lent yet")
        }
        State::Idle | State::Unknown(_) if picture.machine.armed => {
            gettext("Waiting for a paired computer")
        }
        State::Idle | State::Unknown(_) => gettext("The disk is not lent"),
        State::Announced => match borrower(picture) {
            Some(name) => gettext("{borrower} wants to boot from here").replace("{borrower}", name),
            None => gettext("The disk is about to be lent"),
        },
        State::Preparing | State::Leaving => match borrower(picture) {
            Some(name) => gettext("Handing over to {borrower}").replace("{borrower}", name),
            None => gettext("Handing over the disk"),
        },
        State::Reverting => gettext("Going back to normal"),
    }
}

/// Who the disk is meant for; none if that is whichever asks first.
#[must_use]
pub fn borrower(picture: &Picture) -> Option<&str> {
    let path = &picture.handoff.borrower;
    if path == names::PAIRINGS {
        return None;
    }
    picture.pairing(path).map(|pairing| pairing.name.as_str())
}

fn details(picture: &Picture) -> Vec<String> {
    match &picture.loan {
        Some(loan) => power(loan).into_iter().collect(),
        None if picture.handoff.state == State::Announced => {
            let blockers = picture.handoff.blockers.iter();
            blockers.map(|blocker| heard(&blocker.text)).collect()
        }
        None => vec![],
    }
}

/// What the lender lives on, in whole percent.
fn power(loan: &Loan) -> Option<String> {
    let percent = loan.battery?;
    let text = if loan.on_ac {
        gettext("Battery of {lender}: {percent} %, plugged in")
    } else {
        gettext("Battery of {lender}: {percent} %, not plugged in")
    };
    let text = text.replace("{percent}", &format!("{percent:.0}"));
    Some(text.replace("{lender}", &loan.lender))
}

#[cfg(test)]
mod tests;
