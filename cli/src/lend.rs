//! `stiefelctl lend`, `confirm`, `cancel`

use crate::client::{ANYBODY, Client, reason_in_words};
use crate::ending::Ending;
use crate::human::seconds_until;
use crate::interrupt::Interrupts;
use crate::output::{clean, say};
use anyhow::bail;
use clap::Args;
use futures_util::StreamExt;
use stiefel_dbus::names;
use stiefel_dbus::proxy::HandOffProxy;
use stiefel_dbus::words::{Reason, State};
use zbus::proxy::OwnerChangedStream;
use zbus::zvariant::{ObjectPath, OwnedObjectPath};

/// To whom, and when.
#[derive(Args)]
pub struct LendArgs {
    /// Name or id of the pairing [default: whichever paired machine asks first]
    name: Option<String>,
    /// Go ahead at once, without the countdown
    #[arg(long)]
    now: bool,
    /// Wait until this machine leaves, and fail if it does not; Ctrl-C calls it off
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
            ANYBODY.into(),
        ),
    };
    // All of it before anything is said: whoever reads that may call it off, and
    // the daemon may end as soon as it has begun.
    let interrupts = args.wait.then(Interrupts::new).transpose()?;
    // This one keeps a cache, which the changes come from.
    let handoff = HandOffProxy::new(&client.bus).await?;
    let owners = handoff.inner().receive_owner_changed().await?;
    client.handoff.begin(&path, Default::default()).await?;
    if args.now {
        client.handoff.confirm().await?;
    }
    if args.now {
        say!("This machine leaves its system now; the disk goes to {to}.");
    } else {
        let seconds = seconds_until(client.handoff.deadline_usec().await?);
        say!("The disk goes to {to} in {seconds} s. To stop it: stiefelctl cancel");
    }
    match interrupts {
        Some(interrupts) => wait(client, &handoff, owners, interrupts).await,
        None => Ok(()),
    }
}

/// Says yes.
pub async fn confirm(client: &Client) -> anyhow::Result<()> {
    client.handoff.confirm().await?;
    say!("Confirmed: this machine leaves its system now.");
    Ok(())
}

/// Says no.
pub async fn cancel(client: &Client) -> anyhow::Result<()> {
    let state = client.handoff.state().await?;
    client.handoff.cancel().await?;
    match State::from(state.as_str()) {
        State::Idle => say!("There was nothing to call off."),
        State::Announced
        | State::Preparing
        | State::Leaving
        | State::Reverting
        | State::Unknown(_) => say!("Called off."),
    }
    Ok(())
}

/// Until the reboot was ordered, or the hand-off has come back.
async fn wait(
    client: &Client,
    handoff: &HandOffProxy<'_>,
    owners: OwnerChangedStream<'_>,
    mut interrupts: Interrupts,
) -> anyhow::Result<()> {
    let mut gone = owners.filter(|owner| std::future::ready(owner.is_none()));
    let mut states = handoff.receive_state_changed().await;
    let left = "the hand-off was left alone; see: stiefelctl status";
    loop {
        let state = tokio::select! {
            change = states.next() => match change {
                Some(change) => change.get().await?,
                None => bail!("the bus has gone; see: stiefelctl status"),
            },
            Some(_) = gone.next() => bail!("the daemon has ended; see: journalctl -u stiefeld"),
            () = interrupts.next() => {
                interrupts.obey(client.handoff.cancel(), left).await?;
                continue;
            }
        };
        match State::from(state.as_str()) {
            State::Leaving => {
                say!("The reboot into the ramdisk was ordered.");
                return Ok(());
            }
            State::Idle => return came_back(client, interrupts.called_off()).await,
            State::Announced | State::Preparing | State::Reverting | State::Unknown(_) => {}
        }
    }
}

async fn came_back(client: &Client, by_us: bool) -> anyhow::Result<()> {
    if by_us {
        return Err(Ending::Interrupted("called off".into()).into());
    }
    let reason = Reason::from(client.handoff.reason().await?.as_str());
    let detail = clean(&client.handoff.detail().await?);
    let text = format!(
        "the hand-off came back because {}: {detail}",
        reason_in_words(&reason)
    );
    match reason {
        Reason::Cancelled | Reason::Expired => Err(Ending::CalledOff(text).into()),
        Reason::None
        | Reason::Blocked
        | Reason::StepFailed
        | Reason::RebootRefused
        | Reason::Unknown(_) => bail!(text),
    }
}
