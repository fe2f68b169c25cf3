//! What a script can say, see [`HELP`].

use super::maker::Pace;
use super::script::{Stage, power, usec_ago};
use super::session::Shutdown;
use crate::config::settings::Setting;
use crate::config::{self, words as settings};
use crate::request::{Medium, Request};
use crate::store::{LastLoan, LinkPolicy};
use crate::world::drives::{Drive, Usage};
use crate::world::{Happening, Link, Phase, Progress, Trouble};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;
use stiefel_core::handoff::Borrower;
use stiefel_core::preflight::system::Unlocking;
use stiefel_core::preflight::{ImageState, Inhibitor, Kexec};
use tokio::sync::watch;

const HELP: &str = "pair NAME | forget NAME | policy NAME ask|automatic|never | arm | disarm | begin NAME|any | confirm | cancel | update | give-back | set SETTING VALUE | \
     seek NAME [always] | seek-no-more NAME | outdated NAME | wake NAME | last-loan NAME|any LEFT-SECS-AGO [BACK-SECS-AGO] | \
     link add NAME MAC [pci|usb|thunderbolt] | link remove NAME | link cable NAME off|MBPS | link driver NAME DRIVER | link policy NAME POLICY | \
     drive in NAME GIGABYTES MODEL [SERIAL] | drive out NAME | drive is NAME free|mounted|busy|read-only | drive holds NAME LABEL... | stick NAME DRIVE | \
     jobs at-once|by-hand|SECS | job SHARE [making|writing|verifying [SECS-LEFT]] | job done | job fail WHY | \
     loan begin LENDER | loan freeze [unplugged|no-card|connected [SECS-LEFT]] | loan resume | loan lost | loan end | loan since SECS-AGO | loan speed MBPS | \
     loan rate RX TX | loan latency USEC | loan move | loan still | loan power PERCENT|none mains|battery [WARNING [SECS]] | loan temperature CELSIUS | \
     loan disk unknown|good|worn|failing [WHY] | loan ask [SECS|no-more] | \
     power PERCENT|none mains|battery [none|low|critical|action [SECS]] | users NAME... | inhibit WHO WHY | uninhibit | \
     image missing|stale|ready | kexec allowed|switched-off|unsigned|not-built | kernel found|missing [WHY] | disk found|missing [WHY] | \
     fstab DEVICE|fine | hibernated DEVICE|no | unlocking portable|tpm-first|tpm-only | modules-missing NAME... | refresh | \
     deny ACTION | admit ACTION | fail PLACE | succeed PLACE | close WHEN PLACE | open WHEN PLACE | await WHEN PLACE | \
     reboot refuse|allow|give-up | wait SECS | audience | watched | help";

/// Obeys one command.
pub(super) async fn obey(stage: &Stage, words: &[&str]) -> Result<String, String> {
    let levers = &stage.levers;
    match words {
        [] => {}
        ["help"] => return Ok(HELP.into()),
        ["audience"] => return Ok(audience(stage)),
        ["watched"] => {
            let watched = *stage.watched.borrow();
            return Ok(if watched { "yes" } else { "no" }.into());
        }
        ["wait", secs] => tokio::time::sleep(Duration::from_secs_f64(float(secs)?)).await,
        ["link", rest @ ..] => return link(stage, rest).await,
        ["drive", rest @ ..] => drive(stage, rest).await?,
        ["jobs", "at-once"] => drop(levers.pace.send_replace(Pace::AtOnce)),
        ["jobs", "by-hand"] => drop(levers.pace.send_replace(Pace::ByHand)),
        ["jobs", secs] => {
            let time = Duration::from_secs_f64(float(secs)?);
            levers.pace.send_replace(Pace::Takes(time));
        }
        ["job", rest @ ..] => job(stage, rest).await?,
        ["loan", "begin", lender] => return stage.begin_loan(lender).await,
        ["loan", "end"] => {
            levers.loan.send_replace(None);
            levers.shutdown.send_replace(Shutdown::No);
            return say(stage, |said| said.borrowed = false).await;
        }
        ["loan", rest @ ..] => stage.loan(rest).await?,
        ["seek", name] => stage.tell(Happening::Sought(stage.pairing(name)?)).await,
        ["seek", name, "always"] => seek(stage, name).await?,
        ["seek-no-more", name] => change(&levers.seeking, name, false),
        ["outdated", name] => stage.tell(Happening::Outdated(stage.pairing(name)?)).await,
        ["wake", name] => stage.tell(Happening::Woken(stage.pairing(name)?)).await,
        ["last-loan", name, left, back @ ..] => {
            let back = back.first().map(|back| secs(back)).transpose()?;
            let last = LastLoan {
                borrower: match *name {
                    "any" => None,
                    name => Some(stage.pairing(name)?),
                },
                left_usec: usec_ago(secs(left)?),
                boot: String::new(),
                back_usec: back.map_or(0, usec_ago),
            };
            stage.tell(Happening::LastLoan(last)).await;
        }
        ["power", percent, source, more @ ..] => {
            let power = power(percent, source, more)?;
            stage.tell(Happening::Power(power)).await;
        }
        ["users", users @ ..] => {
            let users = users.iter().map(|user| (*user).to_owned()).collect();
            stage.tell(Happening::Users(users)).await;
        }
        ["inhibit", who, why @ ..] => {
            levers.inhibitors.send_modify(|all| {
                all.push(Inhibitor {
                    who: (*who).to_owned(),
                    why: why.join(" "),
                });
            });
            let all = levers.inhibitors.borrow().clone();
            stage.tell(Happening::Inhibitors(all)).await;
        }
        ["uninhibit"] => {
            levers.inhibitors.send_replace(vec![]);
            stage.tell(Happening::Inhibitors(vec![])).await;
        }
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
        _ => return asked(stage, words).await,
    }
    Ok(String::new())
}

/// What people ask for.
async fn asked(stage: &Stage, words: &[&str]) -> Result<String, String> {
    let request = match words {
        ["pair", name] => Request::Pair(name.parse().map_err(|error| format!("{error}"))?),
        ["forget", name] => Request::Forget(stage.pairing(name)?),
        ["policy", name, policy] => {
            Request::SetPolicy(stage.pairing(name)?, settings::policy(policy)?)
        }
        ["arm"] => Request::Arm,
        ["disarm"] => Request::Disarm,
        ["begin", "any"] => Request::Begin(Borrower::Any),
        ["begin", name] => Request::Begin(Borrower::Pairing(stage.pairing(name)?)),
        ["confirm"] => Request::Confirm,
        ["cancel"] => Request::Cancel,
        ["update"] => Request::UpdateImage,
        ["refresh"] => Request::Refresh,
        ["set", name, value] => Request::Set(setting(name, value)?),
        ["give-back"] => Request::GiveBack { force: false },
        ["stick", name, drive] => {
            let medium = Medium::Drive {
                name: (*drive).to_owned(),
                unmount: true,
            };
            Request::WriteStick(stage.pairing(name)?, medium)
        }
        _ => return said(stage, words).await,
    };
    stage.ask(request).await
}

/// A setting by the name that it has in the files.
fn setting(name: &str, value: &str) -> Result<Setting, String> {
    let number = |range| {
        let number = value.parse().map_err(|_| format!("{value} is no number"));
        config::within(number?, range)
    };
    match name {
        "on-battery" => settings::on_battery(value).map(Setting::OnBattery),
        "battery-percent" => number(&config::PERCENT).map(Setting::BatteryPercent),
        "on-ac-loss" => settings::on_ac_loss(value).map(Setting::OnAcLoss),
        "on-plug" => settings::policy(value).map(Setting::OnPlug),
        "countdown-secs" => number(&config::COUNTDOWN).map(Setting::CountdownSecs),
        "confirm-secs" => number(&config::CONFIRM).map(Setting::ConfirmSecs),
        "offer-secs" => number(&config::OFFER).map(Setting::OfferSecs),
        "patience-secs" => number(&(0..=u32::MAX))
            .and_then(config::patience)
            .map(Setting::PatienceSecs),
        "on-low-power" => settings::on_low_power(value).map(Setting::OnLowPower),
        _ => Err("no such setting; they are called as in /etc/stiefelsystem".into()),
    }
}

/// What the script says of the machine.
async fn said(stage: &Stage, words: &[&str]) -> Result<String, String> {
    let why = |why: &[&str], default: &str| match why {
        [] => default.to_owned(),
        words => words.join(" "),
    };
    let device = |word: &str, none| (word != none).then(|| word.to_owned());
    match words {
        ["image", state] => {
            let state = match *state {
                "missing" => ImageState::Missing,
                "stale" => ImageState::Stale,
                "ready" => ImageState::Ready,
                _ => return Err("missing, stale or ready".into()),
            };
            say(stage, |said| said.image = Some(state)).await
        }
        ["kexec", state] => {
            let state = match *state {
                "allowed" => Kexec::Allowed,
                "switched-off" => Kexec::SwitchedOff,
                "unsigned" => Kexec::Unsigned,
                "not-built" => Kexec::NotBuilt,
                _ => return Err("allowed, switched-off, unsigned or not-built".into()),
            };
            say(stage, |said| said.kexec = Some(state)).await
        }
        ["kernel", "found"] => say(stage, |said| said.no_kernel = None).await,
        ["kernel", "missing", rest @ ..] => {
            let why = why(rest, "the running kernel's file is not in /boot");
            say(stage, |said| said.no_kernel = Some(why)).await
        }
        ["disk", "found"] => say(stage, |said| said.no_disk = None).await,
        ["disk", "missing", rest @ ..] => {
            let why = why(rest, "the system runs from several disks at once");
            say(stage, |said| said.no_disk = Some(why)).await
        }
        ["fstab", name] => say(stage, |said| said.named = device(name, "fine")).await,
        ["hibernated", name] => say(stage, |said| said.hibernated = device(name, "no")).await,
        ["unlocking", how] => {
            let how = match *how {
                "portable" => Unlocking::Portable,
                "tpm-first" => Unlocking::TpmFirst,
                "tpm-only" => Unlocking::TpmOnly,
                _ => return Err("portable, tpm-first or tpm-only".into()),
            };
            say(stage, |said| said.unlocking = Some(how)).await
        }
        ["modules-missing", names @ ..] => {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            say(stage, |said| said.missing_modules = names).await
        }
        _ => Err(format!("unknown command; try: {HELP}")),
    }
}

/// Changes what is said, and returns when the daemon has looked.
async fn say(
    stage: &Stage,
    change: impl FnOnce(&mut super::machine::Said),
) -> Result<String, String> {
    stage.levers.said.send_modify(change);
    stage.ask(Request::Refresh).await
}

async fn link(stage: &Stage, words: &[&str]) -> Result<String, String> {
    let levers = &stage.levers;
    let change = |name: &str, change: &dyn Fn(&mut Link)| {
        levers.links.send_modify(|links| {
            links
                .iter_mut()
                .filter(|link| link.name == name)
                .for_each(change);
        });
    };
    match words {
        ["add", name, mac, bus @ ..] => {
            let mac = mac.parse().map_err(|error| format!("{error}"))?;
            let (bus, device_id) = match bus {
                [] | ["usb"] => ("usb", "0bda:8156"),
                ["pci"] => ("pci", "8086:15fb"),
                ["thunderbolt"] => ("thunderbolt", ""),
                _ => return Err("pci, usb or thunderbolt".into()),
            };
            let index = levers.plugged.fetch_add(1, Ordering::Relaxed);
            levers.links.send_modify(|links| {
                links.push(Link {
                    index,
                    name: (*name).to_owned(),
                    mac,
                    up: true,
                    carrier: true,
                    speed_mbps: 1000,
                    driver: "simulated".into(),
                    bus: bus.into(),
                    device_id: device_id.into(),
                });
            });
        }
        ["remove", name] => levers
            .links
            .send_modify(|links| links.retain(|l| l.name != *name)),
        ["cable", name, state] => {
            let speed = match *state {
                "off" => None,
                speed => Some(speed.parse().map_err(|_| "off or a speed in Mbit/s")?),
            };
            change(name, &|link| {
                link.carrier = speed.is_some();
                link.speed_mbps = speed.unwrap_or(0);
            });
        }
        ["driver", name, driver] => change(name, &|link| (*driver).clone_into(&mut link.driver)),
        ["policy", name, policy] => {
            let policy = match *policy {
                "ignore" => LinkPolicy::Ignore,
                "shared" => LinkPolicy::Shared,
                "dedicated" => LinkPolicy::Dedicated,
                _ => return Err("ignore, shared or dedicated".into()),
            };
            let request = Request::SetLinkPolicy((*name).to_owned(), policy);
            return stage.ask(request).await;
        }
        _ => return Err("unknown command about a link; try: help".into()),
    }
    let links = levers.links.borrow().clone();
    stage.tell(Happening::Links(links)).await;
    Ok(String::new())
}

async fn drive(stage: &Stage, words: &[&str]) -> Result<(), String> {
    let drives = &stage.levers.drives;
    let change = |name: &str, change: &dyn Fn(&mut Drive)| {
        drives.send_modify(|drives| {
            drives
                .iter_mut()
                .filter(|drive| drive.name == name)
                .for_each(change);
        });
    };
    match words {
        ["in", name, gigabytes, model, serial @ ..] => {
            // A float that is too large becomes the largest number.
            let size = (float(gigabytes)? * 1e9) as u64;
            drives.send_modify(|drives| {
                drives.retain(|drive| drive.name != *name);
                drives.push(Drive {
                    name: (*name).to_owned(),
                    device: (0, 0),
                    model: (*model).to_owned(),
                    serial: serial.first().map_or("", |serial| serial).to_owned(),
                    size,
                    bus: "usb".into(),
                    volumes: vec![],
                    usage: Usage::Free,
                });
            });
        }
        ["out", name] => drives.send_modify(|drives| drives.retain(|d| d.name != *name)),
        ["is", name, usage] => {
            let usage = match *usage {
                "free" => Usage::Free,
                "mounted" => Usage::Mounted,
                "busy" => Usage::Busy,
                "read-only" => Usage::ReadOnly,
                _ => return Err("free, mounted, busy or read-only".into()),
            };
            change(name, &|drive| drive.usage = usage);
        }
        ["holds", name, labels @ ..] => change(name, &|drive| {
            drive.volumes = labels.iter().map(|label| (*label).to_owned()).collect();
        }),
        _ => return Err("unknown command about a drive; try: help".into()),
    }
    let now = drives.borrow().clone();
    stage.tell(Happening::Drives(now)).await;
    Ok(())
}

async fn job(stage: &Stage, words: &[&str]) -> Result<(), String> {
    let number = stage.job()?;
    let happening = match words {
        ["done"] => Happening::Ended(number, Ok(())),
        ["fail", why @ ..] => Happening::Ended(number, Err(Trouble(why.join(" ")))),
        [share, more @ ..] => {
            let phase = match more.first() {
                None => Phase::None,
                Some(&"making") => Phase::Making,
                Some(&"writing") => Phase::Writing,
                Some(&"verifying") => Phase::Verifying,
                Some(_) => return Err("making, writing or verifying".into()),
            };
            let left = more.get(1).map(|left| secs(left)).transpose()?;
            let progress = Progress {
                share: float(share)?,
                phase,
                left_secs: left.unwrap_or(0),
            };
            Happening::Progressed(number, progress)
        }
        [] => return Err("how much is done, done, or fail".into()),
    };
    stage.tell(happening).await;
    Ok(())
}

/// A borrower that searches until it is told not to.
async fn seek(stage: &Stage, name: &str) -> Result<(), String> {
    let pairing = stage.pairing(name)?;
    stage.tell(Happening::Sought(pairing)).await;
    change(&stage.levers.seeking, name, true);
    let (stage, name) = (stage.clone(), name.to_owned());
    tokio::spawn(async move {
        while stage.levers.seeking.borrow().contains(&name) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stage.tell(Happening::Sought(pairing)).await;
        }
    });
    Ok(())
}

/// Who would be answered what: `nobody`, or the standing to everybody and to some.
fn audience(stage: &Stage) -> String {
    match &*stage.audience.borrow() {
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

fn change(set: &watch::Sender<BTreeSet<String>>, name: &str, there: bool) {
    set.send_modify(|set| {
        if there {
            set.insert(name.to_owned());
        } else {
            set.remove(name);
        }
    });
}

fn secs(word: &str) -> Result<u64, String> {
    word.parse()
        .map_err(|_| format!("{word}: whole seconds are needed"))
}

fn float(word: &str) -> Result<f64, String> {
    let number = word.parse().ok();
    let number = number.filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or(format!("{word}: a number is needed"))
}
