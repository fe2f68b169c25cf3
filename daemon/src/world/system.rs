//! What the files of this machine say about the system on its disk; what it
//! means is in [`stiefel_core::preflight::system`].

use super::paths::Paths;
use super::role::root_devices;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use stiefel_core::preflight::System;
use stiefel_core::preflight::system::{self, HIBERNATED, Unlocking};

/// Bytes of a page, as hibernation counts them on the machines that we know.
const PAGE: u64 = 4096;
/// Layers of block devices that are looked at: more than anybody stacks.
const LAYERS: u32 = 8;
/// Where the JSON of a LUKS2 header begins, and its largest end (LUKS2 On-Disk Format
/// Specification, section 2).
const LUKS2_JSON: u64 = 4096;
const LUKS2_MAX: u64 = 4 << 20;

/// Reads everything. What cannot be read counts as not there: the disk is still the same one.
#[must_use]
pub fn read(paths: &Paths) -> System {
    let text = |path: &str| fs::read_to_string(paths.at(path)).unwrap_or_default();
    let mut unlocking = Vec::new();
    for device in root_devices(paths) {
        encrypted(paths, &device, 0, &mut unlocking);
    }
    System {
        named: system::by_name(
            &text("/proc/cmdline"),
            &text("/etc/fstab"),
            &text("/etc/crypttab"),
        ),
        hibernated: hibernated(paths),
        unlocking,
    }
}

/// The swap space that hibernation was to resume from, if there is an image in it.
fn hibernated(paths: &Paths) -> Option<String> {
    let number = |path: &str| fs::read_to_string(paths.at(path)).ok();
    let device = number("/sys/power/resume")?;
    let device = device.trim();
    let pages: u64 = number("/sys/power/resume_offset")
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0);
    let file = File::open(node(paths, device)).ok()?;
    let mut signature = [0; HIBERNATED.len()];
    let at = (pages + 1) * PAGE - signature.len() as u64;
    file.read_exact_at(&mut signature, at).ok()?;
    (signature == *HIBERNATED).then(|| name(paths, device))
}

/// All encrypted devices at and below one, with how they are unlocked.
fn encrypted(paths: &Paths, device: &str, depth: u32, found: &mut Vec<(String, Unlocking)>) {
    let place = paths.at(&format!("/sys/dev/block/{device}"));
    let uuid = fs::read_to_string(place.join("dm/uuid")).unwrap_or_default();
    for slave in fs::read_dir(place.join("slaves"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let Ok(below) = fs::read_to_string(slave.path().join("dev")) else {
            continue;
        };
        let below = below.trim();
        if uuid.starts_with("CRYPT-LUKS2-")
            && let Some(json) = luks2(paths, below)
        {
            found.push((name(paths, below), system::unlocking(&json)));
        }
        if depth < LAYERS {
            encrypted(paths, below, depth + 1, found);
        }
    }
}

/// The JSON in a LUKS2 header.
fn luks2(paths: &Paths, device: &str) -> Option<String> {
    let file = File::open(node(paths, device)).ok()?;
    let mut head = [0; 16];
    file.read_exact_at(&mut head, 0).ok()?;
    if !head.starts_with(b"LUKS\xba\xbe\x00\x02") {
        return None;
    }
    let end = u64::from_be_bytes(head[8..].try_into().ok()?).min(LUKS2_MAX);
    let mut json = vec![0; usize::try_from(end.checked_sub(LUKS2_JSON)?).ok()?];
    file.read_exact_at(&mut json, LUKS2_JSON).ok()?;
    let text = json.split(|byte| *byte == 0).next()?;
    String::from_utf8(text.to_vec()).ok()
}

fn node(paths: &Paths, device: &str) -> PathBuf {
    paths.at(&format!("/dev/block/{device}"))
}

/// What people call it, e.g. `/dev/sda2`.
fn name(paths: &Paths, device: &str) -> String {
    let uevent = paths.at(&format!("/sys/dev/block/{device}/uevent"));
    let text = fs::read_to_string(uevent).unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("DEVNAME="));
    format!("/dev/{}", name.unwrap_or(device))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn write(root: &Path, path: &str, bytes: impl AsRef<[u8]>) {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    /// A laptop with LVM on LUKS2, unlocked by its TPM, and a hibernated swap space.
    #[test]
    fn a_laptop_is_read_through_all_its_layers() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, bytes: &[u8]| write(root.path(), path, bytes);
        write(
            "proc/self/mountinfo",
            b"22 1 254:1 / / rw - ext4 /dev/mapper/vg-root rw\n",
        );
        write("sys/dev/block/254:1/dm/uuid", b"LVM-abc\n");
        write("sys/dev/block/254:1/slaves/dm-0/dev", b"254:0\n");
        write(
            "sys/dev/block/254:0/dm/uuid",
            b"CRYPT-LUKS2-0123-cryptroot\n",
        );
        write("sys/dev/block/254:0/slaves/nvme0n1p3/dev", b"259:3\n");
        write(
            "sys/dev/block/259:3/uevent",
            b"MAJOR=259\nMINOR=3\nDEVNAME=nvme0n1p3\n",
        );
        let json =
            br#"{"keyslots":{"1":{}},"tokens":{"0":{"type":"systemd-tpm2","keyslots":["1"]}}}"#;
        let mut header = vec![0; 16384];
        header[..8].copy_from_slice(b"LUKS\xba\xbe\x00\x02");
        header[8..16].copy_from_slice(&16384_u64.to_be_bytes());
        header[4096..4096 + json.len()].copy_from_slice(json);
        write("dev/block/259:3", &header);
        write("sys/power/resume", b"259:4\n");
        write("sys/power/resume_offset", b"1\n");
        let mut swap = vec![0; 8192];
        swap[8182..].copy_from_slice(HIBERNATED);
        write("dev/block/259:4", &swap);
        let paths = Paths::below(root.path());
        let system = read(&paths);
        let expected = ("/dev/nvme0n1p3".to_owned(), Unlocking::TpmOnly);
        assert_eq!(system.unlocking, [expected]);
        assert_eq!(system.hibernated.as_deref(), Some("/dev/259:4"));
        assert_eq!(system.named, []);
        write("dev/block/259:3", &header[..100]);
        write("dev/block/259:4", &swap[..8000]);
        assert_eq!(read(&paths), System::default());
    }

    /// btrfs straight on LUKS2, as several distributions install it.
    #[test]
    fn a_btrfs_on_an_encrypted_disk_is_read() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, bytes: &[u8]| write(root.path(), path, bytes);
        write(
            "proc/self/mountinfo",
            b"22 1 0:30 /@ / rw - btrfs /dev/mapper/crypt rw\n",
        );
        write("sys/class/block/dm-0/dm/name", b"crypt\n");
        write("sys/class/block/dm-0/dev", b"254:0\n");
        write("sys/dev/block/254:0/dm/uuid", b"CRYPT-LUKS2-0123-crypt\n");
        write("sys/dev/block/254:0/slaves/sda2/dev", b"8:2\n");
        write("sys/dev/block/8:2/uevent", b"DEVNAME=sda2\n");
        let json = br#"{"keyslots":{"0":{}},"tokens":{}}"#;
        let mut header = vec![0; 16384];
        header[..8].copy_from_slice(b"LUKS\xba\xbe\x00\x02");
        header[8..16].copy_from_slice(&16384_u64.to_be_bytes());
        header[4096..4096 + json.len()].copy_from_slice(json);
        write("dev/block/8:2", &header);
        let expected = ("/dev/sda2".to_owned(), Unlocking::Portable);
        assert_eq!(read(&Paths::below(root.path())).unlocking, [expected]);
    }
}
