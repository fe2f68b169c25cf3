//! Whether this machine can lend its disk, and if not, why not.
//!
//! The daemon collects [`Facts`]; [`examine`] turns them into [`Finding`]s that a
//! person understands. Findings that forbid a hand-off are its blockers.

mod findings;
pub mod system;

pub use findings::examine;
pub use system::System;

use std::fmt;

/// What is known about this machine at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The ramdisk of the running kernel.
    pub image: ImageState,
    /// What the kernel says about kexec.
    pub kexec: Kexec,
    /// The running kernel's file and its initramfs, or what is missing.
    pub kernel: Result<(), String>,
    /// Drivers of this machine's wired interfaces that the ramdisk lacks.
    pub missing_drivers: Vec<String>,
    /// The disk that the system runs from: its model, or why it cannot be lent.
    pub disk: Result<String, String>,
    /// The system on it.
    pub system: System,
    /// Whether there is a paired machine.
    pub paired: bool,
    /// The NIC for loans.
    pub link: LinkFact,
    /// Where the power comes from.
    pub power: Power,
    /// Everybody who is logged in, each once.
    pub users: Vec<String>,
    /// Who forbids to shut down.
    pub inhibitors: Vec<Inhibitor>,
    /// What was not understood in configuration and pairing files.
    pub mistakes: Vec<String>,
}

/// Whether the ramdisk for the running kernel can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageState {
    /// There is none.
    Missing,
    /// It is of another state of the kernel's files.
    Stale,
    /// It can be used.
    Ready,
    /// It is being made.
    Building,
}

/// Whether the kernel takes another kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kexec {
    /// It does.
    Allowed,
    /// Switched off until the next boot (`kernel.kexec_load_disabled`).
    SwitchedOff,
    /// The kernel was built without it.
    NotBuilt,
    /// Only signed kernels are taken (lockdown), and the installed one is not.
    Unsigned,
}

/// The NIC for loans, as far as one is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkFact {
    /// None is configured; all wired ones are used.
    AnyWired,
    /// The configured one, by its name, is there.
    Present {
        /// Its name.
        name: String,
        /// What is known about its cable.
        cable: Cable,
    },
    /// The configured one is not there.
    Gone {
        /// Its name or its hardware address.
        name: String,
        /// Whether the hand-off goes over this one and no other.
        needed: bool,
    },
    /// It is there, but somebody who configures it could not be told to leave it alone.
    Disputed {
        /// What was tried, and what came of it.
        trouble: String,
    },
}

/// What is known about the cable of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cable {
    /// Nothing, the interface is switched off.
    Unknown,
    /// Nobody is at its other end.
    Loose,
    /// Somebody is; Mbit/s, 0 if the driver does not say.
    Connected(u32),
}

/// Where the power comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Power {
    /// Charge of all batteries together in percent, `None` without a battery.
    pub battery_percent: Option<f64>,
    /// Whether the machine is on mains.
    pub on_mains: bool,
    /// What the desktop warns of.
    pub warning: BatteryWarning,
    /// What a hand-off on battery is.
    pub on_battery: OnBattery,
    /// On battery, a lower charge than this is too little; percent.
    pub threshold_percent: f64,
}

/// How empty the battery is, as the desktop's power service sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum BatteryWarning {
    /// There is no reason for one.
    #[default]
    None,
    /// It is time to look for the charger.
    Low,
    /// The machine will soon have to do something about it.
    Critical,
    /// The machine is about to suspend or to shut down.
    Action,
}

/// Whether people lend while the machine runs on its battery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBattery {
    /// Never.
    Refuse,
    /// They do, but not with too little charge.
    #[default]
    Warn,
    /// They do, and know what they risk.
    Allow,
}

/// Somebody holds a lock of logind that forbids to shut down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inhibitor {
    /// The program.
    pub who: String,
    /// Its reason.
    pub why: String,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The ramdisk.
    Image,
    /// The kernel's ability to start another one.
    Kexec,
    /// Kernel and initramfs of the running system.
    Kernel,
    /// Drivers in the ramdisk.
    Driver,
    /// The disk to lend.
    Disk,
    /// How the system finds its disk.
    Names,
    /// How the disk is unlocked.
    Unlocking,
    /// A hibernated system.
    Hibernation,
    /// The pairings.
    Pairing,
    /// The NIC.
    Link,
    /// Battery and mains.
    Power,
    /// People who are logged in.
    Session,
    /// Locks of other programs.
    Inhibitor,
    /// Files that people or we wrote.
    Configuration,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Image => "image",
            Self::Kexec => "kexec",
            Self::Kernel => "kernel",
            Self::Driver => "driver",
            Self::Disk => "disk",
            Self::Names => "names",
            Self::Unlocking => "unlocking",
            Self::Hibernation => "hibernation",
            Self::Pairing => "pairing",
            Self::Link => "link",
            Self::Power => "power",
            Self::Session => "session",
            Self::Inhibitor => "inhibitor",
            Self::Configuration => "configuration",
        })
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Worth a look, but no obstacle.
    Warn,
    /// No hand-off as long as this lasts.
    Block,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Block => "block",
        })
    }
}

/// One thing about this machine, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub subject: Subject,
    /// How bad it is.
    pub verdict: Verdict,
    /// What is the case.
    pub text: String,
    /// What to do about it; empty if nothing is to be done.
    pub hint: String,
}

impl Finding {
    fn ok(subject: Subject, text: impl Into<String>) -> Self {
        Self {
            subject,
            verdict: Verdict::Ok,
            text: text.into(),
            hint: String::new(),
        }
    }

    fn new(
        subject: Subject,
        verdict: Verdict,
        text: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            subject,
            verdict,
            text: text.into(),
            hint: hint.into(),
        }
    }
}

/// A reason, with a capital at its beginning like all findings.
fn sentence(reason: &str) -> String {
    let mut chars = reason.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests;
