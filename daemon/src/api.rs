//! The bus: objects that show the [`View`] and pass requests on. No logic.

mod drive;
mod handoff;
mod job;
mod link;
mod loan;
mod manager;
mod medium;
mod pairing;
mod publisher;
mod settings;
mod turns;

pub use publisher::{Publication, Publisher};

use self::turns::Turns;
use crate::bouncer::{Bouncer, ROOT, is_interactive};
use crate::foregone::foregone;
use crate::request::{Answer, Call, Refused, Request};
use crate::view::View;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use stiefel_core::handoff::Refusal;
use stiefel_core::pairing::PairingId;
use stiefel_dbus::names;
use tokio::sync::{mpsc, oneshot, watch};
use zbus::fdo;
use zbus::message::{Header, Message};
use zbus::names::ErrorName;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue};

/// Requests that may wait for the loop; more callers wait in the queue of the bus.
pub const CALLS: usize = 64;

/// What every object of the bus has.
#[derive(Clone)]
pub struct Desk {
    view: watch::Receiver<Arc<View>>,
    calls: mpsc::Sender<Call>,
    bouncer: Arc<dyn Bouncer>,
    turns: Arc<Turns>,
    used: Arc<AtomicBool>,
}

impl Desk {
    /// Shows `view`, notes in `used` that somebody looked, and passes on to `calls` what
    /// `bouncer` admits.
    pub fn new(
        view: watch::Receiver<Arc<View>>,
        calls: mpsc::Sender<Call>,
        bouncer: Arc<dyn Bouncer>,
        used: Arc<AtomicBool>,
    ) -> Self {
        Self {
            view,
            calls,
            bouncer,
            turns: Arc::new(Turns::new()),
            used,
        }
    }

    fn view(&self) -> Arc<View> {
        self.used.store(true, Ordering::Relaxed);
        Arc::clone(&self.view.borrow())
    }

    /// The only way to the loop: no request gets there that its action does not allow.
    async fn ask(&self, request: Request, header: &Header<'_>) -> Result<Answer, BusError> {
        if let Some(answer) = foregone(&self.view(), &request) {
            return Ok(answer?);
        }
        let user = self.bouncer.user(header).await?;
        if user != ROOT {
            let _turn = self.turns.wait(user, is_interactive(header)).await;
            // Others had theirs before.
            if let Some(answer) = foregone(&self.view(), &request) {
                return Ok(answer?);
            }
            self.bouncer.admit(request.action(), header).await?;
        }
        let (reply, answer) = oneshot::channel();
        let ending = |_| fdo::Error::Failed("the daemon is about to end".into());
        self.calls
            .send(Call { request, reply })
            .await
            .map_err(|_| ending(()))?;
        Ok(answer.await.map_err(|_| ending(()))??)
    }

    async fn do_it(&self, request: Request, header: &Header<'_>) -> Result<(), BusError> {
        self.ask(request, header).await.map(drop)
    }
}

/// What a caller is told when a call fails.
#[derive(Debug)]
enum BusError {
    Refused(Refused),
    Standard(fdo::Error),
}

impl BusError {
    fn invalid(text: impl std::fmt::Display) -> Self {
        Self::Standard(fdo::Error::InvalidArgs(text.to_string()))
    }

    /// The last part of our own error's name.
    fn word(refused: &Refused) -> &'static str {
        match refused {
            Refused::Blocked(_) => "Blocked",
            Refused::HandOff(Refusal::InProgress) => "InProgress",
            Refused::HandOff(Refusal::NotAnnounced) => "NotAnnounced",
            Refused::HandOff(Refusal::TooLate) => "TooLate",
            Refused::NotPaired => "NotPaired",
            Refused::NameTaken(_) => "NameTaken",
            Refused::TooMany | Refused::TooManyLinks | Refused::TooManySubscribers => "TooMany",
            Refused::JobRuns => "InProgress",
            Refused::ImageMissing => "ImageMissing",
            Refused::NotRemovable => "NotRemovable",
            Refused::NoDrive => "NoDrive",
            Refused::DriveBusy { .. } => "DriveBusy",
            Refused::NotBorrowed => "NotBorrowed",
            // Told by the standard error of that name.
            Refused::NotSupported(_) => "NotSupported",
            Refused::NoLink => "NoLink",
            Refused::NoJob => "NoJob",
            Refused::Borrowed => "Borrowed",
            Refused::Failed(_) => "Failed",
        }
    }
}

impl From<Refused> for BusError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotSupported(why) => Self::Standard(fdo::Error::NotSupported(why)),
            refused => Self::Refused(refused),
        }
    }
}

impl From<fdo::Error> for BusError {
    fn from(error: fdo::Error) -> Self {
        Self::Standard(error)
    }
}

/// Properties can only fail with the standard errors of D-Bus.
impl From<BusError> for fdo::Error {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Standard(error) => error,
            BusError::Refused(refused @ Refused::NameTaken(_)) => {
                Self::InvalidArgs(refused.to_string())
            }
            BusError::Refused(refused) => Self::Failed(refused.to_string()),
        }
    }
}

impl zbus::DBusError for BusError {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<Message> {
        match self {
            Self::Standard(error) => error.create_reply(call),
            Self::Refused(refused) => {
                Message::error(call, self.name())?.build(&(refused.to_string(),))
            }
        }
    }

    fn name(&self) -> ErrorName<'_> {
        match self {
            Self::Standard(error) => error.name(),
            Self::Refused(refused) => ErrorName::from_string_unchecked(format!(
                "{}{}",
                names::ERROR_PREFIX,
                Self::word(refused)
            )),
        }
    }

    fn description(&self) -> Option<&str> {
        match self {
            Self::Standard(error) => error.description(),
            // Only `create_reply` has a text of its own.
            Self::Refused(_) => None,
        }
    }
}

/// The only option of a call, true or false; false if it is not there.
fn flag(options: HashMap<String, OwnedValue>, name: &str) -> Result<bool, BusError> {
    flags(options, [name]).map(|[value]| value)
}

/// The same for several.
fn flags<const N: usize>(
    options: HashMap<String, OwnedValue>,
    names: [&str; N],
) -> Result<[bool; N], BusError> {
    let mut values = [false; N];
    for (key, given) in options {
        let at = names.iter().position(|name| *name == key);
        let given = at.and_then(|at| Some((at, bool::try_from(given).ok()?)));
        // The key may be anything; it is not sent back.
        let (at, value) = given.ok_or_else(|| {
            let known = names.join("\" and \"");
            BusError::invalid(format!("only the option \"{known}\" is known, a boolean"))
        })?;
        values[at] = value;
    }
    Ok(values)
}

/// The pairing that a caller means.
fn pairing_at(path: &ObjectPath<'_>) -> Result<PairingId, Refused> {
    let id = path.strip_prefix(names::PAIRINGS);
    let id = id.and_then(|id| id.strip_prefix('/')?.parse().ok());
    id.ok_or(Refused::NotPaired)
}

/// The job that an answer speaks of.
fn job_at(answer: Answer) -> Result<OwnedObjectPath, BusError> {
    match answer {
        Answer::Begun(job) => Ok(ObjectPath::from_string_unchecked(names::job_path(job)).into()),
        Answer::Done | Answer::Paired(_) | Answer::Ticket(_) => Err(BusError::wrong_answer()),
    }
}

/// No options are defined yet, and an unknown one must not be passed over in silence.
fn no_options(options: &HashMap<String, OwnedValue>) -> Result<(), BusError> {
    match options.keys().next() {
        None => Ok(()),
        // The key may be anything; it is not sent back.
        Some(_) => Err(BusError::invalid("no options are defined for this call")),
    }
}
