//! The disk service's gate: asks the loop, from the session's thread.

use std::sync::mpsc::{SyncSender, sync_channel};
use stiefel_server::disk::{Denied, Gate, SessionInfo};
use tokio::sync::mpsc::Sender;

/// What a session's thread tells the loop.
#[derive(Debug)]
pub enum AtGate {
    /// A session of this epoch wants to be let in.
    Open {
        /// Its fence.
        epoch: u64,
        /// Takes the decision.
        reply: SyncSender<Result<(), Denied>>,
    },
    /// A session that was let in has ended and is drained.
    Closed,
}

/// The gate of one grant.
pub struct EpochGate {
    /// Its fence.
    pub epoch: u64,
    /// To the loop.
    pub to_loop: Sender<AtGate>,
}

impl Gate for EpochGate {
    fn open(&self, _: &SessionInfo) -> Result<(), Denied> {
        let over = || Denied {
            reason: "the loan is over".into(),
        };
        let (reply, decision) = sync_channel(1);
        let epoch = self.epoch;
        self.to_loop
            .blocking_send(AtGate::Open { epoch, reply })
            .map_err(|_| over())?;
        decision.recv().map_err(|_| over())?
    }

    fn closed(&self, _: &SessionInfo) {
        // Without a loop the machine is on its way home already.
        let _ = self.to_loop.blocking_send(AtGate::Closed);
    }
}
