//! The borrower, inside the lent system's kernel and before its own init: makes the lent
//! disk a local one.
//!
//! ```text
//! PID 1        card's driver, nbd ── fork ── fork ── wait ──────────────────▶ exec the system's init
//! supervisor                          └─ card, tunnel, disk ── "attached" ─┴─▶ keeps the disk attached
//! keyboards                                   └─ drivers ──▶ exit
//! ```

use std::convert::Infallible;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{WaitOptions, waitpid};
use stiefel_core::cmdline;
use stiefel_core::modules::Purpose;
use stiefel_core::net::MacAddress;
use stiefel_core::ticket::AttachTicket;
use stiefel_linux::links::Links;
use stiefel_linux::mounts;
use stiefel_linux::process::{self, Fork};
use stiefel_linux::uevent::Uevents;

use crate::console::{self, note, say, warn};
use crate::hardware::Hardware;
use crate::{own_disks, supervisor};

/// What may lead to a network card; most are inside, and found without USB.
const CARD_INSIDE: &[Purpose] = &[Purpose::Bus, Purpose::Net];
const CARD: &[Purpose] = &[Purpose::Bus, Purpose::UsbHost, Purpose::Net];
/// What a passphrase is typed on. The lent system's own initramfs may lack the driver for
/// this machine's keyboard: it was made for another machine.
const KEYBOARD: &[Purpose] = &[Purpose::Bus, Purpose::UsbHost, Purpose::Hid];

/// USB adapters behind a dock need about five seconds; after these we tell that we wait.
const CARD_SOON: Duration = Duration::from_secs(6);
/// Time to find an adapter and plug it in.
const CARD_LIMIT: Duration = Duration::from_secs(180);
/// Drivers that probe in the background tell nothing when they are done.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Attaches the disk and becomes the lent system's own init. Must be called before this
/// process starts a thread.
///
/// # Errors
/// The disk cannot be attached; nothing was written to it.
pub fn run(ticket: AttachTicket) -> anyhow::Result<Infallible> {
    say(&format!("Attaching the disk of {}.", ticket.lender));
    leave_own_disks();
    let mut hardware = Hardware::open()?;
    // One device is enough; the fifteen others would only be in everybody's lists of disks.
    hardware.load_with("nbd", c"nbds_max=1")?;
    wait_for_card(&mut hardware, ticket.link)?;
    note("The network card is there.");
    let init = ticket.init.clone();
    let lender = ticket.lender.clone();
    let (attached, hardware) = start_supervisor(ticket, hardware)?;
    start_keyboards(hardware)?;
    if !wait_until(attached) {
        bail!("the disk of {lender} cannot be attached (the lines above say why)");
    }
    say(&format!(
        "The disk of {lender} is attached; starting its system."
    ));
    become_init(&init)
}

/// Before any driver is loaded. A loan is no worse than without, so it goes on after an error.
fn leave_own_disks() {
    // Without /proc nothing else works either.
    let line = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    if cmdline::shows_own_disks(&line) {
        return note("This machine's own disks are shown, as its lender wants it.");
    }
    match own_disks::hide() {
        Ok(0) => {}
        Ok(count) => note(&format!(
            "This machine's own disks stay hidden ({count} controllers)."
        )),
        Err(error) => warn(&format!(
            "This machine's own disks can be seen by the lent system: {error}."
        )),
    }
}

fn wait_for_card(hardware: &mut Hardware, mac: MacAddress) -> anyhow::Result<()> {
    let uevents = Uevents::open()?;
    let mut links = Links::open()?;
    hardware.coldplug(CARD_INSIDE);
    if links.by_mac(mac)?.is_none() {
        hardware.coldplug(CARD);
    }
    let since = Instant::now();
    let mut told = false;
    while links.by_mac(mac)?.is_none() {
        if since.elapsed() > CARD_LIMIT {
            bail!("the network card {mac} did not appear; start again with it plugged in");
        }
        if since.elapsed() > CARD_SOON && !told {
            told = true;
            warn(&format!(
                "The network card {mac} is not there (yet). If it is an adapter, plug it in."
            ));
        }
        process::wait_readable(&uevents, LOOK_AGAIN)?;
        hardware.hotplug(&uevents.take()?, CARD);
    }
    Ok(())
}

/// Starts the supervisor as a process whose parent is PID 1, whoever that will be. What comes
/// back is readable when it is done: one byte, or the end when it failed.
///
/// Both processes know which modules are loaded by now.
fn start_supervisor(
    ticket: AttachTicket,
    hardware: Hardware,
) -> anyhow::Result<(PipeReader, Hardware)> {
    let (reader, writer) = io::pipe().context("cannot make a pipe")?;
    match process::fork()? {
        Fork::Parent(between) => {
            drop(writer);
            waitpid(Some(between), WaitOptions::empty()).context("cannot wait for a process")?;
            Ok((reader, hardware))
        }
        Fork::Child => {
            drop(reader);
            // It leads its session already only if this program was started in a strange way.
            let _ = rustix::process::setsid();
            match process::fork() {
                Ok(Fork::Parent(_)) => std::process::exit(0),
                Ok(Fork::Child) => supervise(ticket, hardware, writer),
                Err(error) => {
                    warn(&format!("{error}."));
                    std::process::exit(1)
                }
            }
        }
    }
}

fn supervise(ticket: AttachTicket, hardware: Hardware, attached: PipeWriter) -> ! {
    match supervisor::run(ticket, hardware, attached) {
        Ok(never) => match never {},
        Err(error) => {
            warn(&format!("{error:#}."));
            std::process::exit(1)
        }
    }
}

/// Loads keyboard drivers in a process of its own, behind everything else: nobody types before
/// there is a system to type into. It ends when what is there is driven.
fn start_keyboards(mut hardware: Hardware) -> anyhow::Result<()> {
    match process::fork()? {
        Fork::Parent(_) => Ok(()),
        Fork::Child => {
            // A kernel without groups of processes lets us run beside the others.
            let _ = process::yield_to_others();
            hardware.coldplug(KEYBOARD);
            // A USB keyboard may be found only when the disk is there and nobody looks any more.
            // These two drive nearly all; an image without them has them in its kernel, or none.
            let _ = hardware.load_named(&["usbhid", "hid_generic"]);
            std::process::exit(0)
        }
    }
}

/// True when the supervisor has attached the disk.
fn wait_until(mut attached: PipeReader) -> bool {
    matches!(attached.read(&mut [0]), Ok(1))
}

/// Leaves everything as the kernel would have left it, and starts what it would have started,
/// with the arguments and the environment that the kernel gave to us.
fn become_init(init: &str) -> anyhow::Result<Infallible> {
    console::quiet_again();
    mounts::unmount_early()?;
    let error = Command::new(init)
        .arg0(init)
        .args(std::env::args_os().skip(1))
        .exec();
    Err(error).with_context(|| format!("cannot start {init}, the lent system's own init"))
}
