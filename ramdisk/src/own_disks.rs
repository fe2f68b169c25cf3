//! The borrower's own disks: they are not the lent system's business, so it does not get to
//! see them (`docs/decisions/0011-the-borrowers-own-disks.md`).
//!
//! Their controllers get a driver that does not exist, before any other can take them. A
//! person who wants them after all undoes that for one controller, as root:
//!
//! ```text
//! echo > /sys/bus/pci/devices/ADDRESS/driver_override
//! echo ADDRESS > /sys/bus/pci/drivers_probe
//! ```

use std::fs;
use std::io;
use std::path::Path;

/// Base class of mass storage controllers (PCI Code and ID Assignment Specification, 1.1), as
/// sysfs writes the class: `0x010802` is an NVMe controller.
const STORAGE: &str = "0x01";
/// Name of a driver that does not exist; whoever looks for the reason finds it here.
const NOBODY: &str = "stiefelsystem-leaves-it-alone";

/// Lets no driver have the storage controllers that are inside this machine now. What is
/// plugged in later is wanted. Returns how many there are. Needs `/sys`.
///
/// # Errors
/// One of them is in somebody's hands and stays there.
pub fn hide() -> io::Result<usize> {
    hide_below(Path::new("/sys/bus/pci/devices"))
}

fn hide_below(devices: &Path) -> io::Result<usize> {
    let mut hidden = 0;
    // A machine without PCI has no such disks.
    for device in fs::read_dir(devices).into_iter().flatten().flatten() {
        let path = device.path();
        let class = fs::read_to_string(path.join("class")).unwrap_or_default();
        if !class.starts_with(STORAGE) {
            continue;
        }
        fs::write(path.join("driver_override"), NOBODY)?;
        // A driver that is part of the kernel has it already; nothing is mounted yet.
        let unbind = path.join("driver/unbind");
        if unbind.exists() {
            fs::write(unbind, device.file_name().as_encoded_bytes())?;
        }
        silence(&path);
        hidden += 1;
    }
    Ok(hidden)
}

/// Takes from a controller without a driver what it needs to write to memory: what firmware or
/// an earlier kernel has left running there would write to what is somebody else's now. A kexec
/// does that for driven ones only; of the others the kernel does not know their power state
/// (`pci_device_shutdown` in drivers/pci/pci-driver.c).
fn silence(path: &Path) {
    let enable = path.join("enable");
    // Who switches it off switches bus mastering off. One that cannot be switched on is off.
    if fs::write(&enable, "1").is_ok() {
        let _ = fs::write(&enable, "0");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_is_taken_from_its_driver_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let device = |address: &str, class: &str, driven: bool| {
            let path = folder.path().join(address);
            fs::create_dir_all(path.join("driver")).unwrap();
            fs::write(path.join("class"), format!("{class}\n")).unwrap();
            fs::write(path.join("driver_override"), "(null)\n").unwrap();
            fs::write(path.join("enable"), "1\n").unwrap();
            if driven {
                fs::write(path.join("driver/unbind"), "").unwrap();
            }
            path
        };
        let nvme = device("0000:01:00.0", "0x010802", false);
        let ahci = device("0000:00:17.0", "0x010601", true);
        let card = device("0000:02:00.0", "0x020000", true);
        assert_eq!(hide_below(folder.path()).unwrap(), 2);
        let read = |path: &Path, name: &str| fs::read_to_string(path.join(name)).unwrap();
        assert_eq!(read(&nvme, "driver_override"), NOBODY);
        assert_eq!(read(&ahci, "driver_override"), NOBODY);
        assert_eq!(read(&ahci, "driver/unbind"), "0000:00:17.0");
        assert_eq!([read(&nvme, "enable"), read(&ahci, "enable")], ["0", "0"]);
        assert_eq!(read(&card, "driver_override"), "(null)\n");
        assert_eq!(read(&card, "enable"), "1\n");
        assert_eq!(read(&card, "driver/unbind"), "");
    }

    #[test]
    fn a_machine_without_pci_has_none() {
        assert_eq!(hide_below(Path::new("/none")).unwrap(), 0);
    }
}
