//! Sticks on block devices that are too small, fail, or are what they should be. Needs root and
//! loop devices.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::{self, File};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use stiefel_core::pairing::{Name, PairingId};
use stiefel_image::Error;
use stiefel_image::stick::{self, Phase, Stick, Target};

const MIB: u64 = 1 << 20;
/// What one piece, the tables and the allocator may need at most, bytes.
const FLAT: u64 = 12 * MIB;

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A block device over a file.
struct Loop(String);

impl Loop {
    fn over(file: &Path, size: u64) -> Self {
        File::create(file).unwrap().set_len(size).unwrap();
        Self(said(
            "losetup",
            &["--find", "--show", file.to_str().unwrap()],
        ))
    }

    fn open(&self) -> File {
        File::options()
            .read(true)
            .write(true)
            .open(&self.0)
            .unwrap()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

/// A small file system in memory.
struct Full(PathBuf);

impl Full {
    fn at(path: PathBuf, mib: u64) -> Self {
        fs::create_dir(&path).unwrap();
        let size = format!("size={mib}m");
        said(
            "mount",
            &["-t", "tmpfs", "-o", &size, "small", path.to_str().unwrap()],
        );
        Self(path)
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// A system that makes sticks with this much on them.
fn system(folder: &Path, image: u64) {
    for (path, size) in [
        ("usr/lib/systemd/boot/efi/systemd-bootx64.efi", 1000),
        ("vmlinuz", 1000),
        ("image", image),
    ] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = File::create(path).unwrap();
        file.set_len(size).unwrap();
        // Nothing but zeros might be left out.
        file.write_all_at(&[1; 512], size - 512).unwrap();
    }
}

fn write(
    folder: &Path,
    drive: &Loop,
    watch: &mut dyn FnMut(Phase, f64) -> ControlFlow<()>,
) -> Result<(), Error> {
    let lender: Name = "laptop".parse().unwrap();
    let (kernel, image) = (folder.join("vmlinuz"), folder.join("image"));
    let made_from = Stick {
        root: folder,
        kernel: &kernel,
        image: &image,
        ticket: b"ticket",
        pairing: PairingId::from_bytes([7; 8]),
        lender: &lender,
        cmdline: "",
    };
    let mut target = Target::new(drive.open(), drive.0.clone().into()).unwrap();
    stick::write(&made_from, &mut target, watch).map(drop)
}

fn go_on(_: Phase, _: f64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn a_drive_that_is_too_small_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    system(folder.path(), 4096);
    let drive = Loop::over(&folder.path().join("drive"), 64 * MIB);
    drive.open().write_all_at(b"precious", 0).unwrap();
    let error = write(folder.path(), &drive, &mut go_on).unwrap_err();
    assert!(matches!(error, Error::TooSmall { .. }), "{error}");
    let mut found = [0; 8];
    drive.open().read_exact_at(&mut found, 0).unwrap();
    assert_eq!(&found, b"precious");
}

#[test]
fn a_drive_that_fails_in_the_middle_is_named_and_is_no_stick() {
    let folder = tempfile::tempdir().unwrap();
    system(folder.path(), 40 * MIB);
    let small = Full::at(folder.path().join("small"), 20);
    let drive = Loop::over(&small.0.join("drive"), 256 * MIB);
    let error = write(folder.path(), &drive, &mut go_on).unwrap_err();
    assert!(matches!(error, Error::Drive { .. }), "{error}");
    assert!(error.to_string().contains(&drive.0), "{error}");
    assert_eq!(stick::recognize(&drive.open()), None);
}

#[test]
fn a_stick_that_is_broken_off_boots_nowhere_and_can_be_made_again() {
    let folder = tempfile::tempdir().unwrap();
    system(folder.path(), 4 * MIB);
    let drive = Loop::over(&folder.path().join("drive"), 160 * MIB);
    write(folder.path(), &drive, &mut go_on).unwrap();
    assert!(stick::recognize(&drive.open()).is_some());
    let error = write(folder.path(), &drive, &mut |phase, share| match phase {
        Phase::Writing if share > 0.3 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(matches!(error, Err(Error::BrokenOff)));
    assert_eq!(stick::recognize(&drive.open()), None);
    let mut table = [1; 1024];
    drive.open().read_exact_at(&mut table, 0).unwrap();
    assert_eq!(table, [0; 1024], "nothing boots");
    write(folder.path(), &drive, &mut go_on).unwrap();
    said("sgdisk", &["--verify", &drive.0]);
}

#[test]
fn what_goes_onto_a_stick_is_never_in_memory_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    system(folder.path(), 60 * MIB);
    let drive = Loop::over(&folder.path().join("drive"), 200 * MIB);
    let before = peak();
    write(folder.path(), &drive, &mut go_on).unwrap();
    let grown = peak() - before;
    assert!(grown < FLAT, "{grown} bytes more");
}

/// Largest memory of this process so far, bytes.
fn peak() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib << 10
}
