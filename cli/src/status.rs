//! `stiefelctl status`

use crate::checks::{self, blocks};
use crate::client::{Client, borrower_name, reason_in_words};
use crate::facts::{self, Check, Drive, HandOff, Job, LastLoan, Link, Machine, Pairing};
use crate::human::{ago, bytes, lasting, percent, seconds_until, speed};
use crate::loan::{self, Loan};
use crate::output::{BAD, CARE, Cell, FAINT, GOOD, HEAD, Output, PLAIN, Table, clean, json, say};
use crate::pairings::seen;
use anstyle::Style;
use serde::Serialize;
use stiefel_dbus::names;
use stiefel_dbus::words::{
    BatteryWarning, ImageState, JobState, LinkPolicy, LinkState, Reason, Role, State, Verdict,
};

/// Everything that there is to know.
#[derive(Serialize)]
pub struct Status {
    #[serde(flatten)]
    machine: Machine,
    hand_off: HandOff,
    checks: Vec<Check>,
    pairings: Vec<Pairing>,
    links: Vec<Link>,
    jobs: Vec<Job>,
    drives: Vec<Drive>,
    loan: Option<Loan>,
}

/// Shows everything.
pub async fn show(client: &Client, output: Output) -> anyhow::Result<()> {
    let status = read(client).await?;
    match output.json {
        true => json(&status),
        false => print(&status),
    }
}

/// Asks the daemon for everything.
pub async fn read(client: &Client) -> anyhow::Result<Status> {
    let manager = client.properties(names::MANAGER).await?;
    let hand_off = client.properties(names::HANDOFF).await?;
    let objects = client.objects().await?;
    let pairings = objects.pairings();
    let borrower = borrower_name(&hand_off.get("Borrower"), &pairings);
    let machine = Machine::from(&manager);
    let loan = match Role::from(machine.role.as_str()) {
        Role::Borrower => loan::read(client).await.ok(),
        Role::Lender | Role::Unknown(_) => None,
    };
    Ok(Status {
        machine,
        hand_off: HandOff::new(&hand_off, borrower),
        checks: facts::checks(&manager),
        pairings,
        links: objects.links(),
        jobs: objects.jobs(),
        drives: objects.drives(),
        loan,
    })
}

fn print(status: &Status) -> anyhow::Result<()> {
    if Role::from(status.machine.role.as_str()) == Role::Borrower {
        return match &status.loan {
            Some(loan) => loan.print(),
            None => {
                say!("This system runs from a lent disk. Shut it down to give the disk back.");
                Ok(())
            }
        };
    }
    let blocked = status.checks.iter().any(blocks);
    match (status.machine.armed, blocked) {
        (true, false) => {
            say!("{GOOD}Armed{GOOD:#}: paired machines may ask for this machine's disk.");
        }
        (true, true) => say!("Armed, but the disk {BAD}cannot be lent{BAD:#} now; see below."),
        (false, false) => say!("Not armed. To answer paired machines: stiefelctl arm"),
        (false, true) => {
            say!("Not armed, and the disk {BAD}cannot be lent{BAD:#} now; see below.");
        }
    }
    say!("{}", in_one_line(&status.hand_off));
    say!("");
    machine(&status.machine)?;
    running(&status.jobs)?;
    of_note(&status.checks)?;
    pairings(&status.pairings)?;
    links(&status.links)
}

fn machine(machine: &Machine) -> anyhow::Result<()> {
    let mut table = Table::headless(0);
    if !machine.disk.model.is_empty() {
        let size = bytes(machine.disk.size);
        let disk = format!("{} ({}), {size}", machine.disk.model, machine.disk.id);
        table.row(vec![Cell::new("Disk", HEAD), disk.into()]);
    }
    let ramdisk = match ImageState::from(machine.image_state.as_str()) {
        ImageState::Ready => GOOD,
        ImageState::Missing | ImageState::Stale => BAD,
        ImageState::Building | ImageState::Unknown(_) => CARE,
    };
    table.row(vec![
        Cell::new("Ramdisk", HEAD),
        Cell::new(&machine.image_state, ramdisk),
    ]);
    let warning = BatteryWarning::from(machine.power.warning.as_str());
    let alarm = match &warning {
        BatteryWarning::None => PLAIN,
        BatteryWarning::Low | BatteryWarning::Unknown(_) => CARE,
        BatteryWarning::Critical | BatteryWarning::Action => BAD,
    };
    let mut power = machine.power.in_words();
    if machine.power.time_to_empty_usec > 0 {
        power += &format!(", {} left", lasting(machine.power.time_to_empty_usec));
    }
    table.row(vec![Cell::new("Power", HEAD), Cell::new(power, alarm)]);
    let LastLoan {
        left_usec,
        back_usec,
        ..
    } = machine.last_loan;
    if left_usec > 0 {
        let loan = format!("{}, back {}", ago(left_usec), ago(back_usec));
        table.row(vec![Cell::new("Last loan", HEAD), loan.into()]);
    }
    table.print()
}

fn running(jobs: &[Job]) -> anyhow::Result<()> {
    for job in jobs {
        if JobState::from(job.state.as_str()) == JobState::Running {
            let (number, share) = (job.number, percent(job.progress));
            say!(
                "{HEAD}Job {number}{HEAD:#}    {}: {share}",
                clean(&job.kind)
            );
        }
    }
    Ok(())
}

/// What is as it should be is only counted.
fn of_note(all: &[Check]) -> anyhow::Result<()> {
    let is_fine = |check: &&Check| Verdict::from(check.verdict.as_str()) == Verdict::Ok;
    let fine = all.iter().filter(is_fine).count();
    say!("\n{HEAD}Checks{HEAD:#}  {FAINT}{fine} are fine; all: stiefelctl checks{FAINT:#}");
    checks::print(all.iter().filter(|check| !is_fine(check)))
}

fn pairings(pairings: &[Pairing]) -> anyhow::Result<()> {
    say!("\n{HEAD}Pairings{HEAD:#}");
    if pairings.is_empty() {
        say!("  none; make one with: stiefelctl pair NAME");
    }
    let mut table = Table::headless(2);
    for pairing in pairings {
        table.row(vec![
            (&pairing.name).into(),
            (&pairing.policy).into(),
            match pairing.last_seen_usec {
                0 => Cell::new("never seen", FAINT),
                _ => seen(pairing),
            },
        ]);
    }
    table.print()
}

fn links(links: &[Link]) -> anyhow::Result<()> {
    say!("\n{HEAD}Wired interfaces{HEAD:#}");
    if links.is_empty() {
        say!("  none");
    }
    let mut table = Table::headless(2);
    for link in links {
        table.row(vec![
            (&link.interface).into(),
            Cell::new(&link.policy, policy_style(link)),
            Cell::new(&link.state, state_style(link)),
            speed(link.speed_mbps).into(),
        ]);
    }
    table.print()
}

/// The stiefellink stands out.
pub fn policy_style(link: &Link) -> Style {
    match LinkPolicy::from(link.policy.as_str()) {
        LinkPolicy::Dedicated => HEAD,
        LinkPolicy::Ignore => FAINT,
        LinkPolicy::Shared | LinkPolicy::Unknown(_) => PLAIN,
    }
}

/// Whether anything can go over it.
pub fn state_style(link: &Link) -> Style {
    match LinkState::from(link.state.as_str()) {
        LinkState::Up => GOOD,
        LinkState::Down | LinkState::NoCarrier | LinkState::Unknown(_) => FAINT,
    }
}

fn in_one_line(handoff: &HandOff) -> String {
    let borrower = clean(handoff.borrower.as_deref().unwrap_or("nobody"));
    let detail = clean(&handoff.detail);
    match State::from(handoff.state.as_str()) {
        State::Idle => match Reason::from(handoff.reason.as_str()) {
            Reason::None => "No hand-off goes on.".into(),
            reason => format!(
                "No hand-off goes on. The last one came back because {}: {detail}",
                reason_in_words(&reason),
            ),
        },
        State::Announced if handoff.at_deadline == "call-off" => format!(
            "{CARE}{borrower} wants this machine's disk.{CARE:#} Yes: stiefelctl confirm. \
             No: stiefelctl cancel. ({} s)",
            seconds_until(handoff.deadline_usec)
        ),
        State::Announced => format!(
            "{CARE}The disk is about to be lent to {borrower}{CARE:#}, in {} s. \
             No: stiefelctl cancel.",
            seconds_until(handoff.deadline_usec)
        ),
        State::Preparing => format!(
            "{CARE}Preparing to lend the disk to {borrower}{CARE:#} ({}). \
             Stop it: stiefelctl cancel.",
            handoff.step
        ),
        State::Leaving => {
            format!("{CARE}Leaving the system{CARE:#}; the disk goes to {borrower}.")
        }
        State::Reverting => format!("Coming back ({}): {detail}", handoff.step),
        State::Unknown(_) => "Busy.".into(),
    }
}
