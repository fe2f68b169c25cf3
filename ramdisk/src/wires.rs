//! Switches wired interfaces on, as they come and go, and tells when no cable is in.

use crate::console;
use std::time::{Duration, Instant};
use stiefel_core::net::MacAddress;
use stiefel_linux::links::{Link, Links, Monitor, link_local_of};
use stiefel_linux::sysctl;

/// How long to sleep when nothing happens; a change wakes us at once.
const QUIET: Duration = Duration::from_secs(3600);

/// A cable that was just put in, or a switch, may take so long.
const SOON: Duration = Duration::from_secs(6);

/// The interfaces that a loan may use: those listed, or all wired ones if none is.
#[must_use]
pub fn usable(link: &Link, chosen: &[MacAddress]) -> bool {
    let known = [link.mac, link.permanent_mac].into_iter().flatten();
    link.is_ethernet && (chosen.is_empty() || known.into_iter().any(|mac| chosen.contains(&mac)))
}

/// Starts a thread that switches usable interfaces on whenever one appears.
///
/// # Errors
/// The kernel tells nothing of its interfaces.
pub fn keep_on(chosen: Vec<MacAddress>) -> anyhow::Result<()> {
    keep(chosen, Packets::Usual)
}

/// The same for a machine whose packets are only large when the other one has asked for that:
/// those that can carry large ones do so.
///
/// # Errors
/// The kernel tells nothing of its interfaces.
pub fn keep_on_for_large_packets(chosen: Vec<MacAddress>) -> anyhow::Result<()> {
    keep(chosen, Packets::Large)
}

#[derive(Clone, Copy)]
enum Packets {
    Usual,
    Large,
}

fn keep(chosen: Vec<MacAddress>, packets: Packets) -> anyhow::Result<()> {
    // Open both here, so that what is wrong is told at once.
    let mut monitor = Monitor::open()?;
    let mut links = Links::open()?;
    let mut cable = Cable::unknown(Instant::now());
    cable.look(switch_on(&mut links, &chosen, packets), Instant::now());
    std::thread::Builder::new()
        .name("wires".into())
        .spawn(move || {
            while monitor.wait(cable.patience(Instant::now())).is_ok() {
                let there = switch_on(&mut links, &chosen, packets);
                match cable.look(there, Instant::now()) {
                    None => {}
                    Some(true) => console::say("A cable is in."),
                    Some(false) => console::warn(
                        "NO CABLE IS IN. Put it in, between this machine and the other one.",
                    ),
                }
            }
        })?;
    Ok(())
}

/// Returns whether somebody is at the other end of any cable.
fn switch_on(links: &mut Links, chosen: &[MacAddress], packets: Packets) -> bool {
    let all = links.list().unwrap_or_default();
    let mut usable = all.into_iter().filter(|link| usable(link, chosen));
    usable.by_ref().fold(false, |cable, link| {
        if !link.up {
            // It may be gone again, or the kernel may have no setting for it: then as it is.
            let _ = sysctl::prepare_interface(&link.name);
            let _ = sysctl::seek_neighbours_often(&link.name);
            if let Packets::Large = packets {
                let _ = links.widen(&link);
            }
            let _ = links.set_up(link.index);
            // The kernel adds it when it has told of the carrier, and may do so once a second.
            if let Some(mac) = link.mac {
                let _ = links.add_address(link.index, link_local_of(mac), 64);
            }
        }
        cable || link.carrier
    })
}

/// What a person knows of the cable.
struct Cable {
    /// What was told last.
    told: Option<bool>,
    /// Since when there is none.
    out: Option<Instant>,
}

impl Cable {
    fn unknown(now: Instant) -> Self {
        Self {
            told: None,
            out: Some(now),
        }
    }

    /// What to tell, if anything: that one is in again, or that none has been for a while.
    fn look(&mut self, cable: bool, now: Instant) -> Option<bool> {
        if cable {
            self.out = None;
            let news = self.told == Some(false);
            self.told = Some(true);
            return news.then_some(true);
        }
        let since = *self.out.get_or_insert(now);
        // What was in and is out now is certain; what was never in may be slow.
        let certain = self.told == Some(true) || now.duration_since(since) >= SOON;
        let news = certain && self.told != Some(false);
        if news {
            self.told = Some(false);
        }
        news.then_some(false)
    }

    /// How long to sleep at most.
    fn patience(&self, now: Instant) -> Duration {
        match (self.told, self.out) {
            (None, Some(since)) => (since + SOON).saturating_duration_since(now),
            _ => QUIET,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_cable_is_waited_for_and_a_lost_one_told_at_once() {
        let start = Instant::now();
        let mut cable = Cable::unknown(start);
        assert_eq!(cable.look(false, start), None);
        assert_eq!(cable.patience(start), SOON);
        assert_eq!(cable.look(true, start + SOON / 2), None);
        let later = start + SOON * 2;
        assert_eq!(cable.look(false, later), Some(false));
        assert_eq!(cable.look(false, later + SOON), None);
        assert_eq!(cable.look(true, later + SOON), Some(true));
    }

    #[test]
    fn a_cable_that_was_never_in_is_told_once() {
        let start = Instant::now();
        let mut cable = Cable::unknown(start);
        cable.look(false, start);
        assert_eq!(cable.look(false, start + SOON), Some(false));
        assert_eq!(cable.patience(start + SOON), QUIET);
        assert_eq!(cable.look(false, start + SOON * 3), None);
    }
}
