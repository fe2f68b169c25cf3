//! Tells the loop as soon as the kernel says something of a battery or a charger.

use std::io;
use std::time::Duration;
use stiefel_linux::process::wait_readable;
use stiefel_linux::uevent::Uevents;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, channel};

/// Nothing needs it; a wait has to have an end.
const AN_HOUR: Duration = Duration::from_secs(3600);

/// Listens from now on.
///
/// # Errors
/// The kernel tells nothing of its devices, or there is no thread.
pub fn watch() -> io::Result<Receiver<()>> {
    let events = Uevents::open().map_err(io::Error::other)?;
    let (changed, changes) = channel(1);
    let listen = move || {
        // Without events, the loop looks every now and then.
        while wait_readable(&events, AN_HOUR).is_ok() {
            let Ok(heard) = events.take() else {
                return;
            };
            let concerned = heard.iter().any(|event| {
                event.action == "overflow" || event.property("SUBSYSTEM") == Some("power_supply")
            });
            // One that waits already says it all.
            if concerned && let Err(TrySendError::Closed(())) = changed.try_send(()) {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("supplies".into())
        .spawn(listen)?;
    Ok(changes)
}
