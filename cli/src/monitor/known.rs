//! What the daemon has told, and what is new in it.

use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, HashMap};
use stiefel_dbus::names;
use zbus::message::Message;
use zbus::zvariant::{ObjectPath, OwnedValue, Value};

/// Properties as they come over the bus.
pub type Properties = HashMap<String, OwnedValue>;

/// All properties of all interfaces of all objects.
#[derive(Debug, Default)]
pub struct Known(BTreeMap<(String, String), BTreeMap<String, Json>>);

/// A signal of the daemon.
#[derive(Debug)]
pub enum Change {
    /// Some properties of an interface have other values.
    Set(String, String, Properties),
    /// Interfaces came, with these properties.
    Added(String, HashMap<String, Properties>),
    /// Interfaces went.
    Removed(String, Vec<String>),
}

/// Something new.
#[derive(Debug, PartialEq)]
pub enum Event {
    /// The daemon has ended, or is back.
    Daemon { running: bool },
    /// There is something that was not there.
    Added {
        path: String,
        interface: String,
        properties: Json,
    },
    /// Something is not there any more; what it was called.
    Removed {
        path: String,
        interface: String,
        properties: BTreeMap<String, Json>,
    },
    /// A property has another value.
    Set {
        path: String,
        interface: String,
        property: String,
        value: Json,
        before: Json,
    },
}

/// What a signal says, if it is one of those that tell changes.
///
/// # Errors
/// It is one, and it is malformed.
pub fn change(signal: &Message) -> zbus::Result<Option<Change>> {
    let header = signal.header();
    let path = header.path().map_or("", |path| path.as_str()).to_owned();
    let body = signal.body();
    Ok(match header.member().map_or("", |member| member.as_str()) {
        "PropertiesChanged" => {
            let (interface, changed, _): (String, Properties, Vec<&str>) = body.deserialize()?;
            Some(Change::Set(path, interface, changed))
        }
        "InterfacesAdded" => {
            let (object, interfaces): (ObjectPath<'_>, HashMap<String, Properties>) =
                body.deserialize()?;
            Some(Change::Added(object.as_str().to_owned(), interfaces))
        }
        "InterfacesRemoved" => {
            let (object, interfaces): (ObjectPath<'_>, Vec<String>) = body.deserialize()?;
            Some(Change::Removed(object.as_str().to_owned(), interfaces))
        }
        _ => None,
    })
}

impl Change {
    /// Whether it is about this interface of the root object.
    pub fn is_of_root(&self, interface: &str) -> bool {
        let (path, has) = match self {
            Self::Set(path, name, _) => (path, name == interface),
            Self::Added(path, all) => (path, all.contains_key(interface)),
            Self::Removed(path, all) => (path, all.iter().any(|name| name == interface)),
        };
        has && path == names::ROOT
    }
}

impl Known {
    /// Takes note of an interface.
    pub fn put(&mut self, path: &str, interface: &str, properties: Properties) {
        if interface.starts_with(names::SERVICE) {
            self.0
                .insert((path.to_owned(), interface.to_owned()), in_json(properties));
        }
    }

    /// A property, or null.
    pub fn get(&self, path: &str, interface: &str, property: &str) -> &Json {
        let there = self.0.get(&(path.to_owned(), interface.to_owned()));
        there
            .and_then(|all| all.get(property))
            .unwrap_or(&Json::Null)
    }

    /// Takes note of everything anew; what is different now.
    pub fn replace(&mut self, fresh: Self) -> Vec<Event> {
        let before = std::mem::replace(self, fresh);
        let gone = before
            .0
            .iter()
            .filter(|(key, _)| !self.0.contains_key(*key));
        let mut events: Vec<Event> = gone.map(|(key, all)| removed(key, all.clone())).collect();
        for (key, now) in &self.0 {
            match before.0.get(key) {
                None => events.push(added(key, now)),
                Some(before) => events.extend(differences(key, before, now)),
            }
        }
        events
    }

    /// Takes note of a change; what is different now.
    pub fn apply(&mut self, change: Change) -> Vec<Event> {
        let mut events = vec![];
        match change {
            Change::Set(path, interface, properties) => {
                let key = (path, interface);
                // Not known yet: it will come with all its properties.
                if let Some(all) = self.0.get_mut(&key) {
                    let before = all.clone();
                    all.extend(in_json(properties));
                    events = differences(&key, &before, all);
                }
            }
            Change::Added(path, interfaces) => {
                for (interface, properties) in interfaces {
                    let key = (path.clone(), interface);
                    if !key.1.starts_with(names::SERVICE) {
                        continue;
                    }
                    let now = in_json(properties);
                    match self.0.insert(key.clone(), now.clone()) {
                        None => events.push(added(&key, &now)),
                        Some(before) => events.extend(differences(&key, &before, &now)),
                    }
                }
            }
            Change::Removed(path, interfaces) => {
                for interface in interfaces {
                    let key = (path.clone(), interface);
                    if let Some(before) = self.0.remove(&key) {
                        events.push(removed(&key, before));
                    }
                }
            }
        }
        events
    }

    /// Where things stand, in short.
    pub fn stand(&self) -> Vec<Event> {
        let of = [
            (names::MANAGER, "Armed"),
            (names::HANDOFF, "State"),
            (names::LOAN, "State"),
        ];
        let there = of.into_iter().filter_map(|(interface, property)| {
            let value = self.get(names::ROOT, interface, property);
            (!value.is_null()).then(|| Event::Set {
                path: names::ROOT.into(),
                interface: interface.into(),
                property: property.into(),
                value: value.clone(),
                before: Json::Null,
            })
        });
        there.collect()
    }
}

impl Event {
    /// Adds what it says to a JSON object.
    pub fn write(&self, to: &mut Json) {
        match self {
            Self::Daemon { running } => {
                to["event"] = json!("daemon");
                to["running"] = json!(running);
            }
            Self::Added {
                path,
                interface,
                properties,
            } => {
                to["event"] = json!("added");
                to["path"] = json!(path);
                to["interface"] = json!(interface);
                to["properties"] = properties.clone();
            }
            Self::Removed {
                path, interface, ..
            } => {
                to["event"] = json!("removed");
                to["path"] = json!(path);
                to["interface"] = json!(interface);
            }
            Self::Set {
                path,
                interface,
                property,
                value,
                ..
            } => {
                to["event"] = json!("set");
                to["path"] = json!(path);
                to["interface"] = json!(interface);
                to["property"] = json!(property);
                to["value"] = value.clone();
            }
        }
    }
}

fn added((path, interface): &(String, String), all: &BTreeMap<String, Json>) -> Event {
    let all: Map<String, Json> = all.clone().into_iter().collect();
    Event::Added {
        path: path.clone(),
        interface: interface.clone(),
        properties: all.into(),
    }
}

fn removed((path, interface): &(String, String), properties: BTreeMap<String, Json>) -> Event {
    Event::Removed {
        path: path.clone(),
        interface: interface.clone(),
        properties,
    }
}

fn differences(
    (path, interface): &(String, String),
    before: &BTreeMap<String, Json>,
    now: &BTreeMap<String, Json>,
) -> Vec<Event> {
    let different = now
        .iter()
        .filter(|(property, value)| before.get(*property) != Some(value));
    different
        .map(|(property, value)| Event::Set {
            path: path.clone(),
            interface: interface.clone(),
            property: property.clone(),
            value: value.clone(),
            before: before.get(property).cloned().unwrap_or(Json::Null),
        })
        .collect()
}

fn in_json(properties: Properties) -> BTreeMap<String, Json> {
    properties
        .iter()
        .map(|(name, value)| (name.clone(), to_json(value)))
        .collect()
}

/// The types that our properties have; anything else as its debug text.
fn to_json(value: &Value<'_>) -> Json {
    match value {
        Value::Bool(value) => json!(value),
        Value::U32(value) => json!(value),
        Value::U64(value) => json!(value),
        Value::F64(value) => json!(value),
        Value::Str(value) => json!(value.as_str()),
        Value::ObjectPath(value) => json!(value.as_str()),
        Value::Array(array) => array.iter().map(to_json).collect(),
        Value::Structure(structure) => structure.fields().iter().map(to_json).collect(),
        Value::Value(value) => to_json(value),
        other => json!(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(state: &str) -> Properties {
        let state = Value::from(state).try_into().unwrap();
        HashMap::from([("State".to_owned(), state)])
    }

    fn known(state: &str) -> Known {
        let mut known = Known::default();
        known.put(names::ROOT, names::HANDOFF, properties(state));
        known
    }

    fn set(state: &str) -> Change {
        Change::Set(names::ROOT.into(), names::HANDOFF.into(), properties(state))
    }

    #[test]
    fn only_what_is_different_is_told() {
        let mut known = known("idle");
        assert_eq!(known.apply(set("idle")), []);
        let events = known.apply(set("announced"));
        assert!(
            matches!(&events[..], [Event::Set { value, before, .. }]
                if value == "announced" && before == "idle"),
            "{events:?}"
        );
        assert_eq!(
            Known::default().apply(set("idle")),
            [],
            "of what is not known yet"
        );
    }

    #[test]
    fn a_daemon_that_is_back_tells_only_what_it_has_changed() {
        let mut before = known("idle");
        before.put("/x", names::PAIRING, properties("a"));
        before.put("/y", names::PAIRING, properties("b"));
        let mut after = known("idle");
        after.put("/y", names::PAIRING, properties("c"));
        after.put("/z", names::PAIRING, properties("d"));
        let told: Vec<String> = before
            .replace(after)
            .iter()
            .map(|event| match event {
                Event::Removed { path, .. } => format!("-{path}"),
                Event::Added { path, .. } => format!("+{path}"),
                Event::Set { path, value, .. } => format!("{path}={value}"),
                Event::Daemon { .. } => String::new(),
            })
            .collect();
        assert_eq!(told, ["-/x", "/y=\"c\"", "+/z"]);
    }
}
