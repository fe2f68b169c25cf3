//! What needs nobody's permission: requests that can change nothing as things are, whoever asks.
//! They are answered from what everybody sees anyway, before polkit is asked, so that nobody
//! types a password in vain.

use crate::request::{Answer, Medium, Refused, Request};
use crate::store::MAX_PAIRINGS;
use crate::view::{DriveView, JobView, View, in_words};
use stiefel_core::handoff::{Borrower, Refusal};
use stiefel_core::pairing::{Name, PairingId};
use stiefel_dbus::words::{DriveState, ImageState, JobKind, JobState, PairingPolicy, Role, State};

/// The answer to a request that can change nothing: it cannot be done, or there is nothing to do.
#[must_use]
pub fn foregone(view: &View, request: &Request) -> Option<Result<Answer, Refused>> {
    match impossible(view, request) {
        Err(refused) => Some(Err(refused)),
        Ok(()) => nothing_to_do(view, request).map(Ok),
    }
}

fn impossible(view: &View, request: &Request) -> Result<(), Refused> {
    if view.role == Role::Borrower && request.is_for_lenders() {
        return Err(Refused::Borrowed);
    }
    match request {
        Request::Pair(_) if view.pairings.len() >= MAX_PAIRINGS => Err(Refused::TooMany),
        Request::Pair(name) => is_free(view, name, None),
        Request::Rename(pairing, name) => {
            is_paired(view, *pairing)?;
            is_free(view, name, Some(*pairing))
        }
        Request::SetPolicy(pairing, _)
        | Request::ExportTicket(pairing)
        | Request::Forget(pairing) => is_paired(view, *pairing),
        Request::Begin(borrower) => {
            is_known(view, *borrower)?;
            is_idle(view)?;
            match view.handoff.blockers.as_slice() {
                [] => Ok(()),
                blockers => Err(Refused::Blocked(in_words(blockers))),
            }
        }
        Request::Confirm => match view.handoff.state {
            State::Idle | State::Reverting => Err(Refusal::NotAnnounced.into()),
            State::Announced | State::Preparing | State::Leaving | State::Unknown(_) => Ok(()),
        },
        Request::Cancel if view.handoff.state == State::Leaving => Err(Refusal::TooLate.into()),
        Request::UpdateImage => {
            is_idle(view)?;
            match running(view) {
                Some((_, kind)) if *kind != JobKind::UpdateImage => Err(Refused::JobRuns),
                Some(_) | None => Ok(()),
            }
        }
        Request::StopJob(job) if !view.jobs.contains_key(job) => Err(Refused::NoJob),
        Request::SetLinkPolicy(link, _) if !view.links.contains_key(link) => Err(Refused::NoLink),
        Request::WriteStick(pairing, medium) => {
            is_paired(view, *pairing)?;
            is_idle(view)?;
            if running(view).is_some() {
                return Err(Refused::JobRuns);
            }
            is_writable(view, medium)?;
            match view.image {
                ImageState::Ready => Ok(()),
                _ => Err(Refused::ImageMissing),
            }
        }
        Request::Arm
        | Request::Disarm
        | Request::Refresh
        | Request::Cancel
        | Request::StopJob(_)
        | Request::SetLinkPolicy(..)
        | Request::Set(_)
        | Request::ResetSettings
        | Request::GiveBack { .. }
        | Request::Subscribe(_)
        | Request::Unsubscribe(_) => Ok(()),
    }
}

/// It is as was asked for already.
fn nothing_to_do(view: &View, request: &Request) -> Option<Answer> {
    let state = &view.handoff.state;
    let done = match request {
        Request::Arm => view.armed,
        Request::Disarm => !view.armed,
        Request::Confirm => matches!(state, State::Preparing | State::Leaving),
        Request::Cancel => matches!(state, State::Idle | State::Reverting),
        Request::StopJob(job) => {
            let running = |job: &JobView| job.state == JobState::Running;
            !view.jobs.get(job).is_some_and(running)
        }
        Request::Rename(pairing, name) => {
            let pairing = view.pairings.get(pairing);
            pairing.is_some_and(|pairing| pairing.name == name.as_str())
        }
        Request::UpdateImage => {
            return running(view).map(|(number, _)| Answer::Begun(number));
        }
        Request::Pair(_)
        | Request::Refresh
        | Request::Begin(_)
        | Request::SetPolicy(..)
        | Request::ExportTicket(_)
        | Request::Forget(_)
        | Request::SetLinkPolicy(..)
        | Request::WriteStick(..)
        | Request::Set(_)
        | Request::ResetSettings
        | Request::GiveBack { .. }
        | Request::Subscribe(_)
        | Request::Unsubscribe(_) => false,
    };
    done.then_some(Answer::Done)
}

fn is_paired(view: &View, pairing: PairingId) -> Result<(), Refused> {
    match view.pairings.contains_key(&pairing) {
        true => Ok(()),
        false => Err(Refused::NotPaired),
    }
}

fn is_known(view: &View, borrower: Borrower) -> Result<(), Refused> {
    let mut all = view.pairings.values();
    match borrower {
        Borrower::Pairing(pairing) => is_paired(view, pairing),
        Borrower::Any if all.any(|pairing| pairing.policy != PairingPolicy::Never) => Ok(()),
        Borrower::Any => Err(Refused::NotPaired),
    }
}

/// No pairing has the name but perhaps the one that gets it.
fn is_free(view: &View, name: &Name, of: Option<PairingId>) -> Result<(), Refused> {
    let mut all = view.pairings.iter();
    match all.any(|(id, pairing)| pairing.name == name.as_str() && Some(*id) != of) {
        true => Err(Refused::NameTaken(name.clone())),
        false => Ok(()),
    }
}

fn is_idle(view: &View) -> Result<(), Refused> {
    match view.handoff.state {
        State::Idle => Ok(()),
        _ => Err(Refusal::InProgress.into()),
    }
}

/// The number and kind of the job that goes on.
fn running(view: &View) -> Option<(u32, &JobKind)> {
    let mut jobs = view.jobs.iter();
    let (number, job) = jobs.find(|(_, job)| job.state == JobState::Running)?;
    Some((*number, &job.kind))
}

fn is_writable(view: &View, medium: &Medium) -> Result<(), Refused> {
    let (drive, unmount) = match medium {
        Medium::File(_) => return Ok(()),
        Medium::Block { device, .. } => {
            let mut drives = view.drives.values();
            let drive = drives.find(|one| one.drive.device == *device);
            (drive.ok_or(Refused::NotRemovable)?, false)
        }
        Medium::OwnStick(name) => (view.drives.get(name).ok_or(Refused::NoDrive)?, false),
        Medium::Drive { name, unmount } => {
            (view.drives.get(name).ok_or(Refused::NoDrive)?, *unmount)
        }
    };
    can_be_written(drive, unmount)
}

fn can_be_written(one: &DriveView, unmount: bool) -> Result<(), Refused> {
    let why = match one.state {
        DriveState::Free => return Ok(()),
        DriveState::Mounted if unmount => return Ok(()),
        DriveState::Mounted => "file systems on it are mounted; unmount them first",
        DriveState::ReadOnly => "it refuses to be written to; look for its switch",
        DriveState::TooSmall => "it is too small for a stick",
        DriveState::NoMedium => "there is nothing in it",
        DriveState::Busy | DriveState::Unknown(_) => {
            "this system uses it, e.g. as swap space or as a part of a volume"
        }
    };
    Err(Refused::DriveBusy {
        name: format!("/dev/{}", one.drive.name),
        why,
    })
}
