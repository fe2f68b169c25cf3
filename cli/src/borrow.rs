//! `stiefelctl borrow`: from any running Linux into the lent system, without a stick.
//!
//! ```text
//! look ─ ask ─▶ interfaces ready ─▶ search, wake, fetch ─▶ load ─▶ systemctl kexec
//!               └────────────────── undone, whatever ends it before ──────┘
//! ```

mod network_manager;

use crate::ask::{Consent, consent};
use crate::ending::{Ending, complain};
use crate::output::{Output, json, json_line, mention, say};
use crate::pairing_file;
use anyhow::{Context, bail};
use clap::Args;
use network_manager::Claim;
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use stiefel_core::ticket::FetchTicket;
use stiefel_server::borrow::wires::{self, Ready, Wire};
use stiefel_server::borrow::{self, Borrowed, News};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::interval;

/// How often interfaces are looked at that have come, or have been changed by others.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Whose disk, and how far.
#[derive(Args)]
pub struct BorrowArgs {
    /// File of the pairing, from `stiefelctl export-pairing` on the lender
    pairing_file: PathBuf,
    /// Only say whether this machine could borrow, and over which interfaces
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    output: Output,
}

/// Borrows. When it returns without an error, this system shuts down.
pub async fn run(args: BorrowArgs) -> anyhow::Result<()> {
    let ticket = pairing_file::read(&args.pairing_file)?;
    let wires = look()?;
    if args.dry_run {
        return tell_plan(&ticket, &wires, args.output);
    }
    consent(
        args.consent,
        &format!(
            "As soon as the system of {} is here, this one shuts down. Go on?",
            ticket.lender
        ),
    )?;
    let told = |news: &News<'_>| tell(args.output, event(news), &news.in_words(&ticket.lender));
    let borrowed = search(&ticket, args.output, told).await?;
    start(&ticket, borrowed, args.output)
}

/// What would be in the way is said before anybody is woken.
fn look() -> anyhow::Result<Vec<Wire>> {
    if !rustix::process::geteuid().is_root() {
        bail!("only root may start another system; run it with sudo");
    }
    let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    if sockets.lines().any(|line| line.ends_with("@stiefelsystem")) {
        bail!("this system runs from a lent disk already; give it back first");
    }
    borrow::available()?;
    let wires = wires::list()?;
    if wires.is_empty() {
        bail!(
            "there is no wired interface that a loan could go over (one that is part of a bridge or a bond cannot); plug an adapter in"
        );
    }
    Ok(wires)
}

fn tell_plan(ticket: &FetchTicket, wires: &[Wire], output: Output) -> anyhow::Result<()> {
    let locked_down = borrow::locked_down();
    if output.json {
        let interfaces: Vec<_> = wires
            .iter()
            .map(|wire| {
                json!({
                    "interface": wire.name,
                    "up": wire.up,
                    "carrier": wire.carrier,
                    "link_local": wire.has_address,
                })
            })
            .collect();
        return json(&json!({
            "lender": ticket.lender.as_str(),
            "pairing": ticket.pairing.name.as_str(),
            "locked_down": locked_down,
            "interfaces": interfaces,
        }));
    }
    say!("{} would be searched on:", ticket.lender);
    for wire in wires {
        let state = match (wire.up, wire.carrier) {
            (false, _) => "off, would be switched on",
            (true, false) => "no cable",
            (true, true) if wire.has_address => "ready",
            (true, true) => "no link-local address, would get one",
        };
        say!("  {}: {state}", wire.name);
    }
    if locked_down {
        say!(
            "Secure Boot is on: only a system whose kernel this one's vendor has signed would start."
        );
    }
    Ok(())
}

/// Searches until the system is here. Whatever was changed for that is as before when this
/// returns, but for the interfaces' loan itself.
async fn search(
    ticket: &FetchTicket,
    output: Output,
    told: impl Fn(&News<'_>),
) -> anyhow::Result<Borrowed> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut claim = Claim::new().await;
    let mut ready = Ready::default();
    let mut again = interval(LOOK_AGAIN);
    tell(
        output,
        "searching",
        &format!(
            "Searching {} on all wired interfaces. Is its cable in, is it switched on and armed? Ctrl-C ends it.",
            ticket.lender
        ),
    );
    let mut said = String::new();
    let borrow = borrow::borrow(ticket, Box::new(wires::usable), |news| {
        let words = news.in_words(&ticket.lender);
        // The countdown's seconds change all the time; once is enough.
        let what = words.split(" (").next().unwrap_or_default();
        if said != what {
            told(&news);
            said = what.to_owned();
        }
    });
    tokio::pin!(borrow);
    let ended = loop {
        tokio::select! {
            borrowed = &mut borrow => break borrowed.context("cannot search"),
            _ = again.tick() => {
                let names = wires::list().unwrap_or_default().into_iter().map(|wire| wire.name);
                claim.keep_off(names).await;
                if let Err(error) = ready.make() {
                    break Err(error.into());
                }
            }
            _ = interrupt.recv() => break Err(called_off(ticket)),
            _ = terminate.recv() => break Err(called_off(ticket)),
            _ = hangup.recv() => break Err(called_off(ticket)),
        }
    };
    drop(ready);
    claim.give_back().await;
    ended
}

fn called_off(ticket: &FetchTicket) -> anyhow::Error {
    let words = format!(
        "called off; if {} has left its own system already, it goes back by itself",
        ticket.lender
    );
    Ending::Interrupted(words).into()
}

/// Hands over to the lent system, by a clean shutdown of this one.
fn start(ticket: &FetchTicket, borrowed: Borrowed, output: Output) -> anyhow::Result<()> {
    borrowed.load(&fs::read_to_string("/proc/cmdline")?)?;
    let lender = &ticket.lender;
    tell(
        output,
        "starting",
        &format!("Starting the system of {lender}; this one shuts down."),
    );
    let asked = Command::new("systemctl").arg("kexec").status();
    let why = match asked {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => format!("`systemctl kexec` ended with {status}"),
        Err(error) => format!("systemctl cannot be started ({error})"),
    };
    // Any later reboot would take it.
    if let Err(error) = borrow::unload() {
        complain(&error.to_string())?;
    }
    bail!("this system does not shut down: {why}; {lender} goes back to its own by itself")
}

fn event(news: &News<'_>) -> &'static str {
    match news {
        News::Heard(_) => "heard",
        News::OtherVersion(_) => "other-version",
        News::Fetching { .. } => "fetching",
        News::Fetched(_) => "fetched",
        News::Failed(_) => "failed",
    }
}

/// That nobody reads it is no reason to stop.
fn tell(output: Output, event: &str, text: &str) {
    if output.json {
        let _ = json_line(&json!({ "event": event, "text": text }));
    } else {
        mention!("{text}");
    }
}
