//! From a path to the disks below it: through partitions, LUKS, LVM, RAID and btrfs.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor};

use crate::error::{Error, Result, Tried};
use crate::mounts;

/// Deepest stack of devices that we follow; real ones have about five.
const DEPTH_LIMIT: usize = 16;

/// The kernel's names of the whole disks that carry the file system with this path. Several
/// for a RAID, an LVM over several disks, or a btrfs with several devices; an error when there
/// is none, for example on NFS or ZFS.
pub fn disks_under(path: &Path) -> Result<Vec<String>> {
    let tried = || format!("cannot find the disk below {}", path.display());
    let mounts = mounts::current()?;
    let full = fs::canonicalize(path).tried(tried)?;
    let device = fs::metadata(&full).tried(tried)?.dev();
    let mut devices = vec![(major(device), minor(device))];
    if major(device) == 0 {
        let mount = mounts::holding(&mounts, &full)
            .filter(|mount| mount.source.starts_with("/dev/"))
            .ok_or_else(|| io::Error::other("its file system lies on no disk"))
            .tried(tried)?;
        devices = sources(&mount.source).tried(tried)?;
    }
    let mut names = BTreeSet::new();
    for device in devices {
        let sysfs = PathBuf::from(format!("/sys/dev/block/{}:{}", device.0, device.1));
        descend(&sysfs, DEPTH_LIMIT, &mut names).tried(tried)?;
    }
    if names.is_empty() {
        return Err(Error::new(tried(), io::Error::other("there is none")));
    }
    Ok(names.into_iter().collect())
}

/// The device behind a mount's source, and those that btrfs joins with it.
fn sources(source: &str) -> io::Result<Vec<(u32, u32)>> {
    let mut devices = Vec::new();
    // bcachefs names all of its devices, with colons between.
    for node in source.split(':') {
        let device = fs::metadata(node)?.rdev();
        devices.push((major(device), minor(device)));
    }
    let companions = btrfs_companions(Path::new("/sys/fs/btrfs"), &devices);
    devices.extend(companions);
    Ok(devices)
}

/// btrfs lists the devices of each of its file systems in a folder of links.
fn btrfs_companions(sysfs: &Path, devices: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let folders = fs::read_dir(sysfs).into_iter().flatten().flatten();
    let groups = folders.map(|folder| {
        let links = fs::read_dir(folder.path().join("devices"))
            .into_iter()
            .flatten()
            .flatten();
        links
            .filter_map(|link| numbers(&link.path()))
            .collect::<Vec<_>>()
    });
    let mut groups = groups.filter(|group| group.iter().any(|device| devices.contains(device)));
    groups.next().unwrap_or_default()
}

fn numbers(folder: &Path) -> Option<(u32, u32)> {
    let text = fs::read_to_string(folder.join("dev")).ok()?;
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Collects the whole disks below a block device's folder in sysfs.
fn descend(folder: &Path, depth: usize, names: &mut BTreeSet<String>) -> io::Result<()> {
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| io::Error::other("devices upon devices"))?;
    let folder = fs::canonicalize(folder)?;
    if folder.join("partition").exists() {
        let disk = folder
            .parent()
            .ok_or_else(|| io::Error::other("a partition of nothing"))?;
        return descend(disk, depth, names);
    }
    let slaves: Vec<_> = match fs::read_dir(folder.join("slaves")) {
        Ok(slaves) => slaves.collect::<io::Result<_>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    if slaves.is_empty() {
        names.extend(
            folder
                .file_name()
                .and_then(|name| name.to_str())
                .map(str::to_owned),
        );
    }
    slaves
        .iter()
        .try_for_each(|slave| descend(&slave.path(), depth, names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// root = LV on LUKS on nvme0n1p3, with a second PV on sda.
    fn stack() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in ["nvme0n1/nvme0n1p3", "sda", "dm-0/slaves", "dm-1/slaves"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        fs::write(at("nvme0n1/nvme0n1p3/partition"), "3").unwrap();
        symlink(at("nvme0n1/nvme0n1p3"), at("dm-0/slaves/nvme0n1p3")).unwrap();
        symlink(at("dm-0"), at("dm-1/slaves/dm-0")).unwrap();
        symlink(at("sda"), at("dm-1/slaves/sda")).unwrap();
        folder
    }

    fn below(folder: &Path) -> io::Result<Vec<String>> {
        let mut names = BTreeSet::new();
        descend(folder, DEPTH_LIMIT, &mut names)?;
        Ok(names.into_iter().collect())
    }

    #[test]
    fn all_disks_of_a_stack_are_found() {
        let stack = stack();
        assert_eq!(
            below(&stack.path().join("dm-1")).unwrap(),
            ["nvme0n1", "sda"]
        );
        assert_eq!(below(&stack.path().join("sda")).unwrap(), ["sda"]);
        assert_eq!(
            below(&stack.path().join("nvme0n1/nvme0n1p3")).unwrap(),
            ["nvme0n1"]
        );
    }

    #[test]
    fn a_ring_of_devices_ends() {
        let stack = stack();
        symlink(
            stack.path().join("dm-1"),
            stack.path().join("dm-0/slaves/dm-1"),
        )
        .unwrap();
        assert!(below(&stack.path().join("dm-1")).is_err());
    }

    #[test]
    fn btrfs_tells_its_other_devices() {
        let folder = tempfile::tempdir().unwrap();
        for (uuid, device, dev) in [
            ("u1", "sda1", "8:1"),
            ("u1", "sdb", "8:16"),
            ("u2", "sdc", "8:32"),
        ] {
            let path = folder.path().join(uuid).join("devices").join(device);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("dev"), format!("{dev}\n")).unwrap();
        }
        let mut found = btrfs_companions(folder.path(), &[(8, 1)]);
        found.sort();
        assert_eq!(found, [(8, 1), (8, 16)]);
        assert_eq!(btrfs_companions(folder.path(), &[(9, 9)]), []);
    }

    #[test]
    fn proc_lies_on_no_disk() {
        assert!(disks_under(Path::new("/proc")).is_err());
    }
}
