//! How many wait for a decision at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Decisions at a time about one user; more wait for their turn. polkit makes one after the other,
/// so more of them would only bind it to what may be foregone by then.
const QUICK: usize = 8;
/// The same for those that may have to wait for a password: nobody types several at once.
const ASKING: usize = 4;

/// Decisions at a time about all users. Together they stay below the 128 answers that one
/// connection may wait for on the system bus (`max_replies_per_connection`), beyond which
/// everybody would be refused.
const QUICK_IN_ALL: usize = 64;
const ASKING_IN_ALL: usize = 32;

/// The queues in front of the bouncer.
pub(super) struct Turns {
    quick: Queue,
    asking: Queue,
}

/// A turn, as long as it is kept.
pub(super) struct Turn {
    _own: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

/// One queue for each user, so that nobody waits behind somebody else's passwords.
struct Queue {
    each: usize,
    of_all: Arc<Semaphore>,
    /// Those of users who wait, or have turns.
    users: Mutex<HashMap<u32, Weak<Semaphore>>>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            quick: Queue::new(QUICK, QUICK_IN_ALL),
            asking: Queue::new(ASKING, ASKING_IN_ALL),
        }
    }

    /// Waits for a user's turn. `None` if the queues were closed, which they never are.
    pub(super) async fn wait(&self, user: u32, may_ask: bool) -> Option<Turn> {
        let queue = match may_ask {
            true => &self.asking,
            false => &self.quick,
        };
        // The own one first: who waits for it takes no place of others'.
        let own = queue.of(user).acquire_owned().await.ok()?;
        let of_all = Arc::clone(&queue.of_all).acquire_owned().await.ok()?;
        Some(Turn {
            _own: own,
            _of_all: of_all,
        })
    }
}

impl Queue {
    fn new(each: usize, all: usize) -> Self {
        Self {
            each,
            of_all: Arc::new(Semaphore::new(all)),
            users: Mutex::default(),
        }
    }

    fn of(&self, user: u32) -> Arc<Semaphore> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = users.get(&user).and_then(Weak::upgrade) {
            return queue;
        }
        users.retain(|_, queue| queue.strong_count() > 0);
        let queue = Arc::new(Semaphore::new(self.each));
        users.insert(user, Arc::downgrade(&queue));
        queue
    }
}
