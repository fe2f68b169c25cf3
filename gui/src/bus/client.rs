//! Keeps the picture true: selects what happened, applies it, publishes.
//!
//! The signals are subscribed to first, then everything is read.

use super::asking;
use super::mirror::Mirror;
use super::objects::Objects;
use super::{Answer, Ask, Refusal, Request};
use crate::picture::{Daemon, Picture};
use futures_util::StreamExt;
use std::future::pending;
use std::time::Duration;
use stiefel_dbus::names;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use zbus::fdo::{DBusProxy, NameOwnerChangedStream};
use zbus::message::Type;
use zbus::{Connection, MatchRule, Message, MessageStream};

/// The daemon answers in milliseconds, and starts in less than a second; who
/// waits longer is told.
const LATE_AFTER: Duration = Duration::from_secs(3);
/// systemd starts a daemon that crashed at once; after this it is called.
const BACK_WITHIN: Duration = Duration::from_secs(2);
/// Signals that may wait for us.
const WAITING: usize = 256;

/// Talks with the daemon until nobody has a handle any more.
pub(super) async fn run(
    address: Option<String>,
    mut requests: mpsc::Receiver<Request>,
    publish: watch::Sender<Picture>,
) {
    loop {
        let why = match Client::connect(address.as_deref(), publish.clone()).await {
            Ok(client) => client.serve(&mut requests).await,
            Err(error) => Some(error.to_string()),
        };
        let Some(why) = why else { return };
        publish.send_modify(|picture| picture.daemon = Daemon::Gone(why.clone()));
        // Whoever wants to know more asks again; until then there is no reason to try.
        let Some(request) = requests.recv().await else {
            return;
        };
        let answer = match request.ask {
            Ask::Look => Ok(Answer::Done),
            _ => Err(Refusal::Unreachable(why)),
        };
        let _ = request.answer.send(answer);
    }
}

/// Everything that wakes us.
enum Event {
    Signal(Box<Message>),
    /// The daemon's name has an owner, or none.
    Owner(bool),
    Looked(zbus::Result<Objects>),
    /// What was to be there by now is not.
    Overdue,
    Request(Request),
    /// Nobody has a handle any more.
    Left,
    /// There is no bus any more.
    Cut,
}

struct Client {
    bus: Connection,
    signals: MessageStream,
    owners: NameOwnerChangedStream,
    mirror: Mirror,
    daemon: Daemon,
    /// All objects are being read.
    look: Option<JoinHandle<zbus::Result<Objects>>>,
    overdue_at: Option<Instant>,
    /// Somebody watches what moves all the time.
    watching: bool,
    publish: watch::Sender<Picture>,
}

impl Client {
    async fn connect(address: Option<&str>, publish: watch::Sender<Picture>) -> zbus::Result<Self> {
        let builder = match address {
            None => zbus::connection::Builder::system(),
            Some("session") => zbus::connection::Builder::session(),
            Some(address) => zbus::connection::Builder::address(address),
        };
        let bus = builder?.build().await?;
        let rule = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender(names::SERVICE)?
            .path_namespace(names::ROOT)?
            .build();
        let signals = MessageStream::for_match_rule(rule, &bus, Some(WAITING)).await?;
        let owners = DBusProxy::new(&bus)
            .await?
            .receive_name_owner_changed_with_args(&[(0, names::SERVICE)])
            .await?;
        let mut client = Self {
            bus,
            signals,
            owners,
            mirror: Mirror::default(),
            daemon: Daemon::Asked,
            look: None,
            overdue_at: None,
            watching: false,
            publish,
        };
        client.look();
        Ok(client)
    }

    /// Why it ended; nothing if nobody has a handle any more.
    async fn serve(mut self, requests: &mut mpsc::Receiver<Request>) -> Option<String> {
        loop {
            match self.select(requests).await {
                Event::Left => return None,
                Event::Cut => return Some("the connection with the bus was cut".into()),
                event => self.apply(event),
            }
            self.publish();
        }
    }

    async fn select(&mut self, requests: &mut mpsc::Receiver<Request>) -> Event {
        tokio::select! {
            signal = self.signals.next() => match signal {
                Some(Ok(message)) => Event::Signal(Box::new(message)),
                Some(Err(_)) | None => Event::Cut,
            },
            owner = self.owners.next() => match owner.as_ref().map(|change| change.args()) {
                Some(Ok(args)) => Event::Owner(args.new_owner().is_some()),
                Some(Err(_)) | None => Event::Cut,
            },
            looked = done(&mut self.look) => Event::Looked(looked),
            () = reached(self.overdue_at) => Event::Overdue,
            request = requests.recv() => request.map_or(Event::Left, Event::Request),
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Signal(message) => self.mirror.take(*message),
            Event::Owner(true) => {
                // An answer of the one before says nothing of this one.
                self.look = None;
                self.look();
            }
            Event::Owner(false) => self.vanished(),
            Event::Looked(looked) => self.looked(looked),
            Event::Overdue => {
                self.overdue_at = None;
                self.daemon = Daemon::Late;
                self.look();
            }
            Event::Request(request) => self.obey(request),
            Event::Left | Event::Cut => {}
        }
    }

    fn publish(&self) {
        let picture = self.mirror.picture(self.daemon.clone());
        self.publish.send_if_modified(|last| {
            let news = *last != picture;
            *last = picture;
            news
        });
    }

    /// Begins to read everything; starts the daemon if it does not run.
    fn look(&mut self) {
        if self.look.is_some() {
            return;
        }
        self.mirror.reading();
        self.look = Some(tokio::spawn(asking::look(self.bus.clone())));
        if self.daemon != Daemon::Late {
            self.overdue_at = Some(Instant::now() + LATE_AFTER);
        }
    }

    fn looked(&mut self, looked: zbus::Result<Objects>) {
        self.look = None;
        self.overdue_at = None;
        match looked {
            Ok(objects) => {
                self.mirror.read(objects);
                self.daemon = Daemon::Here;
                if self.watching {
                    // Whoever measures may be a new one that knows of no subscriber.
                    tokio::spawn(asking::watch(self.bus.clone(), true));
                }
            }
            Err(error) => {
                self.mirror.gave_up();
                self.daemon = Daemon::Gone(match error {
                    zbus::Error::MethodError(_, Some(why), _) => why,
                    error => error.to_string(),
                });
            }
        }
    }

    fn vanished(&mut self) {
        self.look = None;
        self.mirror.gave_up();
        let picture = self.mirror.picture(self.daemon.clone());
        match self.daemon {
            Daemon::Here | Daemon::Resting if picture.is_at_rest() => {
                self.overdue_at = None;
                self.daemon = Daemon::Resting;
            }
            Daemon::Gone(_) => {}
            Daemon::Here | Daemon::Asked | Daemon::Late | Daemon::Resting => {
                self.daemon = Daemon::Late;
                self.overdue_at = Some(Instant::now() + BACK_WITHIN);
            }
        }
    }

    fn obey(&mut self, request: Request) {
        match request.ask {
            Ask::Look => {
                self.look();
                let _ = request.answer.send(Ok(Answer::Done));
                return;
            }
            Ask::Watch(watching) => self.watching = watching,
            // Whether it answers at all shows sooner than the answer, for
            // which a person may have to type a password.
            _ => self.look(),
        }
        let bus = self.bus.clone();
        tokio::spawn(async move {
            let answer = asking::ask(&bus, request.ask).await;
            let answer = answer.map_err(|error| Refusal::of(&error));
            let _ = request.answer.send(answer);
        });
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(look) = &self.look {
            look.abort();
        }
    }
}

async fn done(look: &mut Option<JoinHandle<zbus::Result<Objects>>>) -> zbus::Result<Objects> {
    match look {
        Some(task) => match task.await {
            Ok(looked) => looked,
            Err(error) => Err(zbus::Error::Failure(error.to_string())),
        },
        None => pending().await,
    }
}

async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
