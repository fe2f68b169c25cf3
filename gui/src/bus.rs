//! The daemon, as the application knows it: a [`Picture`] that is kept up to
//! date, and [`Ask`]s that are answered.
//!
//! ```text
//!  GTK's thread                                    the bus' thread
//!  pictures.changed() ◀── watch::<Picture> ──┐
//!                                            ├── client: select, apply, publish ◀──▶ D-Bus
//!  bus.ask(..).await ──── mpsc::<Request> ───┘
//! ```
//!
//! The daemon may be absent, restart, end by itself because it is at rest, or
//! answer late; [`crate::picture::Daemon`] says which. Nothing is polled: while nothing
//! changes, neither thread wakes up.

mod asking;
mod client;
mod mirror;
mod objects;
mod refusal;

use crate::picture::Picture;
pub use refusal::Refusal;
use std::os::fd::OwnedFd;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that wait for the bus' thread; people press buttons one by one.
const WAITING: usize = 32;

/// What can be asked of the daemon. Objects are given by their paths.
#[derive(Debug)]
pub enum Ask {
    /// Start it if it does not run, and look at everything again.
    Look,
    Arm,
    Disarm,
    Refresh,
    UpdateImage,
    /// Announce a hand-off to this pairing.
    Begin(String),
    Confirm,
    Cancel,
    /// Answers with the pairing's object.
    Pair(String),
    Rename(String, String),
    SetPairingPolicy(String, String),
    Forget(String),
    SetLinkPolicy(String, String),
    /// One of the settings, by its name in the contract.
    Set(&'static str, Setting),
    Reset,
    /// Make the boot medium of this pairing; answers with the job's object.
    WriteStick(String, Medium),
    CancelJob(String),
    /// Whether what moves all the time is measured each second.
    Watch(bool),
    /// Whether programs that forbid to shut down are to be overruled.
    GiveBack(bool),
}

/// What a boot medium is made of.
#[derive(Debug)]
pub enum Medium {
    /// A drive's object, and whether it may be unmounted.
    Drive(String, bool),
    /// A file, open for reading and writing.
    File(OwnedFd),
}

/// A value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    Word(String),
    Number(u32),
}

/// What the daemon answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// It is done, or has begun, and this is its object.
    Object(String),
}

struct Request {
    ask: Ask,
    answer: oneshot::Sender<Result<Answer, Refusal>>,
}

/// A handle; clones are the same daemon.
#[derive(Clone, Debug)]
pub struct Bus {
    requests: mpsc::Sender<Request>,
    pictures: watch::Receiver<Picture>,
    runtime: tokio::runtime::Handle,
}

impl Bus {
    /// Begins to talk with the daemon on the bus at `address`, or on the system
    /// bus, in a thread of its own that ends with the last clone.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(address: Option<String>) -> std::io::Result<Self> {
        let (requests, queue) = mpsc::channel(WAITING);
        let (publish, pictures) = watch::channel(Picture::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("bus".into())
            .spawn(move || runtime.block_on(client::run(address, queue, publish)))?;
        Ok(Self {
            requests,
            pictures,
            runtime: handle,
        })
    }

    /// The picture, as it changes. Can be awaited in any thread.
    #[must_use]
    pub fn pictures(&self) -> watch::Receiver<Picture> {
        self.pictures.clone()
    }

    /// What runs in the bus' thread, for others who talk D-Bus.
    #[must_use]
    pub fn runtime(&self) -> tokio::runtime::Handle {
        self.runtime.clone()
    }

    /// Asks, and waits for the answer: for minutes if a person is asked for
    /// a password. Can be awaited in any thread.
    ///
    /// # Errors
    /// The daemon, or polkit, said no, or nobody answered.
    pub async fn ask(&self, ask: Ask) -> Result<Answer, Refusal> {
        let (answer, answered) = oneshot::channel();
        let sent = self.requests.send(Request { ask, answer }).await;
        if sent.is_err() {
            return Err(Refusal::Unreachable(String::new()));
        }
        answered
            .await
            .unwrap_or_else(|_| Err(Refusal::Unreachable(String::new())))
    }
}
