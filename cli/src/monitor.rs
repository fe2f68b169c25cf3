//! `stiefelctl monitor`

use crate::args::Output;
use crate::client::Client;
use futures_util::StreamExt;
use serde_json::{Value as Json, json};
use std::collections::HashMap;
use stiefel_dbus::names;
use zbus::message::Type;
use zbus::zvariant::{ObjectPath, OwnedValue, Value};
use zbus::{MatchRule, MessageStream};

/// Changes that may wait for the terminal.
const WAITING: usize = 256;

/// Prints each change, until interrupted.
pub async fn run(client: &Client, output: Output) -> anyhow::Result<()> {
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(names::SERVICE)?
        .path_namespace(names::ROOT)?
        .build();
    let mut signals = MessageStream::for_match_rule(rule, &client.bus, Some(WAITING)).await?;
    // Starts the daemon, and says where things stand: nothing that happens from now on is missed.
    let first = [
        ("State", json!(client.handoff.state().await?)),
        ("Armed", json!(client.manager.armed().await?)),
    ];
    for (property, value) in first {
        print(output, names::ROOT, "set", property, &value);
    }
    while let Some(message) = signals.next().await {
        let message = message?;
        let header = message.header();
        let path = header.path().map_or("", |path| path.as_str()).to_owned();
        let member = header
            .member()
            .map_or("", |member| member.as_str())
            .to_owned();
        match member.as_str() {
            "PropertiesChanged" => {
                let body = message.body();
                let (_, changed, _): (&str, HashMap<String, OwnedValue>, Vec<&str>) =
                    body.deserialize()?;
                let mut changed: Vec<_> = changed.into_iter().collect();
                changed.sort_by(|a, b| a.0.cmp(&b.0));
                for (property, value) in changed {
                    print(output, &path, "set", &property, &to_json(&value));
                }
            }
            "InterfacesAdded" => {
                let body = message.body();
                let (object, _): (ObjectPath<'_>, HashMap<String, HashMap<String, OwnedValue>>) =
                    body.deserialize()?;
                print(output, object.as_str(), "added", "", &Json::Null);
            }
            "InterfacesRemoved" => {
                let body = message.body();
                let (object, _): (ObjectPath<'_>, Vec<&str>) = body.deserialize()?;
                print(output, object.as_str(), "removed", "", &Json::Null);
            }
            _ => {}
        }
    }
    Ok(())
}

fn print(output: Output, path: &str, what: &str, property: &str, value: &Json) {
    if output.json {
        let mut line = json!({ "path": path, "event": what });
        if !property.is_empty() {
            line["property"] = json!(property);
            line["value"] = value.clone();
        }
        println!("{line}");
        return;
    }
    let object = path.strip_prefix(names::ROOT).unwrap_or(path);
    let object = object.trim_start_matches('/');
    match (object, property) {
        (object, "") => println!("{object} {what}"),
        ("", property) => println!("{property}: {}", plain(value)),
        (object, property) => println!("{object} {property}: {}", plain(value)),
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
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
