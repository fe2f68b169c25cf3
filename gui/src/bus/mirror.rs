//! The daemon's objects, kept true by its signals.
//!
//! A reading of all objects takes a while, in which they go on changing: what
//! it says of one may be older than a signal that came before its answer. So
//! all signals that came since it was asked for are applied again on top of
//! it. They say what is, not what changed, so the last one is right.

use super::objects::{Interfaces, Objects, Properties};
use crate::picture::{Daemon, Picture};
use zbus::Message;
use zbus::zvariant::ObjectPath;

/// What is known of the daemon's objects.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    objects: Objects,
    /// The signals since all objects were asked for; none if they are not being read.
    meanwhile: Option<Vec<Message>>,
}

impl Mirror {
    /// All objects are asked for from now on.
    pub(super) fn reading(&mut self) {
        self.meanwhile = Some(Vec::new());
    }

    /// They are not asked for any more.
    pub(super) fn gave_up(&mut self) {
        self.meanwhile = None;
    }

    /// They were read.
    pub(super) fn read(&mut self, objects: Objects) {
        self.objects = objects;
        for message in self.meanwhile.take().unwrap_or_default() {
            self.apply(&message);
        }
    }

    /// Takes note of a signal.
    pub(super) fn take(&mut self, message: Message) {
        self.apply(&message);
        if let Some(meanwhile) = &mut self.meanwhile {
            meanwhile.push(message);
        }
    }

    /// What the objects mean.
    pub(super) fn picture(&self, daemon: Daemon) -> Picture {
        self.objects.picture(daemon)
    }

    /// One that cannot be read is none of ours.
    fn apply(&mut self, message: &Message) {
        let header = message.header();
        let (Some(path), Some(member)) = (header.path(), header.member()) else {
            return;
        };
        let body = message.body();
        match member.as_str() {
            "PropertiesChanged" => {
                let read = body.deserialize::<(&str, Properties, Vec<&str>)>();
                if let Ok((interface, changed, _)) = read {
                    self.objects.change(path.as_str(), interface, changed);
                }
            }
            "InterfacesAdded" => {
                if let Ok((path, interfaces)) = body.deserialize::<(ObjectPath<'_>, Interfaces)>() {
                    self.objects.add(path.as_str(), interfaces);
                }
            }
            "InterfacesRemoved" => {
                if let Ok((path, interfaces)) = body.deserialize::<(ObjectPath<'_>, Vec<&str>)>() {
                    self.objects.remove(path.as_str(), &interfaces);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use stiefel_dbus::names;
    use stiefel_dbus::words::JobState;
    use zbus::zvariant::{OwnedValue, Value};

    const JOB: &str = "/org/stiefelsystem/Stiefel1/jobs/1";

    fn state(word: &str) -> Properties {
        let word = OwnedValue::try_from(Value::from(word)).expect("no file descriptors");
        HashMap::from([("State".to_owned(), word)])
    }

    fn job(word: &str) -> Objects {
        let mut objects = Objects::default();
        objects.change(JOB, names::JOB, state(word));
        objects
    }

    fn changed(word: &str) -> Message {
        Message::signal(JOB, "org.freedesktop.DBus.Properties", "PropertiesChanged")
            .and_then(|signal| signal.build(&(names::JOB, state(word), Vec::<&str>::new())))
            .expect("a signal")
    }

    fn removed() -> Message {
        let path = ObjectPath::try_from(JOB).expect("a path");
        Message::signal(
            names::ROOT,
            "org.freedesktop.DBus.ObjectManager",
            "InterfacesRemoved",
        )
        .and_then(|signal| signal.build(&(path, vec![names::JOB])))
        .expect("a signal")
    }

    fn states(mirror: &Mirror) -> Vec<JobState> {
        let picture = mirror.picture(Daemon::Here);
        picture.jobs.into_iter().map(|job| job.state).collect()
    }

    #[test]
    fn what_was_signalled_during_a_reading_is_newer_than_it() {
        let mut mirror = Mirror::default();
        mirror.reading();
        mirror.take(changed("done"));
        mirror.read(job("running"));
        assert_eq!(states(&mirror), [JobState::Done]);
    }

    #[test]
    fn the_last_signal_of_several_is_right() {
        let mut mirror = Mirror::default();
        mirror.reading();
        mirror.take(changed("running"));
        mirror.take(changed("done"));
        mirror.read(job("done"));
        assert_eq!(states(&mirror), [JobState::Done]);
        mirror.reading();
        mirror.take(removed());
        mirror.read(job("done"));
        assert_eq!(states(&mirror), []);
    }

    #[test]
    fn a_reading_is_newer_than_what_was_signalled_before_it() {
        let mut mirror = Mirror::default();
        mirror.reading();
        mirror.take(changed("running"));
        mirror.gave_up();
        mirror.take(changed("running"));
        mirror.reading();
        mirror.read(job("failed"));
        assert_eq!(states(&mirror), [JobState::Failed]);
    }
}
