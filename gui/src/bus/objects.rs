//! The daemon's objects as they come over the bus, and what they mean.
//!
//! Nothing in here fails: a daemon of another version may lack a property, or
//! have one of another type, and the rest is still worth showing.

use crate::picture::{
    Blocker, Check, Daemon, Disk, Drive, HandOff, Job, LastLoan, Link, Loan, Machine, Moving,
    Pairing, Picture, Settings, Warning,
};
use std::collections::{BTreeMap, HashMap};
use stiefel_dbus::names;
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

/// Properties of one interface.
pub type Properties = HashMap<String, OwnedValue>;
/// Interfaces of one object.
pub type Interfaces = HashMap<String, Properties>;

/// All objects of the daemon.
#[derive(Debug, Default)]
pub struct Objects(BTreeMap<String, Interfaces>);

impl Objects {
    /// What `GetManagedObjects` answers.
    #[must_use]
    pub fn all(managed: HashMap<OwnedObjectPath, Interfaces>) -> Self {
        let objects = managed.into_iter();
        Self(
            objects
                .map(|(path, interfaces)| (path.as_str().to_owned(), interfaces))
                .collect(),
        )
    }

    /// `InterfacesAdded`
    pub fn add(&mut self, path: &str, interfaces: Interfaces) {
        self.0
            .entry(path.to_owned())
            .or_default()
            .extend(interfaces);
    }

    /// `InterfacesRemoved`
    pub fn remove(&mut self, path: &str, interfaces: &[&str]) {
        if let Some(object) = self.0.get_mut(path) {
            object.retain(|name, _| !interfaces.contains(&name.as_str()));
            if object.is_empty() {
                self.0.remove(path);
            }
        }
    }

    /// `PropertiesChanged`. A property that is only said to be invalid keeps
    /// its value: none of ours is announced like that.
    pub fn change(&mut self, path: &str, interface: &str, changed: Properties) {
        let object = self.0.entry(path.to_owned()).or_default();
        object
            .entry(interface.to_owned())
            .or_default()
            .extend(changed);
    }

    /// What they mean.
    #[must_use]
    pub fn picture(&self, daemon: Daemon) -> Picture {
        let root = |interface| self.0.get(names::ROOT)?.get(interface).map(Reader);
        let mut pairings: Vec<_> = self.of(names::PAIRING).map(pairing).collect();
        pairings.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.path.cmp(&b.path)));
        let mut links: Vec<_> = self.of(names::LINK).map(link).collect();
        links.sort_by(|a, b| a.interface.cmp(&b.interface));
        let mut drives: Vec<_> = self.of(names::DRIVE).map(drive).collect();
        drives.sort_by(|a, b| a.device.cmp(&b.device));
        let mut jobs: Vec<_> = self.of(names::JOB).map(job).collect();
        jobs.sort_by_key(|job| number(&job.path));
        Picture {
            daemon,
            machine: root(names::MANAGER).map(machine).unwrap_or_default(),
            handoff: root(names::HANDOFF).map(handoff).unwrap_or_default(),
            pairings,
            links,
            drives,
            jobs,
            settings: root(names::SETTINGS).map(settings),
            loan: root(names::LOAN).map(loan),
        }
    }

    fn of(&self, interface: &'static str) -> impl Iterator<Item = (String, Reader<'_>)> {
        self.0.iter().filter_map(move |(path, interfaces)| {
            let properties = interfaces.get(interface)?;
            Some((path.clone(), Reader(properties)))
        })
    }
}

/// Reads properties, each with the value that claims least if it is not there.
struct Reader<'a>(&'a Properties);

impl Reader<'_> {
    fn get<T: TryFrom<OwnedValue>>(&self, name: &str) -> Option<T> {
        T::try_from(self.0.get(name)?.try_clone().ok()?).ok()
    }

    fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default()
    }

    fn word<T: for<'w> From<&'w str>>(&self, name: &str) -> T {
        T::from(&self.text(name))
    }

    fn flag(&self, name: &str, or: bool) -> bool {
        self.get(name).unwrap_or(or)
    }

    fn count(&self, name: &str) -> u64 {
        self.get(name).unwrap_or_default()
    }

    fn number(&self, name: &str) -> u32 {
        self.get(name).unwrap_or_default()
    }

    fn path(&self, name: &str) -> String {
        let path: Option<OwnedObjectPath> = self.get(name);
        path.map_or_else(|| "/".into(), |path| path.as_str().to_owned())
    }

    /// The contract's 0 for "it is not known".
    fn degrees(&self, name: &str) -> Option<f64> {
        self.get(name).filter(|degrees| *degrees != 0.0)
    }

    /// The contract's -1 for "there is none".
    fn percent(&self, name: &str) -> Option<f64> {
        let percent: f64 = self.get(name)?;
        (0.0..=100.0).contains(&percent).then_some(percent)
    }
}

fn machine(from: Reader<'_>) -> Machine {
    let disk: Option<(String, u64, String)> = from.get("Disk");
    let last: Option<(OwnedObjectPath, u64, u64)> = from.get("LastLoan");
    Machine {
        version: from.text("Version"),
        name: from.text("Name"),
        role: from.word("Role"),
        armed: from.flag("Armed", false),
        image: from.word("ImageState"),
        disk: disk
            .filter(|(_, size, _)| *size > 0)
            .map(|(model, size, id)| Disk { model, size, id }),
        battery: from.percent("Battery"),
        on_ac: from.flag("OnAc", true),
        warning: from.word("BatteryWarning"),
        time_to_empty_usec: from.count("TimeToEmptyUsec"),
        last_loan: last
            .filter(|(_, left, _)| *left > 0)
            .map(|(borrower, left_usec, back_usec)| LastLoan {
                borrower: borrower.as_str().to_owned(),
                left_usec,
                back_usec,
            }),
        checks: checks(&from),
    }
}

fn checks(from: &Reader<'_>) -> Vec<Check> {
    let checks: Vec<(String, String, String, String, String)> =
        from.get("Checks").unwrap_or_default();
    let checks = checks.into_iter();
    checks
        .map(|(subject, verdict, text, hint, remedy)| Check {
            subject,
            verdict: verdict.as_str().into(),
            text,
            hint,
            remedy: remedy.as_str().into(),
        })
        .collect()
}

fn handoff(from: Reader<'_>) -> HandOff {
    let blockers: Vec<(String, String, String)> = from.get("Blockers").unwrap_or_default();
    let steps: Vec<String> = from.get("Steps").unwrap_or_default();
    HandOff {
        state: from.word("State"),
        reason: from.word("Reason"),
        detail: from.text("Detail"),
        borrower: from.path("Borrower"),
        trigger: from.word("Trigger"),
        deadline_usec: from.count("DeadlineUsec"),
        countdown_usec: from.count("CountdownUsec"),
        at_deadline: from.word("AtDeadline"),
        step: from.word("Step"),
        steps: steps.iter().map(|step| step.as_str().into()).collect(),
        blockers: blockers
            .into_iter()
            .map(|(subject, text, hint)| Blocker {
                subject,
                text,
                hint,
            })
            .collect(),
    }
}

fn pairing((path, from): (String, Reader<'_>)) -> Pairing {
    Pairing {
        path,
        name: from.text("Name"),
        policy: from.word("Policy"),
        presence: from.word("Presence"),
        last_seen_usec: from.count("LastSeenUsec"),
        last_loan_usec: from.count("LastLoanUsec"),
        last_stick_usec: from.count("LastStickUsec"),
    }
}

fn link((path, from): (String, Reader<'_>)) -> Link {
    Link {
        path,
        interface: from.text("Interface"),
        state: from.word("State"),
        speed_mbps: from.number("SpeedMbps"),
        driver: from.text("Driver"),
        bus: from.text("Bus"),
        policy: from.word("Policy"),
        managed: from.flag("Managed", true),
    }
}

fn drive((path, from): (String, Reader<'_>)) -> Drive {
    Drive {
        path,
        device: from.text("Device"),
        model: from.text("Model"),
        serial: from.text("Serial"),
        size: from.count("SizeBytes"),
        bus: from.text("Bus"),
        volumes: from.get("Volumes").unwrap_or_default(),
        state: from.word("State"),
    }
}

fn settings(from: Reader<'_>) -> Settings {
    Settings {
        on_battery: from.word("OnBattery"),
        battery_percent: from.number("BatteryPercent"),
        on_ac_loss: from.word("OnAcLoss"),
        on_plug: from.word("OnPlug"),
        countdown_secs: from.number("CountdownSecs"),
        confirm_secs: from.number("ConfirmSecs"),
        offer_secs: from.number("OfferSecs"),
        patience_secs: from.number("PatienceSecs"),
        on_low_power: from.word("OnLowPower"),
    }
}

fn job((path, from): (String, Reader<'_>)) -> Job {
    Job {
        path,
        kind: from.word("Kind"),
        state: from.word("State"),
        subject: from.path("Subject"),
        phase: from.word("Phase"),
        progress: from.get("Progress").unwrap_or_default(),
        remaining_usec: from.count("RemainingUsec"),
        detail: from.text("Detail"),
    }
}

fn loan(from: Reader<'_>) -> Loan {
    Loan {
        state: from.word("State"),
        detail: from.text("Detail"),
        lender: from.text("Lender"),
        since_usec: from.count("SinceUsec"),
        frozen_since_usec: from.count("FrozenSinceUsec"),
        frozen_until_usec: from.count("FrozenUntilUsec"),
        cable: from.word("Cable"),
        link_speed_mbps: from.number("LinkSpeedMbps"),
        moving: Moving {
            latency_usec: from.count("LatencyUsec"),
            read: from.count("RxBytesPerSec"),
            written: from.count("TxBytesPerSec"),
            all_read: from.count("RxBytes"),
            all_written: from.count("TxBytes"),
        },
        battery: from.percent("Battery"),
        on_ac: from.flag("OnAc", true),
        warning: from.word("BatteryWarning"),
        time_to_empty_usec: from.count("TimeToEmptyUsec"),
        temperature: from.degrees("Temperature"),
        disk_health: from.word("DiskHealth"),
        disk_detail: from.text("DiskDetail"),
        disk_temperature: from.degrees("DiskTemperature"),
        warnings: warnings(&from),
        ending: from.word("Ending"),
        ends_usec: from.count("EndsUsec"),
    }
}

fn warnings(from: &Reader<'_>) -> Vec<Warning> {
    let warnings: Vec<(String, String, String, String)> = from.get("Warnings").unwrap_or_default();
    let warnings = warnings.into_iter();
    warnings
        .map(|(subject, severity, text, hint)| Warning {
            subject,
            severity: severity.as_str().into(),
            text,
            hint,
        })
        .collect()
}

/// Jobs are numbered in the order in which they began.
fn number(path: &str) -> u64 {
    let last = path.rsplit('/').next();
    last.and_then(|n| n.parse().ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
