//! When the loan goes over another card than its own, and when it comes back. Decides, and
//! touches nothing.
//!
//! ```text
//!        own card out or silent, another one leads to the lender
//! own ────────────────────────────────────────────────────────────▶ detour
//!   ▲     own card has a cable again, and the lender answers there    │
//!   └──────────────── or the detour is out or silent ◀────────────────┘
//! ```

use std::time::{Duration, Instant};

use stiefel_core::net::MacAddress;
use stiefel_linux::links::Link;

/// Cards and switches lose their cable for a moment when they agree on a speed.
const OUT: Duration = Duration::from_secs(1);
/// All connections are dead, which takes some seconds by itself, and the cable is in.
const SILENT: Duration = Duration::from_secs(3);
/// Between two rounds over other cards on which nobody has answered. They are foreign cables.
const ROUNDS: [Duration; 5] = [
    Duration::from_secs(3),
    Duration::from_secs(6),
    Duration::from_secs(12),
    Duration::from_secs(30),
    Duration::from_secs(60),
];
/// Between two tries of the own card while a detour works: each stops the disk for a moment.
const RETURNS: [Duration; 4] = [
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(90),
    Duration::from_secs(300),
];
/// How many other cards are tried in a round.
const CARDS: usize = 4;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    Stay,
    /// Look whether another card leads to the lender; then tell with [`Ways::went`] or
    /// [`Ways::found_nobody`].
    LookAround,
    /// Look whether the own card does again; then tell with [`Ways::came_home`] or
    /// [`Ways::own_is_silent`].
    TryOwn,
    /// Give the detour up; then tell with [`Ways::came_home`].
    Leave,
}

/// How it is at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// The own card is there and has a carrier.
    pub(super) own: bool,
    /// There is a detour, with a carrier or without.
    pub(super) detour: Option<bool>,
    /// No connection works.
    pub(super) lost: bool,
    /// A card has come, or a cable, that was not there in the last round.
    pub(super) news: bool,
}

/// What has to be remembered for the next decision.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// Since when the way in use leads nowhere.
    lost: Option<Instant>,
    /// Whether the own card had a carrier when we saw it last.
    own: bool,
    /// Not to look around before.
    next_round: Option<Instant>,
    rounds: usize,
    /// When to try the own card, on a detour.
    next_return: Option<Instant>,
    returns: usize,
    due: Option<Instant>,
}

impl Ways {
    pub(super) fn turn(&mut self, seen: Seen, now: Instant) -> Turn {
        let (turn, due) = match seen.detour {
            None => self.on_own(seen, now),
            Some(false) => (Turn::Leave, None),
            Some(true) => self.on_detour(seen, now),
        };
        self.own = seen.own;
        self.due = due;
        turn
    }

    /// When [`Ways::turn`] says something else, should nothing happen.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// A detour leads to the lender.
    pub(super) fn went(&mut self, now: Instant) {
        let next_return = self.own.then(|| now + RETURNS[0]);
        *self = Self {
            own: self.own,
            next_return,
            ..Self::default()
        };
    }

    /// No other card leads to the lender.
    pub(super) fn found_nobody(&mut self, now: Instant) {
        self.next_round = Some(now + ROUNDS[self.rounds.min(ROUNDS.len() - 1)]);
        self.rounds += 1;
        self.due = self.next_round;
    }

    /// The own card is in use again.
    pub(super) fn came_home(&mut self) {
        *self = Self {
            own: self.own,
            ..Self::default()
        };
    }

    /// The own card does not lead to the lender, and the detour is in use again.
    pub(super) fn own_is_silent(&mut self, now: Instant) {
        self.returns += 1;
        self.next_return = Some(now + RETURNS[self.returns.min(RETURNS.len() - 1)]);
        self.lost = None;
        self.due = self.next_return;
    }

    fn on_own(&mut self, seen: Seen, now: Instant) -> (Turn, Option<Instant>) {
        if seen.own && !seen.lost {
            self.came_home();
            return (Turn::Stay, None);
        }
        // A cable that was just put in gets its time.
        if seen.own != self.own {
            self.lost = None;
        }
        let since = *self.lost.get_or_insert(now);
        if seen.news {
            self.rounds = 0;
            self.next_round = self.next_round.map(|next| next.min(now + OUT));
        }
        let patience = if seen.own { SILENT } else { OUT };
        let due = (since + patience).max(self.next_round.unwrap_or(since));
        match now >= due {
            true => (Turn::LookAround, None),
            false => (Turn::Stay, Some(due)),
        }
    }

    fn on_detour(&mut self, seen: Seen, now: Instant) -> (Turn, Option<Instant>) {
        match (seen.own, self.next_return) {
            (false, _) => {
                self.next_return = None;
                self.returns = 0;
            }
            (true, None) => self.next_return = Some(now + OUT),
            (true, Some(_)) => {}
        }
        let silent = match seen.lost {
            true => Some(*self.lost.get_or_insert(now) + SILENT),
            false => {
                self.lost = None;
                None
            }
        };
        let is_due = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        if is_due(silent) {
            (Turn::Leave, None)
        } else if is_due(self.next_return) {
            (Turn::TryOwn, None)
        } else {
            (Turn::Stay, silent.into_iter().chain(self.next_return).min())
        }
    }
}

/// The cards that may lead to the lender, the fastest first. Those that the system has switched
/// off stay off: whoever did so had a reason.
pub(super) fn others(links: Vec<Link>, own: MacAddress) -> Vec<Link> {
    let is_own = |link: &Link| [link.mac, link.permanent_mac].contains(&Some(own));
    let mut others: Vec<Link> = links
        .into_iter()
        .filter(|link| link.is_physical && link.up && link.carrier && !is_own(link))
        .collect();
    others.sort_by_key(|link| (std::cmp::Reverse(link.speed_mbps), link.index));
    others.truncate(CARDS);
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const OWN: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

    fn seen(own: bool, detour: Option<bool>, lost: bool) -> Seen {
        Seen {
            own,
            detour,
            lost,
            news: false,
        }
    }

    /// Asks until something is to be done; what, and after how long.
    fn wait(ways: &mut Ways, seen: Seen, since: Instant) -> Option<(Turn, Duration)> {
        let mut now = since;
        loop {
            match ways.turn(seen, now) {
                Turn::Stay => now = ways.due()?,
                turn => return Some((turn, now - since)),
            }
        }
    }

    #[test]
    fn a_cable_that_is_out_is_left_soon_and_a_silent_one_later() {
        let now = Instant::now();
        let mut ways = Ways::default();
        assert_eq!(wait(&mut ways, seen(true, None, false), now), None);
        let out = wait(&mut ways, seen(false, None, false), now);
        assert_eq!(out, Some((Turn::LookAround, OUT)));
        // It comes back and the connections are dead: it has its time.
        let back = wait(&mut ways, seen(true, None, true), now + 60 * SECOND);
        assert_eq!(back, Some((Turn::LookAround, SILENT)));
        assert_eq!(wait(&mut ways, seen(true, None, false), now), None);
    }

    #[test]
    fn foreign_cables_are_asked_less_and_less_often_until_there_is_a_new_one() {
        let start = Instant::now();
        let mut ways = Ways::default();
        let out = seen(false, None, true);
        let mut now = start;
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let (turn, after) = wait(&mut ways, out, now).unwrap();
            assert_eq!(turn, Turn::LookAround);
            now += after;
            ways.found_nobody(now);
            pauses.push(after.as_secs());
        }
        assert_eq!(pauses, [1, 3, 6, 12, 30, 60, 60]);
        let news = Seen { news: true, ..out };
        assert_eq!(ways.turn(news, now), Turn::Stay);
        assert_eq!(
            wait(&mut ways, out, now),
            Some((Turn::LookAround, OUT)),
            "the new one is not the old ones' fault"
        );
    }

    #[test]
    fn a_detour_ends_when_the_own_card_has_a_cable_again() {
        let now = Instant::now();
        let mut ways = Ways::default();
        ways.turn(seen(false, None, false), now);
        ways.went(now);
        assert_eq!(wait(&mut ways, seen(false, Some(true), false), now), None);
        let back = seen(true, Some(true), false);
        assert_eq!(wait(&mut ways, back, now), Some((Turn::TryOwn, OUT)));
        // Nobody there: less and less often, and at once when it is put in again.
        for pause in [30, 90, 300, 300] {
            ways.own_is_silent(now);
            let again = Some((Turn::TryOwn, pause * SECOND));
            assert_eq!(wait(&mut ways, back, now), again);
        }
        assert_eq!(ways.turn(seen(false, Some(true), false), now), Turn::Stay);
        assert_eq!(wait(&mut ways, back, now), Some((Turn::TryOwn, OUT)));
    }

    #[test]
    fn a_silent_own_card_is_not_tried_at_once() {
        let now = Instant::now();
        let mut ways = Ways::default();
        let silent = wait(&mut ways, seen(true, None, true), now);
        assert_eq!(silent, Some((Turn::LookAround, SILENT)));
        ways.went(now);
        let on_detour = wait(&mut ways, seen(true, Some(true), false), now);
        assert_eq!(on_detour, Some((Turn::TryOwn, RETURNS[0])));
    }

    #[test]
    fn a_detour_that_leads_nowhere_is_left() {
        let now = Instant::now();
        let mut ways = Ways::default();
        ways.went(now);
        let silent = wait(&mut ways, seen(false, Some(true), true), now);
        assert_eq!(silent, Some((Turn::Leave, SILENT)));
        let out = wait(&mut ways, seen(false, Some(false), false), now);
        assert_eq!(out, Some((Turn::Leave, Duration::ZERO)));
    }

    #[test]
    fn wired_cards_with_a_cable_are_tried_the_fastest_first() {
        let card = |index, speed_mbps| Link {
            index,
            name: format!("eth{index}"),
            mac: Some(MacAddress([2, 0, 0, 0, 1, index as u8])),
            permanent_mac: None,
            is_ethernet: true,
            is_physical: true,
            up: true,
            carrier: true,
            mtu: 1500,
            max_mtu: 9000,
            speed_mbps,
        };
        let mut links = vec![
            card(1, None),
            card(2, Some(1000)),
            card(3, Some(2500)),
            card(4, Some(1000)),
        ];
        for index in 5..9 {
            links.push(card(index, Some(10_000)));
        }
        links[4].is_physical = false;
        links[5].up = false;
        links[6].carrier = false;
        links[7].permanent_mac = Some(OWN);
        let found = others(links, OWN);
        let order: Vec<_> = found.iter().map(|link| link.index).collect();
        assert_eq!(order, [3, 2, 4, 1]);
    }
}
