//! Drivers for the hardware that is there: cold-plug, then hot-plug, without udev.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::fs;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use stiefel_core::modules::{Index, Module, Purpose, normal};
use stiefel_linux::uevent::{Event, Uevents};
use stiefel_linux::{modules, process};

use crate::console::warn;

/// Where the image has its modules, and their index.
const MODULES: &str = "/stiefel/modules";
/// Where the image has its firmware.
const FIRMWARE: &str = "/stiefel/firmware";
/// Where the kernel looks for firmware first (Documentation/driver-api/firmware/fw_search_path.rst).
const FIRMWARE_SETTING: &str = "/sys/module/firmware_class/parameters/path";

/// What the processor says it is: drivers of its thermometer ask for that.
const PROCESSOR: &str = "/sys/devices/system/cpu/modalias";

/// Each round finds what sits behind what the last one found: bridge, controller, hub, device.
const ROUNDS_LIMIT: usize = 16;

/// What modules are told that nobody names parameters for.
const PARAMETERS: [(&str, &CStr); 4] = [
    // Debian's would keep 2 MiB for each stream of each card, used or not.
    ("snd_pcm", c"preallocate_dma=0"),
    // Since Linux 6.7 it would wait for the graphics driver, which never comes here.
    ("snd_hda_core", c"gpu_bind=0"),
    // Without the DSP before the codec, whose firmware is larger than all the rest.
    ("snd_intel_dspcfg", c"dsp_driver=1"),
    // Each card's own generator would beep beside the samples that we play.
    ("snd_hda_intel", c"beep_mode=0,0,0,0,0,0,0,0"),
];

/// The ramdisk's modules, and which of them are loaded.
pub struct Hardware {
    index: Index,
    tried: BTreeSet<String>,
}

impl Hardware {
    /// Reads the index and tells the kernel where the firmware is. Needs `/sys`.
    pub fn open() -> Result<Self> {
        // A kernel without the loader needs none.
        let _ = fs::write(FIRMWARE_SETTING, FIRMWARE);
        let path = Path::new(MODULES).join("index.json");
        let json = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let index = Index::from_json(&json)?;
        Ok(Self {
            index,
            tried: BTreeSet::new(),
        })
    }

    /// Loads modules by name, with all they need. An error when one of them cannot be had: the
    /// caller needs it, whatever the hardware.
    pub fn load_named(&mut self, names: &[&str]) -> Result<()> {
        names.iter().try_for_each(|name| self.load_with(name, c""))
    }

    /// Loads one module with parameters, with all it needs.
    pub fn load_with(&mut self, name: &str, parameters: &CStr) -> Result<()> {
        let wanted: Vec<Module> = self.index.named([name])?.into_iter().cloned().collect();
        for module in wanted {
            let own = normal(name) == module.name;
            if !self.tried.insert(module.name.clone()) {
                continue;
            }
            let parameters = if own && !parameters.is_empty() {
                parameters
            } else {
                usual_parameters(&module.name)
            };
            match modules::load(&path_of(&module), parameters) {
                Err(error) if own => return Err(error.into()),
                // It may be of use only; if it is not, the one that needs it fails, too.
                Err(error) => warn(&format!("{error}.")),
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// Loads what the devices that are there ask for, round after round until nothing new
    /// appears. Devices that take their time (USB) come later: see [`Hardware::hotplug`].
    /// Returns how many modules were loaded.
    pub fn coldplug(&mut self, purposes: &[Purpose]) -> usize {
        let mut asked = BTreeSet::new();
        let mut loaded = 0;
        for _ in 0..ROUNDS_LIMIT {
            let before = asked.len();
            asked.extend(modaliases(Path::new("/sys/bus"), Path::new(PROCESSOR)));
            if asked.len() == before {
                break;
            }
            loaded += self.load_for(&asked, purposes);
        }
        loaded
    }

    /// Loads what devices that have just appeared ask for. Returns how many modules were loaded.
    pub fn hotplug(&mut self, events: &[Event], purposes: &[Purpose]) -> usize {
        if events.iter().any(|event| event.action == "overflow") {
            return self.coldplug(purposes);
        }
        let added = events.iter().filter(|event| event.action == "add");
        let asked: BTreeSet<String> = added
            .filter_map(|event| event.property("MODALIAS"))
            .map(str::to_owned)
            .collect();
        self.load_for(&asked, purposes)
    }

    fn load_for(&mut self, modaliases: &BTreeSet<String>, purposes: &[Purpose]) -> usize {
        let wanted: Vec<Module> = self
            .index
            .for_hardware(modaliases, purposes)
            .into_iter()
            .cloned()
            .collect();
        let mut loaded = 0;
        for module in wanted {
            if !self.tried.insert(module.name.clone()) {
                continue;
            }
            match modules::load(&path_of(&module), usual_parameters(&module.name)) {
                Ok(_) => loaded += 1,
                // The module looked at the machine and found that it is not for it.
                Err(error) if error.is(Errno::NODEV) => {}
                Err(error) => warn(&format!("{error}.")),
            }
        }
        loaded
    }

    /// Goes on in a thread: with what is there and not driven yet, the `named` modules, and
    /// then with what is plugged in. `uevents` were opened before the first look.
    ///
    /// # Errors
    /// No memory for a thread.
    pub fn keep_driven(
        self,
        uevents: Uevents,
        purposes: &'static [Purpose],
        named: &'static [&'static str],
    ) -> Result<()> {
        self.drive(uevents, purposes, named, None)
    }

    /// The same, and with what may wait as soon as it is said that it need not any more.
    ///
    /// # Errors
    /// No memory for a thread, or for a pipe.
    pub fn keep_driven_in_two_steps(
        self,
        uevents: Uevents,
        purposes: &'static [Purpose],
        named: &'static [&'static str],
        later: &'static [Purpose],
    ) -> Result<Later> {
        let (said, end) = io::pipe().context("cannot make a pipe")?;
        self.drive(uevents, purposes, named, Some((said, later)))?;
        Ok(Later(end))
    }

    fn drive(
        mut self,
        uevents: Uevents,
        purposes: &'static [Purpose],
        named: &'static [&'static str],
        mut later: Option<(PipeReader, &'static [Purpose])>,
    ) -> Result<()> {
        let drive = move || {
            let mut purposes = purposes.to_vec();
            self.coldplug(&purposes);
            if let Err(error) = self.load_named(named) {
                warn(&format!("{error:#}."));
            }
            while let Ok(now) = wait_for_either(&uevents, later.as_ref().map(|(said, _)| said)) {
                if now && let Some((_, more)) = later.take() {
                    purposes.extend(more);
                    self.coldplug(&purposes);
                }
                let events = uevents.take().unwrap_or_default();
                self.hotplug(&events, &purposes);
            }
        };
        std::thread::Builder::new()
            .name("hardware".into())
            .spawn(drive)?;
        Ok(())
    }
}

/// What may wait in [`Hardware::keep_driven_in_two_steps`]: the end of a pipe that nothing is
/// written to, and that says it all when it is closed.
pub struct Later(PipeWriter);

impl Later {
    /// Nothing that is more urgent is under way any more.
    pub fn now(self) {
        drop(self.0);
    }
}

/// Sleeps until a device comes or goes, or `said` is closed; true when it is.
fn wait_for_either(uevents: &Uevents, said: Option<&PipeReader>) -> rustix::io::Result<bool> {
    let fds = [Some(uevents.as_fd()), said.map(AsFd::as_fd)];
    let mut fds: Vec<PollFd> = fds
        .into_iter()
        .flatten()
        .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
        .collect();
    match poll(&mut fds, None) {
        Ok(_) => Ok(fds.get(1).is_some_and(|said| !said.revents().is_empty())),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Loads modules by name, with all they need. Waits for one that is just being loaded.
///
/// # Errors
/// One of them is not there or does not load.
pub fn load(names: &[&str]) -> Result<()> {
    Hardware::open()?.load_named(names)
}

/// Sleeps until a device comes or goes, or the time is over.
///
/// # Errors
/// The kernel tells nothing of its devices.
pub fn wait(uevents: &Uevents, limit: Duration) -> Result<()> {
    process::wait_readable(uevents, limit)?;
    uevents.take()?;
    Ok(())
}

fn usual_parameters(module: &str) -> &'static CStr {
    let told = PARAMETERS.into_iter().find(|(name, _)| *name == module);
    told.map_or(c"", |(_, parameters)| parameters)
}

fn path_of(module: &Module) -> PathBuf {
    Path::new(MODULES).join(&module.file)
}

/// What all devices say they are. Every device but the processor hangs on a bus, and the buses'
/// folders are flat.
fn modaliases(buses: &Path, processor: &Path) -> BTreeSet<String> {
    let folder = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten();
    folder(buses.to_owned())
        .flat_map(|bus| folder(bus.path().join("devices")))
        .map(|device| device.path().join("modalias"))
        .chain([processor.to_owned()])
        .filter_map(|path| fs::read_to_string(path).ok())
        .map(|text| text.trim_end().to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_of_all_buses_are_asked() {
        let folder = tempfile::tempdir().unwrap();
        for (device, text) in [
            ("pci/devices/0", "pci:v1\n"),
            ("usb/devices/1-1", "usb:v2\n"),
        ] {
            fs::create_dir_all(folder.path().join(device)).unwrap();
            fs::write(folder.path().join(device).join("modalias"), text).unwrap();
        }
        fs::create_dir_all(folder.path().join("pci/devices/1")).unwrap();
        let processor = folder.path().join("processor");
        fs::write(&processor, "cpu:type:x86\n").unwrap();
        let found: Vec<_> = modaliases(folder.path(), &processor).into_iter().collect();
        assert_eq!(found, ["cpu:type:x86", "pci:v1", "usb:v2"]);
        assert_eq!(
            modaliases(&folder.path().join("none"), &folder.path().join("none")).len(),
            0
        );
    }

    #[test]
    fn what_may_wait_is_driven_when_it_is_said() {
        let uevents = Uevents::open().unwrap();
        let (said, end) = io::pipe().unwrap();
        Later(end).now();
        assert!(wait_for_either(&uevents, Some(&said)).unwrap());
    }

    #[test]
    fn a_module_is_told_what_is_its_own() {
        assert_eq!(usual_parameters("snd_intel_dspcfg"), c"dsp_driver=1");
        assert_eq!(usual_parameters("e1000e"), c"");
        // The kernel's spelling.
        assert!(PARAMETERS.iter().all(|(name, _)| *name == normal(name)));
    }
}
