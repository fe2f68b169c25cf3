//! PID 1 of the ramdisk, in the roles *serve*, *fetch* and *attach*. The ticket
//! says which.

mod attach;
mod console;
mod early;
mod error_log;
mod fetch;
mod hardware;
mod home;
mod own_disks;
mod serve;
mod supervisor;
mod wires;

use anyhow::Context;
use std::convert::Infallible;
use stiefel_core::ticket::{TICKET_PATH, Ticket};
use zeroize::Zeroizing;

fn main() {
    let error = match play() {
        Ok(never) => match never {},
        Err(error) => error,
    };
    console::warn(&format!("STOPPED: {error:#}."));
    home::after_a_minute()
}

fn play() -> anyhow::Result<Infallible> {
    early::prepare()?;
    match ticket()? {
        Ticket::Serve(ticket) => serve::run(*ticket),
        Ticket::Fetch(ticket) => fetch::run(*ticket),
        Ticket::Attach(ticket) => attach::run(*ticket),
    }
}

/// Reads the ticket and removes it: it holds secrets.
fn ticket() -> anyhow::Result<Ticket> {
    let path = format!("/{TICKET_PATH}");
    let json = std::fs::read(&path).map(Zeroizing::new).with_context(|| {
        format!(
            "there is no ticket in this ramdisk ({path}), so it has nothing to do; \
             make boot files with \"stiefelctl export-boot\""
        )
    })?;
    std::fs::remove_file(&path)?;
    Ok(Ticket::from_json(&json)?)
}
