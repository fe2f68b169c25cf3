//! The EFI system partition of the running system.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;

use crate::Error;

/// Where systems mount it (Discoverable Partitions Specification, and what came before).
const USUAL: [&str; 3] = ["/efi", "/boot/efi", "/boot"];

/// A partition as the firmware knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 1.
    pub number: u32,
    /// Where it begins, logical blocks of the disk.
    pub first_block: u64,
    /// Its size, logical blocks of the disk.
    pub blocks: u64,
    /// Its own GUID, as it is on the disk.
    pub guid: [u8; 16],
}

/// Where it is mounted, and which one it is.
pub(super) fn find(named: Option<&Path>) -> Result<(PathBuf, Partition), Error> {
    let places = named.map_or_else(|| USUAL.map(PathBuf::from).to_vec(), |p| vec![p.to_owned()]);
    for place in &places {
        // It may be one that is mounted when it is used.
        let _ = fs::metadata(place.join("EFI"));
    }
    let path = Path::new("/proc/self/mountinfo");
    let mounts = fs::read_to_string(path).map_err(Error::file("read", path))?;
    let found = places
        .into_iter()
        .find_map(|place| Some((device(&mounts, &place)?, place)));
    let (numbers, place) = found.ok_or(Error::NoEsp)?;
    let partition = describe(&numbers)?.ok_or_else(|| Error::NotGpt(place.clone()))?;
    Ok((place, partition))
}

/// Numbers of the device that is mounted as FAT at a place, `major:minor` (proc_pid_mountinfo(5)).
fn device(mounts: &str, place: &Path) -> Option<String> {
    mounts.lines().rev().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut words = mount.split(' ').skip(2);
        let (numbers, _, point) = (words.next()?, words.next()?, words.next()?);
        (Path::new(point) == place && kind.starts_with("vfat ")).then(|| numbers.to_owned())
    })
}

/// `None` if it is no partition of a GPT.
fn describe(numbers: &str) -> Result<Option<Partition>, Error> {
    let block = Path::new("/sys/dev/block").join(numbers);
    let block = fs::canonicalize(&block).map_err(Error::file("look at", &block))?;
    let text = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let number: Result<u32, _> = text(block.join("partition")).trim().parse();
    let (Ok(number), Some(disk)) = (number, block.parent()) else {
        return Ok(None);
    };
    let device = Path::new("/dev").join(disk.file_name().unwrap_or_default());
    let file = File::open(&device).map_err(Error::file("read", &device))?;
    let size = match text(disk.join("queue/logical_block_size")).trim() {
        "4096" => LogicalBlockSize::Lb4096,
        _ => LogicalBlockSize::Lb512,
    };
    let table = GptConfig::new()
        .logical_block_size(size)
        .open_from_device(file);
    let Ok(table) = table else { return Ok(None) };
    let Some(partition) = table.partitions().get(&number) else {
        return Ok(None);
    };
    Ok(Some(Partition {
        number,
        first_block: partition.first_lba,
        blocks: partition.last_lba + 1 - partition.first_lba,
        guid: partition.part_guid.to_bytes_le(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_mounted_last_at_a_place_is_there() {
        let mounts = "\
            23 1 8:2 / / rw shared:1 - ext4 /dev/sda2 rw\n\
            24 23 0:33 / /boot/efi rw - autofs systemd-1 rw\n\
            25 23 8:1 / /boot/efi rw shared:9 - vfat /dev/sda1 rw,fmask=0077\n\
            26 23 8:3 / /efi rw - ext4 /dev/sda3 rw\n";
        let at = |place| device(mounts, Path::new(place));
        assert_eq!(at("/boot/efi").as_deref(), Some("8:1"));
        assert_eq!(at("/efi"), None, "not FAT");
        assert_eq!(at("/boot"), None);
    }
}
