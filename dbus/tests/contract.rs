//! Holds the proxies to the XML. Both are read as text: in both, one member's
//! head stands on lines of its own.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use stiefel_dbus::CONTRACT;

const PROXIES: &str = include_str!("../src/proxy.rs");

/// `Interface.Member(signature)`, with what is specific to the kind of member.
type Members = BTreeSet<String>;

fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

fn members_of_xml(interface: &str, xml: &str) -> Members {
    let mut members = Members::new();
    let (mut method, mut args) = (None, String::new());
    for line in xml.lines() {
        if line.contains("<property") {
            let name = attribute(line, "name").unwrap();
            let kind = attribute(line, "type").unwrap();
            members.insert(format!("{interface}.{name}: {kind}"));
            if attribute(line, "access").unwrap() == "readwrite" {
                members.insert(format!("{interface}.Set{name}({kind})"));
            }
        } else if line.contains("<method") {
            method = attribute(line, "name");
            args.clear();
        } else if line.contains("<arg") {
            let kind = attribute(line, "type").unwrap();
            match attribute(line, "direction").unwrap() {
                "in" => args.push_str(kind),
                _ => args.push_str(&format!("->{kind}")),
            }
        } else if line.contains("</method") {
            members.insert(format!("{interface}.{}({args})", method.take().unwrap()));
        }
    }
    members
}

fn signature(rust: &str) -> &'static str {
    match rust.trim() {
        "()" => "",
        "bool" => "b",
        "u32" => "u",
        "u64" => "t",
        "f64" => "d",
        "String" | "&str" => "s",
        "OwnedFd" | "Fd<'_>" => "h",
        "OwnedObjectPath" | "&ObjectPath<'_>" => "o",
        "Vec<String>" => "as",
        "(OwnedObjectPath, u64, u64)" => "(ott)",
        "HashMap<&str, Value<'_>>" => "a{sv}",
        "(String, u64, String)" => "(sts)",
        "Vec<(String, String, String)>" => "a(sss)",
        "Vec<(String, String, String, String)>" => "a(ssss)",
        "Vec<(String, String, String, String, String)>" => "a(sssss)",
        other => panic!("no signature known for {other}"),
    }
}

fn camel(snake: &str) -> String {
    snake
        .split('_')
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        })
        .collect()
}

fn members_of_proxies() -> Members {
    let mut members = Members::new();
    let (mut interface, mut property) = ("", false);
    // A head that rustfmt broke over several lines is joined again.
    let joined = PROXIES
        .replace("(\n        ", "(")
        .replace(",\n        ", ", ")
        .replace(",\n    )", ")");
    for line in joined.lines().map(str::trim) {
        if let Some((_, rest)) = line.split_once("interface = \"") {
            interface = rest.split_once('"').unwrap().0;
        } else if line.starts_with("#[zbus(property") {
            property = true;
        } else if let Some(head) = line.strip_prefix("fn ") {
            let (name, rest) = head.split_once("(&self").unwrap();
            let (args, result) = rest.split_once(") -> zbus::Result<").unwrap();
            let result = signature(result.strip_suffix(">;").unwrap());
            let args: String = args
                .trim_start_matches(", ")
                .split(", ")
                .fold(Vec::<String>::new(), |mut args, piece| {
                    // A comma inside of a type is none between two arguments.
                    match piece.contains(": ") || args.is_empty() {
                        true => args.push(piece.to_owned()),
                        false => args.last_mut().unwrap().push_str(&format!(", {piece}")),
                    }
                    args
                })
                .iter()
                .filter_map(|arg| arg.split_once(": "))
                .map(|(_, rust)| signature(rust))
                .collect();
            let name = camel(name);
            members.insert(match (property, result) {
                (true, "") => format!("{interface}.{name}({args})"),
                (true, _) => format!("{interface}.{name}: {result}"),
                (false, "") => format!("{interface}.{name}({args})"),
                (false, _) => format!("{interface}.{name}({args}->{result})"),
            });
            property = false;
        }
    }
    members
}

#[test]
fn the_proxies_have_exactly_what_the_xml_has() {
    let contract: Members = CONTRACT
        .iter()
        .flat_map(|(interface, xml)| members_of_xml(interface, xml))
        .collect();
    assert!(contract.len() > 30, "the XML was not understood");
    assert_eq!(members_of_proxies(), contract);
}

/// Everything that changes something names its polkit action, and all is documented.
#[test]
fn every_member_is_documented_and_guarded() {
    for (interface, xml) in CONTRACT {
        let lines: Vec<&str> = xml.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let method = line.contains("<method");
            if !method && !line.contains("<property") {
                continue;
            }
            let name = attribute(line, "name").unwrap();
            assert!(
                xml.contains(&format!("        {name}:\n")) && lines[at - 1].trim() == "-->",
                "{interface}.{name} is not documented"
            );
            let guarded = lines
                .get(at + 1)
                .is_some_and(|next| next.contains("Stiefel1.PolkitAction"));
            let writable = attribute(line, "access") == Some("readwrite");
            assert_eq!(guarded, method || writable, "{interface}.{name}");
        }
    }
}
