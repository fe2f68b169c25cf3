//! A gate that keeps a diary of who came and went.

use std::sync::{Condvar, Mutex};

use super::HANG;
use stiefel_server::disk::{Denied, Gate, SessionInfo};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    Opened(u64),
    Denied(u64),
    Closed(u64),
}

#[derive(Default)]
pub struct Diary {
    entries: Mutex<Vec<Entry>>,
    written: Condvar,
    /// Whether nobody is let in.
    pub shut: std::sync::atomic::AtomicBool,
}

impl Diary {
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }

    /// Waits until there are so many entries.
    pub fn wait_for(&self, count: usize) -> Vec<Entry> {
        let mut entries = self.entries.lock().unwrap();
        while entries.len() < count {
            let (woken, waited) = self.written.wait_timeout(entries, HANG).unwrap();
            assert!(!waited.timed_out(), "the gate is not told: {woken:?}");
            entries = woken;
        }
        entries.clone()
    }

    fn write(&self, entry: Entry) {
        self.entries.lock().unwrap().push(entry);
        self.written.notify_all();
    }
}

impl Gate for Diary {
    fn open(&self, session: &SessionInfo) -> Result<(), Denied> {
        if self.shut.load(std::sync::atomic::Ordering::SeqCst) {
            self.write(Entry::Denied(session.id));
            return Err(Denied {
                reason: "lent to desktop".into(),
            });
        }
        self.write(Entry::Opened(session.id));
        Ok(())
    }

    fn closed(&self, session: &SessionInfo) {
        self.write(Entry::Closed(session.id));
    }
}
