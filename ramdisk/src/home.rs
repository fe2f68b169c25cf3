//! The ways out of the ramdisk.

use crate::console;
use rustix::system::{RebootCommand, reboot};
use std::thread;
use std::time::Duration;

/// Time to read what went wrong.
const TO_READ: Duration = Duration::from_secs(60);

/// Reboots by the firmware, which starts this machine's own system; never by
/// kexec, because the borrower may have given it another kernel.
pub fn now() -> ! {
    rustix::fs::sync();
    loop {
        if let Err(error) = reboot(RebootCommand::Restart) {
            console::warn(&format!(
                "Cannot reboot ({error}). Switch this machine off and on again."
            ));
        }
        thread::sleep(TO_READ);
    }
}

/// Switches this machine off, because its battery is nearly empty; else as [`now`].
pub fn off() -> ! {
    rustix::fs::sync();
    if let Err(error) = reboot(RebootCommand::PowerOff) {
        console::warn(&format!("Cannot switch this machine off ({error})."));
    }
    now()
}

/// Leaves what is on the screen there for a while first.
pub fn after_a_minute() -> ! {
    console::warn("This machine starts its own system in a minute.");
    thread::sleep(TO_READ);
    now()
}
