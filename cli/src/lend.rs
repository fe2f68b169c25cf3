//! `stiefelctl lend`, `confirm`, `cancel`

use crate::client::{Client, reason_in_words};
use anyhow::bail;
use clap::Args;
use futures_util::StreamExt;
use stiefel_dbus::names;
use stiefel_dbus::proxy::HandOffProxy;
use stiefel_dbus::words::{Reason, State};
use zbus::zvariant::{ObjectPath, OwnedObjectPath};

/// To whom, and when.
#[derive(Args)]
pub struct LendArgs {
    /// Name or id of the pairing [default: whichever paired machine asks first]
    name: Option<String>,
    /// Go ahead at once, without the countdown
    #[arg(long)]
    now: bool,
    /// Wait until this machine leaves, and fail if it does not
    #[arg(long)]
    wait: bool,
}

/// Announces a hand-off.
pub async fn lend(client: &Client, args: LendArgs) -> anyhow::Result<()> {
    let (path, to): (OwnedObjectPath, String) = match &args.name {
        Some(name) => {
            let pairing = client.find(name).await?;
            (pairing.path, pairing.name)
        }
        None => (
            ObjectPath::try_from(names::PAIRINGS)?.into(),
            "whichever paired machine asks first".into(),
        ),
    };
    client.handoff.begin(&path, Default::default()).await?;
    if args.now {
        client.handoff.confirm().await?;
        println!("This machine leaves its system now; the disk goes to {to}.");
    } else {
        let seconds = seconds_until(client.handoff.deadline_usec().await?);
        println!("The disk goes to {to} in {seconds} s. To stop it: stiefelctl cancel");
    }
    match args.wait {
        true => wait(client).await,
        false => Ok(()),
    }
}

/// Says yes.
pub async fn confirm(client: &Client) -> anyhow::Result<()> {
    client.handoff.confirm().await?;
    println!("Confirmed: this machine leaves its system now.");
    Ok(())
}

/// Says no.
pub async fn cancel(client: &Client) -> anyhow::Result<()> {
    let state = client.handoff.state().await?;
    client.handoff.cancel().await?;
    match State::from(state.as_str()) {
        State::Idle => println!("There was nothing to call off."),
        State::Announced
        | State::Preparing
        | State::Leaving
        | State::Reverting
        | State::Unknown(_) => println!("Called off."),
    }
    Ok(())
}

/// Until the reboot was ordered, or the hand-off has come back.
async fn wait(client: &Client) -> anyhow::Result<()> {
    // This one keeps a cache, which the changes come from.
    let handoff = HandOffProxy::new(&client.bus).await?;
    let mut states = handoff.receive_state_changed().await;
    while let Some(change) = states.next().await {
        match State::from(change.get().await?.as_str()) {
            State::Leaving => {
                println!("The reboot into the ramdisk was ordered.");
                return Ok(());
            }
            State::Idle => {
                let reason = Reason::from(client.handoff.reason().await?.as_str());
                let detail = client.handoff.detail().await?;
                bail!(
                    "the hand-off came back because {}: {detail}",
                    reason_in_words(&reason)
                );
            }
            State::Announced | State::Preparing | State::Reverting | State::Unknown(_) => {}
        }
    }
    bail!("the daemon has ended; see: journalctl -u stiefeld")
}

/// Whole seconds from now to a time of CLOCK_MONOTONIC.
fn seconds_until(deadline_usec: u64) -> u64 {
    let now = monotonic_usec();
    deadline_usec.saturating_sub(now).div_ceil(1_000_000)
}

/// `/proc/uptime` would count suspended time; this clock does not.
fn monotonic_usec() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let secs = u64::try_from(now.tv_sec).unwrap_or(0);
    secs * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1000
}
