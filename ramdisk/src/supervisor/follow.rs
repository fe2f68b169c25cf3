//! Those who are told whenever the loan changes.

use stiefel_core::supervisor::{Answer, Status};

use super::control::Asker;

/// The daemon needs one; more are people who look.
const MOST: usize = 4;

#[derive(Default)]
pub(super) struct Followers {
    each: Vec<Asker>,
    told: Option<Status>,
}

impl Followers {
    /// Tells somebody how it is, and from now on whenever that changes. When there are too
    /// many, the one who came first is hung up on.
    pub(super) fn add(&mut self, mut asker: Asker, status: Status) {
        let settled = status.settled();
        if asker.say(&Answer::Status(status)) {
            // Whoever follows already may still have to hear of this.
            if self.each.is_empty() {
                self.told = Some(settled);
            }
            if self.each.len() == MOST {
                self.each.remove(0);
            }
            self.each.push(asker);
        }
    }

    /// Tells all if it is not as it was told last. Whoever does not take it at once is
    /// hung up on: nobody may keep us from looking after the disk.
    pub(super) fn tell(&mut self, status: impl FnOnce() -> Status) {
        if self.each.is_empty() {
            return;
        }
        let status = status();
        let settled = status.settled();
        if self.told.as_ref() != Some(&settled) {
            self.told = Some(settled);
            let answer = Answer::Status(status);
            self.each.retain_mut(|asker| asker.say(&answer));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::net::UnixStream;

    use super::*;

    fn status(connected: bool, latency_usec: u32) -> Status {
        let line = r#"{"lender":"laptop","epoch":1,"connected":true,"waiting_secs":null,
            "carrier":true,"released":false}"#;
        let status: Status = serde_json::from_str(line).unwrap();
        Status {
            connected,
            latency_usec,
            ..status
        }
    }

    #[test]
    fn changes_are_told_and_measured_numbers_are_none() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut followers = Followers::default();
        followers.add(Asker::on(ours), status(true, 300));
        followers.tell(|| status(true, 300));
        followers.tell(|| status(true, 400));
        followers.tell(|| status(false, 0));
        followers.tell(|| status(false, 0));
        followers.tell(|| status(true, 500));
        drop(followers);
        let told: Vec<_> = BufReader::new(theirs)
            .lines()
            .map(|line| match serde_json::from_str(&line.unwrap()).unwrap() {
                Answer::Status(status) => (status.connected, status.latency_usec),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, [(true, 300), (false, 0), (true, 500)]);
    }

    #[test]
    fn who_has_hung_up_is_forgotten_and_the_last_who_came_stay() {
        let mut followers = Followers::default();
        let mut ends = Vec::new();
        for _ in 0..MOST + 1 {
            let (ours, theirs) = UnixStream::pair().unwrap();
            followers.add(Asker::on(ours), status(true, 0));
            ends.push(theirs);
        }
        assert_eq!(followers.each.len(), MOST);
        ends.truncate(2);
        followers.tell(|| status(false, 0));
        assert_eq!(followers.each.len(), 1);
    }
}
