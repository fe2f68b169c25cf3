//! Sticks, as other programs read them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use stiefel_core::cmdline;
use stiefel_core::pairing::{Name, PairingId};
use stiefel_core::stick::Volume;
use stiefel_core::stick::error_log::{self, ErrorLog, Record};
use stiefel_image::Error;
use stiefel_image::stick::{self, Boots, Phase, Stick, Target};

/// Where GRUB's parts are on this machine.
const GRUB: &str = "/usr/lib/grub/i386-pc";
/// Where the volume begins, for mtools, and in bytes.
const VOLUME: &str = "@@2M";
const VOLUME_AT: u64 = 2 << 20;
const TICKET: &[u8] = b"a ticket, odd\n";

struct Lab {
    folder: tempfile::TempDir,
    lender: Name,
}

impl Lab {
    /// A system with all boot loaders, a kernel and a ramdisk.
    fn new() -> Self {
        let lab = Self {
            folder: tempfile::tempdir().unwrap(),
            lender: "laptop".parse().unwrap(),
        };
        for (path, size) in [
            ("usr/lib/shim/shimx64.efi.signed", 90_000),
            ("usr/lib/shim/mmx64.efi.signed", 80_001),
            ("usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed", 250_000),
            ("boot/vmlinuz", 1_200_003),
            ("image", 1_500_002),
        ] {
            lab.put(path, &noise(path, size));
        }
        lab.put("etc/os-release", b"NAME=Some\nID=\"debian\"\n");
        symlink(GRUB, lab.path("usr/lib/grub/i386-pc")).unwrap();
        lab
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn target(&self) -> PathBuf {
        self.path("stick.img")
    }

    fn write(&self) -> Result<Boots, Error> {
        self.write_for(7)
    }

    fn write_watched(
        &self,
        watch: &mut dyn FnMut(Phase, f64) -> ControlFlow<()>,
    ) -> Result<Boots, Error> {
        self.write_watched_for(7, watch)
    }

    fn write_watched_for(
        &self,
        pairing: u8,
        watch: &mut dyn FnMut(Phase, f64) -> ControlFlow<()>,
    ) -> Result<Boots, Error> {
        let (kernel, image) = (self.path("boot/vmlinuz"), self.path("image"));
        let made_from = Stick {
            root: self.folder.path(),
            kernel: &kernel,
            image: &image,
            ticket: TICKET,
            pairing: PairingId::from_bytes([pairing; 8]),
            lender: &self.lender,
            cmdline: "console=ttyS0",
        };
        let mut target = Target::new(opened(&self.target()), self.target()).unwrap();
        stick::write(&made_from, &mut target, watch)
    }

    fn write_for(&self, pairing: u8) -> Result<Boots, Error> {
        self.write_watched_for(pairing, &mut |_, _| ControlFlow::Continue(()))
    }

    /// What mtools read at a path of the volume.
    fn read(&self, path: &str) -> Vec<u8> {
        let image = format!("{}{VOLUME}", self.target().display());
        let output = Command::new("mtype")
            .args(["-i", &image, &format!("::{path}")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{path}: {output:?}");
        output.stdout
    }

    fn volume_is_sound(&self) {
        let volume = self.path("volume");
        let mut bytes = Vec::new();
        let mut stick = File::open(self.target()).unwrap();
        stick.seek(SeekFrom::Start(VOLUME_AT)).unwrap();
        stick.take(128 << 20).read_to_end(&mut bytes).unwrap();
        fs::write(&volume, bytes).unwrap();
        let said = content("fsck.vfat", &["-n", "-V", "-v", volume.to_str().unwrap()]);
        assert!(!said.to_lowercase().contains("differ"), "{said}");
    }

    /// The volume, and the error log where the volume's first sector says.
    fn error_log(&self) -> (Volume, ErrorLog) {
        let stick = File::open(self.target()).unwrap();
        let mut sector = [0; 512];
        stick.read_exact_at(&mut sector, VOLUME_AT).unwrap();
        let volume = Volume::of(&sector).unwrap();
        let (at, len) = volume.chain();
        let mut chain = vec![0; len];
        stick.read_exact_at(&mut chain, VOLUME_AT + at).unwrap();
        assert!(volume.is_one_piece(&chain));
        let mut bytes = vec![0; error_log::LEN];
        stick
            .read_exact_at(&mut bytes, VOLUME_AT + volume.log_at())
            .unwrap();
        (volume, ErrorLog::parse(&bytes, volume.serial).unwrap())
    }

    fn remember(&self, volume: &Volume, mut log: ErrorLog, error: &str) {
        log.add(&Record {
            error: error.into(),
            ..Record::default()
        });
        let stick = opened(&self.target());
        stick
            .write_all_at(&log.to_bytes(), VOLUME_AT + volume.log_at())
            .unwrap();
    }
}

fn opened(path: &Path) -> File {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    options.open(path).unwrap()
}

/// Bytes that are not the same anywhere.
fn noise(seed: &str, size: usize) -> Vec<u8> {
    let mut state = seed
        .bytes()
        .fold(1_u32, |state, byte| state * 31 % 65_521 + u32::from(byte));
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.extend(state.to_be_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Runs a program that must be content; what it prints.
fn content(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program}: {output:?}");
    said
}

#[test]
fn other_programs_find_a_sound_table_and_a_sound_volume() {
    let lab = Lab::new();
    let all = Boots {
        uefi: true,
        secure_boot: true,
        bios: true,
    };
    assert_eq!(lab.write().unwrap(), all);
    let target = lab.target();
    let said = content("sgdisk", &["--verify", target.to_str().unwrap()]);
    assert!(said.contains("No problems found"), "{said}");
    let said = content("sgdisk", &["--print", target.to_str().unwrap()]);
    assert!(said.contains("EF02") && said.contains("EF00"), "{said}");
    let said = content("sgdisk", &["--info=2", target.to_str().unwrap()]);
    assert!(said.contains("'stiefel 0707070707070707'"), "{said}");
    lab.volume_is_sound();
}

#[test]
fn the_error_log_can_be_written_in_place_and_is_kept_when_the_stick_is_made_anew() {
    let lab = Lab::new();
    lab.write().unwrap();
    let (volume, log) = lab.error_log();
    assert_eq!(log.records(), [""; 0]);
    let menu = String::from_utf8(lab.read("stiefel/grub.cfg")).unwrap();
    assert!(
        menu.lines()
            .any(|line| cmdline::error_log(line) == Some(volume.serial))
    );
    lab.remember(&volume, log, "no network");
    let told = stick::errors(&File::open(lab.target()).unwrap()).unwrap();
    assert!(told.contains("no network"), "{told}");
    let text = String::from_utf8(lab.read(error_log::PATH)).unwrap();
    assert!(text.contains("Error: no network") && text.len() == error_log::LEN);
    lab.volume_is_sound();
    lab.put("boot/vmlinuz", b"a newer kernel");
    lab.write().unwrap();
    let (again, log) = lab.error_log();
    assert_ne!(again.serial, volume.serial);
    assert!(log.records()[0].contains("no network"));
    lab.volume_is_sound();
    // One that somebody has put something else into begins anew.
    opened(&lab.target())
        .write_all_at(b"else", VOLUME_AT + again.log_at())
        .unwrap();
    lab.write().unwrap();
    let (volume, log) = lab.error_log();
    assert_eq!(log.records(), [""; 0]);
    // And what another pairing's starts met is nobody else's business.
    lab.remember(&volume, log, "no network");
    lab.write_for(8).unwrap();
    assert_eq!(lab.error_log().1.records(), [""; 0]);
}

#[test]
fn every_file_is_there_under_its_own_name() {
    let lab = Lab::new();
    lab.write().unwrap();
    assert!(lab.read("stiefel/vmlinuz") == fs::read(lab.path("boot/vmlinuz")).unwrap());
    let initrd = lab.read("stiefel/initrd.img");
    let image = fs::read(lab.path("image")).unwrap();
    assert!(initrd.starts_with(&image) && initrd.ends_with(TICKET));
    assert_eq!(initrd.len(), image.len().next_multiple_of(4) + TICKET.len());
    let shim = fs::read(lab.path("usr/lib/shim/shimx64.efi.signed")).unwrap();
    assert!(lab.read("EFI/BOOT/BOOTX64.EFI") == shim);
    let pointer = String::from_utf8(lab.read("EFI/debian/grub.cfg")).unwrap();
    let serial = content(
        "mdir",
        &["-i", &format!("{}{VOLUME}", lab.target().display()), "::"],
    );
    let named = pointer
        .split_whitespace()
        .find(|word| word.contains('-') && !word.starts_with("--"));
    assert!(serial.contains(named.unwrap()), "{pointer} {serial}");
    let menu = String::from_utf8(lab.read("stiefel/grub.cfg")).unwrap();
    assert!(menu.contains("console=ttyS0"), "{menu}");
}

#[test]
fn long_names_of_another_loader_are_read_back() {
    let lab = Lab::new();
    fs::remove_dir_all(lab.path("usr/lib/shim")).unwrap();
    lab.put("usr/lib/systemd/boot/efi/systemd-bootx64.efi", b"loader");
    let boots = lab.write().unwrap();
    assert!(boots.uefi && !boots.secure_boot);
    assert_eq!(lab.read("EFI/BOOT/BOOTX64.EFI"), b"loader");
    let entry = String::from_utf8(lab.read("loader/entries/stiefel-2.conf")).unwrap();
    assert!(
        entry.contains("title Boot from laptop, with all messages"),
        "{entry}"
    );
    let said = content("sgdisk", &["--verify", lab.target().to_str().unwrap()]);
    assert!(said.contains("No problems found"), "{said}");
}

#[test]
fn a_stick_is_known_again_and_others_are_not() {
    let lab = Lab::new();
    lab.write().unwrap();
    let found = stick::recognize(&File::open(lab.target()).unwrap());
    assert_eq!(found.unwrap().pairing, PairingId::from_bytes([7; 8]));
    // It is the same stick when it is written again, and a new one for another drive.
    lab.put("boot/vmlinuz", b"a newer kernel");
    lab.write().unwrap();
    let again = stick::recognize(&File::open(lab.target()).unwrap()).unwrap();
    assert_eq!(again, found.unwrap());
    assert_eq!(lab.read("stiefel/vmlinuz"), b"a newer kernel");
    fs::remove_file(lab.target()).unwrap();
    lab.write().unwrap();
    let other = stick::recognize(&File::open(lab.target()).unwrap()).unwrap();
    assert_ne!(other.guid, again.guid);
    fs::write(lab.target(), noise("other", 1 << 20)).unwrap();
    let no_stick = File::open(lab.target()).unwrap();
    assert!(stick::recognize(&no_stick).is_none() && stick::errors(&no_stick).is_none());
}

#[test]
fn one_that_was_pulled_out_in_mid_write_is_no_stick_any_more() {
    let lab = Lab::new();
    lab.write().unwrap();
    let ended = lab.write_watched(&mut |phase, share| match phase {
        Phase::Writing if share > 0.5 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(matches!(ended, Err(Error::BrokenOff)));
    assert!(stick::recognize(&File::open(lab.target()).unwrap()).is_none());
}

#[test]
fn a_medium_that_forgets_is_found_out() {
    let lab = Lab::new();
    let target = lab.target();
    let mut spoilt = false;
    let ended = lab.write_watched(&mut |phase, _| {
        if phase == Phase::Verifying && !spoilt {
            spoilt = true;
            let mut stick = opened(&target);
            stick.seek(SeekFrom::Start(5 << 20)).unwrap();
            stick.write_all(b"not what was written").unwrap();
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(ended, Err(Error::ReadBack { .. })), "{ended:?}");
}

#[test]
fn without_any_loader_it_says_what_to_install() {
    let lab = Lab::new();
    fs::remove_dir_all(lab.path("usr")).unwrap();
    let error = lab.write().unwrap_err().to_string();
    assert!(error.contains("shim-signed"), "{error}");
    assert_eq!(fs::metadata(lab.target()).unwrap().len(), 0, "untouched");
}

#[test]
fn what_is_neither_a_drive_nor_a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = Target::new(File::open(folder.path()).unwrap(), folder.path().into());
    assert!(matches!(error, Err(Error::NoMedium(_))));
}
