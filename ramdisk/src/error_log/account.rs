//! What this machine is, what it has seen, and what it has said.

use crate::console;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use stiefel_core::stick::error_log::Record;
use stiefel_linux::kernel_log::{self, Line};
use stiefel_linux::links::{Link, Links};

/// Most lines of the log that are told of; a record has room for fewer of the longest.
const LINES: usize = 30;
/// The kernel's own lines are told from this level on (`KERN_ERR` in include/linux/kern_levels.h).
const KERNELS_LEVEL: u8 = 3;
/// A wired card (PCI Code and ID Assignment Specification, 1.3), as sysfs writes the class.
const CARD: &str = "0x0200";

/// The record of this moment.
pub fn of(error: String) -> Record {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Record {
        unix_secs: now.map_or(0, |now| now.as_secs()),
        machine: machine(Path::new("/sys/class/dmi/id")),
        kernel: read(Path::new("/proc/sys/kernel/osrelease")),
        error,
        interfaces: interfaces(),
        said: said(&kernel_log::lines().unwrap_or_default()),
    }
}

/// Maker and name.
fn machine(dmi: &Path) -> String {
    let parts = ["sys_vendor", "product_name"].map(|file| read(&dmi.join(file)));
    match parts.join(" ").trim() {
        "" => "a machine without a name".to_owned(),
        name => name.to_owned(),
    }
}

fn interfaces() -> Vec<String> {
    let all = Links::open().and_then(|mut links| links.list());
    let wired = all.unwrap_or_default().into_iter();
    let mut told: Vec<String> = wired
        .filter(|link| link.is_ethernet)
        .map(|link| interface(Path::new("/sys/class/net"), &link))
        .collect();
    told.extend(cards_without_driver(Path::new("/sys/bus/pci/devices")));
    if told.is_empty() {
        told.push("no wired interface".to_owned());
    }
    told
}

fn interface(class: &Path, link: &Link) -> String {
    let driver = fs::read_link(class.join(&link.name).join("device/driver")).unwrap_or_default();
    let driver = driver
        .file_name()
        .map_or("no driver".into(), |name| name.to_string_lossy());
    let state = match (link.up, link.carrier) {
        (false, _) => "switched off",
        (true, false) => "no cable is in",
        (true, true) => "a cable is in",
    };
    let speed = link.speed_mbps.map(|speed| format!(", {speed} Mbit/s"));
    format!(
        "{} ({driver}), {state}{}",
        link.name,
        speed.unwrap_or_default()
    )
}

fn cards_without_driver(devices: &Path) -> Vec<String> {
    let entries = fs::read_dir(devices).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|card| read(&card.join("class")).starts_with(CARD) && !card.join("driver").exists())
        .map(|card| {
            let [vendor, device] = ["vendor", "device"].map(|file| read(&card.join(file)));
            format!("the card {vendor}:{device} has no driver in this ramdisk")
        })
        .collect()
}

/// What we said to the person, and what the kernel called an error.
fn said(log: &[Line]) -> Vec<String> {
    let lines = log.iter().filter_map(|line| {
        let ours = line.text.strip_prefix(console::PREFIX);
        let text = match (line.is_kernels, ours) {
            (false, Some(text)) if line.level <= console::NOTICE => text,
            (true, _) if line.level <= KERNELS_LEVEL => &line.text,
            _ => return None,
        };
        let (secs, millis) = (line.usec / 1_000_000, line.usec / 1_000 % 1_000);
        Some(format!("[{secs:5}.{millis:03}] {text}"))
    });
    let mut lines: Vec<String> = lines.collect();
    lines.drain(..lines.len().saturating_sub(LINES));
    lines
}

/// A file of one line.
fn read(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn line(level: u8, is_kernels: bool, text: &str) -> Line {
        Line {
            level,
            is_kernels,
            usec: 2_104_321,
            text: text.into(),
        }
    }

    #[test]
    fn the_last_lines_for_people_and_the_kernels_errors_are_told() {
        let mut log = vec![line(3, true, "too long ago"); 50];
        log.extend(vec![line(5, false, "stiefel: Searching."); LINES - 1]);
        log.push(line(7, false, "stiefel: a step"));
        log.push(line(5, true, "usb 1-1: new device"));
        log.push(line(3, false, "another program"));
        log.push(line(3, true, "e1000e: probe failed"));
        let said = said(&log);
        assert_eq!(said.len(), LINES);
        assert_eq!(said[0], "[    2.104] Searching.");
        assert_eq!(said[LINES - 1], "[    2.104] e1000e: probe failed");
    }

    #[test]
    fn a_card_that_nobody_drives_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for (address, class) in [
            ("0", "0x020000\n"),
            ("1", "0x020000\n"),
            ("2", "0x010601\n"),
        ] {
            let device = folder.path().join(address);
            fs::create_dir(&device).unwrap();
            fs::write(device.join("class"), class).unwrap();
            fs::write(device.join("vendor"), "0x8086\n").unwrap();
            fs::write(device.join("device"), "0x15f3\n").unwrap();
        }
        symlink(folder.path(), folder.path().join("0/driver")).unwrap();
        let told = cards_without_driver(folder.path());
        assert_eq!(
            told,
            ["the card 0x8086:0x15f3 has no driver in this ramdisk"]
        );
    }

    #[test]
    fn a_machine_is_called_as_its_maker_does() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(machine(folder.path()), "a machine without a name");
        fs::write(folder.path().join("sys_vendor"), "Maker\n").unwrap();
        fs::write(folder.path().join("product_name"), "Desktop 7\n").unwrap();
        assert_eq!(machine(folder.path()), "Maker Desktop 7");
    }
}
