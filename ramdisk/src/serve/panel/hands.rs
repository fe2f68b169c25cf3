//! What the keys mean, and when the screen goes dark.
//!
//! ```text
//!            any key, an alarm                Esc                       Enter
//!   Dark ───────────────────────▶ Awake ───────────────▶ Asking ───────────────▶ Awake, said
//!    ▲                             │ ▲  │                  │
//!    └── nobody there for a while ─┘ │  └─ power key: said │ any other key, or too late
//!                                    └─────────────────────┘
//! ```
//!
//! Two keys far from each other, in this order and with nothing between, so that neither a cat
//! nor a book on the keyboard ends a loan. Both are in the same place on every keyboard. The
//! key that wakes a dark screen does nothing else; only the power key always counts.

use std::time::{Duration, Instant};

use stiefel_linux::input::{Key, Stroke};

/// How long the screen stays on when nobody touches a key, unless the command line has its own
/// time: a panel left on for a loan of hours is a good part of what the battery gives.
pub const DARK_AFTER: Duration = Duration::from_secs(3 * 60);
/// How long the question is on the screen.
pub const TO_ANSWER: Duration = Duration::from_secs(15);

/// What the person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// What the question on the screen offers.
    Answered,
    /// The power key.
    Power,
}

/// Whether somebody is there, and whether they are being asked.
#[derive(Debug)]
pub struct Hands {
    dark_after: Duration,
    /// When the screen goes dark, `None` when it is.
    dark_at: Option<Instant>,
    /// Until when the question is on the screen.
    asking: Option<Instant>,
}

impl Hands {
    /// Somebody has just made this machine lend.
    pub fn new(dark_after: Duration, now: Instant) -> Self {
        Self {
            dark_after,
            dark_at: Some(now + dark_after),
            asking: None,
        }
    }

    pub fn is_dark(&self) -> bool {
        self.dark_at.is_none()
    }

    pub fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    /// When [`Hands::look_at_clock`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.dark_at.into_iter().chain(self.asking).min()
    }

    /// Something happened that somebody should see.
    pub fn wake(&mut self, now: Instant) {
        self.dark_at = Some(now + self.dark_after);
    }

    /// Time has passed.
    pub fn look_at_clock(&mut self, now: Instant) {
        if self.asking.is_some_and(|until| until <= now) {
            self.asking = None;
        }
        if self.dark_at.is_some_and(|at| at <= now) {
            self.dark_at = None;
            self.asking = None;
        }
    }

    /// What is to be asked has changed under the question.
    pub fn ask_no_more(&mut self) {
        self.asking = None;
    }

    /// A key was touched.
    pub fn touched(&mut self, stroke: Stroke, now: Instant) -> Option<Wish> {
        let key = match stroke {
            Stroke::Pressed(key) => key,
            Stroke::Released(_) => return None,
            // Whatever it was, it was no person.
            Stroke::Lost => {
                self.asking = None;
                return None;
            }
        };
        // These are for a machine that sleeps; the lid is not even read.
        if [Key::SLEEP, Key::SUSPEND].contains(&key) {
            return None;
        }
        let was_dark = self.is_dark();
        let asked = self.asking.take().is_some_and(|until| now < until);
        self.wake(now);
        match key {
            Key::POWER => Some(Wish::Power),
            _ if was_dark => None,
            Key::ENTER | Key::KEYPAD_ENTER if asked => Some(Wish::Answered),
            Key::ESC if !asked => {
                self.asking = Some(now + TO_ANSWER);
                None
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: Key = Key(45);

    fn touched(keys: &[Key]) -> (Hands, Vec<Wish>) {
        let now = Instant::now();
        let mut hands = Hands::new(DARK_AFTER, now);
        let wishes = keys
            .iter()
            .flat_map(|key| press(&mut hands, *key, now))
            .collect();
        (hands, wishes)
    }

    fn press(hands: &mut Hands, key: Key, now: Instant) -> Option<Wish> {
        let wish = hands.touched(Stroke::Pressed(key), now);
        assert_eq!(hands.touched(Stroke::Released(key), now), None);
        wish
    }

    #[test]
    fn only_both_keys_in_their_order_count() {
        let (esc, enter) = (Key::ESC, Key::ENTER);
        assert_eq!(touched(&[esc, enter]).1, [Wish::Answered]);
        assert_eq!(touched(&[esc, Key::KEYPAD_ENTER]).1, [Wish::Answered]);
        for keys in [
            &[enter, esc] as &[Key],
            &[esc, X, enter],
            &[enter, enter],
            &[esc, esc, enter],
            &[esc, Key::SLEEP, X, enter],
            &[X, enter],
        ] {
            assert!(touched(keys).1.is_empty(), "{keys:?}");
        }
        // Answered once.
        assert_eq!(touched(&[esc, enter, enter]).1, [Wish::Answered]);
    }

    #[test]
    fn too_many_strokes_are_no_answer() {
        let (mut hands, _) = touched(&[Key::ESC]);
        assert!(hands.is_asking());
        assert_eq!(hands.touched(Stroke::Lost, Instant::now()), None);
        assert_eq!(press(&mut hands, Key::ENTER, Instant::now()), None);
    }

    #[test]
    fn the_question_goes_by_itself() {
        let now = Instant::now();
        let mut hands = Hands::new(DARK_AFTER, now);
        press(&mut hands, Key::ESC, now);
        assert_eq!(hands.deadline(), Some(now + TO_ANSWER));
        assert_eq!(press(&mut hands, Key::ENTER, now + TO_ANSWER), None);
        press(&mut hands, Key::ESC, now);
        hands.look_at_clock(now + TO_ANSWER);
        assert!(!hands.is_asking() && !hands.is_dark());
    }

    #[test]
    fn a_key_wakes_a_dark_screen_and_does_nothing_else() {
        let now = Instant::now();
        let mut hands = Hands::new(DARK_AFTER, now);
        hands.look_at_clock(now + DARK_AFTER);
        assert!(hands.is_dark() && hands.deadline().is_none());
        assert_eq!(press(&mut hands, Key::SLEEP, now), None);
        assert!(hands.is_dark(), "sleep keys are ignored");
        assert_eq!(press(&mut hands, Key::ESC, now), None);
        assert!(!hands.is_dark() && !hands.is_asking());
        assert_eq!(hands.deadline(), Some(now + DARK_AFTER));
    }

    #[test]
    fn the_power_key_always_counts() {
        let now = Instant::now();
        let mut hands = Hands::new(DARK_AFTER, now);
        hands.look_at_clock(now + DARK_AFTER);
        assert_eq!(press(&mut hands, Key::POWER, now), Some(Wish::Power));
        assert!(!hands.is_dark());
    }
}
