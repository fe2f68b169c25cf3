//! The script: what happens in a simulated world, a command per line.
//!
//! A command is answered by `ok` and maybe a text, or by `error` and the reason,
//! after the daemon's loop was told of it.

use super::session::Shutdown;
use super::{Levers, fs};
use crate::world::searches::Audience;
use crate::world::{Happening, Link, PowerNow, Reporter};
use std::path::Path;
use std::sync::atomic::Ordering;
use stiefel_core::preflight::{BatteryWarning, Inhibitor};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

const HELP: &str = "seek ID | wake ID | link add NAME MAC | link remove NAME | link cable NAME off|MBPS | link driver NAME DRIVER | \
     power PERCENT|none mains|battery [none|low|critical|action [SECONDS]] | users NAME... | \
     inhibit WHO WHY | uninhibit | deny ACTION | admit ACTION | fail STEP|update-image | succeed STEP|update-image | close WHEN PLACE | open WHEN PLACE | \
     await WHEN PLACE | reboot refuse|allow|give-up | audience";

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
                let index = levers.plugged.fetch_add(1, Ordering::Relaxed);
                self.link(|links| {
                    links.push(Link {
                        index,
                        name: (*name).to_owned(),
                        mac,
                        up: true,
                        carrier: true,
                        speed_mbps: 1000,
                        driver: "simulated".into(),
                        bus: "usb".into(),
                        device_id: "0bda:8156".into(),
                    });
                })
                .await;
            }
            ["link", "remove", name] => self.link(|links| links.retain(|l| l.name != *name)).await,
            ["link", "cable", name, state] => {
                let speed = match *state {
                    "off" => None,
                    speed => Some(speed.parse().map_err(|_| "off or a speed in Mbit/s")?),
                };
                self.link(|links| {
                    for link in links.iter_mut().filter(|link| link.name == *name) {
                        link.carrier = speed.is_some();
                        link.speed_mbps = speed.unwrap_or(0);
                    }
                })
                .await;
            }
            ["link", "driver", name, driver] => {
                self.link(|links| {
                    for link in links.iter_mut().filter(|link| link.name == *name) {
                        (*driver).clone_into(&mut link.driver);
                    }
                })
                .await;
            }
            ["power", percent, source, more @ ..] => {
                let (warning, empty_in_secs) = match more {
                    [] => ("none", 0),
                    [warning] => (*warning, 0),
                    [warning, secs, ..] => (*warning, secs.parse().map_err(|_| "no seconds")?),
                };
                let power = PowerNow {
                    battery_percent: percent.parse().ok(),
                    on_mains: *source == "mains",
                    warning: match warning {
                        "none" => BatteryWarning::None,
                        "low" => BatteryWarning::Low,
                        "critical" => BatteryWarning::Critical,
                        "action" => BatteryWarning::Action,
                        _ => return Err("none, low, critical or action".into()),
                    },
                    empty_in_secs,
                };
                self.tell(Happening::Power(power)).await;
            }
            ["users", users @ ..] => {
                let users = users.iter().map(|user| (*user).to_owned()).collect();
                levers.users.send_replace(users);
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
            ["fail", place] => change(&levers.failing, place, true),
            ["succeed", place] => change(&levers.failing, place, false),
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
                let ignored: Vec<String> = audience
                    .ignored
                    .iter()
                    .map(|mac| format!(" ignored {mac}"))
                    .collect();
                format!(
                    "{:?}{}{}",
                    audience.standing,
                    some.concat(),
                    ignored.concat()
                )
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
