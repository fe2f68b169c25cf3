//! All that the daemon says of this machine, as one plain value.
//!
//! [`crate::bus`] keeps it up to date; [`crate::view`] turns it into what is
//! shown. Fields are named as in the contract (`dbus/*.xml`), which says what
//! each of them means. A property that is missing, or is not what the contract
//! says, has the value that claims least.

use stiefel_dbus::words::{
    AtDeadline, BatteryWarning, Cable, DiskHealth, DriveState, Ending, ImageState, JobKind,
    JobPhase, JobState, LinkPolicy, LinkState, LoanState, OnAcLoss, OnBattery, OnLowPower,
    PairingPolicy, Presence, Reason, Remedy, Role, Severity, State, Step, Trigger, Verdict,
};

/// Everything there is to know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// How far the rest is to be believed.
    pub daemon: Daemon,
    /// The machine as a whole.
    pub machine: Machine,
    /// The way out of the running system.
    pub handoff: HandOff,
    /// All pairings, by name.
    pub pairings: Vec<Pairing>,
    /// All wired interfaces, by name.
    pub links: Vec<Link>,
    /// All removable drives, by device.
    pub drives: Vec<Drive>,
    /// All jobs, oldest first.
    pub jobs: Vec<Job>,
    /// What people prefer; none if the daemon has no settings.
    pub settings: Option<Settings>,
    /// The loan that this system runs from.
    pub loan: Option<Loan>,
}

/// Whether the daemon is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Daemon {
    /// It was asked for the first time.
    #[default]
    Asked,
    /// It is there, and the picture is true.
    Here,
    /// It ended because it has nothing to do; the picture is true but for what
    /// changes by itself. The next call starts it again.
    Resting,
    /// It does not answer in time; the picture is an old one.
    Late,
    /// It cannot be reached, and why, for people. The picture is an old one, or
    /// empty.
    Gone(String),
}

/// `Manager`
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    pub version: String,
    /// How paired machines see it.
    pub name: String,
    pub role: Role,
    pub armed: bool,
    pub image: ImageState,
    /// None if there is no disk that can be lent.
    pub disk: Option<Disk>,
    /// Percent; none without a battery.
    pub battery: Option<f64>,
    pub on_ac: bool,
    pub warning: BatteryWarning,
    /// 0 if that is not known.
    pub time_to_empty_usec: u64,
    /// None if it was never lent.
    pub last_loan: Option<LastLoan>,
    pub checks: Vec<Check>,
}

/// `Manager.LastLoan`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastLoan {
    pub borrower: String,
    /// Since the epoch.
    pub left_usec: u64,
    /// Since the epoch; 0 if it has not come back.
    pub back_usec: u64,
}

/// `Manager.Disk`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    pub model: String,
    /// Bytes.
    pub size: u64,
    pub id: String,
}

/// One of `Manager.Checks`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub subject: String,
    pub verdict: Verdict,
    pub text: String,
    pub hint: String,
    pub remedy: Remedy,
}

/// `HandOff`
#[derive(Clone, Debug, PartialEq)]
pub struct HandOff {
    pub state: State,
    pub reason: Reason,
    pub detail: String,
    /// Its object; [`stiefel_dbus::names::PAIRINGS`] is any of them.
    pub borrower: String,
    pub trigger: Trigger,
    /// `CLOCK_MONOTONIC`; 0 unless announced.
    pub deadline_usec: u64,
    /// How long the whole wait is; 0 unless announced.
    pub countdown_usec: u64,
    pub at_deadline: AtDeadline,
    pub step: Step,
    /// All of them, in their order.
    pub steps: Vec<Step>,
    pub blockers: Vec<Blocker>,
}

/// One of `HandOff.Blockers`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    pub subject: String,
    pub text: String,
    pub hint: String,
}

/// `Pairing`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// Its object.
    pub path: String,
    pub name: String,
    pub policy: PairingPolicy,
    pub presence: Presence,
    /// Since the epoch; 0 if never.
    pub last_seen_usec: u64,
    /// Since the epoch; 0 if never.
    pub last_loan_usec: u64,
    /// Since the epoch; 0 if never.
    pub last_stick_usec: u64,
}

/// `Link`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its object.
    pub path: String,
    pub interface: String,
    pub state: LinkState,
    /// 0 if unknown.
    pub speed_mbps: u32,
    pub driver: String,
    pub bus: String,
    pub policy: LinkPolicy,
    pub managed: bool,
}

/// `Drive`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drive {
    /// Its object.
    pub path: String,
    pub device: String,
    pub model: String,
    pub serial: String,
    /// 0 if there is nothing in it.
    pub size: u64,
    pub bus: String,
    /// What would be erased.
    pub volumes: Vec<String>,
    pub state: DriveState,
}

/// `Settings`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub on_battery: OnBattery,
    pub battery_percent: u32,
    pub on_ac_loss: OnAcLoss,
    pub on_plug: PairingPolicy,
    pub countdown_secs: u32,
    pub confirm_secs: u32,
    pub offer_secs: u32,
    pub patience_secs: u32,
    pub on_low_power: OnLowPower,
}

/// `Job`
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its object.
    pub path: String,
    pub kind: JobKind,
    pub state: JobState,
    /// The pairing's object, or "/".
    pub subject: String,
    pub phase: JobPhase,
    /// From 0 to 1.
    pub progress: f64,
    /// 0 if that is not known.
    pub remaining_usec: u64,
    pub detail: String,
}

/// `Loan`
#[derive(Clone, Debug, PartialEq)]
pub struct Loan {
    pub state: LoanState,
    pub detail: String,
    /// What the lender is called.
    pub lender: String,
    /// Since the epoch; 0 if unknown.
    pub since_usec: u64,
    /// Since the epoch; 0 unless frozen.
    pub frozen_since_usec: u64,
    /// `CLOCK_MONOTONIC`; 0 unless frozen, or if unknown.
    pub frozen_until_usec: u64,
    pub cable: Cable,
    /// 0 if unknown.
    pub link_speed_mbps: u32,
    pub moving: Moving,
    /// The lender's, in percent; none without a battery.
    pub battery: Option<f64>,
    /// The lender's.
    pub on_ac: bool,
    /// The lender's.
    pub warning: BatteryWarning,
    /// The lender's; 0 if unknown.
    pub time_to_empty_usec: u64,
    /// The lender's, in degrees Celsius; none if unknown.
    pub temperature: Option<f64>,
    pub disk_health: DiskHealth,
    pub disk_detail: String,
    /// Degrees Celsius; none if unknown.
    pub disk_temperature: Option<f64>,
    pub warnings: Vec<Warning>,
    pub ending: Ending,
    /// `CLOCK_MONOTONIC`; 0 if it does not end by itself.
    pub ends_usec: u64,
}

/// One of `Loan.Warnings`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub subject: String,
    pub severity: Severity,
    pub text: String,
    pub hint: String,
}

/// What moves all the time while somebody watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moving {
    /// 0 if unknown.
    pub latency_usec: u64,
    /// Bytes a second.
    pub read: u64,
    /// Bytes a second.
    pub written: u64,
    /// Bytes since the loan began.
    pub all_read: u64,
    /// Bytes since the loan began.
    pub all_written: u64,
}

impl Picture {
    /// The pairing of that object.
    #[must_use]
    pub fn pairing(&self, path: &str) -> Option<&Pairing> {
        self.pairings.iter().find(|pairing| pairing.path == path)
    }

    /// The job of that object.
    #[must_use]
    pub fn job(&self, path: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.path == path)
    }

    /// The job that makes a boot medium of this pairing now.
    #[must_use]
    pub fn stick_job(&self, pairing: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| {
            let stick = matches!(job.kind, JobKind::WriteStick | JobKind::SaveStick);
            stick && job.state == JobState::Running && job.subject == pairing
        })
    }

    /// Whether something is known to be under way that a person wants to hear of.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        !self.machine.version.is_empty() && !self.is_at_rest()
    }

    /// Whether the daemon may end by itself: it says so in the contract.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        !self.machine.armed
            && self.machine.role == Role::Lender
            && self.handoff.state == State::Idle
            && self.jobs.iter().all(|job| job.state != JobState::Running)
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            version: String::new(),
            name: String::new(),
            role: "".into(),
            armed: false,
            image: "".into(),
            disk: None,
            battery: None,
            on_ac: true,
            warning: BatteryWarning::None,
            time_to_empty_usec: 0,
            last_loan: None,
            checks: Vec::new(),
        }
    }
}

impl Default for HandOff {
    fn default() -> Self {
        Self {
            state: State::Idle,
            reason: Reason::None,
            detail: String::new(),
            borrower: "/".into(),
            trigger: Trigger::None,
            deadline_usec: 0,
            countdown_usec: 0,
            at_deadline: AtDeadline::None,
            step: Step::None,
            steps: Vec::new(),
            blockers: Vec::new(),
        }
    }
}
