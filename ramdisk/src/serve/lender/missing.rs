//! A borrower that has vanished, and how often people are reminded of it.

use std::time::{Duration, Instant};

/// A borrower that gives the disk back disconnects first: whoever is silent for this long does not.
const SURE: Duration = Duration::from_secs(1);
/// From one reminder to the next: often while somebody may be on their way with the cable, and
/// then so that nobody forgets it.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(60),
    Duration::from_secs(60),
    Duration::from_secs(180),
    Duration::from_secs(300),
];
/// All further ones.
const PAUSE: Duration = Duration::from_secs(600);

pub struct Missing {
    pub since: Instant,
    /// When people are to hear of it next.
    pub next: Instant,
    told: usize,
}

impl Missing {
    pub fn since(now: Instant) -> Self {
        Self {
            since: now,
            next: now + SURE,
            told: 0,
        }
    }

    /// For how many seconds it is missed, if people are to hear that now.
    pub fn due(&mut self, now: Instant) -> Option<u64> {
        if now < self.next {
            return None;
        }
        self.next = now + PAUSES.get(self.told).copied().unwrap_or(PAUSE);
        self.told += 1;
        Some(now.saturating_duration_since(self.since).as_secs())
    }

    /// Whether people have heard of it.
    pub fn is_told(&self) -> bool {
        self.told > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_reminded_at_once_and_more_and_more_seldom() {
        let start = Instant::now();
        let mut missing = Missing::since(start);
        assert_eq!(missing.due(start), None, "it may be giving the disk back");
        let mut told = vec![];
        for second in 1..=7200 {
            told.extend(missing.due(start + Duration::from_secs(second)));
        }
        assert_eq!(told[..6], [1, 61, 121, 301, 601, 1201]);
        assert!(
            told.windows(2).all(|two| two[1] - two[0] <= 600),
            "{told:?}"
        );
        assert_eq!(told.len(), 15);
    }
}
