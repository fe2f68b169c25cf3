//! Mounts: the first ones of a system, private ones, and what is mounted.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, mount, unmount,
};

use crate::error::{Result, Tried};

/// The kernel's own file systems: where, and of what type.
const EARLY: [(&str, &str); 3] = [("/dev", "devtmpfs"), ("/proc", "proc"), ("/sys", "sysfs")];

/// Mounts `/dev`, `/proc` and `/sys` where they are not mounted yet.
pub fn mount_early() -> Result<()> {
    for (path, kind) in EARLY {
        let tried = || format!("cannot mount {kind} on {path}");
        fs::create_dir_all(path).tried(tried)?;
        let flags = MountFlags::NOSUID
            | if kind == "devtmpfs" {
                MountFlags::empty()
            } else {
                MountFlags::NODEV
            };
        match mount(kind, path, kind, flags, None) {
            Err(Errno::BUSY) => {}
            result => result.tried(tried)?,
        }
    }
    Ok(())
}

/// Takes away what [`mount_early`] mounted; open files there stay usable.
pub fn unmount_early() -> Result<()> {
    for (path, kind) in EARLY.iter().rev() {
        unmount(*path, UnmountFlags::DETACH)
            .tried(|| format!("cannot take {kind} away from {path}"))?;
    }
    Ok(())
}

/// A proc that is mounted nowhere: only this descriptor leads to it, and nothing that happens
/// to other mounts touches it.
pub fn private_proc() -> Result<OwnedFd> {
    private("proc", None)
}

/// A sysfs that is mounted nowhere, with the devices of the network namespace that this thread
/// is in now.
pub fn private_sysfs() -> Result<OwnedFd> {
    private("sysfs", None)
}

/// An empty tmpfs that is mounted nowhere, with a size limit such as `64k`.
pub fn private_tmpfs(size: &str) -> Result<OwnedFd> {
    private("tmpfs", Some(size))
}

/// One mounted file system: a line of `/proc/*/mountinfo` (proc_pid_mountinfo(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Major and minor number of the device, as `stat` tells them for files there.
    pub device: (u32, u32),
    /// Where it is mounted.
    pub point: String,
    /// Type of the file system.
    pub kind: String,
    /// What is mounted; a path below `/dev` for file systems on disks.
    pub source: String,
    /// Nobody can write, through this mount or another one of the same file system.
    pub read_only: bool,
}

impl Mount {
    /// Whether a block device is below. Device numbers do not tell: btrfs has a made-up one.
    pub fn on_disk(&self) -> bool {
        self.device.0 != 0 || self.source.starts_with("/dev/")
    }
}

/// Reads the text of a `mountinfo` file. Lines that are not understood are left out.
pub fn parse(mountinfo: &str) -> Vec<Mount> {
    mountinfo.lines().filter_map(parse_line).collect()
}

/// The mounts that this process sees.
pub fn current() -> Result<Vec<Mount>> {
    let text = fs::read_to_string("/proc/self/mountinfo");
    text.map(|text| parse(&text))
        .tried(|| "cannot read /proc/self/mountinfo".into())
}

/// The mount that a path is on: the last one with the longest fitting mount point.
pub fn holding<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    let depth = |mount: &&Mount| Path::new(&mount.point).components().count();
    mounts
        .iter()
        .filter(|mount| path.starts_with(&mount.point))
        .max_by_key(depth)
}

fn private(kind: &str, size: Option<&str>) -> Result<OwnedFd> {
    let make = || {
        let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
        if let Some(size) = size {
            fsconfig_set_string(&context, "size", size)?;
        }
        fsconfig_create(&context)?;
        fsmount(
            &context,
            FsMountFlags::FSMOUNT_CLOEXEC,
            MountAttrFlags::empty(),
        )
    };
    make().tried(|| format!("cannot make a private {kind}"))
}

fn parse_line(line: &str) -> Option<Mount> {
    let (own, shared) = line.split_once(" - ")?;
    let mut own = own.split(' ').skip(2);
    let (major, minor) = own.next()?.split_once(':')?;
    let point = unescape(own.nth(1)?);
    let mut shared = shared.split(' ');
    let kind = shared.next()?.to_owned();
    let source = unescape(shared.next()?);
    let read_only = shared.next()?.split(',').any(|option| option == "ro");
    let device = (major.parse().ok()?, minor.parse().ok()?);
    Some(Mount {
        device,
        point,
        kind,
        source,
        read_only,
    })
}

/// Undoes the kernel's octal escapes of space, tab, newline and backslash.
fn unescape(text: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (escape, plain)| {
        text.replace(escape, plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEM: &str = "\
21 28 0:19 / /proc rw,nosuid - proc proc rw
28 1 43:2 / / rw,relatime shared:1 - ext4 /dev/nbd0p2 rw
30 28 0:25 /@home /home rw,relatime shared:4 master:2 - btrfs /dev/nbd0p3 rw,space_cache
31 28 43:1 / /media/two\\040words ro - vfat /dev/nbd0p1 rw
32 28 7:0 / /snap ro - squashfs /dev/loop0 ro
garbage
";

    #[test]
    fn lines_are_read() {
        let mounts = parse(SYSTEM);
        assert_eq!(mounts.len(), 5);
        assert_eq!(mounts[3].point, "/media/two words");
        let writable: Vec<_> = mounts
            .iter()
            .filter(|m| m.on_disk() && !m.read_only)
            .collect();
        let points: Vec<_> = writable.iter().map(|mount| mount.point.as_str()).collect();
        assert_eq!(points, ["/", "/home", "/media/two words"]);
    }

    #[test]
    fn the_longest_mount_point_holds_a_path() {
        let mounts = parse(SYSTEM);
        let point = |path| holding(&mounts, Path::new(path)).unwrap().point.as_str();
        assert_eq!(point("/home/ada"), "/home");
        assert_eq!(point("/homework"), "/");
    }

    #[test]
    fn our_own_root_is_mounted() {
        assert!(holding(&current().unwrap(), Path::new("/")).is_some());
    }
}
