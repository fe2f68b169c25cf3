//! Long work beside the loop: begun, told of, called off. One at a time.

use super::Daemon;
use crate::request::{Answer, Refused};
use crate::view::JobView;
use crate::world::Trouble;
use std::collections::BTreeMap;
use stiefel_core::handoff::{HandOff, Refusal};
use stiefel_dbus::words;

/// Jobs that are remembered after their end.
const REMEMBERED: usize = 4;

/// What the loop shall do about jobs.
#[derive(Debug, PartialEq, Eq)]
pub enum Work {
    /// Begin to make the ramdisk of the running kernel.
    MakeImage(u32),
    /// End what is going on.
    Stop,
}

/// Something that takes its time.
#[derive(Debug, Clone)]
pub(super) struct Job {
    state: words::JobState,
    progress: f64,
    detail: String,
    called_off: bool,
}

impl Daemon {
    /// Begins to make the ramdisk, or joins in if somebody has begun already.
    pub(super) fn update_image(&mut self) -> Result<Answer, Refused> {
        let HandOff::Idle { .. } = self.machine else {
            return Err(Refusal::InProgress.into());
        };
        if self.ending {
            return Err(Refused::Blocked("the daemon is about to end".into()));
        }
        if let Some(number) = self.running_job() {
            return Ok(Answer::Begun(number));
        }
        self.last_job += 1;
        let job = Job {
            state: words::JobState::Running,
            progress: 0.0,
            detail: String::new(),
            called_off: false,
        };
        self.jobs.insert(self.last_job, job);
        self.outbox.work = Some(Work::MakeImage(self.last_job));
        Ok(Answer::Begun(self.last_job))
    }

    pub(super) fn stop_job(&mut self, number: u32) -> Result<Answer, Refused> {
        let job = self.jobs.get_mut(&number).ok_or(Refused::NoJob)?;
        if job.state == words::JobState::Running {
            job.called_off = true;
            self.outbox.work = Some(Work::Stop);
        }
        Ok(Answer::Done)
    }

    pub(super) fn progressed(&mut self, number: u32, progress: f64) {
        if let Some(job) = self.jobs.get_mut(&number) {
            // A hundred steps are enough for everybody who looks.
            job.progress = (progress.clamp(0.0, 1.0) * 100.0).floor() / 100.0;
        }
    }

    pub(super) fn job_ended(&mut self, number: u32, end: Result<(), Trouble>) {
        let Some(job) = self.jobs.get_mut(&number) else {
            return;
        };
        job.state = match end {
            Ok(()) => {
                job.progress = 1.0;
                words::JobState::Done
            }
            Err(_) if job.called_off => words::JobState::Cancelled,
            Err(Trouble(why)) => {
                tracing::warn!("{why}");
                job.detail = why;
                words::JobState::Failed
            }
        };
        while self.jobs.len() > REMEMBERED {
            self.jobs.pop_first();
        }
        self.refresh(None);
    }

    pub(super) fn running_job(&self) -> Option<u32> {
        let running = |(_, job): &(&u32, &Job)| job.state == words::JobState::Running;
        self.jobs.iter().find(running).map(|(number, _)| *number)
    }

    pub(super) fn jobs_by_number(&self) -> BTreeMap<u32, JobView> {
        let show = |(number, job): (&u32, &Job)| {
            let view = JobView {
                kind: words::JobKind::UpdateImage,
                state: job.state.clone(),
                progress: job.progress,
                detail: job.detail.clone(),
            };
            (*number, view)
        };
        self.jobs.iter().map(show).collect()
    }
}
