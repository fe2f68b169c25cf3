//! The daemon's state and its rules: what follows from a request, from
//! something that happened, and from the time. No I/O but the small files of
//! the [`Store`], no clock, no async.

pub mod calls;
pub mod jobs;
mod links;
pub mod loan;
mod past;
mod picture;
mod power;
mod rest;
mod settings;
mod sticks;
mod surveys;
#[cfg(test)]
mod tests;
mod triggers;
mod warnings;

use crate::config::settings::Settings;
use crate::config::{self, Config};
use crate::hands::Order;
use crate::request::{Answer, Refused, Reply};
use crate::store::{LastLoan, LinkRecord, Record, Store};
use crate::world::boot::Boot;
use crate::world::drives::Drive;
use crate::world::{Happening, Link, Plan, PowerNow, Survey, Trouble};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use stiefel_core::handoff::{Borrower, Effect, Event, HandOff};
use stiefel_core::pairing::{Name, Pairing, PairingId, Policy};
use stiefel_core::preflight::Inhibitor;

/// How long a borrower counts as searching after we heard it.
const PRESENCE: Duration = Duration::from_secs(5);
/// How long a borrower that was told no is not listened to.
const DECLINED: Duration = Duration::from_secs(300);

/// How long nobody has to ask for anything before a daemon with nothing to do ends.
pub const IDLE: Duration = Duration::from_secs(300);

/// What time it is, on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Since the origin of CLOCK_MONOTONIC.
    pub monotonic: Duration,
    /// Microseconds since the epoch.
    pub wall_usec: u64,
}

/// Who brought the present hand-off about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trigger {
    Person,
    Search(PairingId),
    Plug,
}

/// What shall be done after something was applied.
#[derive(Debug, Default)]
pub struct Outbox {
    /// For the hands; at most one, as long as none was reported.
    pub orders: Vec<Order>,
    /// Answers that leave once everybody can see what they tell.
    pub replies: Vec<(Reply, Result<Answer, Refused>)>,
    /// The machine shall be looked at.
    pub survey: bool,
    /// A job shall begin or end.
    pub work: Option<jobs::Work>,
    /// Whose leaving of the bus shall be told.
    pub follow: Vec<String>,
}

/// Everything that the daemon knows.
#[derive(Debug)]
pub struct Daemon {
    lender: Name,
    folder: PathBuf,
    config: Config,
    config_mistakes: Vec<String>,
    settings: Settings,
    store: Store,
    store_mistakes: Vec<String>,
    armed: bool,
    records: BTreeMap<PairingId, Record>,
    heard: BTreeMap<PairingId, Duration>,
    /// When we heard somebody with another version of the protocol last.
    outdated: BTreeMap<PairingId, Duration>,
    declined: BTreeMap<PairingId, Duration>,
    links: Option<Vec<Link>>,
    /// Which stiefellink has no cable, by the kernel's number, and since when.
    loose: Option<(u32, Duration)>,
    link_records: Vec<LinkRecord>,
    claimed: Vec<String>,
    claim_trouble: Option<Trouble>,
    users: Vec<String>,
    power: PowerNow,
    inhibitors: Vec<Inhibitor>,
    drives: Vec<Drive>,
    /// Why no sticks can be made, if so.
    no_sticks: Option<Trouble>,
    loan: loan::Borrowing,
    last_loan: Option<LastLoan>,
    boot: Boot,
    survey: Survey,
    surveying: bool,
    /// Whose survey is under way, and whose has to be a later one.
    refreshing: Vec<Reply>,
    refreshing_next: Vec<Reply>,
    survey_again: bool,
    machine: HandOff,
    jobs: BTreeMap<u32, jobs::Job>,
    last_job: u32,
    trigger: Trigger,
    /// Whether there was a hand-off that `trigger` has brought about.
    triggered: bool,
    /// How long the wait that is announced takes as a whole.
    countdown: Duration,
    detail: String,
    ending: bool,
    /// After how long without a call it may end, and when the last one was.
    idle_after: Option<Duration>,
    last_used: Duration,
    /// The number of the hand-off in the log.
    tag: String,
    outbox: Outbox,
}

impl Daemon {
    /// The state after the start: nothing goes on.
    ///
    /// # Errors
    /// The pairings cannot be read.
    pub fn new(
        lender: Name,
        config_folder: PathBuf,
        store: Store,
        survey: Survey,
        boot: Boot,
    ) -> Result<Self, Trouble> {
        let (records, mut store_mistakes) = store.load()?;
        let (link_records, mistake) = store.load_links();
        store_mistakes.extend(mistake);
        let (settings, mistake) = store.load_settings();
        store_mistakes.extend(mistake);
        let (last_loan, mistake) = store.load_last_loan();
        store_mistakes.extend(mistake);
        let (mut config, config_mistakes) = config::load(&config_folder);
        settings.rule(&mut config);
        let mut this = Self {
            lender,
            folder: config_folder,
            config,
            config_mistakes,
            settings,
            armed: store.armed(),
            store,
            store_mistakes,
            records,
            heard: BTreeMap::new(),
            outdated: BTreeMap::new(),
            declined: BTreeMap::new(),
            links: None,
            loose: None,
            link_records,
            claimed: vec![],
            claim_trouble: None,
            users: vec![],
            power: PowerNow::MAINS,
            inhibitors: vec![],
            drives: vec![],
            no_sticks: None,
            loan: loan::Borrowing::default(),
            last_loan,
            boot,
            survey,
            surveying: false,
            refreshing: vec![],
            refreshing_next: vec![],
            survey_again: false,
            machine: HandOff::default(),
            jobs: BTreeMap::new(),
            last_job: 0,
            trigger: Trigger::Person,
            triggered: false,
            countdown: Duration::ZERO,
            detail: String::new(),
            ending: false,
            idle_after: None,
            last_used: Duration::ZERO,
            tag: String::new(),
            outbox: Outbox::default(),
        };
        this.note_return();
        Ok(this)
    }

    /// Takes note of something that happened.
    pub fn happened(&mut self, happening: Happening, now: Now) {
        match happening {
            Happening::Sought(pairing) => self.sought(pairing, now),
            Happening::Outdated(pairing) => self.heard_outdated(pairing, now),
            Happening::Woken(pairing) => self.woken(pairing, now),
            Happening::Links(links) => self.linked(links, now),
            Happening::Power(power) => self.powered(power, now),
            Happening::Drives(drives) => self.drives = drives,
            Happening::Loan(loan) => self.borrowed(*loan, now),
            Happening::Left(name) => self.loan.unsubscribe(&name),
            Happening::PoweredOff(result) => self.powered_off(result, now),
            // The loop lets `call` answer those.
            Happening::Asked(_) => {}
            Happening::LastLoan(loan) => self.lent(loan),
            Happening::Claimed(interfaces, trouble) => {
                self.claimed = interfaces;
                self.claim_trouble = trouble;
            }
            Happening::Users(users) => self.users = users,
            Happening::Progressed(job, progress) => self.progressed(job, progress),
            Happening::Ended(job, end) => self.job_ended(job, end, now),
            Happening::Inhibitors(inhibitors) => self.inhibitors = inhibitors,
            Happening::Noticed(survey) => self.survey = *survey,
            Happening::Surveyed(survey) => self.surveyed(survey),
            Happening::Report(event, complaint) => self.reported(event, complaint, now),
            Happening::Reload => self.refresh(None),
            Happening::Terminate => {
                self.ending = true;
                // Too late is not too late for us: the machine goes down, and so do we.
                let _ = self.machine.cancel();
            }
        }
        self.look_for_blockers(now);
        self.note_the_end();
    }

    /// Takes note of the time.
    pub fn tick(&mut self, now: Now) {
        let announced = self.machine.borrower();
        let effect = self.machine.handle(Event::Tick { now: now.monotonic });
        if let HandOff::Idle {
            after: Some(stiefel_core::handoff::Reason::Expired),
        } = self.machine
            && announced.is_some()
        {
            self.detail = format!(
                "{} asked for the disk, and nobody agreed in time",
                self.asker(announced)
            );
            self.decline(now);
        }
        self.obey(effect, now);
        self.end_loan_when_due(now);
        self.heard.retain(|_, at| *at + PRESENCE > now.monotonic);
        self.outdated.retain(|_, at| *at + PRESENCE > now.monotonic);
        self.declined.retain(|_, until| *until > now.monotonic);
        self.note_the_end();
    }

    /// When [`Daemon::tick`] is needed, at the latest.
    #[must_use]
    pub fn alarm(&self) -> Option<Duration> {
        let deadline = match self.machine {
            HandOff::Announced { deadline, .. } => Some(deadline),
            HandOff::Idle { .. }
            | HandOff::Preparing { .. }
            | HandOff::Leaving { .. }
            | HandOff::Reverting { .. } => None,
        };
        let idle = self.idle_at();
        let heard = self.heard.values().chain(self.outdated.values());
        let absent = heard.map(|at| *at + PRESENCE);
        deadline
            .into_iter()
            .chain(self.loan_ends_at())
            .chain(absent)
            .chain(self.declined.values().copied())
            .chain(idle)
            .min()
    }

    /// What shall be done now; empty afterwards.
    pub fn take_outbox(&mut self) -> Outbox {
        std::mem::take(&mut self.outbox)
    }

    /// Whether this process may end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let quiet = match self.machine {
            HandOff::Idle { .. } | HandOff::Leaving { .. } => true,
            HandOff::Announced { .. } | HandOff::Preparing { .. } | HandOff::Reverting { .. } => {
                false
            }
        };
        let leaving = matches!(self.machine, HandOff::Leaving { .. });
        // The stiefellink is given back first, unless it is about to be used.
        self.ending && quiet && (leaving || self.claimed.is_empty())
    }

    fn is_armed(&self) -> bool {
        self.armed && !self.survey.borrowed
    }

    /// A new hand-off: the story of the last one is over.
    fn begun(&mut self, effect: Option<Effect>, now: Now) {
        self.detail.clear();
        self.triggered = true;
        self.tag = format!("{:x}", now.wall_usec);
        let to = self.asker(self.machine.borrower());
        tracing::info!(hand_off = %self.tag, trigger = ?self.trigger, "announced: {to}");
        self.obey(effect, now);
    }

    fn reported(&mut self, event: Event, complaint: Option<String>, now: Now) {
        if let Some(complaint) = complaint {
            tracing::warn!(hand_off = %self.tag, "{complaint}");
            if !self.detail.is_empty() {
                self.detail.push_str("; ");
            }
            self.detail.push_str(&complaint);
        }
        let effect = self.machine.handle(event);
        self.obey(effect, now);
    }

    fn obey(&mut self, effect: Option<Effect>, now: Now) {
        match effect {
            // `alarm` reads the deadline from the machine itself.
            None | Some(Effect::WakeAt(_)) => {}
            Some(Effect::Do(step)) => {
                tracing::info!(hand_off = %self.tag, "takes a step: {step:?}");
                let plan = Box::new(self.plan());
                self.outbox.orders.push(Order::Do(step, plan));
            }
            Some(Effect::Undo(step)) => {
                tracing::info!(hand_off = %self.tag, "undoes a step: {step:?}");
                self.outbox.orders.push(Order::Undo(step));
            }
            Some(Effect::Leave) => {
                tracing::info!(hand_off = %self.tag, "leaves the system");
                self.remember_loan(now);
                self.outbox.orders.push(Order::Leave);
            }
        }
    }

    /// Says in the log that a hand-off has come back.
    fn note_the_end(&mut self) {
        if let HandOff::Idle { after } = self.machine
            && !self.tag.is_empty()
        {
            let why = after.map_or_else(String::new, |reason| format!("{reason:?}"));
            tracing::info!(hand_off = %self.tag, "came back: {why}");
            self.tag.clear();
        }
    }

    /// The borrower of a hand-off that ended with a no is not listened to for a while.
    fn decline(&mut self, now: Now) {
        if let Trigger::Search(pairing) = self.trigger {
            self.declined.insert(pairing, now.monotonic + DECLINED);
        }
    }

    fn plan(&self) -> Plan {
        let stiefellink = self.stiefellink();
        let promised_to = match self.machine.borrower() {
            Some(Borrower::Pairing(pairing)) => Some(pairing),
            Some(Borrower::Any) | None => None,
        };
        let welcome = |mut pairing: Pairing| {
            // Whoever lends to it by hand means it, whatever its searches may bring about.
            if Some(pairing.id) == promised_to {
                pairing.policy = Policy::Ask;
            }
            (pairing.policy != Policy::Never).then_some(pairing)
        };
        Plan {
            lender: self.lender.clone(),
            pairings: self
                .records
                .values()
                .filter_map(|record| welcome(record.pairing.clone()))
                .collect(),
            promised_to,
            links: match self.trigger {
                Trigger::Plug => stiefellink.iter().map(|link| link.mac).collect(),
                Trigger::Person | Trigger::Search(_) => self.usable(),
            },
            claim: self.to_claim(),
            limits: self.config.limits,
            permits: self.config.permits,
        }
    }
}
