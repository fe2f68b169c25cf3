//! A queue between threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use super::lock;

/// First in, first out. Its length is bounded by what its users have in flight.
pub(super) struct Queue<T> {
    state: Mutex<QueueState<T>>,
    changed: Condvar,
}

struct QueueState<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let state = QueueState {
            items: VecDeque::new(),
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }
}

impl<T> Queue<T> {
    /// Adds something; it is still handed out after [`Queue::close`].
    pub(super) fn push(&self, item: T) {
        lock(&self.state).items.push_back(item);
        self.changed.notify_one();
    }

    /// Adds several things, for `takers` to share.
    pub(super) fn push_all(&self, items: impl IntoIterator<Item = T>, takers: usize) {
        lock(&self.state).items.extend(items);
        for _ in 0..takers {
            self.changed.notify_one();
        }
    }

    /// Waits for something, and takes with it what is next as long as `joins` says that
    /// it belongs to what was taken; `None` once the queue is closed and empty.
    pub(super) fn pop_with(&self, joins: impl Fn(&[T], &T) -> bool) -> Option<Vec<T>> {
        self.wait(|items| {
            let mut taken = vec![items.pop_front()?];
            while items.front().is_some_and(|next| joins(&taken, next)) {
                taken.extend(items.pop_front());
            }
            Some(taken)
        })
    }

    /// Waits for something and takes all there is.
    pub(super) fn pop_all(&self) -> Option<VecDeque<T>> {
        self.wait(|items| (!items.is_empty()).then(|| std::mem::take(items)))
    }

    fn wait<R>(&self, take: impl Fn(&mut VecDeque<T>) -> Option<R>) -> Option<R> {
        let mut state = lock(&self.state);
        loop {
            if let Some(taken) = take(&mut state.items) {
                return Some(taken);
            }
            if state.closed {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Sends those home who wait, once all is handed out.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }
}
