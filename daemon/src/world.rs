//! Everything outside of this process, behind one narrow trait each.
//!
//! What happens out there arrives as a [`Happening`] in one channel; what shall
//! be done out there is done by [`crate::hands`]. [`simulated`] has a world of
//! its own for each trait, so that the daemon runs without root and without a
//! second machine.

pub mod boot;
pub mod claims;
pub mod disk;
pub mod drives;
pub mod folder;
pub mod kernel;
pub mod links;
pub mod loan;
pub mod logind;
pub mod machine;
pub mod maker;
pub mod marker;
pub mod network;
pub mod paths;
pub mod power;
pub mod role;
pub mod searches;
pub mod simulated;
pub mod stick_maker;
pub mod sticks;
pub mod supervisor;
pub mod switch;
pub mod system;
pub mod upower;

use crate::bouncer::Bouncer;
use crate::request::Call;
use crate::store::LastLoan;
use crate::view::View;
use futures_util::StreamExt;
use std::convert::Infallible;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use stiefel_core::cmdline::Permits;
use stiefel_core::handoff;
use stiefel_core::net::MacAddress;
use stiefel_core::pairing::PairingId;
use stiefel_core::preflight::{self, BatteryWarning, Inhibitor};
use stiefel_core::ticket::Limits;
use stiefel_core::{pairing, ticket};
use tokio::sync::{mpsc, oneshot, watch};

/// Happenings that may wait for the loop: a burst of hot-plug events of a whole dock.
pub const HAPPENINGS: usize = 64;

/// How long a thread sleeps that waits for the kernel to say something.
const AN_HOUR: Duration = Duration::from_secs(3600);

/// Something that did not work, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(pub String);

impl Trouble {
    /// What was tried, and what came of it.
    pub fn new(tried: impl std::fmt::Display, error: impl std::fmt::Display) -> Self {
        Self(format!("{tried}: {error}"))
    }
}

/// Something that takes its time.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send + 'a>>;

/// What happened in the world.
#[derive(Debug)]
pub enum Happening {
    /// A paired borrower searches for us.
    Sought(PairingId),
    /// A paired borrower searches in a way that we do not speak.
    Outdated(PairingId),
    /// A paired borrower asks us to lend.
    Woken(PairingId),
    /// All wired links as they are now.
    Links(Vec<Link>),
    /// All removable drives as they are now.
    Drives(Vec<drives::Drive>),
    /// The lent disk that this system runs from, as it is now.
    Loan(Box<loan::Loan>),
    /// Whoever had this name on the bus has left it.
    Left(String),
    /// The order to shut down was taken, or refused.
    PoweredOff(Result<(), Trouble>),
    /// A script asks what people ask, in its turn behind all that it has told before.
    Asked(Call),
    /// There was this loan.
    LastLoan(LastLoan),
    /// Battery and mains as they are now.
    Power(PowerNow),
    /// These interfaces are left alone by everybody now; with what there is to complain about.
    Claimed(Vec<String>, Option<Trouble>),
    /// Everybody who is logged in now, each once.
    Users(Vec<String>),
    /// A job has come so far.
    Progressed(u32, Progress),
    /// A job has ended.
    Ended(u32, Result<(), Trouble>),
    /// All locks that forbid to shut down, as they are now.
    Inhibitors(Vec<Inhibitor>),
    /// The survey that was ordered has ended.
    Surveyed(Result<Box<Survey>, Trouble>),
    /// The hands have looked at the machine.
    Noticed(Box<Survey>),
    /// An order was carried out, or not; with what there is to complain about.
    Report(handoff::Event, Option<String>),
    /// Somebody asks this process to look again at its configuration.
    Reload,
    /// Somebody asks this process to end.
    Terminate,
}

/// Where the world's parts say what happened.
pub type Reporter = mpsc::Sender<Happening>;

/// A wired network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number; another one after it was plugged in again.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The address that stays with the device.
    pub mac: MacAddress,
    /// Switched on.
    pub up: bool,
    /// There is somebody at the other end.
    pub carrier: bool,
    /// Mbit/s, 0 if unknown.
    pub speed_mbps: u32,
    /// The kernel's driver, or empty.
    pub driver: String,
    /// What it is plugged into, e.g. `usb` or `pci`; or empty.
    pub bus: String,
    /// Vendor and product of the device that it is on, e.g. `0bda:8156`; or empty.
    pub device_id: String,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// How much of all is done, from 0 to 1.
    pub share: f64,
    /// What it is at.
    pub phase: Phase,
    /// Seconds that it will probably take, 0 if not known.
    pub left_secs: u64,
}

impl Progress {
    /// Of a job that says no more than how much is done.
    #[must_use]
    pub fn of(share: f64) -> Self {
        Self {
            share,
            phase: Phase::None,
            left_secs: 0,
        }
    }
}

/// What a job is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// It has not said.
    #[default]
    None,
    /// It puts things together.
    Making,
    /// It writes the stick.
    Writing,
    /// It reads the stick back.
    Verifying,
}

/// Where the power comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerNow {
    /// Charge in percent, `None` without a battery.
    pub battery_percent: Option<f64>,
    /// Fed from outside.
    pub on_mains: bool,
    /// What the desktop warns of.
    pub warning: BatteryWarning,
    /// Seconds until the battery is empty, 0 if not known.
    pub empty_in_secs: u64,
}

impl PowerNow {
    /// A machine without a battery.
    pub const MAINS: Self = Self {
        battery_percent: None,
        on_mains: true,
        warning: BatteryWarning::None,
        empty_in_secs: 0,
    };
}

/// What a look at the machine found.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// Whether the system runs from a lent disk.
    pub borrowed: bool,
    /// The ramdisk of the running kernel.
    pub image: preflight::ImageState,
    /// Whether another kernel can be started.
    pub kexec: preflight::Kexec,
    /// The running kernel's files, or what is missing.
    pub kernel: Result<(), String>,
    /// The disk to lend, or why there is none.
    pub disk: Result<disk::Disk, String>,
    /// The system on it.
    pub system: preflight::System,
    /// Modules that the ramdisk should have and that are not installed.
    pub missing_modules: Vec<String>,
}

/// What the loop tells the hands about the hand-off that they prepare.
#[derive(Debug, Clone)]
pub struct Plan {
    /// This machine's name.
    pub lender: pairing::Name,
    /// All pairings that are not forbidden.
    pub pairings: Vec<pairing::Pairing>,
    /// The only one that may borrow, or any.
    pub promised_to: Option<PairingId>,
    /// The NICs to use, or empty for all wired ones.
    pub links: Vec<MacAddress>,
    /// Interfaces that nobody else shall configure.
    pub claim: Vec<String>,
    /// How long the ramdisk waits for whom.
    pub limits: Limits,
    /// What the lent system may do on the borrower.
    pub permits: Permits,
}

/// What people at terminals are told before this system shuts down by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farewell {
    /// One sentence about the reason.
    pub why: String,
    /// When, microseconds since the epoch.
    pub at_usec: u64,
}

/// What the kernel gets to start.
#[derive(Debug)]
pub struct Parcel {
    /// The running kernel's file.
    pub kernel: OwnedFd,
    /// Ramdisk and ticket, in memory.
    pub initramfs: OwnedFd,
    /// Command line of the ramdisk.
    pub cmdline: String,
}

/// The session service: locks and the way down.
pub trait Session: Send + Sync {
    /// Forbids to suspend until the descriptor is closed.
    fn hold_sleep(&self) -> Doing<'_, OwnedFd>;
    /// Who forbids to shut down.
    fn inhibitors(&self) -> Doing<'_, Vec<Inhibitor>>;
    /// Shuts down into the loaded kernel. Only comes back with the reason why that did not
    /// happen: it was refused, or it had begun and was given up.
    fn reboot_by_kexec(&self) -> Doing<'_, Infallible>;
    /// Switches the machine off in good order; with `force`, although a program forbids it.
    fn power_off(&self, force: bool) -> Doing<'_, ()>;
    /// Tells everybody who is logged in at a terminal, and again as the time comes near; or, with
    /// `None`, that it is called off. `before` is what they were told last. Nothing is done at
    /// that time.
    fn announce(&self, farewell: Option<Farewell>, before: Option<Farewell>) -> Doing<'_, ()>;
    /// Whether the machine is on its way down.
    fn going_down(&self) -> Doing<'_, bool>;
    /// Reports all changes of the locks and of who is logged in, as long as the service lives.
    fn watch(&self, reporter: Reporter) -> Doing<'_, ()>;
}

/// A service that configures network interfaces. One that does not answer is not waited for
/// for ever: that is an error.
pub trait NetworkService: Send {
    /// Makes it leave these interfaces alone, now and when they are plugged in again.
    fn claim<'a>(&'a mut self, claims: &'a claims::Claims) -> Doing<'a, ()>;
    /// Takes that back; fine when there is nothing to take back.
    fn release(&mut self) -> Doing<'_, ()>;
}

/// The kernel's ability to start another one.
pub trait Kexec: Send + Sync {
    /// Hands the parcel over; any reboot takes it from now on.
    fn load(&self, parcel: &Parcel) -> Result<(), Trouble>;
    /// Takes it back; fine when there is none.
    fn unload(&self) -> Result<(), Trouble>;
}

/// This machine and what is installed on it.
pub trait Machine: Send + Sync {
    /// Looks at everything; blocks while it reads files.
    fn survey(&self) -> Survey;
    /// Packs what the ramdisk needs; blocks while it reads the ramdisk and the kernel's files.
    fn parcel(&self, plan: &Plan) -> Result<Parcel, Trouble>;
}

/// A job that goes on. Dropping it calls it off.
pub type Running = Box<dyn Send>;

/// Makes ramdisks.
pub trait Maker: Send + Sync {
    /// Begins to make the one of the running kernel, as the job of this number.
    ///
    /// # Errors
    /// It could not begin.
    fn start(&self, number: u32, reporter: Reporter) -> Result<Running, Trouble>;
}

/// The world of one daemon.
pub struct World {
    /// Where the files are.
    pub paths: paths::Paths,
    /// Locks, and the way down.
    pub session: Arc<dyn Session>,
    /// Everybody who configures interfaces.
    pub networks: Vec<Box<dyn NetworkService>>,
    /// The next kernel.
    pub kexec: Arc<dyn Kexec>,
    /// What is installed.
    pub machine: Arc<dyn Machine>,
    /// Makes what is installed there.
    pub maker: Box<dyn Maker>,
    /// Makes boot media of pairings.
    pub stick_maker: Box<dyn sticks::StickMaker>,
    /// The boot that we are in.
    pub boot: boot::Boot,
    /// Who may do what.
    pub bouncer: Arc<dyn Bouncer>,
    /// Where a simulation stops the hands.
    pub turnstile: simulated::Turnstile,
    /// Starts everything that reports. What it gives back is over when the bus may see us.
    pub watchers: Box<dyn FnOnce(Ends) -> oneshot::Receiver<()>>,
}

/// What those who report are told, and where they report to.
pub struct Ends {
    /// Where it is said what happened.
    pub reporter: Reporter,
    /// Who is answered.
    pub audience: watch::Receiver<Option<searches::Audience>>,
    /// Whether anybody watches the loan.
    pub watched: watch::Receiver<bool>,
    /// What the bus shows.
    pub shown: watch::Receiver<Arc<View>>,
}

/// Starts what reports battery and mains.
pub fn power_watch(bus: zbus::Connection, sysfs: fn() -> Option<PowerNow>, reporter: &Reporter) {
    let (changed, uevents) = mpsc::channel(1);
    std::thread::spawn(move || complain(power::watch(&changed)));
    let reporter = reporter.clone();
    tokio::spawn(async move { complain(upower::watch(bus, uevents, sysfs, reporter).await) });
}

/// A watcher that fails is told of; the daemon goes on with what it still sees.
pub fn complain(watched: Result<(), Trouble>) {
    if let Err(error) = watched {
        tracing::error!("{error}");
    }
}

/// Waits until nobody has this name on the bus any more, or that cannot be seen.
pub async fn until_left(bus: &zbus::Connection, name: &str) {
    let wait = async {
        let names = zbus::fdo::DBusProxy::new(bus).await?;
        let mut changes = names
            .receive_name_owner_changed_with_args(&[(0, name), (2, "")])
            .await?;
        // It may have left before we listened.
        if names.name_has_owner(name.try_into()?).await? {
            changes.next().await;
        }
        zbus::Result::Ok(())
    };
    if let Err(error) = wait.await {
        tracing::warn!("cannot see who leaves the bus: {error}");
    }
}

/// Seals `bytes` into a memory file that can be read and mapped, but never changed.
///
/// # Errors
/// No memory.
pub fn sealed(name: &str, bytes: &[u8]) -> Result<OwnedFd, Trouble> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    use std::io::{Seek, Write};
    let make = || -> std::io::Result<OwnedFd> {
        let fd = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let mut file = std::fs::File::from(fd);
        file.write_all(bytes)?;
        file.rewind()?;
        let all = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        fcntl_add_seals(&file, all)?;
        Ok(file.into())
    };
    make().map_err(|error| Trouble::new("cannot make a file in memory", error))
}

/// The ticket of a pairing's boot medium, as an archive to append to the ramdisk.
///
/// # Errors
/// No memory.
pub fn stick_ticket(pairing: pairing::Pairing, lender: pairing::Name) -> Result<OwnedFd, Trouble> {
    use zeroize::Zeroize;
    let ticket = ticket::Ticket::Fetch(Box::new(ticket::FetchTicket { pairing, lender }));
    let tried = "cannot write the ticket";
    let mut json = ticket
        .to_json()
        .map_err(|error| Trouble::new(tried, error))?;
    let mut archive = stiefel_core::cpio::archive(&[stiefel_core::cpio::File {
        path: ticket::TICKET_PATH,
        mode: 0o600,
        data: &json,
    }])
    .map_err(|error| Trouble::new(tried, error))?;
    json.zeroize();
    let fd = sealed("stiefel-ticket", &archive);
    archive.zeroize();
    fd
}
