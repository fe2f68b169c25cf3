//! What the daemon knows, as it is shown and as it is written as JSON.
//!
//! The JSON is for scripts: a field may be added, but none is renamed, removed or
//! given another type. Words are those of the bus, times are microseconds.

use serde::Serialize;
use std::collections::HashMap;
use stiefel_dbus::words::BatteryWarning;
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

/// The properties of an interface, all read at once.
#[derive(Debug, Default)]
pub struct Properties(pub HashMap<String, OwnedValue>);

impl Properties {
    /// The value of one, or nothing where a daemon of another version has none.
    pub fn get<T: TryFrom<OwnedValue> + Default>(&self, name: &str) -> T {
        self.0
            .get(name)
            .and_then(|value| value.try_clone().ok())
            .and_then(|value| T::try_from(value).ok())
            .unwrap_or_default()
    }
}

/// The machine as a whole.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// The daemon's version.
    pub version: String,
    /// What paired machines call it.
    pub name: String,
    /// Whose disk the system runs from.
    pub role: String,
    /// Whether searches are answered.
    pub armed: bool,
    /// Whether the ramdisk can be used.
    pub image_state: String,
    /// What the system runs from.
    pub disk: Disk,
    /// What feeds the machine.
    pub power: Power,
    /// The last time that it left its system.
    pub last_loan: LastLoan,
}

/// A loan that is over.
#[derive(Debug, Serialize)]
pub struct LastLoan {
    /// The borrower's object, or "/".
    pub borrower: OwnedObjectPath,
    /// When it began, since the epoch, or 0.
    pub left_usec: u64,
    /// When it was over, since the epoch, or 0.
    pub back_usec: u64,
}

/// The disk to lend.
#[derive(Debug, Serialize)]
pub struct Disk {
    /// What it is.
    pub model: String,
    /// Bytes.
    pub size: u64,
    /// Tells it from another one.
    pub id: String,
}

/// Battery and mains.
#[derive(Debug, Serialize)]
pub struct Power {
    /// Percent, or -1 without a battery.
    pub battery: f64,
    /// Fed from outside.
    pub on_ac: bool,
    /// What the desktop warns of.
    pub warning: String,
    /// How long the battery lasts, or 0.
    pub time_to_empty_usec: u64,
}

impl From<&Properties> for Machine {
    fn from(facts: &Properties) -> Self {
        let (model, size, id) = facts.get("Disk");
        let (borrower, left_usec, back_usec) = facts.get("LastLoan");
        Self {
            version: facts.get("Version"),
            name: facts.get("Name"),
            role: facts.get("Role"),
            armed: facts.get("Armed"),
            image_state: facts.get("ImageState"),
            disk: Disk { model, size, id },
            power: Power::from(facts),
            last_loan: LastLoan {
                borrower,
                left_usec,
                back_usec,
            },
        }
    }
}

impl From<&Properties> for Power {
    fn from(facts: &Properties) -> Self {
        Self {
            battery: facts.get("Battery"),
            on_ac: facts.get("OnAc"),
            warning: facts.get("BatteryWarning"),
            time_to_empty_usec: facts.get("TimeToEmptyUsec"),
        }
    }
}

impl Power {
    /// In short, but for how long it lasts.
    pub fn in_words(&self) -> String {
        let mut told = match (self.battery < 0.0, self.on_ac) {
            (true, _) => return "no battery".into(),
            (false, true) => format!("battery {:.0} %, plugged in", self.battery),
            (false, false) => format!("battery {:.0} %, not plugged in", self.battery),
        };
        if BatteryWarning::from(self.warning.as_str()) != BatteryWarning::None {
            told += &format!(" ({})", self.warning);
        }
        told
    }
}

/// The way out of the running system.
#[derive(Debug, Serialize)]
pub struct HandOff {
    /// How far it is.
    pub state: String,
    /// Why the last one came back.
    pub reason: String,
    /// One sentence about that.
    pub detail: String,
    /// Who brought it about.
    pub trigger: String,
    /// What the borrower is called.
    pub borrower: Option<String>,
    /// End of the countdown on `CLOCK_MONOTONIC`, or 0.
    pub deadline_usec: u64,
    /// Length of the whole countdown, or 0.
    pub countdown_usec: u64,
    /// What happens then.
    pub at_deadline: String,
    /// What is being done or undone.
    pub step: String,
    /// All steps in their order.
    pub steps: Vec<String>,
}

impl HandOff {
    /// As the properties tell it; `borrower` is the name.
    pub fn new(facts: &Properties, borrower: Option<String>) -> Self {
        Self {
            state: facts.get("State"),
            reason: facts.get("Reason"),
            detail: facts.get("Detail"),
            trigger: facts.get("Trigger"),
            borrower,
            deadline_usec: facts.get("DeadlineUsec"),
            countdown_usec: facts.get("CountdownUsec"),
            at_deadline: facts.get("AtDeadline"),
            step: facts.get("Step"),
            steps: facts.get("Steps"),
        }
    }
}

/// Something that was found out about the machine.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What it is about.
    pub subject: String,
    /// Whether that is in the way.
    pub verdict: String,
    /// One sentence.
    pub text: String,
    /// What to do about it, or empty.
    pub hint: String,
    /// What the daemon can do about it, or empty.
    pub remedy: String,
}

/// All checks, as the Manager tells them.
pub fn checks(manager: &Properties) -> Vec<Check> {
    let checks: Vec<(String, String, String, String, String)> = manager.get("Checks");
    checks
        .into_iter()
        .map(|(subject, verdict, text, hint, remedy)| Check {
            subject,
            verdict,
            text,
            hint,
            remedy,
        })
        .collect()
}

/// A borrower.
#[derive(Debug, Clone, Serialize)]
pub struct Pairing {
    /// Its id.
    pub id: String,
    /// What the borrower is called.
    pub name: String,
    /// What its searches bring about.
    pub policy: String,
    /// Whether it searches.
    pub presence: String,
    /// Since the epoch, or 0.
    pub last_seen_usec: u64,
    /// Since the epoch, or 0.
    pub last_loan_usec: u64,
    /// When its boot medium was made, since the epoch, or 0.
    pub last_stick_usec: u64,
    /// Its object on the bus.
    pub path: OwnedObjectPath,
}

impl Pairing {
    /// As the properties of the object tell it.
    pub fn new(path: OwnedObjectPath, facts: &Properties) -> Self {
        Self {
            id: facts.get("Id"),
            name: facts.get("Name"),
            policy: facts.get("Policy"),
            presence: facts.get("Presence"),
            last_seen_usec: facts.get("LastSeenUsec"),
            last_loan_usec: facts.get("LastLoanUsec"),
            last_stick_usec: facts.get("LastStickUsec"),
            path,
        }
    }
}

/// A wired interface.
#[derive(Debug, Clone, Serialize)]
pub struct Link {
    /// Its name.
    pub interface: String,
    /// Whether there is somebody at the other end.
    pub state: String,
    /// Mbit/s, or 0.
    pub speed_mbps: u32,
    /// The kernel's driver.
    pub driver: String,
    /// What it is used for.
    pub policy: String,
    /// Whether other programs may configure it.
    pub managed: bool,
    /// The address that stays with the device.
    pub hardware_address: String,
    /// What it is plugged into.
    pub bus: String,
    /// Vendor and product.
    pub device_id: String,
    /// Its object on the bus.
    pub path: OwnedObjectPath,
}

impl Link {
    /// As the properties of the object tell it.
    pub fn new(path: OwnedObjectPath, facts: &Properties) -> Self {
        Self {
            interface: facts.get("Interface"),
            state: facts.get("State"),
            speed_mbps: facts.get("SpeedMbps"),
            driver: facts.get("Driver"),
            policy: facts.get("Policy"),
            managed: facts.get("Managed"),
            hardware_address: facts.get("HardwareAddress"),
            bus: facts.get("Bus"),
            device_id: facts.get("DeviceId"),
            path,
        }
    }
}

/// Something that takes its time.
#[derive(Debug, Clone, Serialize)]
pub struct Job {
    /// By this it is called off.
    pub number: u32,
    /// What it does.
    pub kind: String,
    /// The object of the pairing that it is about, or "/".
    pub subject: OwnedObjectPath,
    /// Whether it goes on, or how it has ended.
    pub state: String,
    /// What it is at.
    pub phase: String,
    /// From 0 to 1.
    pub progress: f64,
    /// How long it will probably take, or 0.
    pub remaining_usec: u64,
    /// Why it failed, or empty.
    pub detail: String,
    /// Its object on the bus.
    pub path: OwnedObjectPath,
}

impl Job {
    /// As the properties of the object tell it.
    pub fn new(path: OwnedObjectPath, facts: &Properties) -> Self {
        Self {
            number: number_of(&path),
            kind: facts.get("Kind"),
            subject: facts.get("Subject"),
            state: facts.get("State"),
            phase: facts.get("Phase"),
            progress: facts.get("Progress"),
            remaining_usec: facts.get("RemainingUsec"),
            detail: facts.get("Detail"),
            path,
        }
    }
}

/// A removable drive.
#[derive(Debug, Clone, Serialize)]
pub struct Drive {
    /// Its device file.
    pub device: String,
    /// Maker and model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// Bytes, 0 without a medium.
    pub size_bytes: u64,
    /// What it is plugged into.
    pub bus: String,
    /// What would be erased.
    pub volumes: Vec<String>,
    /// Whether it can be written to.
    pub state: String,
    /// Its object on the bus.
    pub path: OwnedObjectPath,
}

impl Drive {
    /// As the properties of the object tell it.
    pub fn new(path: OwnedObjectPath, facts: &Properties) -> Self {
        Self {
            device: facts.get("Device"),
            model: facts.get("Model"),
            serial: facts.get("Serial"),
            size_bytes: facts.get("SizeBytes"),
            bus: facts.get("Bus"),
            volumes: facts.get("Volumes"),
            state: facts.get("State"),
            path,
        }
    }
}

/// The number that a job's object is named after.
fn number_of(path: &OwnedObjectPath) -> u32 {
    let last = path.as_str().rsplit('/').next();
    last.and_then(|number| number.parse().ok()).unwrap_or(0)
}
