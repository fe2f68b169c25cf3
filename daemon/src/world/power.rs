//! Battery and mains, from sysfs, looked at when the kernel says that a power
//! supply changed. For machines without [`super::upower`].

use super::{PowerNow, Trouble};
use stiefel_core::preflight::BatteryWarning;
use stiefel_linux::process::wait_readable;
use stiefel_linux::uevent::Uevents;
use tokio::sync::mpsc;

/// Battery and mains as they are now. A machine whose supplies cannot be read
/// counts as one without a battery.
#[must_use]
pub fn read() -> PowerNow {
    match stiefel_linux::power::read() {
        Ok(power) => PowerNow {
            battery_percent: power.battery_percent,
            on_mains: power.on_mains,
            warning: match power.battery_percent {
                Some(percent) if !power.on_mains => warning(percent),
                Some(_) | None => BatteryWarning::None,
            },
            empty_in_secs: power.empty_in_secs,
        },
        Err(error) => {
            tracing::warn!("{error}");
            PowerNow::MAINS
        }
    }
}

/// UPower's own thresholds, where there is none (`PercentageLow` and so on in UPower.conf).
pub(super) fn warning(percent: f64) -> BatteryWarning {
    match percent {
        percent if percent <= 2.0 => BatteryWarning::Action,
        percent if percent <= 5.0 => BatteryWarning::Critical,
        percent if percent <= 20.0 => BatteryWarning::Low,
        _ => BatteryWarning::None,
    }
}

/// Tells `changed` of everything that the kernel says about power supplies; blocks for ever.
///
/// # Errors
/// The kernel cannot be listened to.
pub fn watch(changed: &mpsc::Sender<()>) -> Result<(), Trouble> {
    let tried = |error| Trouble::new("cannot watch the power supply", error);
    let mut events = Uevents::open().map_err(tried)?;
    // Whatever changed before we listened.
    let mut news = true;
    loop {
        // One that waits already says it all.
        if news && let Err(mpsc::error::TrySendError::Closed(())) = changed.try_send(()) {
            return Ok(());
        }
        news = concerned(&mut events).map_err(tried)?;
    }
}

/// Waits for events; whether one of them is about a power supply.
fn concerned(events: &mut Uevents) -> stiefel_linux::Result<bool> {
    wait_readable(events, super::AN_HOUR)?;
    let heard = events.take()?;
    Ok(heard.iter().any(|event| {
        event.action == "overflow" || event.property("SUBSYSTEM") == Some("power_supply")
    }))
}
