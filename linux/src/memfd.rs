//! Files that exist only in memory, for what must not touch a disk.

use std::fs::File;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::error::{Result, Tried};

/// An empty, growing file in memory; it is gone when its last descriptor is closed.
/// `name` is for people who look into `/proc`.
pub fn create(name: &str) -> Result<File> {
    memfd_create(name, MemfdFlags::CLOEXEC)
        .map(File::from)
        .tried(|| format!("cannot make the file {name} in memory"))
}
