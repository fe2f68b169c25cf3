//! Several connections of one kernel: nothing old lands on something new.
//!
//! The rules, and why they are enough, see `docs/decisions/0009-several-connections-by-roll-call.md`:
//!
//! ```text
//! WRITE, TRIM, WRITE_ZEROES of the strand's own queue ── nothing moved is under way? ─▶ done
//!                          of another queue ── call the roll ─┬ this strand is not on it: never done
//!                                                             └ it is: end all that are not ─▶ done
//! ```

use std::collections::BTreeMap;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendFlags, send};
use stiefel_core::nbd::strands::{Cookies, Roll, Strand};

use super::super::lock;
use super::{Link, Sessions, State};

/// How often a session that waits looks whether its client is still there. Nothing waits
/// for it but the end of a loan.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What is known of the strands. It is part of the state of all sessions.
#[derive(Default)]
pub(super) struct Strands {
    /// Serials of the sessions that are strands.
    pub(super) serials: BTreeMap<u64, u64>,
    /// The session on which the roll is called.
    pub(super) watch: Option<u64>,
    /// Number of the last call.
    calls: u64,
    /// The last answer.
    roll: Roll,
}

/// What session threads look at with each request, without a lock.
#[derive(Default)]
pub(super) struct Signs {
    /// Moved requests under way.
    moved: AtomicU32,
    cookies: OnceLock<Cookies>,
}

/// A moved request that is done now. Requests that were not moved wait meanwhile.
pub(in super::super) struct Moved<'a>(&'a Sessions);

impl Sessions {
    /// Whether a request comes where its kernel sends it in quiet times.
    pub(in super::super) fn is_at_home(&self, strand: Strand, cookie: u64) -> bool {
        let known = self.signs.cookies.get().copied();
        let known = known.or_else(|| {
            let found = Cookies::recognize(cookie)?;
            Some(*self.signs.cookies.get_or_init(|| found))
        });
        known.is_some_and(|cookies| cookies.queue(cookie) == u16::from(strand.slot.number()))
    }

    /// Whether a request at home has to wait, see [`Sessions::wait_for_moved`].
    pub(in super::super) fn any_moved(&self) -> bool {
        self.signs.moved.load(Ordering::SeqCst) > 0
    }

    /// Waits until no moved request is under way: an older copy of the caller's may be one.
    ///
    /// # Errors
    /// When the link was cut meanwhile.
    pub(in super::super) fn wait_for_moved(&self, link: &Link) -> io::Result<()> {
        let mut state = lock(&self.state);
        while self.any_moved() {
            state = self.wait_on(state, link)?;
        }
        Ok(())
    }

    /// Waits until a moved request may be done: the kernel still used this connection after
    /// the request was received, and connections that it did not use have ended.
    ///
    /// # Errors
    /// When the request must not be done: the kernel has given up on this connection, or it
    /// was cut.
    pub(in super::super) fn settle(&self, link: &Link) -> io::Result<Moved<'_>> {
        let moved = Moved::begin(self);
        let mut state = lock(&self.state);
        state.strands.calls += 1;
        let call = state.strands.calls;
        state.call_roll();
        loop {
            if state.strands.roll.call >= call {
                let (left, news) = state.end_given_up();
                if left == 0 {
                    return Ok(moved);
                }
                if news > 0 {
                    self.changed.notify_all();
                }
            }
            state = self.wait_on(state, link)?;
        }
    }

    /// From now on the roll is called on this connection; the one before is cut. False when
    /// a younger connection has taken that place, or this one was cut.
    pub(in super::super) fn watch(&self, link: &Link) -> bool {
        let mut state = lock(&self.state);
        let before = state.strands.watch;
        if link.is_cut() || before.is_some_and(|before| before > link.id) {
            return false;
        }
        if let Some(before) = before.and_then(|before| state.links.get(&before)) {
            before.cut();
        }
        state.strands.watch = Some(link.id);
        if state.strands.roll.call < state.strands.calls {
            state.call_roll();
        }
        true
    }

    /// Takes an answer to a call.
    pub(in super::super) fn answered(&self, roll: Roll) {
        let mut state = lock(&self.state);
        // An answer to a question that nobody asked is not believed.
        if (state.strands.roll.call + 1..=state.strands.calls).contains(&roll.call) {
            state.strands.roll = roll;
            self.changed.notify_all();
        }
    }

    /// Waits for a change. Finds out by and by that the client has gone.
    fn wait_on<'a>(
        &self,
        state: MutexGuard<'a, State>,
        link: &Link,
    ) -> io::Result<MutexGuard<'a, State>> {
        if link.is_cut() || is_hung_up(&link.socket) {
            link.cut();
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let (state, _) = self
            .changed
            .wait_timeout(state, LOOK_INTERVAL)
            .unwrap_or_else(PoisonError::into_inner);
        Ok(state)
    }
}

impl State {
    /// Asks for an answer to the last call. Without a watch, the next one is asked.
    fn call_roll(&self) {
        let watch = self.strands.watch.and_then(|watch| self.links.get(&watch));
        if let Some(watch) = watch {
            let call = self.strands.calls.to_be_bytes();
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            if send(&watch.socket, &call, flags) != Ok(call.len()) {
                watch.cut();
            }
        }
    }

    /// Cuts the strands that the kernel has given up, which may be the caller's own; says how
    /// many of them have not left, and how many of those were cut just now.
    fn end_given_up(&self) -> (usize, usize) {
        let Strands { serials, roll, .. } = &self.strands;
        let given_up = serials.iter().filter(|(_, serial)| roll.lacks(**serial));
        let links = given_up.filter_map(|(id, _)| self.links.get(id));
        links.fold((0, 0), |(left, news), link| {
            (left + 1, news + usize::from(link.cut()))
        })
    }
}

impl<'a> Moved<'a> {
    fn begin(sessions: &'a Sessions) -> Self {
        sessions.signs.moved.fetch_add(1, Ordering::SeqCst);
        Self(sessions)
    }
}

impl Drop for Moved<'_> {
    fn drop(&mut self) {
        let _state = lock(&self.0.state);
        self.0.signs.moved.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_all();
    }
}

/// Whether the client has ended the connection, or it broke.
fn is_hung_up(socket: &TcpStream) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::RDHUP)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0)
}
