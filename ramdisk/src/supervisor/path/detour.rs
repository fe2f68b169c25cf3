//! The way over a card of the lent system, while the own one leads nowhere: an interface on top
//! of that card, in our namespace, which the lent system does not see
//! (`docs/decisions/0017-a-detour-over-another-card.md`).

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use stiefel_core::net::MacAddress;
use stiefel_linux::Result;
use stiefel_linux::links::{Link, Links, link_local_of};

use super::way::{self, Seen, Turn, Ways};
use super::{Path, Reach};
use crate::console::{note, warn};

/// The interface's name in our namespace.
const NAME: &str = "stiefel1";
/// How often the lender is asked on a cable; each handshake may be lost, and each has a second.
const HANDSHAKES: usize = 2;
const ECHOES: usize = 4;
const ECHO: Duration = Duration::from_millis(250);

/// What is known of other ways than the own card.
#[derive(Default)]
pub(super) struct Detours {
    /// Whether this kernel can make any.
    possible: bool,
    ways: Ways,
    /// The interface that is in use instead of the card.
    pub(super) now: Option<Detour>,
    /// Its Ethernet address: a switch sees one of us, however often we come.
    mac: Option<MacAddress>,
    /// The card below it.
    below: Option<u32>,
    /// It has vanished: its card was pulled out.
    gone: bool,
    /// The cards of the last round.
    asked: Vec<u32>,
    /// Something changed among the cards since they were looked at.
    pub(super) changed: bool,
}

#[derive(Clone)]
pub(super) struct Detour {
    pub(super) index: u32,
    pub(super) carrier: bool,
    /// Largest packet, bytes.
    pub(super) mtu: u32,
}

impl Path {
    /// From now on other cards may be used. The module `macvlan` has to be loaded: the kernel
    /// would ask the lent system for it, whose disk may be what waits for us.
    pub(in super::super) fn allow_detours(&mut self) {
        self.detours.possible = self.sees_radio;
    }

    /// When [`Path::choose`] has something to do, should nothing happen.
    pub(in super::super) fn next_turn(&self) -> Option<Instant> {
        self.detours.ways.due()
    }

    /// Changes the way if it leads nowhere, or if there is a better one. `lost` tells that no
    /// connection works. True when packets may go another way now.
    pub(in super::super) fn choose(&mut self, lost: bool) -> bool {
        if self.carrier() && !lost {
            self.unproven = None;
        }
        let may_begin = self.may_begin();
        if !self.detours.possible {
            return false;
        }
        if std::mem::take(&mut self.detours.gone) {
            self.leave_detour();
            return true;
        }
        let seen = Seen {
            own: self.reach == Reach::Cable,
            detour: self.detours.now.as_ref().map(|detour| detour.carrier),
            lost,
            news: self.news(lost),
        };
        match self.detours.ways.turn(seen, Instant::now()) {
            Turn::Stay => false,
            Turn::LookAround if may_begin => self.look_around(),
            Turn::LookAround => {
                note("The clock was set back: other network cards are not tried for so long.");
                self.detours.ways.found_nobody(Instant::now());
                false
            }
            Turn::TryOwn => self.try_own(),
            Turn::Leave => {
                note("The other network card leads nowhere any more.");
                self.keep_on();
                self.leave_detour();
                true
            }
        }
    }

    /// Finds out what has become of the detour; one that a supervisor before us has made is ours.
    pub(super) fn look_at_detour(&mut self) -> Result<()> {
        let link = self.inside.by_name(NAME)?;
        let detours = &mut self.detours;
        detours.gone |= detours.now.is_some() && link.is_none();
        detours.mac = link.as_ref().and_then(|link| link.mac).or(detours.mac);
        detours.now = link.map(|link| Detour {
            index: link.index,
            carrier: link.carrier,
            mtu: link.mtu,
        });
        Ok(())
    }

    fn news(&mut self, lost: bool) -> bool {
        let searching = self.detours.now.is_none() && (lost || !self.carrier());
        if !searching || !std::mem::take(&mut self.detours.changed) {
            return false;
        }
        let others: Vec<u32> = self.others().iter().map(|link| link.index).collect();
        let asked = &mut self.detours.asked;
        asked.retain(|index| others.contains(index));
        others.iter().any(|index| !asked.contains(index))
    }

    fn others(&mut self) -> Vec<Link> {
        let all = self.outside.list().unwrap_or_default();
        way::others(all, self.mac)
    }

    /// Tries one card after the other.
    fn look_around(&mut self) -> bool {
        let others = self.others();
        let before = self.reach;
        self.detours.asked = others.iter().map(|link| link.index).collect();
        for link in &others {
            match self.try_other(link) {
                Ok(true) => {
                    warn(&format!(
                        "The cable leads nowhere; going on over another network card, {}.",
                        link.name
                    ));
                    self.detours.ways.went(Instant::now());
                    self.size_packets();
                    return true;
                }
                Ok(false) => {}
                // It may be part of a bridge, or gone.
                Err(error) => note(&format!("{error}.")),
            }
            self.remove_detour();
            self.look();
            if before != Reach::Cable && self.carrier() {
                break;
            }
        }
        self.detours.ways.found_nobody(Instant::now());
        if !others.is_empty() {
            self.call();
        }
        !others.is_empty()
    }

    /// Whether the lender is on the cable of this card.
    fn try_other(&mut self, other: &Link) -> Result<bool> {
        self.detours.below = Some(other.index);
        self.outside
            .create_macvlan(other.index, NAME, self.detours.mac, self.namespace.as_fd())?;
        self.look_at_detour()?;
        let (Some(detour), Some(mac)) = (self.detours.now.clone(), self.detours.mac) else {
            return Ok(false);
        };
        self.inside.without_own_addresses(detour.index)?;
        self.inside.set_up(detour.index)?;
        self.inside
            .add_address(detour.index, link_local_of(mac), 64)?;
        self.look_at_detour()?;
        Ok(self.knock())
    }

    /// Goes back to the own card if the lender is on its cable.
    fn try_own(&mut self) -> bool {
        let detour = self.detours.now.take();
        if self.knock() {
            self.remove_detour();
            self.detours.ways.came_home();
            warn("Going on over the own network card again.");
            self.size_packets();
        } else {
            self.detours.now = detour;
            self.detours.ways.own_is_silent(Instant::now());
            self.knock();
        }
        true
    }

    fn leave_detour(&mut self) {
        self.remove_detour();
        self.detours.ways.came_home();
        self.detours.asked.clear();
        self.call();
    }

    /// Switches the other card on again if the system has switched it off: some do so when they
    /// shut down, with what they still have to write. It is used again when it has its cable.
    fn keep_on(&mut self) {
        let all = self.outside.list().unwrap_or_default();
        let below = |link: &&Link| Some(link.index) == self.detours.below && !link.up;
        if let Some(link) = all.iter().find(below)
            && let Err(error) = self.outside.set_up(link.index)
        {
            note(&format!("{error}."));
        }
    }

    fn remove_detour(&mut self) {
        let remove = |inside: &mut Links| match inside.by_name(NAME)? {
            Some(link) => inside.delete(link.index),
            None => Ok(()),
        };
        if let Err(error) = remove(&mut self.inside) {
            warn(&format!("{error}."));
        }
        self.detours.now = None;
    }

    /// Whether the lender answers on the cable of the way in use. Nothing but handshakes goes
    /// there until it has. Ends early when the own cable is put in or pulled out.
    fn knock(&mut self) -> bool {
        let own = self.reach;
        for attempt in 0..HANDSHAKES * ECHOES {
            if attempt % ECHOES == 0 {
                self.begin_afresh();
            }
            if self.answers(ECHO) {
                self.unproven = None;
                return true;
            }
            if self.restore().is_err() || self.reach != own {
                return false;
            }
        }
        false
    }
}
