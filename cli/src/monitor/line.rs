//! Changes, as lines for people.

use super::known::{Event, Known};
use crate::human::{ago, bytes, lasting, percent, seconds_until, speed};
use crate::output::{BAD, CARE, FAINT, GOOD, HEAD, clean};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use stiefel_dbus::names;

/// The lines of an event; lists have one for each entry that came or went.
pub fn lines(event: &Event, known: &Known) -> Vec<String> {
    let line = |who: String, what: String| vec![format!("{HEAD}{}:{HEAD:#} {what}", clean(&who))];
    match event {
        Event::Daemon { running: true } => line("daemon".into(), format!("{GOOD}runs{GOOD:#}")),
        Event::Daemon { running: false } => line(
            "daemon".into(),
            format!("{CARE}has ended{CARE:#}; its next caller starts it"),
        ),
        Event::Added {
            path, interface, ..
        } => {
            let name = |property| known.get(path, interface, property).clone();
            line(
                called(path, interface, &name),
                format!("{GOOD}{}{GOOD:#}", came(interface)),
            )
        }
        Event::Removed {
            path,
            interface,
            properties,
        } => line(
            gone_name(path, interface, properties),
            format!("{FAINT}{}{FAINT:#}", went(interface)),
        ),
        Event::Set {
            path,
            interface,
            property,
            value,
            before,
        } => {
            let name = |property| known.get(path, interface, property).clone();
            let who = called(path, interface, &name);
            match (value, before) {
                (Json::Array(now), Json::Array(before))
                    if now.iter().any(Json::is_array) || before.iter().any(Json::is_array) =>
                {
                    entries(now, before)
                        .into_iter()
                        .flat_map(|what| line(singular(property), what))
                        .collect()
                }
                _ => line(
                    who,
                    format!("{} {}", in_words(property), told(property, value)),
                ),
            }
        }
    }
}

/// What people call an object.
fn called(path: &str, interface: &str, property: &dyn Fn(&'static str) -> Json) -> String {
    let last = path.rsplit('/').next().unwrap_or_default();
    let text = |name| match property(name) {
        Json::String(text) => text,
        _ => last.to_owned(),
    };
    match interface {
        names::MANAGER => "machine".into(),
        names::HANDOFF => "hand-off".into(),
        names::LOAN => "loan".into(),
        names::SETTINGS => "settings".into(),
        names::PAIRING => text("Name"),
        names::LINK => text("Interface"),
        names::DRIVE => text("Device"),
        names::JOB => format!("job {last}"),
        _ => last.to_owned(),
    }
}

fn gone_name(path: &str, interface: &str, properties: &BTreeMap<String, Json>) -> String {
    called(path, interface, &|name| {
        properties.get(name).cloned().unwrap_or(Json::Null)
    })
}

fn came(interface: &str) -> &'static str {
    match interface {
        names::PAIRING => "paired",
        names::LINK | names::DRIVE => "plugged in",
        names::JOB => "begun",
        _ => "there",
    }
}

fn went(interface: &str) -> &'static str {
    match interface {
        names::PAIRING => "forgotten",
        names::LINK | names::DRIVE => "unplugged",
        names::JOB => "not remembered any more",
        _ => "over",
    }
}

/// What came and what went of a list like Checks; its subjects and verdicts come first.
fn entries(now: &[Json], before: &[Json]) -> Vec<String> {
    let gone = before.iter().filter(|entry| !now.contains(entry));
    let gone = gone.map(|entry| format!("{FAINT}no longer: {}{FAINT:#}", sentence(entry)));
    let new = now.iter().filter(|entry| !before.contains(entry));
    let new = new.map(|entry| {
        let style = match entry.get(1).and_then(Json::as_str) {
            Some("ok") => GOOD,
            Some("warn") => CARE,
            _ => BAD,
        };
        format!("{style}{}{style:#}", sentence(entry))
    });
    gone.chain(new).collect()
}

/// The part of an entry that is for people: the longest, or what comes before the hint.
fn sentence(entry: &Json) -> String {
    let texts: Vec<&str> = entry
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    // Checks and warnings have a verdict in front of the text, blockers have not.
    let at = if texts.len() > 3 { 2 } else { 1 };
    clean(texts.get(at).copied().unwrap_or_default())
}

fn singular(property: &str) -> String {
    in_words(property.strip_suffix('s').unwrap_or(property))
}

/// `LastSeenUsec` is "last seen".
fn in_words(property: &str) -> String {
    let mut words = String::new();
    for letter in bare(property).chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

/// Without the unit, which the value has then.
fn bare(property: &str) -> &str {
    let units = ["Usec", "Mbps", "BytesPerSec"];
    let unit = units.iter().find_map(|unit| property.strip_suffix(unit));
    unit.filter(|rest| !rest.is_empty()).unwrap_or(property)
}

fn told(property: &str, value: &Json) -> String {
    match (property, value) {
        ("Progress", Json::Number(share)) => percent(share.as_f64().unwrap_or(0.0)),
        ("Battery" | "BatteryPercent", Json::Number(level)) => {
            format!("{:.0} %", level.as_f64().unwrap_or(0.0))
        }
        ("DeadlineUsec" | "EndsUsec" | "FrozenUntilUsec", Json::Number(at)) => match at.as_u64() {
            None | Some(0) => "none".into(),
            Some(at) => format!("in {} s", seconds_until(at)),
        },
        (
            "CountdownUsec" | "LatencyUsec" | "RemainingUsec" | "TimeToEmptyUsec",
            Json::Number(n),
        ) => lasting(n.as_u64().unwrap_or(0)),
        (_, Json::Number(n)) if property.ends_with("Usec") => ago(n.as_u64().unwrap_or(0)),
        (_, Json::Number(n)) if property.ends_with("Mbps") => {
            speed(n.as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0))
        }
        (_, Json::Number(n)) if property.ends_with("BytesPerSec") => {
            format!("{}/s", bytes(n.as_u64().unwrap_or(0)))
        }
        (_, Json::Number(n)) if property.ends_with("Bytes") => bytes(n.as_u64().unwrap_or(0)),
        (_, Json::String(text)) if text.is_empty() => "none".into(),
        (_, Json::String(text)) => clean(text),
        (_, Json::Bool(true)) => "yes".into(),
        (_, Json::Bool(false)) => "no".into(),
        (_, other) => clean(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told_of(interface: &str, property: &str, value: Json, before: Json) -> Vec<String> {
        let event = Event::Set {
            path: names::ROOT.into(),
            interface: interface.into(),
            property: property.into(),
            value,
            before,
        };
        let lines = lines(&event, &Known::default());
        lines
            .iter()
            .map(|line| anstream::adapter::strip_str(line).to_string())
            .collect()
    }

    #[test]
    fn properties_are_told_in_words_and_units() {
        for (property, value, told) in [
            ("State", json!("announced"), "hand-off: state announced"),
            ("LastSeenUsec", json!(0), "hand-off: last seen never"),
            ("SpeedMbps", json!(2500), "hand-off: speed 2.5 Gbit/s"),
            ("RxBytesPerSec", json!(1500), "hand-off: rx 1.5 kB/s"),
            ("RxBytes", json!(1500), "hand-off: rx bytes 1.5 kB"),
            ("DeadlineUsec", json!(0), "hand-off: deadline none"),
            ("Armed", json!(true), "hand-off: armed yes"),
        ] {
            assert_eq!(
                told_of(names::HANDOFF, property, value, json!(null)),
                [told]
            );
        }
    }

    #[test]
    fn of_a_list_only_what_came_and_went_is_told() {
        let same = json!(["link", "ok", "a link", "", ""]);
        let before = json!([same, ["power", "block", "on battery", "plug it in", ""]]);
        let now = json!([same, ["power", "ok", "plugged in", "", ""]]);
        assert_eq!(
            told_of(names::MANAGER, "Checks", now, before),
            ["check: no longer: on battery", "check: plugged in"]
        );
    }
}
