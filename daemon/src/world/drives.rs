//! Removable drives: from sysfs, with what udev found on them, and who uses them.

mod volumes;

use super::paths::Paths;
use super::{Happening, Reporter, Trouble};
use rustix::event::{PollFd, PollFlags, poll};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use stiefel_linux::block;
use stiefel_linux::uevent::Uevents;
use volumes::{Part, parts};

/// Unit of `size` in sysfs (block/genhd.c).
const SECTOR: u64 = 512;
/// Longer names are nobody's; bytes.
const MAX_NAME: usize = 64;

/// A drive that can be taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    /// The kernel's name, e.g. `sdb`.
    pub name: String,
    /// The kernel's numbers of it, major and minor.
    pub device: (u32, u32),
    /// Maker and model, or empty.
    pub model: String,
    /// Serial number, or empty.
    pub serial: String,
    /// Bytes, 0 without a medium.
    pub size: u64,
    /// What it is plugged into, e.g. `usb`, or empty.
    pub bus: String,
    /// Labels or kinds of the file systems on it.
    pub volumes: Vec<String>,
    /// Who uses it.
    pub usage: Usage,
}

/// Who uses a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Nobody.
    Free,
    /// File systems on it are mounted.
    Mounted,
    /// Something else.
    Busy,
    /// It refuses to be written to.
    ReadOnly,
}

/// Reports the present drives and all changes; blocks for ever.
///
/// # Errors
/// Nobody can be listened to.
pub fn watch(paths: &Paths, reporter: &Reporter) -> Result<(), Trouble> {
    let tried = |error| Trouble::new("cannot watch the drives", error);
    let events = Uevents::open_after_udev().map_err(tried)?;
    // The kernel tells of mounts by the state of this file (proc_pid_mountinfo(5)).
    let mounts = File::open(paths.at("/proc/self/mountinfo"))
        .map_err(|error| Trouble::new("cannot watch what is mounted", error))?;
    let mut last = None;
    loop {
        let now = list(paths, &own_disks());
        if last.as_ref() != Some(&now) {
            last = Some(now.clone());
            if reporter.blocking_send(Happening::Drives(now)).is_err() {
                return Ok(());
            }
        }
        while !concerned(&events, &mounts).map_err(tried)? {}
    }
}

/// Waits for something; whether it is about drives.
fn concerned(events: &Uevents, mounts: &File) -> stiefel_linux::Result<bool> {
    let mut fds = [
        PollFd::from_borrowed_fd(events.as_fd(), PollFlags::IN),
        PollFd::new(mounts, PollFlags::PRI),
    ];
    // Interrupted or not: it is looked at anew.
    let _ = poll(&mut fds, None);
    let mounted = !fds[1].revents().is_empty();
    let heard = events.take()?;
    let block = |event: &stiefel_linux::uevent::Event| {
        event.action == "overflow" || event.property("SUBSYSTEM") == Some("block")
    };
    Ok(mounted || heard.iter().any(block))
}

/// Disks that the system runs from; none if that cannot be found out, and then whatever is
/// mounted where the system is counts as busy all the same.
fn own_disks() -> BTreeSet<String> {
    let disks = block::disks_under(Path::new("/"));
    disks.unwrap_or_default().into_iter().collect()
}

/// All removable drives but these, in the order of their names.
fn list(paths: &Paths, own: &BTreeSet<String>) -> Vec<Drive> {
    let used = Used::read(paths);
    let entries = fs::read_dir(paths.at("/sys/block")).into_iter().flatten();
    let mut drives: Vec<Drive> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !own.contains(name))
        .filter_map(|name| describe(paths, &used, name))
        .collect();
    drives.sort_by(|a, b| a.name.cmp(&b.name));
    drives
}

/// `None` for what is no removable drive, and for one that vanishes while we look.
fn describe(paths: &Paths, used: &Used, name: String) -> Option<Drive> {
    let folder = paths.at("/sys/block").join(&name);
    let read = |file: &str| text(&folder.join(file));
    let optical = name.starts_with("sr") || name.starts_with("fd");
    let device = fs::canonicalize(folder.join("device")).ok()?;
    let (bus, removable, usb_serial) = above(paths, &device);
    // eMMC is soldered in, and an SD card is not.
    let card = read("device/type").as_deref() == Some("SD");
    let ours = bus == "usb" || card || removable || read("removable").as_deref() == Some("1");
    if optical || !ours || read("hidden").as_deref() == Some("1") {
        return None;
    }
    let parts = parts(paths, &folder, &name)?;
    let whole = parts.first()?;
    let model = [
        read("device/vendor"),
        read("device/model"),
        read("device/name"),
    ];
    let model: Vec<String> = model.into_iter().flatten().collect();
    let serial = read("device/serial")
        .or_else(|| read("serial"))
        .or(usb_serial);
    Some(Drive {
        device: whole.device,
        model: clean(&model.join(" ")),
        serial: clean(&serial.unwrap_or_default()),
        size: read("size")?.parse::<u64>().ok()?.saturating_mul(SECTOR),
        bus,
        volumes: parts
            .iter()
            .filter_map(|part| part.content.clone())
            .collect(),
        usage: match used.by(&parts) {
            Usage::Free if read("ro").as_deref() == Some("1") => Usage::ReadOnly,
            usage => usage,
        },
        name,
    })
}

/// What a device is plugged into: the bus that a person knows, whether the firmware says that
/// it can be taken out, and the serial number of the USB device.
fn above(paths: &Paths, device: &Path) -> (String, bool, Option<String>) {
    let devices = fs::canonicalize(paths.at("/sys/devices")).unwrap_or_default();
    let (mut bus, mut removable, mut serial) = (String::new(), false, None);
    for place in device.ancestors().take_while(|place| **place != *devices) {
        let subsystem = fs::read_link(place.join("subsystem")).unwrap_or_default();
        let subsystem = subsystem.file_name().unwrap_or_default().to_string_lossy();
        match &*subsystem {
            "usb" => {
                bus = "usb".into();
                serial = serial.or_else(|| text(&place.join("serial")));
            }
            "mmc" | "nvme" | "pci" if bus.is_empty() => bus = subsystem.into_owned(),
            _ => {}
        }
        removable |= text(&place.join("removable")).as_deref() == Some("removable");
    }
    (bus, removable, serial)
}

/// What is in use on this machine.
struct Used {
    mounted: Vec<(Part, PathBuf)>,
    swaps: String,
}

impl Used {
    fn read(paths: &Paths) -> Self {
        let text = |path: &str| fs::read_to_string(paths.at(path)).unwrap_or_default();
        let mounts = stiefel_linux::mounts::parse(&text("/proc/self/mountinfo"));
        Self {
            mounted: mounts
                .into_iter()
                .map(|mount| {
                    let part = Part {
                        name: mount.source.trim_start_matches("/dev/").to_owned(),
                        device: mount.device,
                        content: None,
                        held: false,
                    };
                    (part, PathBuf::from(mount.point))
                })
                .collect(),
            swaps: text("/proc/swaps"),
        }
    }

    fn by(&self, parts: &[Part]) -> Usage {
        let swap = |part: &Part| {
            let node = format!("/dev/{}", part.name);
            self.swaps
                .lines()
                .any(|line| line.split_ascii_whitespace().next() == Some(&node))
        };
        if parts.iter().any(|part| part.held || swap(part)) {
            return Usage::Busy;
        }
        let mut usage = Usage::Free;
        for (source, target) in &self.mounted {
            // btrfs has numbers of its own, and names the device only.
            let same = |part: &Part| part.device == source.device || part.name == source.name;
            if !parts.iter().any(same) {
                continue;
            }
            // Whatever a desktop mounts for a person can be unmounted; the system's own cannot.
            let passing = ["/media", "/run/media", "/mnt"];
            match passing.iter().any(|place| target.starts_with(place)) {
                true => usage = Usage::Mounted,
                false => return Usage::Busy,
            }
        }
        usage
    }
}

/// A file of sysfs, if there is anything in it.
fn text(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// What a device says of itself may be anything, of any length: one line, as people read it.
fn clean(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_NAME)
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
