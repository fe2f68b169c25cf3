//! `stiefelctl status`

use crate::args::Output;
use crate::client::{Client, Link, Pairing, reason_in_words};
use serde::Serialize;
use stiefel_dbus::words::{ImageState, Reason, Role, State, Verdict};

#[derive(Serialize)]
struct Status {
    version: String,
    role: String,
    armed: bool,
    image_state: String,
    disk: Disk,
    power: Power,
    hand_off: HandOff,
    checks: Vec<Check>,
    pairings: Vec<Pairing>,
    links: Vec<Link>,
}

#[derive(Serialize)]
struct Disk {
    model: String,
    size: u64,
    id: String,
}

#[derive(Serialize)]
struct Power {
    battery: f64,
    on_ac: bool,
    warning: String,
    time_to_empty_usec: u64,
}

#[derive(Serialize)]
struct HandOff {
    state: String,
    reason: String,
    detail: String,
    borrower: Option<String>,
    deadline_usec: u64,
    at_deadline: String,
    step: String,
}

#[derive(Serialize)]
struct Check {
    subject: String,
    verdict: String,
    text: String,
    hint: String,
}

/// Shows everything.
pub async fn show(client: &Client, output: Output) -> anyhow::Result<()> {
    let status = read(client).await?;
    if output.json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print(&status);
    }
    Ok(())
}

async fn read(client: &Client) -> anyhow::Result<Status> {
    let (manager, handoff) = (&client.manager, &client.handoff);
    let (model, size, id) = manager.disk().await?;
    let borrower = handoff.borrower().await?;
    Ok(Status {
        version: manager.version().await?,
        role: manager.role().await?,
        armed: manager.armed().await?,
        image_state: manager.image_state().await?,
        disk: Disk { model, size, id },
        power: Power {
            battery: manager.battery().await?,
            on_ac: manager.on_ac().await?,
            warning: manager.battery_warning().await?,
            time_to_empty_usec: manager.time_to_empty_usec().await?,
        },
        hand_off: HandOff {
            state: handoff.state().await?,
            reason: handoff.reason().await?,
            detail: handoff.detail().await?,
            borrower: client.borrower_name(&borrower).await?,
            deadline_usec: handoff.deadline_usec().await?,
            at_deadline: handoff.at_deadline().await?,
            step: handoff.step().await?,
        },
        checks: manager
            .checks()
            .await?
            .into_iter()
            .map(|(subject, verdict, text, hint)| Check {
                subject,
                verdict,
                text,
                hint,
            })
            .collect(),
        pairings: client.pairings().await?,
        links: client.links().await?,
    })
}

fn print(status: &Status) {
    if Role::from(status.role.as_str()) == Role::Borrower {
        println!("This system runs from a lent disk. Shut it down to give the disk back.");
        return;
    }
    let blocked = status
        .checks
        .iter()
        .any(|check| Verdict::from(check.verdict.as_str()) == Verdict::Block);
    match (status.armed, blocked) {
        (true, false) => println!("Armed: paired machines may ask for this machine's disk."),
        (true, true) => println!("Armed, but the disk cannot be lent now; see below."),
        (false, false) => println!("Not armed. To answer paired machines: stiefelctl arm"),
        (false, true) => println!("Not armed, and the disk cannot be lent now; see below."),
    }
    println!("{}", in_one_line(&status.hand_off));
    if !status.disk.model.is_empty() {
        println!(
            "Disk: {} ({}), {:.0} GB",
            status.disk.model,
            status.disk.id,
            status.disk.size as f64 / 1e9
        );
    }
    if ImageState::from(status.image_state.as_str()) != ImageState::Ready {
        println!("Ramdisk: {}", status.image_state);
    }
    println!("\nChecks:");
    for check in &status.checks {
        let mark = match Verdict::from(check.verdict.as_str()) {
            Verdict::Ok => "  ok    ",
            Verdict::Warn | Verdict::Unknown(_) => "  note  ",
            Verdict::Block => "  NO    ",
        };
        println!("{mark}{}", check.text);
        if !check.hint.is_empty() {
            println!("        -> {}", check.hint);
        }
    }
    println!("\nPairings:");
    for pairing in &status.pairings {
        println!(
            "  {}  {}, {}",
            pairing.name, pairing.policy, pairing.presence
        );
    }
    if status.pairings.is_empty() {
        println!("  none; make one with: stiefelctl pair NAME");
    }
    println!("\nWired interfaces:");
    for link in &status.links {
        let speed = match link.speed_mbps {
            0 => String::new(),
            speed => format!(", {speed} Mbit/s"),
        };
        println!(
            "  {}  {}, {}{speed}",
            link.interface, link.policy, link.state
        );
    }
    if status.links.is_empty() {
        println!("  none");
    }
}

fn in_one_line(handoff: &HandOff) -> String {
    let borrower = handoff.borrower.as_deref().unwrap_or("nobody");
    match State::from(handoff.state.as_str()) {
        State::Idle => match Reason::from(handoff.reason.as_str()) {
            Reason::None => "No hand-off goes on.".into(),
            reason => format!(
                "No hand-off goes on. The last one came back because {}: {}",
                reason_in_words(&reason),
                handoff.detail
            ),
        },
        State::Announced if handoff.at_deadline == "call-off" => format!(
            "{borrower} wants this machine's disk. Yes: stiefelctl confirm. No: stiefelctl cancel."
        ),
        State::Announced => {
            format!("The disk is about to be lent to {borrower}. No: stiefelctl cancel.")
        }
        State::Preparing => format!(
            "Preparing to lend the disk to {borrower} ({}). Stop it: stiefelctl cancel.",
            handoff.step
        ),
        State::Leaving => format!("Leaving the system; the disk goes to {borrower}."),
        State::Reverting => format!("Coming back ({}): {}", handoff.step, handoff.detail),
        State::Unknown(_) => "Busy.".into(),
    }
}
