//! The disk that the system runs from.

use std::path::Path;
use stiefel_core::ticket::DiskIdentity;
use stiefel_linux::block;

/// A disk that can be lent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// By what the ramdisk finds it again.
    pub identity: DiskIdentity,
    /// What a person calls it.
    pub model: String,
}

impl Disk {
    /// By what a person tells it from another disk of the same model.
    #[must_use]
    pub fn id(&self) -> &str {
        let DiskIdentity {
            wwid, serial, gpt, ..
        } = &self.identity;
        [serial, wwid, gpt]
            .into_iter()
            .flatten()
            .next()
            .map_or("", String::as_str)
    }
}

/// The one disk below the root file system; or why there is none that can be
/// lent. When in doubt, none.
///
/// # Errors
/// The reason, for a person.
pub fn below_root() -> Result<Disk, String> {
    let names = block::disks_under(Path::new("/")).map_err(|error| error.to_string())?;
    let [name] = &names[..] else {
        return Err(format!(
            "The system runs from several disks at once: {}",
            names.join(", ")
        ));
    };
    let disks = block::disks().map_err(|error| error.to_string())?;
    let twins = |disk: &block::Disk| {
        disks
            .iter()
            .filter(|other| disk.identity.is(&other.identity))
            .count()
    };
    let Some(disk) = disks.iter().find(|disk| disk.name == *name) else {
        return Err(format!(
            "The system runs from {name}, which is no disk of this machine"
        ));
    };
    if !disk.identity.is_named() {
        return Err(format!(
            "The disk {name} has neither an id nor a partition table with one, so it could not be found again"
        ));
    }
    if twins(disk) != 1 {
        return Err(format!("Another disk cannot be told from {name}"));
    }
    if disk.read_only {
        return Err(format!("The disk {name} is read-only"));
    }
    Ok(Disk {
        identity: disk.identity.clone(),
        model: disk.model.clone().unwrap_or_else(|| name.clone()),
    })
}
