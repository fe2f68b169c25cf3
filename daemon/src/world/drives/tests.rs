//! A machine's drives, read from a folder that looks like its sysfs.

use super::*;
use std::os::unix::fs::symlink;

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        bench.write("proc/swaps", "Filename Type Size Used Priority\n");
        bench.mounts("");
        bench
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.0.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn link(&self, at: &str, to: &str) {
        let at = self.0.path().join(at);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        symlink(self.0.path().join(to), at).unwrap();
    }

    fn mounts(&self, lines: &str) {
        self.write("proc/self/mountinfo", lines);
    }

    /// A disk at the end of this path of devices, each with its bus.
    fn disk(&self, name: &str, minor: u32, devices: &[(&str, &str)]) -> String {
        let mut place = "sys/devices".to_owned();
        for (device, bus) in devices {
            place = format!("{place}/{device}");
            fs::create_dir_all(self.0.path().join(&place)).unwrap();
            let link = format!("{place}/subsystem");
            if !self.0.path().join(&link).is_symlink() {
                self.link(&link, &format!("sys/bus/{bus}"));
            }
        }
        let block = format!("{place}/block/{name}");
        self.write(&format!("{block}/dev"), &format!("8:{minor}\n"));
        self.write(&format!("{block}/size"), "31116288\n");
        self.write(&format!("{block}/ro"), "0\n");
        self.write(&format!("{block}/removable"), "0\n");
        self.link(&format!("{block}/device"), &place);
        self.link(&format!("sys/block/{name}"), &block);
        block
    }

    fn stick(&self, name: &str, minor: u32) -> String {
        let port = format!("1-{minor}");
        let block = self.disk(
            name,
            minor,
            &[
                ("pci0000:00", "pci"),
                (&port, "usb"),
                (&format!("{minor}:0:0:0"), "scsi"),
            ],
        );
        let usb = format!("sys/devices/pci0000:00/{port}");
        self.write(&format!("{usb}/serial"), "4C530001\n");
        let scsi = format!("{usb}/{minor}:0:0:0");
        self.write(&format!("{scsi}/vendor"), "SanDisk \n");
        self.write(&format!("{scsi}/model"), "Ultra Fit       \n");
        block
    }

    fn list(&self, own: &[&str]) -> Vec<Drive> {
        let own = own.iter().map(|name| (*name).to_owned()).collect();
        list(&Paths::below(self.0.path()), &own)
    }

    fn usage(&self) -> Usage {
        self.list(&[])[0].usage
    }
}

#[test]
fn sticks_and_cards_are_drives_and_what_is_built_in_is_not() {
    let bench = Bench::new();
    bench.disk("nvme0n1", 1, &[("pci0000:00", "pci"), ("nvme0", "nvme")]);
    bench.disk("sda", 2, &[("pci0000:00", "pci"), ("0:0:0:0", "scsi")]);
    let card = bench.disk("mmcblk0", 3, &[("pci0000:00", "pci"), ("mmc0:1234", "mmc")]);
    bench.write("sys/devices/pci0000:00/mmc0:1234/type", "SD\n");
    bench.write("sys/devices/pci0000:00/mmc0:1234/name", "SL32G\n");
    let soldered = bench.disk("mmcblk1", 4, &[("pci0000:00", "pci"), ("mmc1:0001", "mmc")]);
    bench.write("sys/devices/pci0000:00/mmc1:0001/type", "MMC\n");
    bench.stick("sdb", 5);
    bench.disk(
        "sdc",
        6,
        &[("pci0000:01", "pci"), ("thunder", "pci"), ("nvme1", "nvme")],
    );
    bench.write("sys/devices/pci0000:01/thunder/removable", "removable\n");
    assert_ne!(card, soldered);
    let names: Vec<String> = bench
        .list(&[])
        .into_iter()
        .map(|drive| drive.name)
        .collect();
    assert_eq!(names, ["mmcblk0", "sdb", "sdc"]);
    // A system on a stick keeps it.
    assert_eq!(bench.list(&["sdb"]).len(), 2);
    let [card, stick, _] = &bench.list(&[])[..] else {
        panic!();
    };
    assert_eq!((card.model.as_str(), card.bus.as_str()), ("SL32G", "mmc"));
    assert_eq!(
        *stick,
        Drive {
            name: "sdb".into(),
            device: (8, 5),
            model: "SanDisk Ultra Fit".into(),
            serial: "4C530001".into(),
            size: 31_116_288 * 512,
            bus: "usb".into(),
            volumes: vec![],
            usage: Usage::Free,
        }
    );
}

#[test]
fn who_uses_a_drive_is_found_out() {
    let bench = Bench::new();
    let block = bench.stick("sdb", 16);
    bench.write(&format!("{block}/sdb1/partition"), "1\n");
    bench.write(&format!("{block}/sdb1/dev"), "8:17\n");
    bench.write(&format!("{block}/sdb2/partition"), "2\n");
    bench.write(&format!("{block}/sdb2/dev"), "8:18\n");
    bench.write(
        "run/udev/data/b8:17",
        "S:disk/by-label/x\nE:ID_FS_TYPE=vfat\nE:ID_FS_LABEL_ENC=MY\\x20STICK\n",
    );
    bench.write("run/udev/data/b8:18", "E:ID_FS_TYPE=btrfs\n");
    assert_eq!(bench.list(&[])[0].volumes, ["MY STICK", "btrfs"]);
    assert_eq!(bench.usage(), Usage::Free);
    bench.mounts("40 1 8:17 / /media/anna/MY rw - vfat /dev/sdb1 rw\n");
    assert_eq!(bench.usage(), Usage::Mounted);
    // btrfs has a number of its own.
    bench.mounts("40 1 0:51 / /run/media/anna/b rw - btrfs /dev/sdb2 rw\n");
    assert_eq!(bench.usage(), Usage::Mounted);
    bench.mounts(
        "40 1 8:17 / /media/x rw - vfat /dev/sdb1 rw\n41 1 8:18 / /boot rw - ext4 /dev/sdb2 rw\n",
    );
    assert_eq!(bench.usage(), Usage::Busy);
    bench.mounts("");
    bench.write(
        "proc/swaps",
        "Filename Type Size Used Priority\n/dev/sdb2 partition 1 0 -2\n",
    );
    assert_eq!(bench.usage(), Usage::Busy);
    bench.write("proc/swaps", "Filename Type Size Used Priority\n");
    bench.write(&format!("{block}/ro"), "1\n");
    assert_eq!(bench.usage(), Usage::ReadOnly);
    bench.write(&format!("{block}/sdb1/holders/dm-0/x"), "");
    assert_eq!(bench.usage(), Usage::Busy);
}

#[test]
fn what_a_device_says_of_itself_is_made_harmless() {
    let bench = Bench::new();
    bench.stick("sdb", 16);
    let scsi = "sys/devices/pci0000:00/1-16/16:0:0:0";
    bench.write(
        &format!("{scsi}/model"),
        &format!("\u{1b}[31mEvil\n{}", "x".repeat(5000)),
    );
    let model = &bench.list(&[])[0].model;
    assert!(model.starts_with("SanDisk [31mEvil x"), "{model}");
    assert!(model.len() <= MAX_NAME);
}
