//! Names for what the daemon says, in the words of people.

use super::heard::heard;
use super::{Mark, units};
use crate::picture::{HandOff, Link, Machine, Pairing, Picture};
use gettextrs::gettext;
use stiefel_dbus::names;
use stiefel_dbus::words::{
    BatteryWarning, LinkPolicy, LinkState, PairingPolicy, Reason, Remedy, Step, Verdict,
};

/// Icons of our own.
pub mod icon {
    pub const LEAVING: &str = "org.stiefelsystem.Stiefelsystem-handing-over-symbolic";
    pub const LENT: &str = "org.stiefelsystem.Stiefelsystem-lent-symbolic";
    pub const WARNING: &str = "org.stiefelsystem.Stiefelsystem-warning-symbolic";
}

/// Puts `value` where `{name}` stands.
#[must_use]
pub fn fill(text: &str, name: &str, value: &str) -> String {
    text.replace(&format!("{{{name}}}"), value)
}

/// Who borrows.
#[must_use]
pub fn borrower(picture: &Picture) -> Option<&Pairing> {
    match picture.handoff.borrower.as_str() {
        // With one pairing only, "any of them" is that one.
        names::PAIRINGS => match picture.pairings.as_slice() {
            [only] => Some(only),
            _ => None,
        },
        path => picture.pairing(path),
    }
}

/// What to call whoever borrows.
#[must_use]
pub fn borrower_name(picture: &Picture) -> String {
    borrower(picture).map_or_else(
        || gettext("a paired computer"),
        |pairing| pairing.name.clone(),
    )
}

/// How the last hand-off came back, if it did.
#[must_use]
pub fn outcome(handoff: &HandOff) -> Option<String> {
    let text = match &handoff.reason {
        Reason::None => return None,
        Reason::Cancelled => gettext("The hand-off was called off."),
        Reason::Expired => gettext("Nobody agreed in time, so the disk was not lent."),
        Reason::Blocked => gettext("The disk was not lent, because something was in the way."),
        Reason::StepFailed => gettext("The hand-off failed, and everything was put back."),
        Reason::RebootRefused => gettext("The system did not shut down, so the disk was not lent."),
        Reason::Unknown(_) => gettext("The hand-off failed."),
    };
    let detail = heard(&handoff.detail);
    Some(match &handoff.reason {
        _ if detail.is_empty() => text,
        // It says that nothing came of it, and why.
        Reason::Expired | Reason::Blocked => detail,
        _ => format!("{text} {detail}"),
    })
}

/// A step of a hand-off.
#[must_use]
pub fn step(step: &Step) -> String {
    match step {
        Step::None => String::new(),
        Step::HoldSleep => gettext("Keep this computer awake"),
        Step::CheckImage => gettext("Check the ramdisk"),
        Step::ClaimLink => gettext("Take the network connection"),
        Step::LoadKernel => gettext("Load what serves the disk"),
        Step::Unknown(word) => word.clone(),
    }
}

/// What a check is about.
#[must_use]
pub fn subject(subject: &str) -> String {
    match subject {
        "image" => gettext("Ramdisk"),
        "kexec" => gettext("Way Into the Ramdisk"),
        "kernel" => gettext("Kernel"),
        "driver" => gettext("Network Drivers"),
        "disk" => gettext("Disk"),
        "names" => gettext("Names of Disks"),
        "unlocking" => gettext("Encryption"),
        "hibernation" => gettext("Hibernation"),
        "pairing" => gettext("Paired Computers"),
        "link" => gettext("Network Connection"),
        "power" => gettext("Power"),
        "session" => gettext("Users"),
        "inhibitor" => gettext("Running Programs"),
        "configuration" => gettext("Configuration"),
        "temperature" => gettext("Temperature"),
        other => other.to_owned(),
    }
}

/// The mark of a check.
#[must_use]
pub fn verdict(verdict: &Verdict) -> Mark {
    match verdict {
        Verdict::Ok => Mark::Good,
        Verdict::Warn | Verdict::Unknown(_) => Mark::Careful,
        Verdict::Block => Mark::Bad,
    }
}

/// What the button of a check says, if there is one.
#[must_use]
pub fn remedy(remedy: &Remedy) -> Option<String> {
    match remedy {
        Remedy::None | Remedy::Unknown(_) => None,
        Remedy::UpdateImage => Some(gettext("_Make It Now")),
        Remedy::Pair => Some(gettext("_Pair…")),
    }
}

/// What the searches of a pairing bring about, in one or two words.
#[must_use]
pub fn pairing_policy(policy: &PairingPolicy) -> String {
    match policy {
        PairingPolicy::Ask => gettext("Asks"),
        PairingPolicy::Automatic => gettext("Always allowed"),
        PairingPolicy::Never => gettext("Not allowed"),
        PairingPolicy::Unknown(word) => word.clone(),
    }
}

/// What an interface is, for people.
#[must_use]
pub fn link_kind(link: &Link) -> String {
    match link.bus.as_str() {
        "usb" => gettext("USB Network Adapter"),
        "thunderbolt" => gettext("Thunderbolt Connection"),
        _ => gettext("Network Port"),
    }
}

/// What is at the other end of an interface.
#[must_use]
pub fn link_state(link: &Link) -> String {
    match &link.state {
        LinkState::Down => gettext("Switched off"),
        LinkState::NoCarrier => gettext("No cable"),
        LinkState::Up if link.speed_mbps > 0 => units::speed(link.speed_mbps),
        LinkState::Up => gettext("Connected"),
        LinkState::Unknown(word) => word.clone(),
    }
}

/// What an interface is used for.
#[must_use]
pub fn link_policy(policy: &LinkPolicy) -> String {
    match policy {
        LinkPolicy::Ignore => gettext("Not used for lending"),
        LinkPolicy::Shared => gettext("Shared with other traffic"),
        LinkPolicy::Dedicated => gettext("Only for lending"),
        LinkPolicy::Unknown(word) => word.clone(),
    }
}

/// Whether a battery needs attention.
#[must_use]
pub fn is_low(warning: &BatteryWarning) -> bool {
    match warning {
        BatteryWarning::None => false,
        BatteryWarning::Low
        | BatteryWarning::Critical
        | BatteryWarning::Action
        | BatteryWarning::Unknown(_) => true,
    }
}

/// The icon theme's battery of that charge.
#[must_use]
pub fn battery_icon(percent: f64, on_ac: bool) -> &'static str {
    const ON_BATTERY: [&str; 6] = [
        "battery-level-0-symbolic",
        "battery-level-20-symbolic",
        "battery-level-40-symbolic",
        "battery-level-60-symbolic",
        "battery-level-80-symbolic",
        "battery-level-100-symbolic",
    ];
    const ON_AC: [&str; 6] = [
        "battery-level-0-charging-symbolic",
        "battery-level-20-charging-symbolic",
        "battery-level-40-charging-symbolic",
        "battery-level-60-charging-symbolic",
        "battery-level-80-charging-symbolic",
        "battery-level-100-charged-symbolic",
    ];
    let level = match percent {
        p if p >= 90.0 => 5,
        p if p >= 70.0 => 4,
        p if p >= 50.0 => 3,
        p if p >= 30.0 => 2,
        p if p >= 10.0 => 1,
        _ => 0,
    };
    if on_ac {
        ON_AC[level]
    } else {
        ON_BATTERY[level]
    }
}

/// Where the machine's power comes from, in a sentence.
#[must_use]
pub fn power(on_ac: bool, time_to_empty_usec: u64) -> String {
    match (on_ac, time_to_empty_usec) {
        (true, _) => gettext("Plugged in"),
        (false, 0) => gettext("On battery"),
        (false, left) => fill(
            &gettext("On battery, {time} left"),
            "time",
            &units::duration(left),
        ),
    }
}

/// The disk, as people know it.
#[must_use]
pub fn disk(machine: &Machine) -> Option<(String, String)> {
    let disk = machine.disk.as_ref()?;
    let model = match disk.model.as_str() {
        "" => gettext("Disk"),
        model => model.to_owned(),
    };
    Some((model, units::size(disk.size)))
}
