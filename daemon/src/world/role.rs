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
    let mounts = fs::read_to_string(paths.at("/proc/self/mountinfo")).unwrap_or_default();
    root_device(&mounts).is_some_and(|device| is_on_nbd(paths, &device, 0))
}

/// `MAJOR:MINOR` of what is mounted at `/`, of the last such line: it hides the earlier ones.
pub(super) fn root_device(mountinfo: &str) -> Option<String> {
    mountinfo.lines().rev().find_map(|line| {
        let mut fields = line.split(' ');
        let device = fields.nth(2)?;
        (fields.nth(1)? == "/").then(|| device.to_owned())
    })
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
