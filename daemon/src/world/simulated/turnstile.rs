//! Where a script stops the hands, or lets them fail.

use super::super::Trouble;
use std::collections::BTreeSet;
use tokio::sync::watch;

/// Stops the hands at named places, so that somebody can look at them or end
/// them there. Outside of a simulation nobody is stopped.
#[derive(Debug, Clone, Default)]
pub struct Turnstile(Option<Barrier>);

#[derive(Debug, Clone)]
pub(super) struct Barrier {
    pub closed: watch::Receiver<BTreeSet<String>>,
    /// Where the hands are stopped now.
    pub waiting: watch::Sender<Option<String>>,
    pub failing: watch::Receiver<BTreeSet<String>>,
}

impl Turnstile {
    pub(super) fn behind(barrier: Barrier) -> Self {
        Self(Some(barrier))
    }

    /// Passes, as soon as the turnstile `when place` is open.
    pub async fn pass(&mut self, when: &str, place: &str) {
        let Some(Barrier {
            closed, waiting, ..
        }) = &mut self.0
        else {
            return;
        };
        let name = format!("{when} {place}");
        if closed.borrow().contains(&name) {
            waiting.send_replace(Some(name.clone()));
            // When nobody can open it any more, it is open.
            let _ = closed.wait_for(|closed| !closed.contains(&name)).await;
            waiting.send_replace(None);
        }
    }

    /// Whether what is done at `place` shall succeed.
    ///
    /// # Errors
    /// The script says that it fails.
    pub fn check(&self, place: &str) -> Result<(), Trouble> {
        match &self.0 {
            Some(barrier) if barrier.failing.borrow().contains(place) => {
                Err(Trouble(format!("the script lets {place} fail")))
            }
            Some(_) | None => Ok(()),
        }
    }
}
