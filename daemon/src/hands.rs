//! The hands: one task that takes and undoes the steps of a hand-off.
//!
//! The loop orders one thing at a time and goes on listening; the hands report
//! when it is done. They alone hold what a step takes.

use crate::world::claims::Claimer;
use crate::world::marker::Marker;
use crate::world::simulated::Turnstile;
use crate::world::{
    Doing, Farewell, Happening, Kexec, Machine, Plan, Reporter, Session, Survey, Trouble,
};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use stiefel_core::handoff::{Event, Step};
use stiefel_core::preflight::ImageState;
use tokio::sync::mpsc;

/// A service that has not answered by now is not going to.
pub(crate) const PATIENCE: Duration = Duration::from_secs(25);

/// What the loop orders.
#[derive(Debug)]
pub enum Order {
    /// Take a step.
    Do(Step, Box<Plan>),
    /// Undo it.
    Undo(Step),
    /// Reboot into the loaded kernel.
    Leave,
    /// Tell people at terminals when this system shuts down, or that it does not after all.
    Announce(Option<Farewell>),
    /// Switch the machine off; with `force`, although a program forbids it.
    PowerOff {
        /// Whether it may not.
        force: bool,
    },
}

/// What the hands work with.
pub struct Hands {
    /// Locks, and the way down.
    pub session: Arc<dyn Session>,
    /// Takes interfaces away from everybody who configures them.
    pub claimer: Claimer,
    /// The next kernel.
    pub kexec: Arc<dyn Kexec>,
    /// The ramdisk and what it needs.
    pub machine: Arc<dyn Machine>,
    /// How far we came, for after a crash.
    pub marker: Marker,
    /// Where a simulation stops us.
    pub turnstile: Turnstile,
    /// The lock against suspending.
    pub sleep_lock: Option<OwnedFd>,
    /// What people at terminals were told last.
    pub farewell: Option<Farewell>,
}

impl Hands {
    /// Carries out orders until there are no more.
    pub async fn work(mut self, mut orders: mpsc::Receiver<Order>, reporter: Reporter) {
        while let Some(order) = orders.recv().await {
            let Some(happening) = self.obey(order, &reporter).await else {
                continue;
            };
            if reporter.send(happening).await.is_err() {
                return;
            }
        }
    }

    /// Cleans up behind a daemon that was killed in mid-hand-off.
    pub async fn clean_up(&mut self) {
        let Some(last) = self.marker.read() else {
            return;
        };
        // The reboot that it ordered is under way: that is no accident.
        if last == Step::LoadKernel && self.is_going_down().await {
            return;
        }
        tracing::warn!("a hand-off was cut short; undoing it");
        let begun = Step::ORDER.iter().position(|step| *step == last);
        for step in Step::ORDER[..=begun.unwrap_or(0)].iter().rev() {
            if let Err(Trouble(text)) = self.undo(*step).await {
                tracing::error!("{text}");
            }
        }
    }

    async fn is_going_down(&self) -> bool {
        patiently(self.session.going_down()).await.unwrap_or(false)
    }

    /// What is to be reported, if it is.
    async fn obey(&mut self, order: Order, reporter: &Reporter) -> Option<Happening> {
        let (event, complaint) = match order {
            Order::Do(step, plan) => self.do_step(step, *plan, reporter).await,
            Order::Undo(step) => {
                let name = crate::view::step(step);
                self.turnstile.pass("undo", name.as_str()).await;
                let complaint = self.undo(step).await.err();
                (Event::Undone(step), complaint.map(|Trouble(text)| text))
            }
            Order::Leave => {
                self.turnstile.pass("before", "leave").await;
                let Err(Trouble(text)) = self.session.reboot_by_kexec().await;
                (Event::Stayed, Some(text))
            }
            Order::PowerOff { force } => {
                let done = patiently(self.session.power_off(force)).await;
                return Some(Happening::PoweredOff(done));
            }
            Order::Announce(farewell) => {
                let before = self.farewell.take();
                self.farewell.clone_from(&farewell);
                // The bus, and with it every window, tells the same.
                if let Err(Trouble(text)) = patiently(self.session.announce(farewell, before)).await
                {
                    tracing::warn!("{text}");
                }
                return None;
            }
        };
        Some(Happening::Report(event, complaint))
    }

    async fn do_step(
        &mut self,
        step: Step,
        plan: Plan,
        reporter: &Reporter,
    ) -> (Event, Option<String>) {
        let name = crate::view::step(step);
        self.turnstile.pass("before", name.as_str()).await;
        let done = match self.turnstile.check(name.as_str()) {
            Ok(()) => self.take(step, plan, reporter).await,
            Err(trouble) => Err(trouble),
        };
        self.turnstile.pass("after", name.as_str()).await;
        let Err(Trouble(why)) = done else {
            return (Event::Done(step), None);
        };
        // What fails half-way has to leave nothing behind.
        let mut complaint = why;
        if let Err(Trouble(more)) = self.undo(step).await {
            complaint = format!("{complaint}; {more}");
        }
        (Event::Failed(step), Some(complaint))
    }

    async fn take(&mut self, step: Step, plan: Plan, reporter: &Reporter) -> Result<(), Trouble> {
        self.marker.begin(step)?;
        match step {
            Step::HoldSleep => {
                let lock = patiently(self.session.hold_sleep()).await?;
                self.sleep_lock = Some(lock);
                Ok(())
            }
            Step::CheckImage => {
                let inhibitors = patiently(self.session.inhibitors()).await?;
                let survey = survey(&self.machine).await?;
                let image = survey.image;
                // Whatever else is in the way now, the loop finds it in these.
                let _ = reporter.send(Happening::Inhibitors(inhibitors)).await;
                let _ = reporter.send(Happening::Noticed(Box::new(survey))).await;
                match image {
                    ImageState::Ready => Ok(()),
                    ImageState::Missing | ImageState::Stale | ImageState::Building => Err(Trouble(
                        "the ramdisk is not ready; run: stiefelctl update".into(),
                    )),
                }
            }
            Step::ClaimLink => match plan.claim.is_empty() {
                true => Ok(()),
                false => self.claimer.hold(&plan.claim).await,
            },
            Step::LoadKernel => {
                let (machine, kexec) = (Arc::clone(&self.machine), Arc::clone(&self.kexec));
                blocking(move || kexec.load(&machine.parcel(&plan)?)).await?
            }
        }
    }

    /// Goes on after an error and reports all of them.
    async fn undo(&mut self, step: Step) -> Result<(), Trouble> {
        let mut complaints = Vec::new();
        match step {
            Step::HoldSleep => {
                self.sleep_lock = None;
                complaints.extend(self.marker.clear().err());
            }
            Step::CheckImage => {}
            Step::ClaimLink => complaints.extend(self.claimer.release().await.err()),
            Step::LoadKernel => {
                let kexec = Arc::clone(&self.kexec);
                let unloaded = blocking(move || kexec.unload()).await.and_then(|done| done);
                complaints.extend(unloaded.err());
            }
        }
        if complaints.is_empty() {
            return Ok(());
        }
        let texts: Vec<String> = complaints.into_iter().map(|Trouble(text)| text).collect();
        Err(Trouble(texts.join("; ")))
    }
}

/// Looks at the machine, on a thread that may block.
///
/// # Errors
/// The thread broke down.
pub async fn survey(machine: &Arc<dyn Machine>) -> Result<Survey, Trouble> {
    let machine = Arc::clone(machine);
    blocking(move || machine.survey()).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Trouble> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Trouble::new("a thread of the daemon broke down", error))
}

/// Waits for a service, but not for ever.
async fn patiently<T>(doing: Doing<'_, T>) -> Result<T, Trouble> {
    match tokio::time::timeout(PATIENCE, doing).await {
        Ok(result) => result,
        Err(_) => Err(Trouble(format!(
            "a service of this machine has not answered for {} seconds",
            PATIENCE.as_secs()
        ))),
    }
}
