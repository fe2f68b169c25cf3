//! What announces a hand-off without anybody at this machine, and what ends one.

use super::{Daemon, Now, Trigger};
use crate::view::in_words;
use crate::world::Link;
use std::time::Duration;
use stiefel_core::handoff::{Borrower, Event, HandOff, Silence};
use stiefel_core::pairing::{PairingId, Policy};

/// A cable that was out for less was not plugged in by anybody: cards that were just switched
/// on, and those that agree on another speed, find their cable within a few seconds.
const LOOSE: Duration = Duration::from_secs(10);

impl Daemon {
    pub(super) fn sought(&mut self, pairing: PairingId, now: Now) {
        let Some(record) = self.records.get_mut(&pairing) else {
            return;
        };
        if self.heard.insert(pairing, now.monotonic).is_none() {
            record.last_seen_usec = now.wall_usec;
            if let Err(error) = self.store.save(record) {
                tracing::warn!("{error}");
            }
        }
    }

    /// Somebody searches for us in a way that we do not speak.
    pub(super) fn heard_outdated(&mut self, pairing: PairingId, now: Now) {
        if self.records.contains_key(&pairing) {
            self.outdated.insert(pairing, now.monotonic);
        }
    }

    pub(super) fn woken(&mut self, pairing: PairingId, now: Now) {
        self.sought(pairing, now);
        let Some(record) = self.records.get(&pairing) else {
            return;
        };
        let HandOff::Idle { .. } = self.machine else {
            return;
        };
        if !self.is_armed() || self.declined.contains_key(&pairing) || self.ending {
            return;
        }
        let policy = record.pairing.policy;
        self.announce(
            Borrower::Pairing(pairing),
            Trigger::Search(pairing),
            policy,
            now,
        );
    }

    pub(super) fn linked(&mut self, links: Vec<Link>, now: Now) {
        let was_there = self.links.is_none() || self.stiefellink().is_some();
        self.links = Some(links);
        let came = !was_there && self.stiefellink().is_some();
        let plugged = came | self.cable_came(now);
        let idle = matches!(self.machine, HandOff::Idle { .. });
        let known = self.is_anybody_known();
        if plugged && idle && known && self.is_armed() && !self.ending {
            self.announce(Borrower::Any, Trigger::Plug, self.config.on_plug, now);
        }
    }

    /// Whether the cable of the stiefellink was plugged in just now: a network card that is
    /// built in has nothing else that could be.
    fn cable_came(&mut self, now: Now) -> bool {
        let before = self.loose;
        let link = self.stiefellink();
        let state = link.map(|link| (link.index, link.up, link.carrier));
        match (state, before) {
            (Some((index, true, false)), Some((known, _))) if known == index => false,
            (Some((index, true, false)), _) => {
                self.loose = Some((index, now.monotonic));
                false
            }
            (Some((index, true, true)), Some((known, since))) => {
                self.loose = None;
                known == index && since + LOOSE <= now.monotonic
            }
            (Some((_, true, true) | (_, false, _)) | None, _) => {
                self.loose = None;
                false
            }
        }
    }

    /// Whether there is anybody who could borrow.
    fn is_anybody_known(&self) -> bool {
        self.records
            .values()
            .any(|record| record.pairing.policy != Policy::Never)
    }

    /// Announces what nobody at this machine asked for.
    fn announce(&mut self, borrower: Borrower, trigger: Trigger, policy: Policy, now: Now) {
        let (silence, after) = match policy {
            Policy::Never => return,
            Policy::Ask => (Silence::CallsOff, self.config.confirm_within),
            Policy::Automatic => (Silence::GoesAhead, self.config.countdown),
        };
        let before = std::mem::replace(&mut self.trigger, trigger);
        let blockers = self.blockers();
        if !blockers.is_empty() {
            self.trigger = before;
            if self.machine.turn_away().is_ok() {
                self.detail = format!(
                    "{} asked for the disk, but: {}",
                    self.asker(Some(borrower)),
                    in_words(&blockers)
                );
            }
            return;
        }
        match self.machine.ask(borrower, now.monotonic + after, silence) {
            Ok(effect) => {
                self.countdown = after;
                self.begun(Some(effect), now);
            }
            Err(_) => self.trigger = before,
        }
    }

    /// While something is announced or prepared, anything in the way ends it.
    pub(super) fn look_for_blockers(&mut self, now: Now) {
        let (HandOff::Announced { .. } | HandOff::Preparing { .. }) = self.machine else {
            return;
        };
        let blockers = self.blockers();
        if !blockers.is_empty() {
            self.detail = in_words(&blockers);
            let effect = self.machine.handle(Event::Blocked);
            self.obey(effect, now);
        }
    }

    pub(super) fn asker(&self, borrower: Option<Borrower>) -> String {
        match borrower {
            Some(Borrower::Pairing(pairing)) => self
                .records
                .get(&pairing)
                .map_or_else(|| "A borrower".into(), |r| r.pairing.name.to_string()),
            Some(Borrower::Any) | None => "The stiefellink".into(),
        }
    }
}
