//! The script: what happens in a simulated world, a command per line.
//!
//! A command is answered by `ok` and maybe a text, or by `error` and the reason,
//! after the daemon's loop was told of it.

use super::session::Shutdown;
use super::{Levers, fs};
use crate::world::searches::Audience;
use crate::world::{Happening, Link, PowerNow, Reporter};
use std::path::Path;
use stiefel_core::preflight::Inhibitor;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

const HELP: &str = "seek ID | wake ID | link add NAME MAC | link remove NAME | power PERCENT|none mains|battery | \
     inhibit WHO WHY | uninhibit | deny ACTION | admit ACTION | close WHEN PLACE | open WHEN PLACE | \
     await WHEN PLACE |      reboot refuse|allow|give-up | audience";

pub(super) fn listen(folder: &Path) -> std::io::Result<UnixListener> {
    let socket = folder.join("script");
    let _ = fs::remove_file(&socket);
    UnixListener::bind(socket)
}

pub(super) async fn obey(
    listener: UnixListener,
    levers: Levers,
    reporter: Reporter,
    audience: watch::Receiver<Option<Audience>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let script = Script {
            levers: levers.clone(),
            reporter: reporter.clone(),
            audience: audience.clone(),
        };
        tokio::spawn(script.read(stream));
    }
}

struct Script {
    levers: Levers,
    reporter: Reporter,
    audience: watch::Receiver<Option<Audience>>,
}

impl Script {
    async fn read(self, stream: UnixStream) {
        let (from, mut to) = stream.into_split();
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let words: Vec<&str> = line.split_whitespace().collect();
            let answer = match self.command(&words).await {
                Ok(text) => format!("ok {text}\n"),
                Err(why) => format!("error {why}\n"),
            };
            if to.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    async fn command(&self, words: &[&str]) -> Result<String, String> {
        let levers = &self.levers;
        match words {
            ["help"] => return Ok(HELP.into()),
            ["audience"] => return Ok(self.audience()),
            ["seek", id] => self.tell(Happening::Sought(pairing(id)?)).await,
            ["wake", id] => self.tell(Happening::Woken(pairing(id)?)).await,
            ["link", "add", name, mac] => {
                let mac = mac.parse().map_err(|error| format!("{error}"))?;
                self.link(|links| {
                    links.push(Link {
                        name: (*name).to_owned(),
                        mac,
                        up: true,
                        carrier: true,
                        speed_mbps: 1000,
                        driver: "simulated".into(),
                    });
                })
                .await;
            }
            ["link", "remove", name] => self.link(|links| links.retain(|l| l.name != *name)).await,
            ["power", percent, source] => {
                let power = PowerNow {
                    battery_percent: percent.parse().ok(),
                    on_mains: *source == "mains",
                };
                self.tell(Happening::Power(power)).await;
            }
            ["inhibit", who, why @ ..] => levers.inhibitors.send_modify(|all| {
                all.push(Inhibitor {
                    who: (*who).to_owned(),
                    why: why.join(" "),
                });
            }),
            ["uninhibit"] => levers.inhibitors.send_modify(Vec::clear),
            ["deny", action] => change(&levers.denied, action, true),
            ["admit", action] => change(&levers.denied, action, false),
            ["close", when, place] => change(&levers.closed, &format!("{when} {place}"), true),
            ["open", when, place] => change(&levers.closed, &format!("{when} {place}"), false),
            ["await", when, place] => {
                let name = format!("{when} {place}");
                let mut waiting = levers.waiting.subscribe();
                waiting
                    .wait_for(|now| now.as_deref() == Some(&name))
                    .await
                    .map_err(|_| "the hands are gone")?;
            }
            ["reboot", "refuse"] => drop(levers.shutdown.send_replace(Shutdown::Refused)),
            ["reboot", "allow" | "give-up"] => drop(levers.shutdown.send_replace(Shutdown::No)),
            _ => return Err(format!("unknown command; try: {HELP}")),
        }
        Ok(String::new())
    }

    async fn tell(&self, happening: Happening) {
        // Nobody is left to be told when the daemon ends.
        let _ = self.reporter.send(happening).await;
    }

    async fn link(&self, change: impl FnOnce(&mut Vec<Link>)) {
        self.levers.links.send_modify(change);
        let links = self.levers.links.borrow().clone();
        self.tell(Happening::Links(links)).await;
    }

    /// Who would be answered what: `nobody`, or the standing to everybody and to some.
    fn audience(&self) -> String {
        match &*self.audience.borrow() {
            None => "nobody".into(),
            Some(audience) => {
                let some: Vec<String> = audience
                    .special
                    .iter()
                    .map(|(id, standing)| format!(" {id}={standing:?}"))
                    .collect();
                format!("{:?}{}", audience.standing, some.concat())
            }
        }
    }
}

fn pairing(text: &str) -> Result<stiefel_core::pairing::PairingId, String> {
    text.parse().map_err(|error| format!("{error}"))
}

fn change(set: &watch::Sender<std::collections::BTreeSet<String>>, name: &str, there: bool) {
    set.send_modify(|set| {
        if there {
            set.insert(name.to_owned());
        } else {
            set.remove(name);
        }
    });
}
