//! A session service that does what the script says.

use super::super::{Doing, Happening, Reporter, Session, Trouble, sealed};
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
    pub users: watch::Receiver<Vec<String>>,
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

    fn going_down(&self) -> Doing<'_, bool> {
        Box::pin(async { Ok(*self.shutdown.borrow() == Shutdown::Begun) })
    }

    fn watch(&self, reporter: Reporter) -> Doing<'_, ()> {
        Box::pin(async move {
            let (mut inhibitors, mut users) = (self.inhibitors.clone(), self.users.clone());
            loop {
                let now = tokio::select! {
                    changed = inhibitors.changed() => changed
                        .map(|()| Happening::Inhibitors(inhibitors.borrow_and_update().clone())),
                    changed = users.changed() => changed
                        .map(|()| Happening::Users(users.borrow_and_update().clone())),
                };
                let Ok(now) = now else { return Ok(()) };
                if reporter.send(now).await.is_err() {
                    return Ok(());
                }
            }
        })
    }
}
