//! What an alarm sounds like.
//!
//! Rising is good news, falling is bad news, and the more notes the more urgent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use stiefel_core::battery::Level;
use stiefel_core::loan::Outcome;

use crate::serve::outlook::Alarm;

/// Notes that small speakers are loud at, hertz.
const LOW: u16 = 660;
const MIDDLE: u16 = 880;
const HIGH: u16 = 1320;
/// No tone.
pub const SILENCE: u16 = 0;

const SHORT: u64 = 120;
const LONG: u64 = 400;

/// A tone and how long it sounds, milliseconds.
pub type Note = (u16, u64);

fn notes(alarm: Alarm) -> &'static [Note] {
    const GAP: Note = (SILENCE, SHORT);
    match alarm {
        Alarm::MainsLost => &[(HIGH, SHORT), (MIDDLE, SHORT), (LOW, LONG)],
        Alarm::MainsBack | Alarm::BackAgain => &[(LOW, SHORT), (HIGH, SHORT)],
        Alarm::Battery(Level::Fine) => &[],
        Alarm::Battery(Level::Warn) => &[(MIDDLE, LONG)],
        Alarm::Battery(Level::Low) => &[(MIDDLE, LONG), GAP, (MIDDLE, LONG)],
        Alarm::Battery(Level::Critical | Level::Action) | Alarm::DiskFailed => &[
            (HIGH, LONG),
            GAP,
            (HIGH, LONG),
            GAP,
            (HIGH, LONG),
            GAP,
            (HIGH, LONG),
        ],
        Alarm::Missing { .. } => &[(MIDDLE, SHORT), GAP, (MIDDLE, SHORT), GAP, (LOW, LONG)],
        Alarm::AskedBack => &[(MIDDLE, SHORT)],
        Alarm::Over(Outcome::Lost) => &[(MIDDLE, SHORT), (LOW, LONG)],
        Alarm::Over(
            Outcome::Returned | Outcome::Recalled | Outcome::Unused | Outcome::Exhausted,
        ) => &[(LOW, SHORT), (MIDDLE, SHORT), (HIGH, LONG)],
    }
}

/// Notes that are still to be played.
#[derive(Default)]
pub struct Player {
    waiting: VecDeque<Note>,
    /// When the note that sounds ends.
    until: Option<Instant>,
}

/// Notes that wait at most: whoever has not heard these hears no more of it.
const WAITING: usize = 32;

impl Player {
    /// Plays an alarm behind what is playing. Returns its tune, if there is one and it is not
    /// one too many.
    pub fn add(&mut self, alarm: Alarm) -> Option<&'static [Note]> {
        let notes = notes(alarm);
        if notes.is_empty() || self.waiting.len() + notes.len() >= WAITING {
            return None;
        }
        self.waiting.extend(notes);
        // Alarms that follow each other are told apart.
        self.waiting.push_back((SILENCE, LONG));
        Some(notes)
    }

    /// When [`Player::at`] is to be called next; `None` when nothing plays.
    pub fn next(&self, now: Instant) -> Option<Instant> {
        self.until
            .or_else(|| (!self.waiting.is_empty()).then_some(now))
    }

    /// The tone to sound from now on, if it is another one.
    pub fn at(&mut self, now: Instant) -> Option<u16> {
        if self.until.is_some_and(|until| now < until) {
            return None;
        }
        match self.waiting.pop_front() {
            Some((tone, msecs)) => {
                self.until = Some(now + Duration::from_millis(msecs));
                Some(tone)
            }
            None => self.until.take().map(|_| SILENCE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(player: &mut Player, mut now: Instant) -> Vec<Note> {
        let start = now;
        let mut played = vec![];
        while let Some(next) = player.next(now) {
            now = next;
            if let Some(tone) = player.at(now) {
                played.push((tone, now.duration_since(start).as_millis() as u64));
            }
        }
        played
    }

    #[test]
    fn a_tune_ends_in_silence() {
        let now = Instant::now();
        let mut player = Player::default();
        assert!(play(&mut player, now).is_empty());
        assert_eq!(player.add(Alarm::MainsLost), Some(notes(Alarm::MainsLost)));
        assert_eq!(player.add(Alarm::AskedBack), Some(notes(Alarm::AskedBack)));
        let played = play(&mut player, now);
        let expected = [
            (HIGH, 0),
            (MIDDLE, 120),
            (LOW, 240),
            (SILENCE, 640),
            (MIDDLE, 1040),
            (SILENCE, 1160),
            (SILENCE, 1560),
        ];
        assert_eq!(played, expected);
    }

    #[test]
    fn alarms_without_end_do_not_pile_up() {
        let mut player = Player::default();
        let tunes = (0..1000).filter_map(|_| player.add(Alarm::Battery(Level::Low)));
        assert_eq!(tunes.count(), WAITING / 4);
        assert!(player.waiting.len() <= WAITING);
    }

    #[test]
    fn the_emptier_the_battery_the_more_is_heard() {
        let sounding = |level| -> u64 {
            let sounds = notes(Alarm::Battery(level))
                .iter()
                .filter(|(tone, _)| *tone != SILENCE);
            sounds.map(|(_, msecs)| msecs).sum()
        };
        let [fine, warn, low, critical] =
            [Level::Fine, Level::Warn, Level::Low, Level::Critical].map(sounding);
        assert!(fine == 0 && fine < warn && warn < low && low < critical);
    }
}
