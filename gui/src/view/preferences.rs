//! What people prefer.

use super::words;
use crate::picture::{Picture, Settings};
use gettextrs::gettext;
use stiefel_dbus::words::{LinkPolicy, LinkState, OnAcLoss, OnBattery, OnLowPower, PairingPolicy};

/// All that can be set.
#[derive(Clone, Debug, PartialEq)]
pub struct Preferences {
    pub pairings: Vec<PairingChoice>,
    pub links: Vec<LinkChoice>,
    /// None if the daemon has no settings.
    pub lending: Option<Lending>,
}

/// One word out of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub words: Vec<String>,
    pub labels: Vec<String>,
    pub selected: usize,
}

/// A paired computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairingChoice {
    pub path: String,
    pub name: String,
    /// In short.
    pub text: String,
    pub policy: Choice,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkChoice {
    pub path: String,
    pub title: String,
    /// What is at its other end.
    pub state: String,
    pub connected: bool,
    pub policy: Choice,
}

/// When the disk is lent, and how long people have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lending {
    pub on_battery: Choice,
    pub battery_percent: u32,
    /// The percentage matters.
    pub battery_matters: bool,
    pub on_ac_loss: Choice,
    pub on_plug: Choice,
    pub on_low_power: Choice,
    pub countdown_secs: u32,
    pub confirm_secs: u32,
    pub offer_minutes: u32,
    pub patience_minutes: u32,
}

impl Preferences {
    /// What can be set of `picture`.
    #[must_use]
    pub fn of(picture: &Picture) -> Self {
        let pairings = picture.pairings.iter().map(|pairing| PairingChoice {
            path: pairing.path.clone(),
            name: pairing.name.clone(),
            text: words::pairing_policy(&pairing.policy),
            policy: pairing_policy(&pairing.policy),
        });
        let links = picture.links.iter().map(|link| LinkChoice {
            path: link.path.clone(),
            title: format!("{} · {}", words::link_kind(link), link.interface),
            state: words::link_state(link),
            connected: link.state == LinkState::Up,
            policy: link_policy(&link.policy),
        });
        Self {
            pairings: pairings.collect(),
            links: links.collect(),
            lending: picture.settings.as_ref().map(lending),
        }
    }
}

fn lending(settings: &Settings) -> Lending {
    Lending {
        on_battery: choice(
            settings.on_battery.as_str(),
            &[
                (OnBattery::Refuse, gettext("Never")),
                (OnBattery::Warn, gettext("With enough charge")),
                (OnBattery::Allow, gettext("Always")),
            ],
            OnBattery::as_str,
        ),
        battery_percent: settings.battery_percent.min(100),
        battery_matters: settings.on_battery != OnBattery::Allow,
        on_ac_loss: choice(
            settings.on_ac_loss.as_str(),
            &[
                (OnAcLoss::Ask, gettext("Ask again")),
                (OnAcLoss::CallOff, gettext("Call it off")),
                (OnAcLoss::GoAhead, gettext("Go ahead")),
            ],
            OnAcLoss::as_str,
        ),
        on_plug: pairing_policy(&settings.on_plug),
        on_low_power: choice(
            settings.on_low_power.as_str(),
            &[
                (OnLowPower::GiveBack, gettext("Warn, then give back")),
                (OnLowPower::Warn, gettext("Only warn")),
            ],
            OnLowPower::as_str,
        ),
        countdown_secs: settings.countdown_secs,
        confirm_secs: settings.confirm_secs,
        offer_minutes: minutes(settings.offer_secs),
        patience_minutes: minutes(settings.patience_secs),
    }
}

/// Whole minutes, and at least one of what is not nothing.
fn minutes(secs: u32) -> u32 {
    secs.div_ceil(60)
}

fn pairing_policy(policy: &PairingPolicy) -> Choice {
    choice(
        policy.as_str(),
        &[
            (PairingPolicy::Ask, gettext("Ask")),
            (PairingPolicy::Automatic, gettext("Allow after a countdown")),
            (PairingPolicy::Never, gettext("Do not allow")),
        ],
        PairingPolicy::as_str,
    )
}

fn link_policy(policy: &LinkPolicy) -> Choice {
    choice(
        policy.as_str(),
        &[
            (LinkPolicy::Dedicated, gettext("Only for lending")),
            (LinkPolicy::Shared, gettext("Also for lending")),
            (LinkPolicy::Ignore, gettext("Not for lending")),
        ],
        LinkPolicy::as_str,
    )
}

/// The known words, and the present one as it is if it is none of them.
fn choice<W>(present: &str, known: &[(W, String)], word: fn(&W) -> &str) -> Choice {
    let mut words: Vec<_> = known.iter().map(|(it, _)| word(it).to_owned()).collect();
    let mut labels: Vec<_> = known.iter().map(|(_, label)| label.clone()).collect();
    let selected = words.iter().position(|known| known == present);
    let selected = selected.unwrap_or_else(|| {
        words.push(present.to_owned());
        labels.push(present.to_owned());
        words.len() - 1
    });
    Choice {
        words,
        labels,
        selected,
    }
}
