//! `stiefelctl make-image`

use crate::client::Client;
use anyhow::bail;
use clap::Args;
use futures_util::StreamExt;
use stiefel_dbus::proxy::JobProxy;
use stiefel_dbus::words::JobState;

/// How long to stay.
#[derive(Args)]
pub struct MakeArgs {
    /// Return at once; `stiefelctl status` says when it is ready
    #[arg(long)]
    no_wait: bool,
}

/// Lets the daemon make the ramdisk, and tells how far it is.
pub async fn make_image(client: &Client, args: MakeArgs) -> anyhow::Result<()> {
    let path = client.manager.update_image().await?;
    if args.no_wait {
        println!("The ramdisk is being made.");
        return Ok(());
    }
    let job = JobProxy::builder(&client.bus).path(path)?.build().await?;
    let states = job.receive_state_changed().await.map(drop);
    let progress = job.receive_progress_changed().await.map(drop);
    let mut changes = futures_util::stream::select(states, progress);
    let mut told = None;
    while changes.next().await.is_some() {
        match JobState::from(job.state().await?.as_str()) {
            JobState::Done => {
                println!("The ramdisk is ready.");
                return Ok(());
            }
            JobState::Failed => bail!("{}", job.detail().await?),
            JobState::Cancelled => bail!("somebody called it off"),
            JobState::Running | JobState::Unknown(_) => {
                let percent = (job.progress().await? * 10.0).floor() * 10.0;
                if told.replace(percent) != Some(percent) {
                    println!("Making the ramdisk: {percent:.0} %");
                }
            }
        }
    }
    bail!("the daemon has ended; see: journalctl -u stiefeld")
}
