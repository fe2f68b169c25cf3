//! The error log of a stick, as whoever makes sticks reads it: nothing is mounted.

use std::fs::File;
use std::os::unix::fs::FileExt;

use stiefel_core::stick::error_log::{ErrorLog, LEN};
use stiefel_core::stick::{Serial, Volume};

use super::fat::SECTOR;
use super::table::{self, Kept};
use super::transfer::Target;

/// The log of a stick that is made anew, or an empty one for a new stick and where there is
/// none that can be read.
pub(super) fn kept(target: &mut Target, kept: &Kept, serial: Serial) -> ErrorLog {
    let before = kept
        .volume_start()
        .and_then(|start| read(target.file(), start * SECTOR));
    before.map_or_else(|| ErrorLog::empty(serial), |log| log.moved_to(serial))
}

/// What the stick in this drive remembers, as text, the newest first; `None` if it is no stick of
/// ours, or its log cannot be read.
#[must_use]
pub fn errors(drive: &File) -> Option<String> {
    let start = table::volume_start(drive)?;
    Some(read(drive, start * SECTOR)?.records().join("\n\n"))
}

/// Reads the log in the volume that begins here, bytes.
fn read(drive: &File, start: u64) -> Option<ErrorLog> {
    let mut sector = [0; SECTOR as usize];
    drive.read_exact_at(&mut sector, start).ok()?;
    let volume = Volume::of(&sector)?;
    let mut bytes = vec![0; LEN];
    drive
        .read_exact_at(&mut bytes, start + volume.log_at())
        .ok()?;
    ErrorLog::parse(&bytes, volume.serial).ok()
}
