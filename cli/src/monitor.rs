//! `stiefelctl monitor`
//!
//! All questions and all signals go through one stream, in the order in which the bus has
//! delivered them: what is known is always what the daemon said last. A daemon that has come
//! back is asked for everything once more, and only what is different is told.

mod known;
mod line;

use crate::client::Client;
use crate::output::{Output, json_line, say};
use anyhow::{Context, bail};
use futures_util::StreamExt;
use known::{Change, Event, Known, Properties};
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::json;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::{SystemTime, UNIX_EPOCH};
use stiefel_dbus::names;
use tokio::sync::oneshot;
use zbus::message::{Message, Type};
use zbus::{MatchRule, MessageStream, fdo};

/// What the root object has; a machine that runs from its own disk has no Loan.
const OF_ROOT: [&str; 4] = [names::MANAGER, names::HANDOFF, names::SETTINGS, names::LOAN];
const BUS: &str = "org.freedesktop.DBus";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const OBJECTS: &str = "org.freedesktop.DBus.ObjectManager";

/// What the daemon was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    /// For all objects below the root.
    Objects,
    /// For an interface of the root.
    Root(&'static str),
}

struct Monitor<'a> {
    client: &'a Client,
    output: Output,
    known: Known,
    /// Questions without an answer, by their serial numbers.
    asked: HashMap<NonZeroU32, Question>,
    /// What the answers said so far.
    fresh: Known,
    running: bool,
    first: bool,
}

/// Prints each change, until interrupted or until nobody reads on.
pub async fn run(client: &Client, output: Output) -> anyhow::Result<()> {
    let mut messages = MessageStream::from(&client.bus);
    let rules = fdo::DBusProxy::new(&client.bus).await?;
    let ours = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(names::SERVICE)?
        .path_namespace(names::ROOT)?;
    rules.add_match_rule(ours.build()).await?;
    let comes_and_goes = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(BUS)?
        .member("NameOwnerChanged")?
        .arg(0, names::SERVICE)?;
    rules.add_match_rule(comes_and_goes.build()).await?;
    let mut monitor = Monitor {
        client,
        output,
        known: Known::default(),
        asked: HashMap::new(),
        fresh: Known::default(),
        running: true,
        first: true,
    };
    // Starts the daemon, if need be.
    monitor.ask().await?;
    let mut gone = reader_gone();
    loop {
        tokio::select! {
            message = messages.next() => match message {
                Some(message) => monitor.hear(&message?).await?,
                None => bail!("the bus has gone; does dbus run?"),
            },
            _ = &mut gone => return Ok(()),
        }
    }
}

/// Ends when whoever reads the output has gone, also while there is nothing to write.
fn reader_gone() -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let out = std::io::stdout();
        let mut fds = [PollFd::new(&out, PollFlags::empty())];
        while let Err(rustix::io::Errno::INTR) = poll(&mut fds, None) {}
        // Whoever listened has ended.
        let _ = tell.send(());
    });
    told
}

impl Monitor<'_> {
    /// Asks for everything; what was asked before does not matter any more.
    async fn ask(&mut self) -> anyhow::Result<()> {
        self.asked.clear();
        self.fresh = Known::default();
        let call = |interface, member| {
            Message::method_call(names::ROOT, member)?
                .destination(names::SERVICE)?
                .interface(interface)
        };
        let mut calls = vec![(
            Question::Objects,
            call(OBJECTS, "GetManagedObjects")?.build(&())?,
        )];
        for interface in OF_ROOT {
            let message = call(PROPERTIES, "GetAll")?.build(&(interface,))?;
            calls.push((Question::Root(interface), message));
        }
        for (question, message) in calls {
            self.asked
                .insert(message.primary_header().serial_num(), question);
            self.client.bus.send(&message).await?;
        }
        Ok(())
    }

    async fn hear(&mut self, message: &Message) -> anyhow::Result<()> {
        let header = message.header();
        match message.message_type() {
            Type::MethodReturn | Type::Error => {
                let answered = header
                    .reply_serial()
                    .and_then(|serial| self.asked.remove(&serial));
                match answered {
                    Some(question) => self.answered(question, message),
                    None => Ok(()),
                }
            }
            Type::Signal
                if header
                    .member()
                    .is_some_and(|name| name == "NameOwnerChanged") =>
            {
                let body = message.body();
                let (name, _, owner): (&str, &str, &str) = body.deserialize()?;
                match (name == names::SERVICE, owner.is_empty()) {
                    (false, _) => Ok(()),
                    (true, true) => self.left(),
                    (true, false) => self.came().await,
                }
            }
            Type::Signal => match known::change(message)? {
                Some(change) => self.changed(change),
                None => Ok(()),
            },
            Type::MethodCall => Ok(()),
        }
    }

    fn left(&mut self) -> anyhow::Result<()> {
        self.asked.clear();
        self.running = false;
        self.tell(&Event::Daemon { running: false })
    }

    async fn came(&mut self) -> anyhow::Result<()> {
        if !self.running {
            self.running = true;
            self.tell(&Event::Daemon { running: true })?;
        }
        self.ask().await
    }

    fn answered(&mut self, question: Question, answer: &Message) -> anyhow::Result<()> {
        let refused = answer.message_type() == Type::Error;
        match question {
            // One that runs and has no such interface.
            Question::Root(_) if refused => {}
            Question::Root(interface) => {
                let properties: Properties = answer.body().deserialize()?;
                self.fresh.put(names::ROOT, interface, properties);
            }
            Question::Objects if refused && self.first => {
                return Err(zbus::Error::from(answer.clone()).into());
            }
            // It has ended once more, and we are told so.
            Question::Objects if refused => {}
            Question::Objects => {
                let body = answer.body();
                let objects: fdo::ManagedObjects = body
                    .deserialize()
                    .context("the daemon's answer is not understood")?;
                for (path, interfaces) in objects {
                    for (interface, properties) in interfaces {
                        self.fresh
                            .put(path.as_str(), interface.as_str(), properties);
                    }
                }
            }
        }
        if !self.asked.is_empty() {
            return Ok(());
        }
        let fresh = std::mem::take(&mut self.fresh);
        let events = self.known.replace(fresh);
        if self.first && !self.output.json {
            self.first = false;
            return self
                .known
                .stand()
                .iter()
                .try_for_each(|event| self.tell(event));
        }
        self.first = false;
        events.iter().try_for_each(|event| self.tell(event))
    }

    /// While questions are open, a change counts for what has been answered; the other answers
    /// will contain it.
    fn changed(&mut self, change: Change) -> anyhow::Result<()> {
        if self.asked.is_empty() {
            let events = self.known.apply(change);
            return events.iter().try_for_each(|event| self.tell(event));
        }
        let question = match OF_ROOT.iter().find(|name| change.is_of_root(name)) {
            Some(interface) => Question::Root(interface),
            None => Question::Objects,
        };
        if !self.asked.values().any(|open| *open == question) {
            self.fresh.apply(change);
        }
        Ok(())
    }

    fn tell(&self, event: &Event) -> anyhow::Result<()> {
        if !self.output.json {
            for text in line::lines(event, &self.known) {
                say!("{text}");
            }
            return Ok(());
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut text = json!({ "time_usec": u64::try_from(now.as_micros()).unwrap_or(u64::MAX) });
        event.write(&mut text);
        json_line(&text)
    }
}
