//! Who sends on a session's socket.
//!
//! Replies must not mix, and a client that does not read its replies must hold up nobody but
//! itself. So the shared threads never wait for a socket: what cannot be sent at once is
//! left to whoever is sending, or to a thread that is made for it.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use super::lock;
use super::session::{InFlight, Session};
use super::socket::send_all;

/// The one voice of a session.
#[derive(Default)]
pub(super) struct Voice {
    state: Mutex<State>,
    free: Condvar,
}

#[derive(Default)]
struct State {
    taken: bool,
    /// Replies that whoever has the voice still has to send.
    waiting: VecDeque<Said>,
}

/// A reply, and the requests that are under way until it is sent.
struct Said {
    reply: Vec<u8>,
    _requests: Vec<InFlight>,
}

/// The right to send, for the session's own thread. When it is dropped, what has come
/// together meanwhile is sent as well.
pub(super) struct Speaking<'a>(&'a Session);

impl Session {
    /// Waits for the right to send, for replies in several parts.
    pub(super) fn speak(&self) -> Speaking<'_> {
        let mut state = lock(&self.voice.state);
        while state.taken {
            state = self
                .voice
                .free
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.taken = true;
        Speaking(self)
    }

    /// Sends whole replies, and waits until the client takes them.
    pub(super) fn send(&self, replies: &[u8]) -> io::Result<()> {
        let _speaking = self.speak();
        send_all(&self.link.socket, replies, false)
    }

    /// The next reply that is left to whoever has the voice, who gives it up if there is none.
    fn next_said(&self) -> Option<Said> {
        let mut state = lock(&self.voice.state);
        let next = state.waiting.pop_front();
        if next.is_none() {
            state.taken = false;
            self.voice.free.notify_one();
        }
        next
    }

    /// The stream may be broken in the middle of a reply: nothing more is sent.
    fn fall_silent(&self) {
        self.link.cut();
        let waiting = std::mem::take(&mut lock(&self.voice.state).waiting);
        drop(waiting);
    }
}

impl Drop for Speaking<'_> {
    fn drop(&mut self) {
        let Self(session) = self;
        while let Some(said) = session.next_said() {
            if send_all(&session.link.socket, &said.reply, false).is_err() {
                session.fall_silent();
            }
        }
    }
}

/// Sends the reply to requests of one session, without waiting for its client.
pub(super) fn say(reply: &[u8], requests: Vec<InFlight>) {
    let Some(session) = requests.first().map(InFlight::session) else {
        return;
    };
    let mut state = lock(&session.voice.state);
    if state.taken {
        state.waiting.push_back(Said {
            reply: reply.into(),
            _requests: requests,
        });
        return;
    }
    state.taken = true;
    drop(state);
    let mut left = send_now(&session, reply);
    let mut requests = requests;
    loop {
        if !left.is_empty() {
            let said = Said {
                reply: left,
                _requests: requests,
            };
            lock(&session.voice.state).waiting.push_front(said);
            return leave_to_thread(session);
        }
        let Some(next) = session.next_said() else {
            return;
        };
        left = send_now(&session, &next.reply);
        requests = next._requests;
    }
}

/// Sends what the socket takes; returns the rest. Nothing is left of a stream that is broken.
fn send_now(session: &Session, reply: &[u8]) -> Vec<u8> {
    let mut left = reply;
    while !left.is_empty() {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match send(&session.link.socket, left, flags) {
            Ok(sent) => left = &left[sent..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return left.into(),
            Err(_) => {
                session.fall_silent();
                return Vec::new();
            }
        }
    }
    Vec::new()
}

/// Hands the voice to a thread that may wait for this client.
fn leave_to_thread(session: Arc<Session>) {
    let behind = Arc::clone(&session);
    let body = move || drop(Speaking(&behind));
    let thread = thread::Builder::new().name("disk-sender".into());
    if thread.spawn(body).is_err() {
        session.fall_silent();
        drop(Speaking(&session));
    }
}
