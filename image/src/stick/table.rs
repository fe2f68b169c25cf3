//! The partition table of a stick, by which it is known again.

use std::fs::File;

use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::{BIOS, EFI};
use gpt::{GptConfig, GptError};
use stiefel_core::pairing::PairingId;
use stiefel_core::stick::{pairing_of, partition_name};

use super::bios::BOOT_CODE;
use super::fat::SECTOR;
use super::transfer::Target;
use crate::Error;

/// The number of the volume's partition.
const VOLUME: u32 = 2;

/// What lies where: first sector and number of sectors.
pub(super) struct Table {
    pub pairing: PairingId,
    pub boot_code: Option<[u8; BOOT_CODE]>,
    pub core: (u64, u64),
    pub volume: (u64, u64),
}

/// A stick that was plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whose it is.
    pub pairing: PairingId,
    /// GUID of its partition, as it is on the drive; it stays when the stick is refreshed.
    pub guid: [u8; 16],
}

/// Whether a drive is a stick of ours. Reads the partition table and nothing else.
#[must_use]
pub fn recognize(drive: &File) -> Option<Found> {
    let (pairing, partition) = ours(drive)?;
    Some(Found {
        pairing,
        guid: partition.part_guid.to_bytes_le(),
    })
}

/// Where the volume of a stick of ours begins, sectors.
pub(super) fn volume_start(drive: &File) -> Option<u64> {
    ours(drive).map(|(_, partition)| partition.first_lba)
}

/// Our partition: an EFI system partition with our name.
fn ours(drive: &File) -> Option<(PairingId, Partition)> {
    let table = GptConfig::new()
        .logical_block_size(LogicalBlockSize::Lb512)
        .open_from_device(drive)
        .ok()?;
    table
        .partitions()
        .values()
        .filter(|partition| partition.part_type_guid == EFI)
        .find_map(|partition| {
            let pairing = pairing_of(&partition.name)?;
            Some((pairing, partition.clone()))
        })
}

/// What a stick of this pairing that is made anew keeps of the one that it was.
pub(super) struct Kept(Option<Partition>);

/// Looks before anything is written.
pub(super) fn kept(target: &mut Target, pairing: PairingId) -> Kept {
    let before = ours(target.file()).filter(|(whose, _)| *whose == pairing);
    Kept(before.map(|(_, partition)| partition))
}

impl Kept {
    /// Where its volume begins, sectors.
    pub(super) fn volume_start(&self) -> Option<u64> {
        self.0.as_ref().map(|partition| partition.first_lba)
    }
}

/// Writes the table; from then on the medium boots.
pub(super) fn write(target: &mut Target, table: &Table, kept: &Kept) -> Result<(), Error> {
    let written = write_table(target.file(), table, kept);
    written.map_err(|error| target.failed(std::io::Error::other(error)))?;
    target.settle()
}

fn write_table(file: &mut File, table: &Table, kept: &Kept) -> Result<(), GptError> {
    let size = std::io::Seek::seek(file, std::io::SeekFrom::End(0)).map_err(GptError::Io)?;
    let behind = u32::try_from(size / SECTOR - 1).unwrap_or(u32::MAX);
    let mut first = ProtectiveMBR::with_lb_size(behind);
    first.set_bootcode(table.boot_code.unwrap_or([0; BOOT_CODE]));
    first
        .overwrite_lba0(file)
        .map_err(|error| GptError::Io(std::io::Error::other(error)))?;
    let mut gpt = GptConfig::new()
        .writable(true)
        .logical_block_size(LogicalBlockSize::Lb512)
        .create_from_device(file, None)?;
    let name = partition_name(table.pairing);
    if table.boot_code.is_some() {
        gpt.add_partition_at("GRUB", 1, table.core.0, table.core.1, BIOS, 0)?;
    }
    gpt.add_partition_at(&name, VOLUME, table.volume.0, table.volume.1, EFI, 0)?;
    if let Some(before) = &kept.0 {
        let mut partitions = gpt.partitions().clone();
        if let Some(volume) = partitions.get_mut(&VOLUME) {
            volume.part_guid = before.part_guid;
        }
        gpt.update_partitions(partitions)?;
    }
    gpt.write()?;
    Ok(())
}

/// Reads the table back.
pub(super) fn verify(target: &mut Target, pairing: PairingId) -> Result<(), Error> {
    match recognize(target.file()) {
        Some(found) if found.pairing == pairing => Ok(()),
        _ => Err(target.not_read_back(0)),
    }
}
