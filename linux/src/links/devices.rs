//! What sysfs knows of network devices, and rtnetlink does not.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};

/// A sysfs; each shows the devices of the network namespace that it was mounted in.
pub(super) struct Devices {
    private: Option<OwnedFd>,
}

impl Devices {
    /// The one that everybody sees.
    pub(super) fn mounted() -> Self {
        Self { private: None }
    }

    /// The one with this root.
    pub(super) fn below(sysfs: OwnedFd) -> Self {
        Self {
            private: Some(sysfs),
        }
    }

    /// Wi-Fi and mobile radio devices look like Ethernet to rtnetlink; sysfs knows better.
    pub(super) fn is_radio(&self, name: &str) -> bool {
        let uevent = self.read(name, "uevent").unwrap_or_default();
        uevent
            .lines()
            .any(|line| matches!(line, "DEVTYPE=wlan" | "DEVTYPE=wwan"))
    }

    pub(super) fn speed_mbps(&self, name: &str) -> Option<u32> {
        let speed = self.read(name, "speed")?;
        // Drivers say -1 when they do not know.
        speed.trim().parse().ok().filter(|speed| *speed > 0)
    }

    fn read(&self, name: &str, file: &str) -> Option<String> {
        let path = format!("class/net/{name}/{file}");
        let Some(sysfs) = &self.private else {
            return fs::read_to_string(Path::new("/sys").join(path)).ok();
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let mut text = String::new();
        File::from(openat(sysfs, path, flags, Mode::empty()).ok()?)
            .read_to_string(&mut text)
            .ok()?;
        Some(text)
    }
}
