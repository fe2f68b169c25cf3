//! How many wait for a decision at a time.

use crate::bouncer::is_interactive;
use tokio::sync::{Semaphore, SemaphorePermit};
use zbus::message::Header;

/// Decisions at a time; more wait for their turn. polkit makes one after the other, so more of
/// them would only bind it to what may be foregone by then. Together they stay below the 128
/// answers that one connection may wait for on the system bus (`max_replies_per_connection`),
/// beyond which everybody would be refused.
const QUICK: usize = 8;
/// The same for those that may have to wait for a password, so that they hold up nobody else.
const ASKING: usize = 32;

/// The queues in front of the bouncer.
pub(super) struct Turns {
    quick: Semaphore,
    asking: Semaphore,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            quick: Semaphore::new(QUICK),
            asking: Semaphore::new(ASKING),
        }
    }

    /// Waits for the turn of a message, which lasts as long as what is returned.
    pub(super) async fn wait(&self, header: &Header<'_>) -> Option<SemaphorePermit<'_>> {
        let turn = match is_interactive(header) {
            true => &self.asking,
            false => &self.quick,
        };
        // It is never closed; if it were, nobody would have to wait.
        turn.acquire().await.ok()
    }
}
