//! Disks, from sysfs; and which disk a file system lies on.

mod eject;
mod gpt;
mod under;
mod usb;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use stiefel_core::ticket::DiskIdentity;

use crate::error::{Result, Tried};

pub use eject::eject;
pub use under::disks_under;
pub use usb::usb_partitions;

/// Unit of `size` in sysfs, whatever the disk's own block size is (block/genhd.c).
const SECTOR: u64 = 512;

/// A whole disk, with hardware behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The kernel's name, `nvme0n1`; may be another one after the next boot.
    pub name: String,
    /// Size and the names that stay with it.
    pub identity: DiskIdentity,
    /// Logical block size in bytes.
    pub logical_block: u32,
    /// What the maker calls it.
    pub model: Option<String>,
    /// The medium can be taken out.
    pub removable: bool,
    /// The hardware refuses writes.
    pub read_only: bool,
}

impl Disk {
    /// The disk's device node.
    pub fn node(&self) -> PathBuf {
        Path::new("/dev").join(&self.name)
    }
}

/// All disks of this machine. No loop devices, RAM disks, optical drives, device-mapper or
/// network devices: only what a machine has in it or plugged in.
pub fn disks() -> Result<Vec<Disk>> {
    disks_below(Path::new("/sys/block"), Path::new("/dev"))
}

/// The disk that is the one described: all names that are known on both sides agree, and at
/// least one is. `None` when there is none, an error when there are two: never guess.
pub fn find(wanted: &DiskIdentity) -> Result<Option<Disk>> {
    let mut fitting: Vec<Disk> = disks()?;
    fitting.retain(|disk| wanted.is(&disk.identity));
    if fitting.len() > 1 {
        let names: Vec<_> = fitting.iter().map(|disk| disk.name.as_str()).collect();
        let cause = io::Error::other(format!("{} look the same", names.join(" and ")));
        return Err(cause).tried(|| "cannot tell which disk is meant".into());
    }
    Ok(fitting.pop())
}

/// Makes a disk write down all that it has been given, its own cache included.
pub fn flush(node: &Path) -> Result<()> {
    File::open(node)
        .and_then(|file| file.sync_all())
        .tried(|| format!("cannot flush {}", node.display()))
}

fn disks_below(sysfs: &Path, dev: &Path) -> Result<Vec<Disk>> {
    let mut disks = Vec::new();
    for entry in fs::read_dir(sysfs).tried(|| format!("cannot read {}", sysfs.display()))? {
        let name = entry.tried(|| "cannot list disks".into())?.file_name();
        if let Some(disk) = name.to_str().and_then(|name| describe(sysfs, dev, name)) {
            disks.push(disk);
        }
    }
    disks.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(disks)
}

/// `None` for what is no disk in our sense, and for one that vanishes while we look.
fn describe(sysfs: &Path, dev: &Path, name: &str) -> Option<Disk> {
    let folder = sysfs.join(name);
    let read = |file: &str| {
        let text = fs::read_to_string(folder.join(file)).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let number = |file: &str| read(file)?.parse::<u64>().ok();
    let optical = name.starts_with("sr") || name.starts_with("fd");
    let hidden = number("hidden") == Some(1);
    if optical || hidden || !folder.join("device").exists() {
        return None;
    }
    let size = number("size")? * SECTOR;
    let logical_block = number("queue/logical_block_size")?.try_into().ok()?;
    if size == 0 {
        return None;
    }
    let identity = DiskIdentity {
        wwid: read("wwid").or_else(|| read("device/wwid")).map(squeeze),
        serial: read("serial")
            .or_else(|| read("device/serial"))
            .or_else(|| scsi_serial(&folder.join("device/vpd_pg80")))
            .map(squeeze),
        gpt: gpt::disk_guid(&dev.join(name), logical_block),
        size,
    };
    Some(Disk {
        name: name.to_owned(),
        identity,
        logical_block,
        model: read("device/model")
            .or_else(|| read("device/name"))
            .map(squeeze),
        removable: number("removable") == Some(1),
        read_only: number("ro") == Some(1),
    })
}

/// Makers pad their names with spaces, and not always the same number of them.
fn squeeze(text: String) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The unit serial number page of a SCSI or SATA disk: four bytes of header, then text.
fn scsi_serial(page: &Path) -> Option<String> {
    let bytes = fs::read(page).ok()?;
    let length = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
    let text = String::from_utf8_lossy(bytes.get(4..4 + length)?)
        .trim()
        .to_owned();
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sysfs and a /dev with an NVMe disk, a SATA disk, and things that are no disks.
    fn machine() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, bytes: &[u8]| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        for (name, size, block) in [("nvme0n1", "2000", "4096"), ("sda", "16", "512")] {
            write(&format!("sys/{name}/size"), size.as_bytes());
            write(
                &format!("sys/{name}/queue/logical_block_size"),
                block.as_bytes(),
            );
            write(&format!("sys/{name}/device/model"), b"Fast   Disk  \n");
        }
        write("sys/nvme0n1/wwid", b"eui.0025385b\n");
        write("sys/nvme0n1/device/serial", b"S4EV  \n");
        write("sys/sda/device/vpd_pg80", b"\0\x80\0\x08  WD-123");
        write("sys/sda/removable", b"1\n");
        write("sys/loop0/size", b"16");
        write("sys/sr0/device/model", b"DVD");
        write("sys/sr0/size", b"16");
        write("dev/nvme0n1", &gpt::tests::image(4096));
        folder
    }

    #[test]
    fn disks_are_described() {
        let machine = machine();
        let disks = disks_below(&machine.path().join("sys"), &machine.path().join("dev")).unwrap();
        let [nvme, sata] = &disks[..] else {
            panic!("{disks:?}")
        };
        assert_eq!(nvme.identity.size, 2000 * 512);
        assert_eq!(nvme.identity.wwid.as_deref(), Some("eui.0025385b"));
        assert_eq!(nvme.identity.serial.as_deref(), Some("S4EV"));
        assert_eq!(nvme.identity.gpt.as_deref(), Some(gpt::tests::GUID));
        assert_eq!((nvme.logical_block, nvme.removable), (4096, false));
        assert_eq!(sata.identity.serial.as_deref(), Some("WD-123"));
        assert_eq!((sata.identity.gpt.as_deref(), sata.removable), (None, true));
        assert_eq!(sata.model.as_deref(), Some("Fast Disk"));
    }
}
