//! The first steps of PID 1, before anything can be seen or said.

use stiefel_linux::{Result, mounts};

use crate::console::{Console, Loud};

/// Mounts `/dev`, `/proc` and `/sys`, and opens the consoles. Our lines are shown, also with
/// `quiet`, until the second value is dropped.
pub fn start() -> Result<(Console, Loud)> {
    mounts::mount_early()?;
    let loud = Loud::new();
    Ok((Console::open(), loud))
}
