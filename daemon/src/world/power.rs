//! Battery and mains, from sysfs, looked at when the kernel says that a power
//! supply changed.

use super::{Happening, PowerNow, Reporter, Trouble};
use stiefel_linux::process::wait_readable;
use stiefel_linux::uevent::Uevents;

/// Battery and mains as they are now. A machine whose supplies cannot be read
/// counts as one without a battery.
#[must_use]
pub fn read() -> PowerNow {
    match stiefel_linux::power::read() {
        Ok(power) => PowerNow {
            battery_percent: power.battery_percent,
            on_mains: power.on_mains,
        },
        Err(error) => {
            tracing::warn!("{error}");
            PowerNow {
                battery_percent: None,
                on_mains: true,
            }
        }
    }
}

/// Reports the present state and all changes; blocks for ever.
///
/// # Errors
/// The kernel cannot be listened to.
pub fn watch(reporter: &Reporter) -> Result<(), Trouble> {
    let tried = |error| Trouble::new("cannot watch the power supply", error);
    let mut events = Uevents::open().map_err(tried)?;
    let mut last = None;
    loop {
        let now = read();
        if last.replace(now) != Some(now) && reporter.blocking_send(Happening::Power(now)).is_err()
        {
            return Ok(());
        }
        while !concerned(&mut events).map_err(tried)? {}
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
