//! The disk to lend, found by its names.

use crate::{console, hardware};
use anyhow::Context;
use std::time::{Duration, Instant};
use stiefel_core::ticket::DiskIdentity;
use stiefel_linux::block::{self, Disk};
use stiefel_linux::uevent::Uevents;

/// Long enough for a slow USB disk or a row of SATA ports.
const LIMIT: Duration = Duration::from_secs(60);
/// A change that no event told of is seen this often.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Waits for the disk that the ticket names.
///
/// # Errors
/// It does not appear within a minute.
pub fn find(wanted: &DiskIdentity) -> anyhow::Result<Disk> {
    let uevents = Uevents::open()?;
    let since = Instant::now();
    let mut told = false;
    loop {
        if let Some(disk) = block::find(wanted)? {
            return Ok(disk);
        }
        if since.elapsed() > LIMIT {
            return Err(anyhow::anyhow!(
                "the disk to lend ({} GB, {}) did not appear",
                wanted.size / 1_000_000_000,
                wanted
                    .wwid
                    .as_deref()
                    .or(wanted.serial.as_deref())
                    .unwrap_or("known by its partition table"),
            ))
            .context("this machine goes back to its own system");
        }
        if !told && since.elapsed() > LIMIT / 12 {
            told = true;
            console::say("Still waiting for the disk.");
        }
        hardware::wait(&uevents, LOOK_AGAIN)?;
    }
}
