//! The first steps of PID 1, before anything can be seen or said.

use stiefel_linux::{Result, mounts};

use crate::console;

/// Mounts `/dev`, `/proc` and `/sys`, and opens the consoles.
///
/// # Errors
/// A kernel without these file systems.
pub fn prepare() -> Result<()> {
    mounts::mount_early()?;
    console::open();
    Ok(())
}
