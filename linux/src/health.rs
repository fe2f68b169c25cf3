//! What a disk says of its own health.
//!
//! [`read`] asks the disk itself, which takes its time and, from a dying one, for ever: call it
//! from a thread on which nothing waits.

mod ata;
mod mmc;
mod nvme;

use std::fs;
use std::path::Path;

use stiefel_core::control::DiskStatus;

use crate::block::Disk;
use crate::error::Result;

/// Asks a disk how it is. `None` when it has no words for it, or none that we could ask for
/// without a risk: disks of virtual machines, and those behind USB bridges, of which some
/// stop working when they are asked.
pub fn read(disk: &Disk) -> Result<Option<DiskStatus>> {
    let device = Path::new("/sys/block").join(&disk.name).join("device");
    if disk.name.starts_with("nvme") {
        return nvme::read(&disk.node()).map(Some);
    }
    if disk.name.starts_with("mmcblk") {
        return Ok(mmc::read_below(&device));
    }
    // Only the kernel's own ATA drivers call the maker so (drivers/ata/libata-scsi.c).
    let maker = fs::read_to_string(device.join("vendor")).unwrap_or_default();
    if maker.trim() == "ATA" {
        return ata::read(&disk.node()).map(Some);
    }
    Ok(None)
}
