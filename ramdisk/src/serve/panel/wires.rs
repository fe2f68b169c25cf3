//! Which interfaces have a cable, for the screen.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use stiefel_core::net::MacAddress;
use stiefel_linux::links::{Link, Links};

use super::face::Wire;
use crate::wires::usable;

/// How long what was seen is good.
const LOOK_EVERY: Duration = Duration::from_secs(3);

pub struct Wires {
    chosen: Vec<MacAddress>,
    links: Option<Links>,
    seen: Vec<Wire>,
    look_at: Option<Instant>,
}

impl Wires {
    /// Of the chosen interfaces, or of all wired ones.
    pub fn new(chosen: Vec<MacAddress>) -> Self {
        Self {
            chosen,
            links: None,
            seen: vec![],
            look_at: None,
        }
    }

    /// Those with a cable.
    pub fn at(&mut self, now: Instant) -> &[Wire] {
        if self.look_at.is_none_or(|at| at <= now) {
            self.look_at = Some(now + LOOK_EVERY);
            self.seen = self.look();
        }
        &self.seen
    }

    fn look(&mut self) -> Vec<Wire> {
        if self.links.is_none() {
            self.links = Links::open().ok();
        }
        let links = self.links.as_mut().and_then(|links| links.list().ok());
        let wired = links.unwrap_or_default().into_iter();
        wired
            .filter(|link| link.carrier && usable(link, &self.chosen))
            .map(wire)
            .collect()
    }
}

fn wire(link: Link) -> Wire {
    let device = Path::new("/sys/class/net")
        .join(&link.name)
        .join("device/subsystem");
    let bus = fs::read_link(device).ok();
    let bus = bus.as_deref().and_then(Path::file_name);
    Wire {
        bus: match bus.and_then(|bus| bus.to_str()) {
            Some("usb") => Some("USB"),
            Some("thunderbolt") => Some("Thunderbolt"),
            _ => None,
        },
        mbps: link.speed_mbps.unwrap_or(0),
        name: link.name,
    }
}
