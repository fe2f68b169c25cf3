//! What the bus shows: a picture of the daemon's state, and the words for it.

use crate::config::{OnAcLoss, OnLowPower};
use crate::store::LinkPolicy;
use crate::world::drives::Drive;
use crate::world::loan::Loan;
use crate::world::{Link, Phase};
use std::collections::BTreeMap;
use stiefel_core::handoff::{self, HandOff, Reason, Silence};
use stiefel_core::pairing::{PairingId, Policy};
use stiefel_core::preflight::{BatteryWarning, Finding, ImageState, OnBattery, Subject, Verdict};
use stiefel_dbus::words;

/// Everything that the properties show at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The name under which paired machines see this one.
    pub name: String,
    /// Whether the system runs from its own disk.
    pub role: words::Role,
    /// Whether searches are answered.
    pub armed: bool,
    /// The ramdisk.
    pub image: words::ImageState,
    /// Model, size in bytes, id.
    pub disk: (String, u64, String),
    /// Battery and mains.
    pub power: PowerView,
    /// What was found out.
    pub checks: Vec<Finding>,
    /// For whom, when, and until when the disk was lent last; microseconds since the epoch.
    pub last_loan: Option<(handoff::Borrower, u64, u64)>,
    /// The hand-off.
    pub handoff: HandOffView,
    /// All pairings.
    pub pairings: BTreeMap<PairingId, PairingView>,
    /// All wired links by name.
    pub links: BTreeMap<String, LinkView>,
    /// All removable drives by name.
    pub drives: BTreeMap<String, DriveView>,
    /// All jobs by number.
    pub jobs: BTreeMap<u32, JobView>,
    /// What people prefer.
    pub settings: SettingsView,
    /// The lent disk that the system runs from, if it does.
    pub loan: Option<LoanView>,
}

/// Where the power comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerView {
    /// Percent, or -1 without a battery.
    pub battery: f64,
    /// Fed from outside.
    pub on_ac: bool,
    /// What the desktop warns of.
    pub warning: words::BatteryWarning,
    /// Seconds until the battery is empty, or 0.
    pub empty_in_secs: u64,
}

/// The hand-off's properties.
#[derive(Debug, Clone, PartialEq)]
pub struct HandOffView {
    /// Where it stands.
    pub state: words::State,
    /// Why the last one came back.
    pub reason: words::Reason,
    /// One sentence about that.
    pub detail: String,
    /// Who the disk is meant for.
    pub borrower: Option<handoff::Borrower>,
    /// What brought it about.
    pub trigger: words::Trigger,
    /// Microseconds of CLOCK_MONOTONIC, or 0.
    pub deadline_usec: u64,
    /// Microseconds that the wait for it takes as a whole, or 0.
    pub countdown_usec: u64,
    /// What the deadline brings.
    pub at_deadline: words::AtDeadline,
    /// What is being done or undone.
    pub step: words::Step,
    /// What forbids a hand-off.
    pub blockers: Vec<Finding>,
}

/// A pairing's properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingView {
    /// What the borrower is called.
    pub name: String,
    /// What its searches bring about.
    pub policy: words::PairingPolicy,
    /// Whether it searches.
    pub presence: words::Presence,
    /// Microseconds since the epoch, or 0.
    pub last_seen_usec: u64,
    /// Microseconds since the epoch, or 0.
    pub last_loan_usec: u64,
    /// Microseconds since the epoch, or 0.
    pub last_stick_usec: u64,
}

/// A link's properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkView {
    /// The link itself.
    pub link: Link,
    /// What it is used for.
    pub policy: words::LinkPolicy,
    /// Whether other services may configure it.
    pub managed: bool,
}

/// A job's properties.
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    /// What it is about.
    pub kind: words::JobKind,
    /// The pairing that it is about.
    pub subject: Option<PairingId>,
    /// Where it stands.
    pub state: words::JobState,
    /// What it is at.
    pub phase: words::JobPhase,
    /// From 0 to 1.
    pub progress: f64,
    /// Seconds that it will probably take, 0 if not known.
    pub left_secs: u64,
    /// Why it failed, or empty.
    pub detail: String,
}

/// A drive's properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveView {
    /// The drive itself.
    pub drive: Drive,
    /// Whether it can be written to.
    pub state: words::DriveState,
}

/// What people prefer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsView {
    /// What lending on battery is.
    pub on_battery: words::OnBattery,
    /// The least charge for that.
    pub battery_percent: u32,
    /// What becomes of an announced hand-off when the charger is unplugged.
    pub on_ac_loss: words::OnAcLoss,
    /// What plugging the stiefellink in brings about.
    pub on_plug: words::PairingPolicy,
    /// How long people may object.
    pub countdown_secs: u32,
    /// How long people have to agree.
    pub confirm_secs: u32,
    /// How long the ramdisk waits for a borrower.
    pub offer_secs: u32,
    /// How long both wait for each other.
    pub patience_secs: u32,
    /// What a borrower does when the lender's battery is nearly empty.
    pub on_low_power: words::OnLowPower,
}

/// The loan's properties.
#[derive(Debug, Clone, PartialEq)]
pub struct LoanView {
    /// Where it stands.
    pub state: words::LoanState,
    /// One sentence about that.
    pub detail: String,
    /// The facts.
    pub loan: Loan,
    /// What a person should know.
    pub warnings: Vec<Warning>,
    /// Why the system is about to shut down.
    pub ending: words::Ending,
    /// When; microseconds of CLOCK_MONOTONIC, or 0.
    pub ends_usec: u64,
}

/// Something that a person should know about a loan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What it is about.
    pub subject: &'static str,
    /// How urgent it is.
    pub severity: words::Severity,
    /// What is the case.
    pub text: String,
    /// What to do about it.
    pub hint: String,
}

/// The word for a step.
#[must_use]
pub fn step(step: handoff::Step) -> words::Step {
    match step {
        handoff::Step::HoldSleep => words::Step::HoldSleep,
        handoff::Step::CheckImage => words::Step::CheckImage,
        handoff::Step::ClaimLink => words::Step::ClaimLink,
        handoff::Step::LoadKernel => words::Step::LoadKernel,
    }
}

/// The word for a reason.
#[must_use]
pub fn reason(reason: Option<Reason>) -> words::Reason {
    match reason {
        None => words::Reason::None,
        Some(Reason::Cancelled) => words::Reason::Cancelled,
        Some(Reason::Expired) => words::Reason::Expired,
        Some(Reason::Blocked) => words::Reason::Blocked,
        Some(Reason::StepFailed(_)) => words::Reason::StepFailed,
        Some(Reason::RebootRefused) => words::Reason::RebootRefused,
    }
}

/// The words for a policy.
#[must_use]
pub fn policy(policy: Policy) -> words::PairingPolicy {
    match policy {
        Policy::Ask => words::PairingPolicy::Ask,
        Policy::Automatic => words::PairingPolicy::Automatic,
        Policy::Never => words::PairingPolicy::Never,
    }
}

/// The word for what a link is used for.
#[must_use]
pub fn link_policy(policy: LinkPolicy) -> words::LinkPolicy {
    match policy {
        LinkPolicy::Ignore => words::LinkPolicy::Ignore,
        LinkPolicy::Shared => words::LinkPolicy::Shared,
        LinkPolicy::Dedicated => words::LinkPolicy::Dedicated,
    }
}

/// The word for a battery's warning.
#[must_use]
pub fn battery_warning(warning: BatteryWarning) -> words::BatteryWarning {
    match warning {
        BatteryWarning::None => words::BatteryWarning::None,
        BatteryWarning::Low => words::BatteryWarning::Low,
        BatteryWarning::Critical => words::BatteryWarning::Critical,
        BatteryWarning::Action => words::BatteryWarning::Action,
    }
}

/// The word for what lending on battery is.
#[must_use]
pub fn on_battery(value: OnBattery) -> words::OnBattery {
    match value {
        OnBattery::Refuse => words::OnBattery::Refuse,
        OnBattery::Warn => words::OnBattery::Warn,
        OnBattery::Allow => words::OnBattery::Allow,
    }
}

/// The word for what becomes of an announced hand-off when the charger is unplugged.
#[must_use]
pub fn on_ac_loss(value: OnAcLoss) -> words::OnAcLoss {
    match value {
        OnAcLoss::Ask => words::OnAcLoss::Ask,
        OnAcLoss::CallOff => words::OnAcLoss::CallOff,
        OnAcLoss::GoAhead => words::OnAcLoss::GoAhead,
    }
}

/// The word for what a borrower does when the lender's battery is nearly empty.
#[must_use]
pub fn on_low_power(value: OnLowPower) -> words::OnLowPower {
    match value {
        OnLowPower::GiveBack => words::OnLowPower::GiveBack,
        OnLowPower::Warn => words::OnLowPower::Warn,
    }
}

/// The word for what a job is at.
#[must_use]
pub fn phase(phase: Phase) -> words::JobPhase {
    match phase {
        Phase::None => words::JobPhase::None,
        Phase::Making => words::JobPhase::Making,
        Phase::Writing => words::JobPhase::Writing,
        Phase::Verifying => words::JobPhase::Verifying,
    }
}

/// Findings as one sentence.
#[must_use]
pub fn in_words(findings: &[Finding]) -> String {
    let words: Vec<String> = findings
        .iter()
        .map(|finding| format!("{} ({})", finding.text, finding.hint))
        .collect();
    words.join("; ")
}

/// What the service itself can do about a finding.
#[must_use]
pub fn remedy(finding: &Finding, image: &words::ImageState) -> words::Remedy {
    if finding.verdict == Verdict::Ok {
        return words::Remedy::None;
    }
    match finding.subject {
        // One that is being made needs no second one.
        Subject::Image if *image != words::ImageState::Building => words::Remedy::UpdateImage,
        Subject::Driver => words::Remedy::UpdateImage,
        Subject::Pairing => words::Remedy::Pair,
        Subject::Image
        | Subject::Kexec
        | Subject::Kernel
        | Subject::Disk
        | Subject::Names
        | Subject::Unlocking
        | Subject::Hibernation
        | Subject::Link
        | Subject::Power
        | Subject::Session
        | Subject::Inhibitor
        | Subject::Configuration => words::Remedy::None,
    }
}

/// The word for the ramdisk's state.
#[must_use]
pub fn image(image: ImageState) -> words::ImageState {
    match image {
        ImageState::Missing => words::ImageState::Missing,
        ImageState::Stale => words::ImageState::Stale,
        ImageState::Ready => words::ImageState::Ready,
        ImageState::Building => words::ImageState::Building,
    }
}

/// The machine's part of the picture. `detail`, `trigger`, `countdown_usec` and `blockers` are
/// left empty.
#[must_use]
pub fn handoff(machine: &HandOff) -> HandOffView {
    let mut view = HandOffView {
        state: words::State::Idle,
        reason: words::Reason::None,
        detail: String::new(),
        borrower: machine.borrower(),
        trigger: words::Trigger::None,
        deadline_usec: 0,
        countdown_usec: 0,
        at_deadline: words::AtDeadline::None,
        step: words::Step::None,
        blockers: vec![],
    };
    let name = |found: Option<handoff::Step>| found.map_or(words::Step::None, step);
    match *machine {
        HandOff::Idle { after } => view.reason = reason(after),
        HandOff::Announced {
            deadline, silence, ..
        } => {
            view.state = words::State::Announced;
            view.deadline_usec = u64::try_from(deadline.as_micros()).unwrap_or(u64::MAX);
            view.at_deadline = match silence {
                Silence::GoesAhead => words::AtDeadline::GoAhead,
                Silence::CallsOff => words::AtDeadline::CallOff,
            };
        }
        HandOff::Preparing { done, .. } => {
            view.state = words::State::Preparing;
            view.step = name(done.next());
        }
        HandOff::Leaving { .. } => view.state = words::State::Leaving,
        HandOff::Reverting {
            done, reason: why, ..
        } => {
            view.state = words::State::Reverting;
            view.reason = reason(Some(why));
            view.step = name(done.last());
        }
    }
    view
}
