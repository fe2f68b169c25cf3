//! Who is connected, who holds which slot, and the fence between two of them.

use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use stiefel_core::nbd::{SLOTS, Slot};

use super::lock;

mod strands;

/// Most connections at a time: each slot with an old and a new one, and as many for tools.
pub(super) const MAX_CONNECTIONS: usize = 4 * SLOTS as usize;

/// One connection, as seen by those who may have to end it.
pub(super) struct Link {
    /// Later connections have higher numbers.
    pub(super) id: u64,
    pub(super) peer: SocketAddr,
    pub(super) socket: TcpStream,
    cut: AtomicBool,
}

impl Link {
    /// Ends the connection: nothing more that lies in its buffers is looked at, and
    /// who waits for its socket wakes up. Says whether that is news.
    pub(super) fn cut(&self) -> bool {
        let before = self.cut.swap(true, Ordering::SeqCst);
        // An error means that the peer was faster.
        let _ = self.socket.shutdown(Shutdown::Both);
        !before
    }

    /// Asked before each change to the disk.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }
}

/// All connections of one server. A mutex, because session threads meet here only
/// when they come and go.
#[derive(Default)]
pub(super) struct Sessions {
    state: Mutex<State>,
    /// Also when a connection is cut, because its thread may wait for something else.
    changed: Condvar,
    signs: strands::Signs,
}

#[derive(Default)]
struct State {
    /// The connections of the server that had the disk before, until they have left.
    predecessor: Option<Arc<Sessions>>,
    closed: bool,
    last_id: u64,
    links: BTreeMap<u64, Arc<Link>>,
    slots: BTreeMap<Slot, u64>,
    strands: strands::Strands,
}

impl Sessions {
    /// Nobody yet. The predecessor's connections are cut.
    pub(super) fn after(predecessor: Option<Arc<Self>>) -> Self {
        if let Some(predecessor) = &predecessor {
            predecessor.close();
        }
        let sessions = Self::default();
        lock(&sessions.state).predecessor = predecessor;
        sessions
    }

    /// Waits until nothing of the servers before can reach the disk any more.
    pub(super) fn wait_for_predecessors(&self) {
        let predecessor = lock(&self.state).predecessor.clone();
        if let Some(predecessor) = predecessor {
            predecessor.wait_for_predecessors();
            let mut state = lock(&predecessor.state);
            while !state.links.is_empty() {
                state = predecessor
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            drop(state);
            lock(&self.state).predecessor = None;
        }
    }

    /// Takes a new connection in; `None` when there are too many, or no more are wanted.
    pub(super) fn admit(&self, socket: TcpStream, peer: SocketAddr) -> Option<Arc<Link>> {
        let mut state = lock(&self.state);
        if state.closed || state.links.len() >= MAX_CONNECTIONS {
            return None;
        }
        state.last_id += 1;
        let id = state.last_id;
        let link = Arc::new(Link {
            id,
            peer,
            socket,
            cut: AtomicBool::new(false),
        });
        state.links.insert(id, Arc::clone(&link));
        Some(link)
    }

    /// Gives the slot to `link`, which may be a strand with this serial. The slot's older
    /// session is cut, and has left when this returns. False when the link itself was cut
    /// meanwhile, or a younger connection has the slot.
    pub(super) fn take(&self, slot: Slot, serial: Option<u64>, link: &Link) -> bool {
        let mut state = lock(&self.state);
        loop {
            if link.is_cut() {
                return false;
            }
            match state.slots.get(&slot) {
                None => break,
                Some(holder) if *holder > link.id => return false,
                Some(holder) => {
                    if state.links.get(holder).is_some_and(|holder| holder.cut()) {
                        self.changed.notify_all();
                    }
                }
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.slots.insert(slot, link.id);
        if let Some(serial) = serial {
            state.strands.serials.insert(link.id, serial);
        }
        true
    }

    /// The connection has ended and nothing of it can reach the disk any more.
    pub(super) fn leave(&self, id: u64) {
        let mut state = lock(&self.state);
        state.links.remove(&id);
        state.slots.retain(|_, holder| *holder != id);
        state.strands.serials.remove(&id);
        state.strands.watch.take_if(|watch| *watch == id);
        self.changed.notify_all();
    }

    /// Cuts all connections and takes no more in.
    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        for link in state.links.values() {
            link.cut();
        }
        self.changed.notify_all();
    }

    /// Whether no more connections are wanted.
    pub(super) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// Waits until somebody leaves, or for the given time.
    pub(super) fn wait_for_room(&self, patience: Duration) {
        let state = lock(&self.state);
        if !state.closed {
            drop(self.changed.wait_timeout(state, patience));
        }
    }
}
