//! What a person can ask for right now, wherever they ask: in the tray, in the
//! shell's search, in a notification.
//!
//! A deed is an action of the application, so that all of these end where the
//! window's own buttons end, and a refusal is shown in one way.

use crate::picture::{Daemon, Picture};
use crate::view;
use gettextrs::gettext;
use stiefel_dbus::names;
use stiefel_dbus::words::{Ending, PairingPolicy, Presence, State};

/// Name of the application's icon.
pub const APP_ICON: &str = "org.stiefelsystem.Stiefelsystem";

/// An action of the application, in words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// The action's name, without `app.`.
    pub action: &'static str,
    /// Its parameter, a string, if it has one.
    pub target: Option<String>,
    /// What it is called, in title case.
    pub label: String,
    /// What it does, in one sentence.
    pub about: String,
}

impl Deed {
    fn new(action: &'static str, label: String, about: String) -> Self {
        Self {
            action,
            target: None,
            label,
            about,
        }
    }

    /// Brings the window to the front.
    #[must_use]
    pub fn open() -> Self {
        Self::new("show", gettext("Open"), gettext("Show the window"))
    }

    /// Ends the application; what it watches goes on.
    #[must_use]
    pub fn quit() -> Self {
        Self::new("quit", gettext("Quit"), gettext("No longer tell of loans"))
    }

    /// Says yes to the hand-off that is announced.
    #[must_use]
    pub fn confirm() -> Self {
        Self::new(
            "confirm",
            gettext("Lend Now"),
            gettext("Leave this system and lend the disk"),
        )
    }

    /// Says no to the hand-off.
    #[must_use]
    pub fn decline() -> Self {
        Self::new(
            "cancel",
            gettext("Not Now"),
            gettext("Keep the disk and go on working"),
        )
    }

    /// Ends the loan.
    #[must_use]
    pub fn give_back() -> Self {
        Self::new(
            "give-back",
            gettext("Give Back…"),
            gettext("Shut down this computer and give the disk back"),
        )
    }

    /// Begins to answer paired machines.
    #[must_use]
    pub fn lend() -> Self {
        Self::new(
            "lend",
            gettext("Lend My Disk"),
            gettext("Wait for a paired computer that wants to boot from this one"),
        )
    }

    /// Ends to answer paired machines.
    #[must_use]
    pub fn disarm() -> Self {
        Self::new(
            "disarm",
            gettext("Stop Waiting"),
            gettext("Paired computers are no longer answered"),
        )
    }

    /// Announces a hand-off at once; without a name, to whichever asks first.
    fn lend_to(name: Option<&str>, path: &str) -> Self {
        let label = match name {
            Some(name) => gettext("Lend to {name}").replace("{name}", name),
            None => gettext("Hand Over Without Waiting"),
        };
        let about = gettext("Leave this system without waiting to be asked");
        Self {
            target: Some(path.to_owned()),
            ..Self::new("lend-to", label, about)
        }
    }

    fn call_off() -> Self {
        let about = gettext("Stop leaving and go on working");
        Self::new("cancel", gettext("Cancel"), about)
    }
}

/// All that would not be refused, most wanted first: what the window's buttons
/// offer. Empty while nobody knows.
#[must_use]
pub fn deeds(picture: &Picture) -> Vec<Deed> {
    match &picture.daemon {
        Daemon::Here | Daemon::Resting => {}
        Daemon::Asked | Daemon::Late | Daemon::Gone(_) => return vec![],
    }
    let may = view::may(picture);
    let mut deeds = Vec::new();
    if may.give_back {
        deeds.push(Deed::give_back());
    }
    if may.confirm && picture.handoff.blockers.is_empty() {
        deeds.push(Deed::confirm());
    }
    match picture.handoff.state {
        State::Announced if may.cancel => deeds.push(Deed::decline()),
        _ if may.cancel => deeds.push(Deed::call_off()),
        _ => {}
    }
    if may.lend && !view::needs_setup(picture) {
        deeds.push(Deed::lend());
    }
    if may.disarm && picture.handoff.state == State::Idle {
        if may.hand_over {
            deeds.extend(hand_over(picture));
        }
        deeds.push(Deed::disarm());
    }
    deeds
}

/// To each that searches, or to whichever asks first.
fn hand_over(picture: &Picture) -> Vec<Deed> {
    let searching = picture.pairings.iter().filter(|pairing| {
        pairing.presence == Presence::Searching && pairing.policy != PairingPolicy::Never
    });
    let deeds: Vec<_> = searching
        .map(|one| Deed::lend_to(Some(&one.name), &one.path))
        .collect();
    match deeds.is_empty() {
        true => vec![Deed::lend_to(None, names::PAIRINGS)],
        false => deeds,
    }
}

/// Whether the loan ends soon by itself.
#[must_use]
pub fn is_ending(picture: &Picture) -> bool {
    let loan = picture.loan.as_ref();
    loan.is_some_and(|loan| loan.ending != Ending::None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn actions(picture: &Picture) -> Vec<&'static str> {
        deeds(picture).iter().map(|deed| deed.action).collect()
    }

    #[test]
    fn nothing_can_be_asked_of_nobody() {
        for daemon in [Daemon::Asked, Daemon::Late, Daemon::Gone("no".into())] {
            let picture = Picture {
                daemon,
                ..samples::announced()
            };
            assert!(actions(&picture).is_empty());
        }
    }

    #[test]
    fn at_home_the_disk_is_lent_if_it_can_be() {
        assert_eq!(actions(&samples::ready()), ["lend"]);
        assert_eq!(actions(&samples::armed()), ["lend-to", "disarm"]);
        assert_eq!(actions(&samples::alone()), [""; 0]);
        assert_eq!(actions(&samples::unfit()), [""; 0]);
        assert_eq!(actions(&samples::odd()), [""; 0]);
        // What passes by itself may have passed until somebody asks.
        let mut low = samples::unfit();
        low.machine.checks[0].subject = "power".into();
        assert_eq!(actions(&low), ["lend"]);
    }

    #[test]
    fn who_searches_is_lent_to_by_name() {
        let mut picture = samples::armed();
        picture.pairings[0].presence = Presence::Searching;
        let named = &deeds(&picture)[0];
        assert_eq!(named.label, "Lend to Workstation");
        assert_eq!(named.target, Some(picture.pairings[0].path.clone()));
        picture.pairings[0].policy = PairingPolicy::Never;
        assert_eq!(deeds(&picture)[0].target, Some(names::PAIRINGS.into()));
    }

    #[test]
    fn a_hand_off_is_confirmed_and_called_off() {
        assert_eq!(actions(&samples::announced()), ["confirm", "cancel"]);
        assert_eq!(actions(&samples::in_the_way()), ["cancel"]);
        assert_eq!(actions(&samples::preparing()), ["cancel"]);
        assert_eq!(actions(&samples::leaving()), [""; 0]);
        assert_eq!(actions(&samples::reverting()), [""; 0]);
    }

    #[test]
    fn a_loan_is_given_back_while_it_can_be() {
        assert_eq!(actions(&samples::held()), ["give-back"]);
        assert_eq!(actions(&samples::frozen()), [""; 0]);
        assert_eq!(actions(&samples::closing()), [""; 0]);
        assert_eq!(actions(&samples::lost()), [""; 0]);
    }
}
