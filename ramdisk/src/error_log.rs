//! What a stick remembers of a start that went wrong
//! (`docs/decisions/0019-a-stick-remembers-what-went-wrong.md`).
//!
//! In a thread of its own: nobody waits for a drive. A start has one record, which is written
//! anew when there is more to say. A start that goes well has none, and no drive is touched.

mod account;
mod show;
mod stick;

use crate::console;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;
use stiefel_core::pairing::Name;

pub use show::show;
pub use stick::Stick;

/// How long a search is in vain before that is worth a record: a person has begun to wonder.
const IN_VAIN: Duration = Duration::from_secs(60);
/// The same for a lender that was heard before: its system may take minutes to shut down.
const SILENT: Duration = Duration::from_secs(300);
/// How long to sleep when nothing is to be noticed; news wake the thread at once.
const QUIET: Duration = Duration::from_secs(3600);
/// Most times that one start writes: flash wears out, and a search may fail for hours.
const WRITES: u32 = 8;
/// How long a lent system waits for the last record, which takes a fraction of it.
const AT_THE_END: Duration = Duration::from_secs(5);

/// What the thread is told.
enum News {
    /// The lender has answered.
    Heard,
    /// Something went wrong.
    Failed(String),
    /// The lent system starts; whoever tells it waits until that is noted, too.
    GoesWell(SyncSender<()>),
}

/// Takes down what happens, if there is a stick to take it down on.
pub struct ErrorLog(Option<Sender<News>>);

impl ErrorLog {
    /// For a start from this stick; without one, nothing is remembered.
    pub fn on(stick: Option<Stick>, lender: &Name) -> Self {
        let Some(stick) = stick else {
            return Self(None);
        };
        let (tell, news) = channel();
        let course = Course::of(lender);
        let started = std::thread::Builder::new()
            .name("errors".into())
            .spawn(move || keep(&news, course, &stick));
        // The loan matters more.
        Self(started.ok().map(|_| tell))
    }

    /// The lender has answered.
    pub fn heard(&self) {
        self.tell(News::Heard);
    }

    /// Something went wrong, whether it goes on or not.
    pub fn failed(&self, error: &str) {
        self.tell(News::Failed(error.to_owned()));
    }

    /// The lent system starts now. Returns when the stick is left alone.
    pub fn goes_well(&self) {
        let (noted, wait) = sync_channel(1);
        self.tell(News::GoesWell(noted));
        // An error is a thread that is gone, or a drive that hangs: the loan goes on.
        let _ = wait.recv_timeout(AT_THE_END);
    }

    fn tell(&self, news: News) {
        if let Some(tell) = &self.0 {
            // Nobody hears it when the thread is gone; nothing is lost but a record.
            let _ = tell.send(news);
        }
    }
}

fn keep(news: &Receiver<News>, mut course: Course, stick: &Stick) {
    loop {
        let (error, told_by) = match news.recv_timeout(course.patience()) {
            Ok(News::Heard) => (course.heard(), None),
            Ok(News::Failed(error)) => (course.failed(error), None),
            Ok(News::GoesWell(noted)) => (course.goes_well(), Some(noted)),
            Err(RecvTimeoutError::Timeout) => (course.silence(), None),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if let Some(error) = error {
            match stick.remember(|| account::of(error), course.is_more()) {
                Ok(()) => console::say("The stick remembers what went wrong."),
                Err(error) => console::say(&format!("The stick remembers nothing: {error:#}.")),
            }
        }
        if let Some(noted) = told_by {
            // Who has given up waiting is not there any more.
            let _ = noted.send(());
        }
    }
}

/// How this start goes, and what of it is worth a record. Pure.
struct Course {
    lender: String,
    heard: bool,
    was_silent: bool,
    writes: u32,
    /// What the record says.
    last: Option<String>,
}

impl Course {
    fn of(lender: &Name) -> Self {
        Self {
            lender: lender.to_string(),
            heard: false,
            was_silent: false,
            writes: 0,
            last: None,
        }
    }

    /// How long nothing may happen.
    fn patience(&self) -> Duration {
        match (self.was_silent, self.heard) {
            (true, _) => QUIET,
            (false, false) => IN_VAIN,
            (false, true) => SILENT,
        }
    }

    fn heard(&mut self) -> Option<String> {
        self.heard = true;
        None
    }

    fn failed(&mut self, error: String) -> Option<String> {
        if self.last.as_ref() == Some(&error) || self.writes == WRITES {
            return None;
        }
        self.writes += 1;
        self.last = Some(error.clone());
        Some(error)
    }

    fn silence(&mut self) -> Option<String> {
        if self.was_silent {
            return None;
        }
        let (lender, secs) = (&self.lender, self.patience().as_secs());
        self.was_silent = true;
        self.failed(match self.heard {
            false => format!("{lender} has not answered for {secs} s; the search goes on"),
            true => format!("{lender} was found and is silent for {secs} s; the search goes on"),
        })
    }

    fn goes_well(&mut self) -> Option<String> {
        let before = self.last.clone()?;
        self.failed(format!(
            "none in the end, the system was started. Before: {before}"
        ))
    }

    /// Whether this start has a record already.
    fn is_more(&self) -> bool {
        self.writes > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course() -> Course {
        Course::of(&"lap".parse().unwrap())
    }

    #[test]
    fn a_start_that_goes_well_leaves_no_record() {
        let mut course = course();
        assert_eq!(course.patience(), IN_VAIN);
        assert_eq!(course.heard(), None);
        assert_eq!(course.patience(), SILENT);
        assert_eq!(course.goes_well(), None);
    }

    #[test]
    fn a_search_in_vain_is_told_once_and_what_follows_goes_into_the_same_record() {
        let mut course = course();
        let told = course.silence().unwrap();
        assert!(told.contains("lap has not answered"), "{told}");
        assert!(!course.is_more());
        assert_eq!((course.silence(), course.patience()), (None, QUIET));
        course.heard();
        assert!(course.failed("refused".into()).is_some() && course.is_more());
        assert_eq!(course.failed("refused".into()), None, "said already");
        let told = course.goes_well().unwrap();
        assert!(
            told.contains("in the end") && told.contains("refused"),
            "{told}"
        );
    }

    #[test]
    fn a_search_that_fails_for_hours_does_not_wear_the_stick_out() {
        let mut course = course();
        let written = (0..100).filter_map(|number| course.failed(number.to_string()));
        assert_eq!(written.count(), WRITES as usize);
        assert_eq!(course.goes_well(), None);
    }
}
