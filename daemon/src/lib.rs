//! stiefeld, the daemon that lends this machine's disk.
//!
//! One owner, one loop: [`Loop::select`] waits for the next reason to wake,
//! [`Loop::apply`] lets the [`daemon::Daemon`] follow it, [`Loop::publish`]
//! tells everybody.
//!
//! ```text
//!  bus ──▶ bouncer ──Call──▶ ┌──────┐ ──Publication──▶ publisher ──▶ bus
//!  logind, links, power,     │ Loop │ ──Order────────▶ hands ──▶ logind, NetworkManager, kexec
//!  searches ────Happening──▶ └──────┘ ──Audience─────▶ searches ──▶ borrowers
//! ```
//!
//! What is [`foregone`](foregone::foregone) is answered before the bouncer is asked.

pub mod api;
pub mod bouncer;
pub mod config;
pub mod daemon;
pub mod foregone;
pub mod hands;
mod notify;
pub mod options;
pub mod request;
pub mod start;
pub mod store;
pub mod view;
mod watchdog;
pub mod world;

use crate::api::Publication;
use crate::daemon::calls::Fresh;
use crate::daemon::jobs::Work;
use crate::daemon::{Daemon, Now};
use crate::hands::Order;
use crate::notify::Teller;
use crate::request::{Call, Request};
use crate::view::View;
use crate::watchdog::Watchdog;
use crate::world::claims::Claims;
use crate::world::searches::Audience;
use crate::world::sticks::StickMaker;
use crate::world::{Happening, Machine, Maker, Reporter, Running, Trouble};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stiefel_dbus::names;
use tokio::sync::{mpsc, watch};

/// Runs the daemon until it is told to end.
///
/// # Errors
/// It could not start, or lost the bus.
pub fn main() -> anyhow::Result<()> {
    start::main()
}

/// A call that was on its way when we gave the name back is here by then.
const LINGER: Duration = Duration::from_millis(200);

/// A reason to wake.
enum Wake {
    Called(Call),
    Happened(Happening),
    Alarm,
}

/// The loop, and the ends of its channels.
struct Loop {
    daemon: Daemon,
    calls: mpsc::Receiver<Call>,
    happenings: mpsc::Receiver<Happening>,
    reporter: Reporter,
    machine: Arc<dyn Machine>,
    maker: Box<dyn Maker>,
    stick_maker: Box<dyn StickMaker>,
    /// The job that goes on.
    running: Option<Running>,
    orders: mpsc::Sender<Order>,
    audience: watch::Sender<Option<Audience>>,
    claims: watch::Sender<Option<Claims>>,
    watched: watch::Sender<bool>,
    publications: mpsc::Sender<Publication>,
    view: Arc<View>,
    bus: zbus::Connection,
    /// Whether anybody has looked at us since we asked last.
    used: Arc<AtomicBool>,
    watchdog: Watchdog,
    teller: Teller,
}

impl Loop {
    async fn run(mut self) -> anyhow::Result<()> {
        while !self.daemon.is_over() {
            let wake = self.select().await?;
            self.apply(wake)?;
            self.publish().await?;
            if self.daemon.is_idle(now()) && self.rest().await? {
                tracing::info!("nothing to do; the next call starts the daemon again");
                break;
            }
        }
        Ok(())
    }

    /// Ends, unless somebody still wants something; whether it did. The name goes first: from
    /// then on the bus starts the next daemon for whoever calls, and what was sent to us before
    /// is still answered.
    async fn rest(&mut self) -> anyhow::Result<bool> {
        if self.used.swap(false, Ordering::Relaxed) {
            self.daemon.used(now());
            return Ok(false);
        }
        self.bus.release_name(names::SERVICE).await?;
        while let Ok(Some(call)) = tokio::time::timeout(LINGER, self.calls.recv()).await {
            self.apply(Wake::Called(call))?;
            self.publish().await?;
        }
        if self.daemon.is_idle(now()) {
            return Ok(true);
        }
        self.bus.request_name(names::SERVICE).await?;
        Ok(false)
    }

    async fn select(&mut self) -> anyhow::Result<Wake> {
        let alarms = [self.daemon.alarm(), self.watchdog.alarm()];
        let alarm = alarms.into_iter().flatten().min();
        let sleep = async {
            match alarm {
                Some(at) => tokio::time::sleep(at.saturating_sub(now().monotonic)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            call = self.calls.recv() => call
                .map(Wake::Called)
                .ok_or_else(|| anyhow::anyhow!("the bus has left us")),
            happening = self.happenings.recv() => happening
                .map(Wake::Happened)
                .ok_or_else(|| anyhow::anyhow!("the world has left us")),
            () = sleep => Ok(Wake::Alarm),
        }
    }

    fn apply(&mut self, wake: Wake) -> anyhow::Result<()> {
        let now = now();
        match wake {
            Wake::Called(call) | Wake::Happened(Happening::Asked(call)) => {
                if let Request::WriteStick(..) = call.request {
                    self.daemon.sticks_can_be_made(self.stick_maker.able());
                }
                self.daemon.call(call, now, fresh()?);
            }
            Wake::Happened(happening) => self.daemon.happened(happening, now),
            Wake::Alarm => self.daemon.tick(now),
        }
        Ok(())
    }

    async fn publish(&mut self) -> anyhow::Result<()> {
        let told = self
            .watchdog
            .turn(self.daemon.is_at_stake(), now().monotonic);
        if let Some(told) = told {
            self.teller.tell(told.state());
        }
        let outbox = self.daemon.take_outbox();
        for order in outbox.orders {
            self.orders.send(order).await?;
        }
        if outbox.survey {
            self.look();
        }
        match outbox.work {
            None => {}
            Some(Work::MakeImage(number)) => {
                let begun = self.maker.start(number, self.reporter.clone());
                self.begin(number, begun);
            }
            Some(Work::MakeStick(number, stick)) => {
                let reporter = self.reporter.clone();
                let begun = self.stick_maker.start(number, *stick, reporter);
                self.begin(number, begun);
            }
            Some(Work::Stop) => self.running = None,
        }
        change(&self.audience, self.daemon.audience(now()));
        change(&self.claims, self.daemon.claims());
        change(&self.watched, self.daemon.is_watched());
        for name in outbox.follow {
            self.follow(name);
        }
        let view = Arc::new(self.daemon.view());
        if view != self.view || !outbox.replies.is_empty() {
            self.view = Arc::clone(&view);
            let replies = outbox.replies;
            self.publications
                .send(Publication { view, replies })
                .await?;
        }
        Ok(())
    }

    /// Keeps a job that goes on beside the loop, or tells that it could not begin.
    fn begin(&mut self, number: u32, begun: Result<Running, Trouble>) {
        match begun {
            Ok(running) => self.running = Some(running),
            Err(trouble) => {
                let reporter = self.reporter.clone();
                tokio::spawn(async move {
                    let _ = reporter.send(Happening::Ended(number, Err(trouble))).await;
                });
            }
        }
    }

    /// Tells when whoever has this name has left the bus.
    fn follow(&self, name: String) {
        let (bus, reporter) = (self.bus.clone(), self.reporter.clone());
        tokio::spawn(async move {
            world::until_left(&bus, &name).await;
            let _ = reporter.send(Happening::Left(name)).await;
        });
    }

    /// Looks at the machine beside the loop.
    fn look(&self) {
        let (machine, reporter) = (Arc::clone(&self.machine), self.reporter.clone());
        tokio::spawn(async move {
            let survey = hands::survey(&machine).await.map(Box::new);
            let _ = reporter.send(Happening::Surveyed(survey)).await;
        });
    }
}

/// Wakes the listeners only when there is something new.
fn change<T: PartialEq>(watch: &watch::Sender<T>, value: T) {
    watch.send_if_modified(|last| {
        let changed = *last != value;
        *last = value;
        changed
    });
}

fn now() -> Now {
    let monotonic = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Now {
        monotonic: Duration::new(
            u64::try_from(monotonic.tv_sec).unwrap_or(0),
            u32::try_from(monotonic.tv_nsec).unwrap_or(0),
        ),
        wall_usec: u64::try_from(wall.as_micros()).unwrap_or(u64::MAX),
    }
}

/// The kernel's random bytes, if the request turns out to need them.
fn fresh() -> anyhow::Result<impl FnOnce() -> Fresh> {
    let (mut id, mut secret) = ([0; 8], [0; 32]);
    getrandom::fill(&mut id)?;
    getrandom::fill(&mut secret)?;
    Ok(move || Fresh { id, secret })
}
