//! Boot entries on a machine's own disk: folders stand for its partition and its firmware.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use stiefel_core::pairing::{Name, PairingId};
use stiefel_image::Error;
use stiefel_image::entry::{self, Machine, Partition, Way};
use stiefel_image::stick::Stick;

const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
const TICKET: &[u8] = b"a secret ticket";
const OURS: &str = "EFI/stiefelsystem/0707070707070707";

struct Lab {
    folder: tempfile::TempDir,
    machine: Machine,
    lender: Name,
}

impl Lab {
    /// A machine that starts another system by UEFI.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine {
            esp: folder.path().join("esp"),
            partition: Some(Partition {
                number: 1,
                first_block: 2048,
                blocks: 204_800,
                guid: [9; 16],
            }),
            variables: folder.path().join("efivars"),
        };
        let lab = Self {
            folder,
            machine,
            lender: "laptop".parse().unwrap(),
        };
        for (path, content) in [
            ("usr/lib/shim/shimx64.efi.signed", "shim"),
            ("usr/lib/shim/mmx64.efi.signed", "mok"),
            (
                "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
                "grub with fw_path in it",
            ),
            ("vmlinuz", "kernel"),
            ("image", "ramdisk"),
            ("esp/EFI/debian/grub.cfg", "the machine's own"),
        ] {
            lab.put(path, content.as_bytes());
        }
        fs::set_permissions(&lab.machine.esp, Permissions::from_mode(0o700)).unwrap();
        lab.variable("BootOrder", &[4, 0, 0, 0]);
        lab.variable("Boot0004", b"\x01\0\0\0\x04\0a\0\0\0\x7f\xff\x04\0");
        lab.variable("Boot0000", b"\x01\0\0\0\x04\0b\0\0\0\x7f\xff\x04\0");
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

    fn variable(&self, name: &str, content: &[u8]) {
        let bytes = [&7_u32.to_le_bytes(), content].concat();
        self.put(&format!("efivars/{name}-{GLOBAL}"), &bytes);
    }

    fn order(&self) -> Vec<u8> {
        let bytes = fs::read(self.path(&format!("efivars/BootOrder-{GLOBAL}"))).unwrap();
        assert_eq!(bytes[..4], 7_u32.to_le_bytes());
        bytes[4..].to_vec()
    }

    fn install(&self) -> Result<Way, Error> {
        let (kernel, image) = (self.path("vmlinuz"), self.path("image"));
        let from = Stick {
            root: self.folder.path(),
            kernel: &kernel,
            image: &image,
            ticket: TICKET,
            pairing: PairingId::from_bytes([7; 8]),
            lender: &self.lender,
            cmdline: "console=ttyS0",
        };
        entry::install(&from, &self.machine)
    }

    /// All files of partition and firmware.
    fn everything(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = BTreeMap::new();
        for place in ["esp", "efivars"] {
            collect(&self.path(place), &mut all);
        }
        all
    }
}

fn collect(folder: &Path, all: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => {
                all.insert(path.clone(), vec![]);
                collect(&path, all);
            }
            false => {
                all.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
}

#[test]
fn an_entry_is_complete_and_comes_last() {
    let lab = Lab::new();
    assert_eq!(lab.install().unwrap(), Way::Firmware(1));
    assert_eq!(lab.order(), [4, 0, 0, 0, 1, 0]);
    let read = |name: &str| fs::read(lab.path(&format!("esp/{OURS}/{name}"))).unwrap();
    assert_eq!(read("shimx64.efi"), b"shim");
    assert_eq!(read("mmx64.efi"), b"mok");
    assert_eq!(read("vmlinuz"), b"kernel");
    assert_eq!(read("initrd.img"), [b"ramdisk\0", TICKET].concat());
    let menu = String::from_utf8(read("grub.cfg")).unwrap();
    assert!(menu.contains(&format!("linux /{OURS}/vmlinuz")), "{menu}");
    assert!(menu.contains("console=ttyS0"), "{menu}");
    let option = fs::read(lab.path(&format!("efivars/Boot0001-{GLOBAL}"))).unwrap();
    let text: String = option
        .iter()
        .filter(|b| b.is_ascii_graphic())
        .map(|b| char::from(*b))
        .collect();
    assert!(text.contains("Borrowfromlaptop"), "{text}");
    assert!(
        text.contains(r"\EFI\stiefelsystem\0707070707070707\shimx64.efi"),
        "{text}"
    );
}

#[test]
fn nothing_is_left_of_it_and_nothing_else_is_touched() {
    let lab = Lab::new();
    let before = lab.everything();
    assert!(!entry::remove(&lab.machine).unwrap());
    lab.install().unwrap();
    entry::start_next(&lab.machine, 1).unwrap();
    assert_ne!(lab.everything(), before);
    assert!(entry::remove(&lab.machine).unwrap());
    assert_eq!(lab.everything(), before);
}

#[test]
fn installing_again_renews_it_under_the_same_number() {
    let lab = Lab::new();
    lab.install().unwrap();
    lab.put("vmlinuz", b"a newer kernel");
    assert_eq!(lab.install().unwrap(), Way::Firmware(1));
    assert_eq!(lab.order(), [4, 0, 0, 0, 1, 0]);
    let kernel = fs::read(lab.path(&format!("esp/{OURS}/vmlinuz"))).unwrap();
    assert_eq!(kernel, b"a newer kernel");
    assert_eq!(entry::installed(&lab.machine).len(), 1);
}

#[test]
fn a_partition_that_everybody_reads_gets_no_secret() {
    let lab = Lab::new();
    fs::set_permissions(&lab.machine.esp, Permissions::from_mode(0o755)).unwrap();
    let before = lab.everything();
    assert!(matches!(lab.install(), Err(Error::OpenEsp(_))));
    assert_eq!(lab.everything(), before);
}

#[test]
fn without_room_the_old_one_stays() {
    let lab = Lab::new();
    lab.install().unwrap();
    let before = lab.everything();
    // Sparse: it costs no room here, and no partition has it.
    let image = fs::File::options()
        .write(true)
        .open(lab.path("image"))
        .unwrap();
    image
        .set_len(1 << 50)
        .unwrap_or_else(|_| image.set_len(1 << 43).unwrap());
    let error = lab.install().unwrap_err();
    assert!(matches!(error, Error::EspFull { .. }), "{error}");
    assert_eq!(lab.everything(), before);
}

#[test]
fn a_firmware_that_takes_nothing_leaves_the_partition_as_it_was() {
    let lab = Lab::new();
    let before = lab.everything();
    // In place of the variable's file there is something that cannot be written to.
    fs::create_dir(lab.path(&format!("efivars/Boot0001-{GLOBAL}"))).unwrap();
    fs::write(lab.path(&format!("efivars/Boot0001-{GLOBAL}/x")), "").unwrap();
    let error = lab.install().unwrap_err();
    assert!(
        matches!(error, Error::File { .. } | Error::Variable { .. }),
        "{error}"
    );
    fs::remove_dir_all(lab.path(&format!("efivars/Boot0001-{GLOBAL}"))).unwrap();
    assert_eq!(lab.everything(), before);
}

#[test]
fn a_boot_loader_that_would_show_another_menu_is_refused() {
    let lab = Lab::new();
    lab.put(
        "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
        b"grub 2.06",
    );
    let before = lab.everything();
    assert!(matches!(lab.install(), Err(Error::OldGrub(_))));
    assert_eq!(lab.everything(), before);
}

#[test]
fn a_machine_with_its_own_systemd_boot_gets_a_file_in_its_menu() {
    let lab = Lab::new();
    fs::remove_dir_all(lab.path("usr/lib/shim")).unwrap();
    let before = lab.everything();
    assert!(matches!(lab.install(), Err(Error::NoLoader)));
    assert_eq!(lab.everything(), before);
    fs::create_dir_all(lab.path("esp/loader/entries")).unwrap();
    let before = lab.everything();
    assert_eq!(lab.install().unwrap(), Way::SystemdBoot);
    let entry = lab.path("esp/loader/entries/stiefelsystem-0707070707070707.conf");
    let entry = fs::read_to_string(entry).unwrap();
    assert!(
        entry.contains(&format!("linux /{OURS}/vmlinuz\n")),
        "{entry}"
    );
    assert_eq!(lab.order(), [4, 0, 0, 0], "the firmware is left alone");
    assert!(entry::remove(&lab.machine).unwrap());
    assert_eq!(lab.everything(), before);
}
