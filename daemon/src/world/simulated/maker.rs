//! Makes nothing, at the pace that the script says.

use super::super::sticks::{Stick, StickMaker, Target};
use super::super::{Happening, Maker, Phase, Progress, Reporter, Running, Trouble};
use super::turnstile::Turnstile;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// How long a job takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Pace {
    /// No time at all.
    #[default]
    AtOnce,
    /// This long.
    Takes(Duration),
    /// Until the script says that it is over.
    ByHand,
}

/// Makes ramdisks and sticks.
#[derive(Clone)]
pub(super) struct SimulatedMaker {
    pub turnstile: Turnstile,
    pub pace: watch::Receiver<Pace>,
}

impl Maker for SimulatedMaker {
    fn start(&self, number: u32, reporter: Reporter) -> Result<Running, Trouble> {
        let phases = vec![Phase::None];
        Ok(self.clone().begin("update-image", number, phases, reporter))
    }
}

impl StickMaker for SimulatedMaker {
    fn able(&self) -> Result<(), Trouble> {
        match self.turnstile.check("sticks") {
            Ok(()) => Ok(()),
            Err(_) => Err(Trouble("the script lets nobody make sticks".into())),
        }
    }

    fn start(&self, number: u32, stick: Stick, reporter: Reporter) -> Result<Running, Trouble> {
        let name = match stick.target {
            Target::File(_) => "save-stick",
            Target::Drive { .. } | Target::OwnStick(_) | Target::OpenDrive(_) => "write-stick",
        };
        let phases = vec![Phase::Making, Phase::Writing, Phase::Verifying];
        Ok(self.clone().begin(name, number, phases, reporter))
    }
}

impl SimulatedMaker {
    fn begin(
        mut self,
        name: &'static str,
        number: u32,
        phases: Vec<Phase>,
        reporter: Reporter,
    ) -> Running {
        let (running, called_off) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let end = tokio::select! {
                end = self.work(name, number, &phases, &reporter) => end,
                _ = called_off => Err(Trouble("called off".into())),
            };
            let _ = reporter.send(Happening::Ended(number, end)).await;
        });
        Box::new(running)
    }

    async fn work(
        &mut self,
        name: &str,
        number: u32,
        phases: &[Phase],
        reporter: &Reporter,
    ) -> Result<(), Trouble> {
        let pace = *self.pace.borrow();
        match pace {
            Pace::AtOnce => {
                let first = phases.first().copied().unwrap_or_default();
                let progress = Progress {
                    phase: first,
                    ..Progress::of(0.25)
                };
                let _ = reporter.send(Happening::Progressed(number, progress)).await;
                self.turnstile.pass("before", name).await;
            }
            Pace::ByHand => std::future::pending().await,
            Pace::Takes(time) => {
                for percent in 0..100_u32 {
                    let at = percent as usize * phases.len() / 100;
                    let left = time / 100 * (100 - percent);
                    let progress = Progress {
                        share: f64::from(percent) / 100.0,
                        phase: phases[at],
                        left_secs: left.as_secs(),
                    };
                    let _ = reporter.send(Happening::Progressed(number, progress)).await;
                    tokio::time::sleep(time / 100).await;
                }
            }
        }
        self.turnstile.check(name)
    }
}
