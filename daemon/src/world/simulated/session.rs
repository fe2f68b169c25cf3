//! A session service that does what the script says.

use super::super::{Doing, Farewell, Reporter, Session, Trouble, sealed};
use std::convert::Infallible;
use std::os::fd::OwnedFd;
use stiefel_core::preflight::Inhibitor;
use tokio::sync::watch;

/// Where a simulated shutdown stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Shutdown {
    /// There is none, and one will begin when it is ordered.
    #[default]
    No,
    /// There is none, and none will begin.
    Refused,
    /// It goes on for ever.
    Begun,
}

pub(super) struct SimulatedSession {
    pub inhibitors: watch::Receiver<Vec<Inhibitor>>,
    pub shutdown: watch::Receiver<Shutdown>,
    pub changing: watch::Sender<Shutdown>,
}

impl Session for SimulatedSession {
    fn hold_sleep(&self) -> Doing<'_, OwnedFd> {
        Box::pin(async { sealed("simulated-lock", b"") })
    }

    fn inhibitors(&self) -> Doing<'_, Vec<Inhibitor>> {
        Box::pin(async { Ok(self.inhibitors.borrow().clone()) })
    }

    fn reboot_by_kexec(&self) -> Doing<'_, Infallible> {
        Box::pin(async {
            if *self.shutdown.borrow() == Shutdown::Refused {
                return Err(Trouble("the script refuses to reboot".into()));
            }
            let mut shutdown = self.changing.subscribe();
            self.changing.send_replace(Shutdown::Begun);
            Err(Trouble(
                match shutdown.wait_for(|now| *now != Shutdown::Begun).await {
                    Ok(_) => "the shutdown was given up".into(),
                    Err(_) => "the script is over".into(),
                },
            ))
        })
    }

    fn power_off(&self, force: bool) -> Doing<'_, ()> {
        Box::pin(async move {
            let refused = *self.shutdown.borrow() == Shutdown::Refused;
            if refused || (!force && !self.inhibitors.borrow().is_empty()) {
                return Err(Trouble("the script refuses to shut down".into()));
            }
            self.changing.send_replace(Shutdown::Begun);
            Ok(())
        })
    }

    /// There are no terminals.
    fn announce(&self, _: Option<Farewell>, _: Option<Farewell>) -> Doing<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn going_down(&self) -> Doing<'_, bool> {
        Box::pin(async { Ok(*self.shutdown.borrow() == Shutdown::Begun) })
    }

    /// The script itself tells what changes.
    fn watch(&self, _: Reporter) -> Doing<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
