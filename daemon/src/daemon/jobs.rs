//! Long work beside the loop: begun, told of, called off. One at a time.

use super::{Daemon, Now};
use crate::request::{Answer, Refused};
use crate::view::{self, JobView};
use crate::world::sticks::Stick;
use crate::world::{Progress, Trouble};
use std::collections::BTreeMap;
use stiefel_core::pairing::PairingId;
use stiefel_dbus::words;

/// Jobs that are remembered after their end.
const REMEMBERED: usize = 4;

/// What the loop shall do about jobs.
#[derive(Debug)]
pub enum Work {
    /// Begin to make the ramdisk of the running kernel.
    MakeImage(u32),
    /// Begin to make a boot medium.
    MakeStick(u32, Box<Stick>),
    /// End what is going on.
    Stop,
}

/// Something that takes its time.
#[derive(Debug, Clone)]
pub(super) struct Job {
    kind: words::JobKind,
    subject: Option<PairingId>,
    /// The drive that it writes to.
    drive: Option<String>,
    state: words::JobState,
    progress: Progress,
    detail: String,
    called_off: bool,
}

impl Daemon {
    /// Begins to make the ramdisk.
    pub(super) fn update_image(&mut self) -> Result<Answer, Refused> {
        let number = self.new_job(words::JobKind::UpdateImage, None, None)?;
        self.outbox.work = Some(Work::MakeImage(number));
        Ok(Answer::Begun(number))
    }

    pub(super) fn new_job(
        &mut self,
        kind: words::JobKind,
        subject: Option<PairingId>,
        drive: Option<String>,
    ) -> Result<u32, Refused> {
        if self.ending {
            return Err(Refused::Blocked("the daemon is about to end".into()));
        }
        self.last_job += 1;
        let job = Job {
            kind,
            subject,
            drive,
            state: words::JobState::Running,
            progress: Progress::of(0.0),
            detail: String::new(),
            called_off: false,
        };
        self.jobs.insert(self.last_job, job);
        Ok(self.last_job)
    }

    pub(super) fn stop_job(&mut self, number: u32) -> Result<Answer, Refused> {
        let job = self.jobs.get_mut(&number).ok_or(Refused::NoJob)?;
        job.called_off = true;
        self.outbox.work = Some(Work::Stop);
        Ok(Answer::Done)
    }

    pub(super) fn progressed(&mut self, number: u32, progress: Progress) {
        if let Some(job) = self.running(number) {
            job.progress = Progress {
                // A hundred steps are enough for everybody who looks.
                share: (progress.share.clamp(0.0, 1.0) * 100.0).floor() / 100.0,
                ..progress
            };
        }
    }

    /// A job as long as it runs; one that has ended does not change any more.
    fn running(&mut self, number: u32) -> Option<&mut Job> {
        let job = self.jobs.get_mut(&number)?;
        (job.state == words::JobState::Running).then_some(job)
    }

    pub(super) fn job_ended(&mut self, number: u32, end: Result<(), Trouble>, now: Now) {
        let Some(job) = self.running(number) else {
            return;
        };
        let subject = job.subject.filter(|_| end.is_ok());
        job.progress = Progress::of(job.progress.share);
        job.state = match end {
            Ok(()) => {
                job.progress.share = 1.0;
                words::JobState::Done
            }
            Err(_) if job.called_off => words::JobState::Cancelled,
            Err(Trouble(why)) => {
                tracing::warn!("{why}");
                job.detail = why;
                words::JobState::Failed
            }
        };
        self.stick_done(subject, now);
        while self.jobs.len() > REMEMBERED {
            self.jobs.pop_first();
        }
        self.refresh(None);
    }

    pub(super) fn running_job(&self) -> Option<(u32, &Job)> {
        let running = |(_, job): &(&u32, &Job)| job.state == words::JobState::Running;
        let (number, job) = self.jobs.iter().find(running)?;
        Some((*number, job))
    }

    /// The drive that is being written to.
    pub(super) fn written_drive(&self) -> Option<&str> {
        self.running_job()?.1.drive.as_deref()
    }

    /// Whether the ramdisk is being made, and whether a stick is.
    pub(super) fn being_made(&self) -> (bool, bool) {
        let kind = self.running_job().map(|(_, job)| &job.kind);
        let image = kind == Some(&words::JobKind::UpdateImage);
        (image, kind.is_some() && !image)
    }

    pub(super) fn jobs_by_number(&self) -> BTreeMap<u32, JobView> {
        let show = |(number, job): (&u32, &Job)| {
            let view = JobView {
                kind: job.kind.clone(),
                subject: job.subject,
                state: job.state.clone(),
                phase: view::phase(job.progress.phase),
                progress: job.progress.share,
                left_secs: job.progress.left_secs,
                detail: job.detail.clone(),
            };
            (*number, view)
        };
        self.jobs.iter().map(show).collect()
    }
}
