//! The stiefellink is taken away from everybody who configures interfaces, as
//! long as the machine is armed or a hand-off needs it.
//!
//! One task owns the services that are told; the loop says what it wants by a
//! watch, the hands ask and wait. What both want together is in force.

use super::{Happening, NetworkService, Reporter, Trouble};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Interfaces to take away: by name, with the kernel's number while they are there. A
/// number that changes means that it was plugged in again.
pub type Claims = BTreeMap<String, Option<u32>>;

/// A service that restarts is back after a few seconds; one that does not want to will not
/// want to a minute later either, and is asked no more often.
const AGAIN: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(60);

/// What the hands ask for, and where the answer goes.
type Asked = (Vec<String>, oneshot::Sender<Result<(), Trouble>>);

/// Asks the keeper, on behalf of a hand-off.
#[derive(Clone)]
pub struct Claimer(mpsc::Sender<Asked>);

impl Claimer {
    /// Takes these interfaces away until [`Claimer::release`], whether or not the machine
    /// is armed.
    ///
    /// # Errors
    /// A service could not be told.
    pub async fn hold(&self, interfaces: &[String]) -> Result<(), Trouble> {
        self.ask(interfaces.to_vec()).await
    }

    /// Takes nothing away on behalf of a hand-off any more.
    ///
    /// # Errors
    /// A service could not be told.
    pub async fn release(&self) -> Result<(), Trouble> {
        self.ask(vec![]).await
    }

    async fn ask(&self, interfaces: Vec<String>) -> Result<(), Trouble> {
        let gone = || Trouble("nobody takes interfaces away any more".into());
        let (answer, answered) = oneshot::channel();
        let asked = self.0.send((interfaces, answer)).await;
        asked.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// Keeps interfaces away from everybody else.
pub struct Keeper {
    networks: Vec<Box<dyn NetworkService>>,
    wanted: watch::Receiver<Option<Claims>>,
    asked: mpsc::Receiver<Asked>,
    held: Vec<String>,
    /// What the services were told last; `None` if only an earlier process knows.
    told: Option<Claims>,
    /// After how long a service that failed is told again, and how long that was last.
    again: RangeInclusive<Duration>,
    failed: Option<Duration>,
}

impl Keeper {
    /// A keeper that follows `wanted` (`None` as long as the interfaces are not known), and
    /// the end that the hands ask.
    #[must_use]
    pub fn new(
        networks: Vec<Box<dyn NetworkService>>,
        wanted: watch::Receiver<Option<Claims>>,
    ) -> (Self, Claimer) {
        let (asks, asked) = mpsc::channel(1);
        let keeper = Self {
            networks,
            wanted,
            asked,
            held: vec![],
            told: None,
            again: AGAIN,
            failed: None,
        };
        (keeper, Claimer(asks))
    }

    /// Works until the loop is gone.
    pub async fn work(mut self, reporter: Reporter) {
        loop {
            let again = self.failed;
            let retry = async {
                match again {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            let answer = tokio::select! {
                () = retry => None,
                changed = self.wanted.changed() => match changed {
                    // An earlier process may have left something that we shall keep: nothing
                    // is taken back before it is known what is there.
                    Ok(()) if self.wanted.borrow().is_none() => continue,
                    Ok(()) => None,
                    Err(_) => return,
                },
                asked = self.asked.recv() => match asked {
                    Some((held, answer)) => {
                        self.held = held;
                        Some(answer)
                    }
                    None => return,
                },
            };
            let told = self.tell().await;
            self.failed = match (&told, again) {
                (Ok(()), _) => None,
                (Err(_), None) => Some(*self.again.start()),
                (Err(_), Some(last)) => Some(last.saturating_mul(2).min(*self.again.end())),
            };
            if reporter.send(self.report(&told)).await.is_err() {
                return;
            }
            if let Some(answer) = answer {
                // The hands may be gone.
                let _ = answer.send(told);
            }
        }
    }

    /// Tells everybody, also after an error, and reports all of them.
    async fn tell(&mut self) -> Result<(), Trouble> {
        let mut claims = self.wanted.borrow_and_update().clone().unwrap_or_default();
        for interface in &self.held {
            claims.entry(interface.clone()).or_insert(None);
        }
        if self.told.as_ref() == Some(&claims) {
            return Ok(());
        }
        let mut complaints = Vec::new();
        for network in &mut self.networks {
            let told = match claims.is_empty() {
                true => network.release().await,
                false => network.claim(&claims).await,
            };
            complaints.extend(told.err().map(|Trouble(text)| text));
        }
        if complaints.is_empty() {
            self.told = Some(claims);
            return Ok(());
        }
        // Whoever wants the same once more gets another try.
        self.told = None;
        Err(Trouble(complaints.join("; ")))
    }

    fn report(&self, told: &Result<(), Trouble>) -> Happening {
        let names = match &self.told {
            Some(claims) => claims.keys().cloned().collect(),
            None => vec![],
        };
        Happening::Claimed(names, told.clone().err())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Doing;
    use std::sync::{Arc, Mutex};

    /// Notes what it is told, and fails when it is told so.
    #[derive(Clone, Default)]
    struct Noted(Arc<Mutex<Vec<String>>>, Arc<Mutex<bool>>);

    impl Noted {
        fn note(&self, text: String) -> Doing<'_, ()> {
            self.0.lock().unwrap().push(text);
            let fails = *self.1.lock().unwrap();
            Box::pin(async move {
                match fails {
                    true => Err(Trouble("told to fail".into())),
                    false => Ok(()),
                }
            })
        }
    }

    impl NetworkService for Noted {
        fn claim<'a>(&'a mut self, claims: &'a Claims) -> Doing<'a, ()> {
            self.note(format!("{claims:?}"))
        }

        fn release(&mut self) -> Doing<'_, ()> {
            self.note("release".into())
        }
    }

    struct Bench {
        noted: Noted,
        wanted: watch::Sender<Option<Claims>>,
        claimer: Claimer,
        happenings: mpsc::Receiver<Happening>,
    }

    fn bench() -> Bench {
        bench_that_tries(Duration::MAX..=Duration::MAX)
    }

    fn bench_that_tries(again: RangeInclusive<Duration>) -> Bench {
        let noted = Noted::default();
        let (wanted, listener) = watch::channel(None);
        let (mut keeper, claimer) = Keeper::new(vec![Box::new(noted.clone())], listener);
        keeper.again = again;
        let (reporter, happenings) = mpsc::channel(8);
        tokio::spawn(keeper.work(reporter));
        Bench {
            noted,
            wanted,
            claimer,
            happenings,
        }
    }

    impl Bench {
        /// What the services were told since the last time, once something was reported.
        async fn told(&mut self) -> (Vec<String>, Vec<String>, bool) {
            let Some(Happening::Claimed(names, trouble)) = self.happenings.recv().await else {
                panic!("no report");
            };
            let noted = std::mem::take(&mut *self.noted.0.lock().unwrap());
            (noted, names, trouble.is_some())
        }
    }

    fn lan0(index: u32) -> Option<Claims> {
        Some([("lan0".to_owned(), Some(index))].into())
    }

    #[tokio::test]
    async fn a_replug_is_told_once_more_and_the_end_of_a_hand_off_releases_nothing_else() {
        let mut bench = bench();
        bench.wanted.send_replace(lan0(3));
        let (noted, names, _) = bench.told().await;
        assert_eq!((noted.len(), names), (1, vec!["lan0".to_owned()]));
        bench.wanted.send_replace(lan0(4));
        assert_eq!(bench.told().await.0, ["{\"lan0\": Some(4)}"]);
        bench.claimer.hold(&["lan0".to_owned()]).await.unwrap();
        assert_eq!(bench.told().await.0, Vec::<String>::new());
        bench.claimer.release().await.unwrap();
        assert_eq!(bench.told().await.0, Vec::<String>::new());
        bench.wanted.send_replace(Some(Claims::new()));
        assert_eq!(bench.told().await.0, ["release"]);
    }

    #[tokio::test]
    async fn a_service_that_fails_is_told_of_and_tried_again() {
        let mut bench = bench();
        *bench.noted.1.lock().unwrap() = true;
        bench.wanted.send_replace(lan0(3));
        let (_, names, trouble) = bench.told().await;
        assert!(names.is_empty() && trouble);
        assert!(bench.claimer.hold(&["lan0".to_owned()]).await.is_err());
        bench.told().await;
        *bench.noted.1.lock().unwrap() = false;
        bench.claimer.release().await.unwrap();
        assert_eq!(bench.told().await.1, ["lan0"]);
    }

    #[tokio::test]
    async fn a_service_that_fails_is_tried_again_by_itself() {
        let soon = Duration::from_millis(1)..=Duration::from_millis(4);
        let mut bench = bench_that_tries(soon);
        *bench.noted.1.lock().unwrap() = true;
        bench.wanted.send_replace(lan0(3));
        for _ in 0..5 {
            assert!(bench.told().await.2);
        }
        *bench.noted.1.lock().unwrap() = false;
        loop {
            let (_, names, trouble) = bench.told().await;
            if !trouble {
                assert_eq!(names, ["lan0"]);
                return;
            }
        }
    }
}
