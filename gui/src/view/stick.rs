//! The assistant that pairs a computer and makes its stick.

use super::heard::heard;
use super::units;
use super::words::fill;
use crate::picture::{Drive, Job, Pairing};
use gettextrs::gettext;
use stiefel_dbus::words::{DriveState, JobKind, JobPhase, JobState};

/// Longest name, in bytes: as the contract says of `Pair`.
const MAX_NAME_LEN: usize = 48;

/// Why a name cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameTrouble {
    /// Nothing was typed yet, which is nobody's fault.
    Empty,
    TooLong,
    Control,
    Taken,
}

impl NameTrouble {
    /// For people.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::TooLong => gettext("This name is too long"),
            Self::Control => gettext("This name has characters that cannot be shown"),
            Self::Taken => gettext("Another paired computer has this name"),
        }
    }
}

/// What is wrong with a name as it was typed; blanks at its ends are not.
#[must_use]
pub fn name_trouble(typed: &str, pairings: &[Pairing]) -> Option<NameTrouble> {
    let name = typed.trim();
    if name.is_empty() {
        Some(NameTrouble::Empty)
    } else if name.len() > MAX_NAME_LEN {
        Some(NameTrouble::TooLong)
    } else if name.chars().any(char::is_control) {
        Some(NameTrouble::Control)
    } else if pairings.iter().any(|pairing| pairing.name == name) {
        Some(NameTrouble::Taken)
    } else {
        None
    }
}

/// A drive that could be written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveRow {
    pub path: String,
    pub title: String,
    pub text: String,
    pub size: String,
    /// It can be chosen.
    pub usable: bool,
    /// What is on it has to be unmounted.
    pub mounted: bool,
    /// What is asked before it is erased.
    pub warning: String,
}

/// All drives, those that can be chosen first.
#[must_use]
pub fn drives(all: &[Drive]) -> Vec<DriveRow> {
    let mut rows: Vec<_> = all.iter().map(drive_row).collect();
    rows.sort_by_key(|row| !row.usable);
    rows
}

fn drive_row(drive: &Drive) -> DriveRow {
    let title = match drive.model.as_str() {
        "" => gettext("Removable Drive"),
        model => model.to_owned(),
    };
    let holds = drive.volumes.join(", ");
    let mounted = drive.state == DriveState::Mounted;
    let usable = mounted || drive.state == DriveState::Free;
    let text = match &drive.state {
        DriveState::Free if holds.is_empty() => gettext("Empty"),
        DriveState::Free | DriveState::Mounted => fill(&gettext("Holds {names}"), "names", &holds),
        DriveState::Busy | DriveState::Unknown(_) => gettext("In use by another program"),
        DriveState::ReadOnly => gettext("Protected against writing"),
        DriveState::TooSmall => gettext("Too small"),
        DriveState::NoMedium => gettext("Nothing in it"),
    };
    let device = drive.device.trim_start_matches("/dev/");
    DriveRow {
        path: drive.path.clone(),
        warning: warning(&title, &holds, drive),
        text: format!("{text} · {device}"),
        title,
        size: match drive.size {
            0 => String::new(),
            bytes => units::size(bytes),
        },
        usable,
        mounted,
    }
}

fn warning(title: &str, holds: &str, drive: &Drive) -> String {
    let text = match holds {
        "" => gettext("Everything on {drive} ({size}) will be erased. It seems to be empty."),
        _ => gettext("Everything on {drive} ({size}) will be erased: {names}."),
    };
    let text = fill(&text, "drive", title);
    let text = fill(&text, "size", &units::size(drive.size));
    fill(&text, "names", holds)
}

/// How far a stick is, or an image of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Writing {
    /// What is being made.
    pub heading: String,
    pub end: Option<End>,
    pub icon: &'static str,
    pub title: String,
    pub text: String,
    /// From 0 to 1; none if that is not known.
    pub progress: Option<f64>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Done,
    Failed,
    Cancelled,
}

impl Writing {
    /// What is said until there is a job.
    #[must_use]
    pub fn asked_for(file: bool) -> Self {
        Self {
            heading: match file {
                true => gettext("Making the Image"),
                false => gettext("Making the Stick"),
            },
            end: None,
            icon: match file {
                true => "document-save-symbolic",
                false => "media-removable-symbolic",
            },
            title: gettext("Preparing…"),
            text: String::new(),
            progress: None,
        }
    }

    /// What is said of a job that the daemon does not know any more.
    #[must_use]
    pub fn forgotten() -> Self {
        let text = gettext(
            "The service was started again meanwhile, and knows nothing of it. Make the stick once more.",
        );
        Self::asked_for(false).ended(End::Failed, gettext("The Stick May Not Be Ready"), text)
    }

    /// The view of a job; without one it has just been asked for.
    #[must_use]
    pub fn of(job: Option<&Job>, name: &str) -> Self {
        let Some(job) = job else {
            return Self::asked_for(false);
        };
        let file = job.kind == JobKind::SaveStick;
        let asked_for = Self::asked_for(file);
        match job.state {
            JobState::Running | JobState::Unknown(_) => asked_for.running(job),
            JobState::Done => {
                let (title, text) = done(file);
                asked_for.ended(End::Done, title, fill(&text, "name", name))
            }
            JobState::Failed => {
                let title = match file {
                    true => gettext("The Image Was Not Made"),
                    false => gettext("The Stick Was Not Made"),
                };
                asked_for.ended(End::Failed, title, heard(&job.detail))
            }
            JobState::Cancelled => {
                let text = match file {
                    true => gettext("The file cannot be used."),
                    false => gettext("The drive is erased, or cannot be used as it is."),
                };
                asked_for.ended(End::Cancelled, gettext("Stopped"), text)
            }
        }
    }

    fn running(self, job: &Job) -> Self {
        Self {
            title: match job.phase {
                JobPhase::None | JobPhase::Unknown(_) | JobPhase::Making => gettext("Preparing…"),
                JobPhase::Writing => gettext("Writing…"),
                JobPhase::Verifying => gettext("Checking What Was Written…"),
            },
            text: match job.remaining_usec {
                0 => String::new(),
                left => fill(&gettext("{time} left"), "time", &units::duration(left)),
            },
            progress: Some(job.progress.clamp(0.0, 1.0)),
            ..self
        }
    }

    fn ended(self, end: End, title: String, text: String) -> Self {
        Self {
            end: Some(end),
            icon: match end {
                End::Done => "object-select-symbolic",
                End::Failed => "dialog-error-symbolic",
                End::Cancelled => "dialog-warning-symbolic",
            },
            title,
            text,
            progress: None,
            ..self
        }
    }
}

fn done(file: bool) -> (String, String) {
    match file {
        true => (
            gettext("The Image Is Ready"),
            gettext(
                "Write it to a drive with any image writer, and start {name} from that. Whoever has this file can borrow your disk: delete it when you are done.",
            ),
        ),
        false => (
            gettext("The Stick Is Ready"),
            gettext("It was written and checked. Plug it into {name}, and start {name} from it."),
        ),
    }
}
