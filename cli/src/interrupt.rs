//! Ctrl-C while something goes on in the daemon: the first calls it off, the second leaves it.

use crate::ending::{Ending, complain};
use std::future::Future;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, from now on.
pub struct Interrupts {
    signal: Signal,
    called_off: bool,
}

impl Interrupts {
    /// Takes Ctrl-C from the system, which would end us.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            signal: signal(SignalKind::interrupt())?,
            called_off: false,
        })
    }

    /// Whether somebody wants it called off.
    pub fn called_off(&self) -> bool {
        self.called_off
    }

    /// Waits for the next Ctrl-C.
    pub async fn next(&mut self) {
        self.signal.recv().await;
    }

    /// Obeys a Ctrl-C: calls off by `call_off`, or leaves if that was done already. `left` is
    /// what there is to say then.
    pub async fn obey<E: Into<anyhow::Error>>(
        &mut self,
        call_off: impl Future<Output = Result<(), E>>,
        left: &str,
    ) -> anyhow::Result<()> {
        let leave = || Err(Ending::Interrupted(left.to_owned()).into());
        if self.called_off {
            return leave();
        }
        self.called_off = true;
        complain("calling it off; Ctrl-C once more leaves it alone")?;
        tokio::select! {
            done = call_off => done.map_err(Into::into),
            _ = self.signal.recv() => leave(),
        }
    }
}
