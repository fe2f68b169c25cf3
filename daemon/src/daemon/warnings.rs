//! From a loan to what a person should know about it now.

use crate::view::Warning;
use crate::world::loan::{Cable, Health, Hold, Loan};
use stiefel_core::preflight::BatteryWarning;
use stiefel_dbus::words::Severity;

/// Below this, a disk over the cable is slower than people bear; Mbit/s.
const FAST_MBPS: u32 = 1000;
/// Laptops slow down at about this temperature of the processor; degrees Celsius.
const HOT: f64 = 90.0;
/// And switch themselves off a little above this one.
const TOO_HOT: f64 = 100.0;

/// All of them, the most urgent subject first.
pub(super) fn of(loan: &Loan) -> Vec<Warning> {
    [connection(loan), power(loan), disk(loan), heat(loan)]
        .into_iter()
        .flatten()
        .collect()
}

fn warning(
    subject: &'static str,
    severity: Severity,
    text: impl Into<String>,
    hint: impl Into<String>,
) -> Option<Warning> {
    Some(Warning {
        subject,
        severity,
        text: text.into(),
        hint: hint.into(),
    })
}

fn connection(loan: &Loan) -> Option<Warning> {
    let lender = name(loan);
    let critical = |text: String, hint| warning("link", Severity::Critical, text, hint);
    if loan.unguarded && loan.hold == Hold::Held {
        return critical(
            "The program that keeps the disk attached was killed".into(),
            "Save your work, and shut this machine down while the cable is in",
        );
    }
    match (loan.hold, loan.cable) {
        (Hold::Lost, _) => critical(
            format!("{lender} has taken its disk back"),
            "Switch this machine off; what was saved is on the disk",
        ),
        (Hold::Frozen { .. }, Cable::NoCard) => critical(
            "The network adapter of the loan is gone".into(),
            "Plug it back in; this system goes on by itself",
        ),
        (Hold::Frozen { .. }, Cable::Unplugged) => critical(
            format!("The cable to {lender} is unplugged"),
            "Plug it back in; this system goes on by itself",
        ),
        (Hold::Frozen { .. }, Cable::Connected) => critical(
            format!("{lender} does not answer"),
            "Look whether it is switched on, and at the cable; this system goes on by itself",
        ),
        (Hold::Held, _) if loan.link_speed_mbps > 0 && loan.link_speed_mbps < FAST_MBPS => warning(
            "link",
            Severity::Warn,
            format!(
                "The cable to {lender} runs at {} Mbit/s only",
                loan.link_speed_mbps
            ),
            "Take a cable of category 5e or better; a lent disk needs 1000 Mbit/s",
        ),
        (Hold::Held, _) => None,
    }
}

fn power(loan: &Loan) -> Option<Warning> {
    let lender = &loan.lender_now;
    // A charger may not keep up.
    let drained = !lender.on_mains || lender.warning > BatteryWarning::None;
    let percent = lender.battery_percent.filter(|_| drained)?;
    let name = name(loan);
    let hint = format!("Plug in the charger of {name}");
    let (severity, text) = match lender.warning {
        BatteryWarning::None => (
            Severity::Warn,
            format!("{name} runs on its battery, at {percent:.0} %"),
        ),
        BatteryWarning::Low => (
            Severity::Warn,
            format!("The battery of {name} is low, at {percent:.0} %"),
        ),
        BatteryWarning::Critical | BatteryWarning::Action => (
            Severity::Critical,
            format!("The battery of {name} is nearly empty, at {percent:.0} %"),
        ),
    };
    warning("power", severity, text, hint)
}

fn disk(loan: &Loan) -> Option<Warning> {
    let detail = |what: &str| match loan.lender_now.disk_detail.as_str() {
        "" => what.to_owned(),
        detail => format!("{what}: {detail}"),
    };
    match loan.lender_now.disk {
        Health::Unknown | Health::Good => None,
        Health::Worn => warning(
            "disk",
            Severity::Warn,
            detail("The disk is near the end of its days"),
            "Think of a new one, and of copies of what is on it",
        ),
        Health::Failing => warning(
            "disk",
            Severity::Critical,
            detail("The disk is failing"),
            "Copy what is on it to another one now",
        ),
    }
}

fn heat(loan: &Loan) -> Option<Warning> {
    let celsius = loan.lender_now.celsius?;
    let severity = match celsius {
        celsius if celsius >= TOO_HOT => Severity::Critical,
        celsius if celsius >= HOT => Severity::Warn,
        _ => return None,
    };
    warning(
        "temperature",
        severity,
        format!("{} is hot, {celsius:.0} °C", name(loan)),
        "Let it have air; a closed lid on a soft ground keeps its warmth",
    )
}

fn name(loan: &Loan) -> &str {
    match loan.lender.as_str() {
        "" => "the lender",
        name => name,
    }
}
