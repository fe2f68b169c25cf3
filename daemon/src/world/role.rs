//! Whether the system runs from its own disk or from a lent one.

use super::paths::Paths;
use std::fs;

/// Abstract socket of the supervisor that keeps a lent disk attached.
const SUPERVISOR: &str = "@stiefelsystem";
/// Major number of the kernel's network block devices (`NBD_MAJOR` in include/linux/major.h).
const NBD_MAJOR: u32 = 43;

/// Whether the system runs from a lent disk: its supervisor is there, or a
/// network block device is below the root file system.
#[must_use]
pub fn is_borrower(paths: &Paths) -> bool {
    let sockets = fs::read_to_string(paths.at("/proc/net/unix")).unwrap_or_default();
    if sockets
        .lines()
        .any(|line| line.split_whitespace().last() == Some(SUPERVISOR))
    {
        return true;
    }
    let devices = root_devices(paths);
    devices.iter().any(|device| is_on_nbd(paths, device, 0))
}

/// `MAJOR:MINOR` of all block devices that the root file system lies on directly: of what is
/// mounted at `/` last, since that hides what was mounted there earlier.
pub(super) fn root_devices(paths: &Paths) -> Vec<String> {
    let text = fs::read_to_string(paths.at("/proc/self/mountinfo")).unwrap_or_default();
    let mounts = stiefel_linux::mounts::parse(&text);
    let Some(root) = mounts.iter().rev().find(|mount| mount.point == "/") else {
        return vec![];
    };
    if root.device.0 != 0 {
        return vec![format!("{}:{}", root.device.0, root.device.1)];
    }
    // btrfs has a made-up number for each of its volumes, and names one of its devices.
    let Some(name) = kernel_name(paths, &root.source) else {
        return vec![];
    };
    let mut names = companions(paths, &name);
    names.push(name);
    names.sort();
    names.dedup();
    let number = |name: &String| {
        let dev = paths.at(&format!("/sys/class/block/{name}/dev"));
        Some(fs::read_to_string(dev).ok()?.trim().to_owned())
    };
    names.iter().filter_map(number).collect()
}

/// The kernel's name of a node below `/dev`, of which those of device-mapper are links or,
/// without udev, nodes of another name.
fn kernel_name(paths: &Paths, node: &str) -> Option<String> {
    let rest = node.strip_prefix("/dev/")?;
    let target = fs::canonicalize(paths.at(node)).ok();
    let target = target.and_then(|target| Some(target.file_name()?.to_str()?.to_owned()));
    let is_block = |name: &str| paths.at(&format!("/sys/class/block/{name}/dev")).exists();
    if let Some(name) = target.filter(|name| is_block(name)) {
        return Some(name);
    }
    if is_block(rest) {
        return Some(rest.to_owned());
    }
    let mapped = rest.strip_prefix("mapper/")?;
    let devices = fs::read_dir(paths.at("/sys/class/block")).ok()?;
    devices.flatten().find_map(|device| {
        let name = fs::read_to_string(device.path().join("dm/name")).ok()?;
        (name.trim() == mapped).then(|| device.file_name().into_string().ok())?
    })
}

/// All devices of the btrfs that this one belongs to; none if it belongs to none.
fn companions(paths: &Paths, name: &str) -> Vec<String> {
    let volumes = fs::read_dir(paths.at("/sys/fs/btrfs"))
        .into_iter()
        .flatten();
    let devices = |volume: fs::DirEntry| -> Vec<String> {
        let devices = fs::read_dir(volume.path().join("devices"));
        let names = devices.into_iter().flatten().flatten();
        names
            .filter_map(|device| device.file_name().into_string().ok())
            .collect()
    };
    let mut groups = volumes.flatten().map(devices);
    let ours = groups.find(|group| group.iter().any(|one| one == name));
    ours.unwrap_or_default()
}

/// Whether a block device is one of NBD's or stands on one, e.g. by LUKS and LVM.
fn is_on_nbd(paths: &Paths, device: &str, depth: u32) -> bool {
    if device
        .split(':')
        .next()
        .and_then(|major| major.parse().ok())
        == Some(NBD_MAJOR)
    {
        return true;
    }
    // More layers than anybody stacks.
    if depth > 8 {
        return false;
    }
    let below = paths.at(&format!("/sys/dev/block/{device}"));
    let slaves = fs::read_dir(below.join("slaves")).into_iter().flatten();
    slaves.flatten().any(|slave| {
        fs::read_to_string(slave.path().join("dev"))
            .is_ok_and(|device| is_on_nbd(paths, device.trim(), depth + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn machine(root: &Path, unix: &str, mountinfo: &str) -> Paths {
        for (file, text) in [("net/unix", unix), ("self/mountinfo", mountinfo)] {
            let file = root.join("proc").join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        Paths::below(root)
    }

    #[test]
    fn a_btrfs_is_known_by_its_devices() {
        let root = tempfile::tempdir().unwrap();
        let mounts = "22 1 0:30 /@ / rw - btrfs /dev/mapper/crypt rw,subvol=/@\n";
        let paths = machine(root.path(), "", mounts);
        assert_eq!(root_devices(&paths), Vec::<String>::new());
        let write = |path: &str, text: &str| {
            let file = root.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("sys/class/block/dm-0/dm/name", "crypt\n");
        write("sys/class/block/dm-0/dev", "254:0\n");
        assert_eq!(root_devices(&paths), ["254:0"]);
        write("sys/fs/btrfs/0123/devices/dm-0/x", "");
        write("sys/fs/btrfs/0123/devices/nbd0p2/x", "");
        write("sys/class/block/nbd0p2/dev", "43:2\n");
        assert_eq!(root_devices(&paths), ["254:0", "43:2"]);
        assert!(is_borrower(&paths));
    }

    const OWN: &str = "22 1 254:0 / / rw - ext4 /dev/mapper/root rw\n\
                       23 22 0:21 / /proc rw - proc proc rw\n";

    #[test]
    fn an_own_disk_is_no_lent_one() {
        let root = tempfile::tempdir().unwrap();
        assert!(!is_borrower(&machine(root.path(), "", OWN)));
    }

    #[test]
    fn the_supervisor_tells() {
        let root = tempfile::tempdir().unwrap();
        let unix = "Num RefCount Protocol Flags Type St Inode Path\n\
                    0000: 00000002 00000000 00010000 0001 01 123 @stiefelsystem\n";
        assert!(is_borrower(&machine(root.path(), unix, OWN)));
        let other = unix.replace("@stiefelsystem", "@stiefelsystem-gui");
        assert!(!is_borrower(&machine(root.path(), &other, OWN)));
    }

    #[test]
    fn a_network_block_device_below_the_root_tells() {
        let root = tempfile::tempdir().unwrap();
        let slave = root.path().join("sys/dev/block/254:0/slaves/nbd0p2");
        fs::create_dir_all(&slave).unwrap();
        fs::write(slave.join("dev"), "43:2\n").unwrap();
        assert!(is_borrower(&machine(root.path(), "", OWN)));
    }
}
