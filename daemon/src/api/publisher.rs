//! Tells the bus what has changed, and only then answers who asked for it: a
//! caller whose call has returned finds its effect in the properties.

use super::drive::Drive;
use super::handoff::HandOff;
use super::job::Job;
use super::link::Link;
use super::loan::Loan;
use super::manager::Manager;
use super::pairing::Pairing;
use super::settings::Settings;
use super::{BusError, Desk};
use crate::request::{Answer, Refused, Reply};
use crate::view::View;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use stiefel_dbus::names;
use tokio::sync::{mpsc, watch};
use zbus::fdo;
use zbus::object_server::{Interface, SignalEmitter};
use zbus::zvariant::{ObjectPath, OwnedValue, Value};

/// A new picture, and the answers that may leave once everybody can see it.
pub struct Publication {
    /// What the bus shall show.
    pub view: Arc<View>,
    /// Answers to calls.
    pub replies: Vec<(Reply, Result<Answer, Refused>)>,
}

/// What an interface of an object showed last.
type Shown = HashMap<String, OwnedValue>;

/// Keeps the bus and the picture equal.
pub struct Publisher {
    bus: zbus::Connection,
    desk: Desk,
    view: watch::Sender<Arc<View>>,
    shown: HashMap<(String, &'static str), Shown>,
}

impl Publisher {
    /// Puts all objects of the first picture on the bus.
    ///
    /// # Errors
    /// The bus is lost.
    pub async fn new(
        bus: zbus::Connection,
        desk: Desk,
        view: watch::Sender<Arc<View>>,
    ) -> zbus::Result<Self> {
        let server = bus.object_server();
        server.at(names::ROOT, fdo::ObjectManager).await?;
        server.at(names::ROOT, Manager(desk.clone())).await?;
        server.at(names::ROOT, HandOff(desk.clone())).await?;
        server.at(names::ROOT, Settings(desk.clone())).await?;
        let first = Arc::clone(&view.borrow());
        let mut this = Self {
            bus,
            desk,
            view,
            shown: HashMap::new(),
        };
        this.show(&first).await?;
        Ok(this)
    }

    /// Publishes until there is nothing more to publish.
    pub async fn work(mut self, mut publications: mpsc::Receiver<Publication>) {
        while let Some(Publication { view, replies }) = publications.recv().await {
            self.view.send_replace(Arc::clone(&view));
            // That we look ourselves is no use.
            let used = self.desk.used.load(Ordering::Relaxed);
            let shown = self.show(&view).await;
            self.desk.used.store(used, Ordering::Relaxed);
            if let Err(error) = shown {
                tracing::warn!("cannot tell the bus what has changed: {error}");
            }
            for (reply, answer) in replies {
                // Whoever asked may be gone.
                let _ = reply.send(answer);
            }
        }
    }

    async fn show(&mut self, view: &View) -> zbus::Result<()> {
        let bus = self.bus.clone();
        let server = bus.object_server();
        if view.loan.is_some() && !self.is_shown(names::ROOT, names::LOAN) {
            server.at(names::ROOT, Loan(self.desk.clone())).await?;
            self.changed::<Loan>(names::ROOT).await?;
            self.tell_loan_came().await?;
        } else if view.loan.is_some() {
            self.changed::<Loan>(names::ROOT).await?;
        }
        self.changed::<Manager>(names::ROOT).await?;
        self.changed::<Settings>(names::ROOT).await?;
        for id in view.pairings.keys() {
            let path = names::pairing_path(&id.to_string());
            if !self.is_shown(&path, names::PAIRING) {
                let desk = self.desk.clone();
                server.at(path.as_str(), Pairing { desk, id: *id }).await?;
            }
            self.changed::<Pairing>(&path).await?;
        }
        for name in view.links.keys() {
            let path = names::link_path(name);
            if !self.is_shown(&path, names::LINK) {
                let (desk, name) = (self.desk.clone(), name.clone());
                server.at(path.as_str(), Link { desk, name }).await?;
            }
            self.changed::<Link>(&path).await?;
        }
        for name in view.drives.keys() {
            let path = names::drive_path(name);
            if !self.is_shown(&path, names::DRIVE) {
                let (desk, name) = (self.desk.clone(), name.clone());
                server.at(path.as_str(), Drive { desk, name }).await?;
            }
            self.changed::<Drive>(&path).await?;
        }
        for number in view.jobs.keys() {
            let path = names::job_path(*number);
            if !self.is_shown(&path, names::JOB) {
                let (desk, number) = (self.desk.clone(), *number);
                server.at(path.as_str(), Job { desk, number }).await?;
            }
            self.changed::<Job>(&path).await?;
        }
        // After the pairings, so that a Borrower is there before it is named.
        self.changed::<HandOff>(names::ROOT).await?;
        self.remove_vanished(view).await
    }

    fn is_shown(&self, path: &str, interface: &'static str) -> bool {
        self.shown.contains_key(&(path.to_owned(), interface))
    }

    /// An object manager tells only of what is below it, and the loan is beside it.
    async fn tell_loan_came(&self) -> zbus::Result<()> {
        let key = (names::ROOT.to_owned(), names::LOAN);
        let properties = self.shown.get(&key).into_iter().flatten();
        let properties: HashMap<&str, Value<'_>> = properties
            .map(|(name, value)| Ok((name.as_str(), Value::try_from(value)?)))
            .collect::<zbus::zvariant::Result<_>>()?;
        let emitter = SignalEmitter::new(&self.bus, names::ROOT)?;
        let interfaces = HashMap::from([(Loan::name(), properties)]);
        let path = ObjectPath::from_static_str_unchecked(names::ROOT);
        fdo::ObjectManager::interfaces_added(&emitter, path, interfaces).await
    }

    async fn tell_loan_went(&self) -> zbus::Result<()> {
        let emitter = SignalEmitter::new(&self.bus, names::ROOT)?;
        let path = ObjectPath::from_static_str_unchecked(names::ROOT);
        fdo::ObjectManager::interfaces_removed(&emitter, path, (&[Loan::name()]).into()).await
    }

    async fn remove_vanished(&mut self, view: &View) -> zbus::Result<()> {
        let there = |(path, interface): &(String, &'static str)| match *interface {
            names::PAIRING => view
                .pairings
                .keys()
                .any(|id| *path == names::pairing_path(&id.to_string())),
            names::LINK => view
                .links
                .keys()
                .any(|name| *path == names::link_path(name)),
            names::DRIVE => view
                .drives
                .keys()
                .any(|name| *path == names::drive_path(name)),
            names::JOB => view
                .jobs
                .keys()
                .any(|number| *path == names::job_path(*number)),
            names::LOAN => view.loan.is_some(),
            _ => true,
        };
        let vanished: Vec<_> = self
            .shown
            .keys()
            .filter(|key| !there(key))
            .cloned()
            .collect();
        for key in vanished {
            let server = self.bus.object_server();
            match key.1 {
                names::PAIRING => server.remove::<Pairing, _>(key.0.as_str()).await?,
                names::JOB => server.remove::<Job, _>(key.0.as_str()).await?,
                names::DRIVE => server.remove::<Drive, _>(key.0.as_str()).await?,
                names::LOAN => {
                    server.remove::<Loan, _>(key.0.as_str()).await?;
                    self.tell_loan_went().await?;
                    true
                }
                _ => server.remove::<Link, _>(key.0.as_str()).await?,
            };
            self.shown.remove(&key);
        }
        Ok(())
    }

    /// Signals what is not as it was shown last, in one message.
    async fn changed<I: Interface>(&mut self, path: &str) -> zbus::Result<()> {
        let name = I::name();
        let server = self.bus.object_server();
        let reference = server.interface::<_, I>(path).await?;
        let emitter = reference.signal_emitter();
        let now = reference
            .get()
            .await
            .get_all(server, &self.bus, None, emitter)
            .await?;
        let key = (path.to_owned(), word(name.as_str()));
        let before = self.shown.entry(key).or_insert_with(|| clone(&now));
        let changed: HashMap<&str, Value<'_>> = now
            .iter()
            .filter(|(property, value)| before.get(*property) != Some(value))
            .map(|(property, value)| Ok((property.as_str(), Value::try_from(value)?)))
            .collect::<zbus::zvariant::Result<_>>()?;
        if !changed.is_empty() {
            fdo::Properties::properties_changed(emitter, name, changed, Cow::Borrowed(&[])).await?;
            *before = now;
        }
        Ok(())
    }
}

/// No value of ours has a descriptor, so each can be cloned.
fn clone(shown: &Shown) -> Shown {
    shown
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.try_clone().ok()?)))
        .collect()
}

/// The interface's name for as long as the program runs.
fn word(interface: &str) -> &'static str {
    [
        names::MANAGER,
        names::HANDOFF,
        names::LOAN,
        names::SETTINGS,
        names::PAIRING,
        names::LINK,
        names::DRIVE,
        names::JOB,
    ]
    .into_iter()
    .find(|name| *name == interface)
    .unwrap_or_default()
}

impl BusError {
    /// The loop answered something else than was asked.
    pub(super) fn wrong_answer() -> Self {
        fdo::Error::Failed("the daemon is confused; please report this".into()).into()
    }
}
