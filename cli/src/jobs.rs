//! `stiefelctl make-image`, `jobs`, `cancel-job`

use crate::client::{Client, borrower_name};
use crate::ending::Ending;
use crate::facts::Job;
use crate::human::percent;
use crate::interrupt::Interrupts;
use crate::output::{BAD, CARE, Cell, FAINT, GOOD, Output, Table, clean, json, json_line, say};
use anstyle::Style;
use anyhow::bail;
use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::select;
use std::io::{IsTerminal, Write, stderr};
use stiefel_dbus::proxy::JobProxy;
use stiefel_dbus::words::{JobKind, JobState};
use zbus::zvariant::OwnedObjectPath;

/// How long to stay.
#[derive(Args, Clone, Copy)]
pub struct Stay {
    /// Return at once; `stiefelctl jobs` says how far it is
    #[arg(long)]
    pub no_wait: bool,
    #[command(flatten)]
    pub output: Output,
}

/// Lets the daemon make the ramdisk, and tells how far it is.
pub async fn make_image(client: &Client, stay: Stay) -> anyhow::Result<()> {
    let path = client.manager.update_image().await?;
    follow(client, path, stay).await
}

/// Lists all jobs that are remembered.
pub async fn list(client: &Client, output: Output) -> anyhow::Result<()> {
    let objects = client.objects().await?;
    let (jobs, pairings) = (objects.jobs(), objects.pairings());
    if output.json {
        return json(&jobs);
    }
    if jobs.is_empty() {
        say!("Nothing goes on.");
        return Ok(());
    }
    let mut table = Table::new(&["JOB", "KIND", "FOR", "STATE", "PROGRESS", "DETAIL"]);
    for job in &jobs {
        table.row(vec![
            job.number.to_string().into(),
            (&job.kind).into(),
            borrower_name(&job.subject, &pairings)
                .unwrap_or_default()
                .into(),
            Cell::new(&job.state, style(job)),
            percent(job.progress).into(),
            Cell::new(&job.detail, FAINT),
        ]);
    }
    table.print()
}

fn style(job: &Job) -> Style {
    match JobState::from(job.state.as_str()) {
        JobState::Done => GOOD,
        JobState::Failed => BAD,
        JobState::Running | JobState::Unknown(_) => CARE,
        JobState::Cancelled => FAINT,
    }
}

/// Calls one off.
pub async fn cancel(client: &Client, number: u32) -> anyhow::Result<()> {
    let jobs = client.objects().await?.jobs();
    let Some(job) = jobs.iter().find(|job| job.number == number) else {
        bail!("there is no job {number}; see: stiefelctl jobs");
    };
    client.job(&job.path).await?.cancel().await?;
    match JobState::from(job.state.as_str()) {
        JobState::Running | JobState::Unknown(_) => say!("Called off."),
        JobState::Done | JobState::Failed | JobState::Cancelled => {
            say!("It has ended already: {}", job.state);
        }
    }
    Ok(())
}

/// Tells how far a job is, until it has ended. Ctrl-C calls it off.
pub async fn follow(client: &Client, path: OwnedObjectPath, stay: Stay) -> anyhow::Result<()> {
    let job = client.job(&path).await?;
    // All of it before anything is said: whoever reads that may call the job
    // off, and the daemon may end as soon as it has begun.
    let mut interrupts = Interrupts::new()?;
    let states = job.receive_state_changed().await.map(drop);
    let progress = job.receive_progress_changed().await.map(drop);
    let phases = job.receive_phase_changed().await.map(drop);
    let owners = job
        .inner()
        .receive_owner_changed()
        .await?
        .map(|owner| owner.is_none());
    let mut changes = select(states, select(progress, phases));
    let mut owners = owners.fuse();
    let mut show = Show::new(read(client, &path).await?, stay.output)?;
    if stay.no_wait {
        return Ok(());
    }
    let left = format!(
        "job {} was left alone; see: stiefelctl jobs",
        show.job.number
    );
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(()) => {}
                None => bail!("the bus has gone; see: stiefelctl jobs"),
            },
            Some(gone) = owners.next() => if gone {
                bail!("the daemon has ended, and the job with it; see: journalctl -u stiefeld");
            },
            () = interrupts.next() => interrupts.obey(job.cancel(), &left).await?,
        }
        show.tell(&job).await?;
        match JobState::from(show.job.state.as_str()) {
            JobState::Running | JobState::Unknown(_) => {}
            JobState::Done => return show.done(),
            JobState::Failed => bail!("{}", clean(&show.job.detail)),
            JobState::Cancelled if interrupts.called_off() => {
                return Err(Ending::Interrupted("called off".into()).into());
            }
            JobState::Cancelled => {
                return Err(Ending::CalledOff("somebody called it off".into()).into());
            }
        }
    }
}

async fn read(client: &Client, path: &OwnedObjectPath) -> anyhow::Result<Job> {
    let jobs = client.objects().await?.jobs();
    match jobs.into_iter().find(|job| job.path == *path) {
        Some(job) => Ok(job),
        None => bail!("the daemon does not know the job any more; see: stiefelctl jobs"),
    }
}

/// Shows one job as it goes on.
struct Show {
    job: Job,
    output: Output,
    /// Somebody looks on: one line that changes, instead of many.
    seen: bool,
    /// Tenths that were told.
    told: i32,
}

impl Show {
    fn new(job: Job, output: Output) -> anyhow::Result<Self> {
        let seen = !output.json && stderr().is_terminal();
        let told = tenths(&job);
        let show = Self {
            job,
            output,
            seen,
            told,
        };
        if output.json {
            json_line(&show.job)?;
        } else {
            say!("{} (job {}).", show.what(), show.job.number);
        }
        Ok(show)
    }

    async fn tell(&mut self, job: &JobProxy<'_>) -> anyhow::Result<()> {
        let (state, progress) = (job.state().await?, job.progress().await?);
        let phase = job.phase().await?;
        if (&state, progress, &phase) == (&self.job.state, self.job.progress, &self.job.phase) {
            return Ok(());
        }
        self.job.phase = phase;
        let over = JobState::from(state.as_str()) != JobState::Running;
        (self.job.state, self.job.progress) = (state, progress);
        if over {
            self.job.detail = job.detail().await?;
        }
        if self.output.json {
            return json_line(&self.job);
        }
        let told = std::mem::replace(&mut self.told, tenths(&self.job));
        if self.seen {
            // A terminal that is gone needs no progress.
            let _ = write!(stderr(), "\r{} {}\x1b[K", bar(progress), self.job.phase);
            let _ = stderr().flush();
            if over {
                let _ = writeln!(stderr());
            }
        } else if !over && told != self.told {
            say!("{} {}", percent(progress), self.job.phase);
        }
        Ok(())
    }

    fn done(&self) -> anyhow::Result<()> {
        if !self.output.json {
            say!("Done.");
        }
        Ok(())
    }

    fn what(&self) -> &str {
        match JobKind::from(self.job.kind.as_str()) {
            JobKind::UpdateImage => "Making the ramdisk",
            JobKind::WriteStick => "Making the stick",
            JobKind::SaveStick => "Making the image of a stick",
            JobKind::Unknown(_) => "Working",
        }
    }
}

fn tenths(job: &Job) -> i32 {
    (job.progress * 10.0) as i32
}

fn bar(progress: f64) -> String {
    const WIDTH: usize = 40;
    let full = (progress.clamp(0.0, 1.0) * WIDTH as f64) as usize;
    format!(
        "[{}{}] {}",
        "#".repeat(full),
        " ".repeat(WIDTH - full),
        percent(progress)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_job() {
        assert!(bar(0.0).starts_with("[ "));
        assert!(bar(1.0).ends_with("#] 100 %"));
        assert_eq!(bar(0.5).len(), bar(0.25).len());
        assert_eq!(bar(7.0).matches('#').count(), 40);
    }
}
