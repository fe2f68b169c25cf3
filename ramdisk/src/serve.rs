//! The lender, after the hand-off: offers its disk, serves it to one borrower,
//! and goes home when it is given back.
//!
//! One loop owns all state. It waits for the next [`Wake`], applies it, and
//! does what the loan machine says; everything that takes time runs beside it
//! and comes back as another wake.

mod disk;
mod gate;
mod health;
mod lender;
mod outlook;
mod panel;
mod status;
mod supplies;
mod tunnel;

use crate::hardware::{Hardware, Later};
use crate::{console, home, wires};
use anyhow::Context;
use gate::AtGate;
use lender::{Lender, Next};
use outlook::Said;
use rustix::system::{RebootCommand, reboot};
use std::convert::Infallible;
use std::time::Duration;
use stiefel_core::modules::Purpose;
use stiefel_core::ticket::ServeTicket;
use stiefel_linux::uevent::Uevents;
use stiefel_server::boot::{self, Asked};
use stiefel_server::control::Command;
use stiefel_server::discovery::{self, Answerer};
use stiefel_server::disk::{Access, Disk};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// What leads to a borrower. It comes first: a link takes its time to come up.
const NETWORK: &[Purpose] = &[Purpose::Bus, Purpose::UsbHost, Purpose::Net];
/// What leads to the disk.
const STORAGE: &[Purpose] = &[Purpose::Bus, Purpose::UsbHost, Purpose::Storage];
/// Everything that a loan may need on this side, but for what may wait.
const DRIVEN: &[Purpose] = &[
    Purpose::Bus,
    Purpose::UsbHost,
    Purpose::Net,
    Purpose::Storage,
    Purpose::Hid,
    Purpose::Power,
];
/// What no borrower waits for: a sound card takes its time, and there is nothing to be heard yet.
const LATER: &[Purpose] = &[Purpose::Sound];
/// Sessions that may wait at the gate.
const GATE_QUEUE: usize = 32;
/// How long the acknowledgement of a release has to get out before we reboot.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How often battery, warmth and link are looked at; some firmware never tells of a change.
const POWER_INTERVAL: Duration = Duration::from_secs(10);

/// Why the loop goes on.
enum Wake {
    Search(discovery::Event),
    Asked(Asked),
    Control(Command),
    Gate(AtGate),
    Deadline,
    /// All that was written is on the disk, or it never will be.
    Synced(std::io::Result<()>),
    Power,
    /// The person, or a device.
    Said(Said),
}

/// Serves the disk until the loan is over, then goes home.
///
/// # Errors
/// The disk does not appear or is in use, or the network cannot be had.
pub fn run(ticket: ServeTicket) -> anyhow::Result<Infallible> {
    console::say(&format!(
        "{} lends its disk. To take it back, press Ctrl-Alt-Del here; unsaved work on the other machine is then lost.",
        ticket.lender
    ));
    // Ctrl-Alt-Del shall reach us as a signal instead of rebooting at once.
    reboot(RebootCommand::CadOff).context("cannot take over Ctrl-Alt-Del")?;
    let uevents = Uevents::open()?;
    let mut hardware = Hardware::open()?;
    hardware.coldplug(NETWORK);
    wires::keep_on_for_large_packets(ticket.links.clone())?;
    hardware.coldplug(STORAGE);
    let named = &[tunnel::MODULE, panel::MODULE];
    let later = hardware.keep_driven_in_two_steps(uevents, DRIVEN, named, LATER)?;
    let found = disk::find(&ticket.disk)?;
    let disk = Disk::open(&found.node(), Access::ReadWrite)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match runtime.block_on(lend(ticket, disk, found, later))? {
        Way::Home => home::now(),
        Way::Off => home::off(),
    }
}

/// Where to when the loan is over.
enum Way {
    Home,
    /// There is too little power to start a system with.
    Off,
}

async fn lend(
    ticket: ServeTicket,
    disk: std::sync::Arc<Disk>,
    found: stiefel_linux::block::Disk,
    later: Later,
) -> anyhow::Result<Way> {
    let links = ticket.links.clone();
    let filter = Box::new(move |link: &_| wires::usable(link, &links));
    let mut answerer = Answerer::open(ticket.lender.clone(), &ticket.pairings, filter)?;
    let mut asked = boot::start()?;
    let (to_gate, mut at_gate) = mpsc::channel(GATE_QUEUE);
    let (synced, mut sync_done) = mpsc::channel(1);
    let mut commands: Option<mpsc::Receiver<Command>> = None;
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut power = tokio::time::interval(POWER_INTERVAL);
    let mut supplies = supplies::watch()?;
    let (mut desk, outlook) = outlook::open();
    panel::start(outlook, found.clone(), ticket.links.clone())?;
    let mut lender = Lender::new(ticket, disk, found, to_gate);
    lender.announce(&mut answerer);
    later.now();
    loop {
        let deadline = lender.deadline();
        let wake = tokio::select! {
            event = answerer.next() => Wake::Search(event?),
            Some(asked) = asked.recv() => Wake::Asked(asked),
            Some(command) = next_command(&mut commands) => Wake::Control(command),
            Some(at_gate) = at_gate.recv() => Wake::Gate(at_gate),
            Some(result) = sync_done.recv() => Wake::Synced(result),
            () = sleep_until(deadline.unwrap_or_else(far)), if deadline.is_some() => Wake::Deadline,
            _ = power.tick() => Wake::Power,
            Some(()) = supplies.recv() => Wake::Power,
            said = desk.next() => Wake::Said(said),
            _ = interrupts.recv() => Wake::Said(Said::TakeBack),
        };
        let next = match wake {
            Wake::Search(event) => lender.searched(&event),
            Wake::Asked(asked) => lender.asked(asked, &mut answerer),
            Wake::Control(command) => lender.commanded(command),
            Wake::Gate(at_gate) => lender.at_gate(at_gate),
            Wake::Deadline => lender.look_at_clock(),
            Wake::Synced(result) => lender.synced(result),
            Wake::Power => lender.look_around(),
            Wake::Said(said) => lender.told(said),
        };
        for alarm in lender.take_alarms() {
            desk.alarm(alarm);
        }
        desk.show(lender.shown());
        match next {
            Next::Wait => {}
            Next::Listen(receiver) => commands = Some(receiver),
            Next::HangUp(server) => {
                // Each session that ends comes back through the gate.
                tokio::task::spawn_blocking(move || server.hang_up());
            }
            Next::Sync(disk) => {
                let synced = synced.clone();
                tokio::task::spawn_blocking(move || synced.blocking_send(disk.flush()));
            }
            Next::GoHome(way) => {
                sleep(LAST_WORDS).await;
                return Ok(way);
            }
        }
        lender.announce(&mut answerer);
    }
}

async fn next_command(commands: &mut Option<mpsc::Receiver<Command>>) -> Option<Command> {
    match commands {
        Some(commands) => commands.recv().await,
        None => std::future::pending().await,
    }
}

fn now() -> std::time::Instant {
    std::time::Instant::now()
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_wait_is_in_nobodys_way() {
        let before = [NETWORK, STORAGE, DRIVEN].concat();
        assert!(LATER.iter().all(|purpose| !before.contains(purpose)));
        // Of all there is, nothing that devices ask for is left out.
        for purpose in Purpose::ALL {
            let by_name = [Purpose::Tunnel, Purpose::Disk, Purpose::Support].contains(&purpose);
            let driven = DRIVEN.contains(&purpose) || LATER.contains(&purpose);
            assert_ne!(driven, by_name, "{purpose:?}");
        }
    }
}
