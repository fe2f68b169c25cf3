//! All connections to the disk, and the watch on which the lender asks for them
//! (`docs/decisions/0009-several-connections-by-roll-call.md`).
//!
//! The kernel puts a new socket where its first dead one was, so new ones are given to it in
//! the order of their slots. A socket that ends up elsewhere is slow and no less safe.

use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use stiefel_core::nbd::strands::Strand;
use stiefel_core::nbd::{ExportName, Slot};
use stiefel_linux::nbd::{Export, HandshakeError, Nbd, Patience};

use super::connection::{self, Connection, Socket};
use super::watch::Watch;
use crate::console::note;

/// How many sockets the kernel gets. It uses one for each processor; more than four bring
/// nothing.
const STRANDS: u8 = 4;

/// How long the lender has to take a call, each time that nobody has. Short at first, because the
/// path may change again meanwhile; a lender that is busy needs longer.
const REACH: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

const REACH_AT_FIRST: Duration = Duration::from_secs(2);

/// How often calls of the roll are noted at most.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Strands {
    each: Vec<Connection>,
    watch: Watch,
    /// The last serial that was given.
    newest: u64,
    /// Calls in a row that nobody has taken.
    unheard: usize,
    /// When an answer to the lender was noted last.
    noted: Option<Instant>,
}

impl Strands {
    /// Nothing is connected.
    pub(super) fn none() -> Self {
        Self {
            each: Vec::new(),
            watch: Watch::none(),
            newest: 0,
            unheard: 0,
            noted: None,
        }
    }

    /// Those of a supervisor that was killed: the kernel has connections, but which ones nobody
    /// knows any more. All are dead to us, and what we make is younger than any of them:
    /// a connection takes longer than a nanosecond.
    pub(super) fn succeed() -> Self {
        let now = clock_gettime(ClockId::Monotonic);
        let nanoseconds = i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec);
        Self {
            each: (0..STRANDS).map(|_| Connection::dead()).collect(),
            newest: u64::try_from(nanoseconds).unwrap_or(u64::MAX / 2),
            ..Self::none()
        }
    }

    /// Connects all for the first time, at the same time. What was connected before an error is
    /// given up, and its serials are not used again.
    pub(super) fn connect(&mut self) -> Result<Export, HandshakeError> {
        self.each.clear();
        let slots = (0..STRANDS).filter_map(Slot::new);
        let serials = self.newest + 1..;
        self.newest += u64::from(STRANDS);
        let (dialled, watch): (Vec<_>, _) = thread::scope(|scope| {
            let dial = |(slot, serial)| {
                scope.spawn(move || {
                    (
                        serial,
                        connection::dial(strand(slot, serial), REACH_AT_FIRST),
                    )
                })
            };
            let calls: Vec<_> = slots.zip(serials).map(dial).collect();
            let watch = connection::dial(ExportName::Watch, REACH_AT_FIRST);
            let joined = calls.into_iter().map(thread::ScopedJoinHandle::join);
            let dialled = joined
                .map(|joined| joined.unwrap_or_else(|panic| resume_unwind(panic)))
                .collect();
            (dialled, watch)
        });
        let mut export = None;
        for (serial, outcome) in dialled {
            let (stream, found) = outcome?;
            export = Some(found);
            self.each.push(Connection::Alive(Socket { stream, serial }));
        }
        self.watch.listen_to(watch?.0)?;
        export.ok_or(HandshakeError::Foreign)
    }

    /// The sockets that work as far as we know.
    pub(super) fn alive(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.each.iter().filter_map(Connection::alive)
    }

    /// The watch's socket, to be polled for calls.
    pub(super) fn watch(&self) -> Option<BorrowedFd<'_>> {
        self.watch.stream().map(TcpStream::as_fd)
    }

    /// Whether none works, and none is just being given to the kernel.
    pub(super) fn are_lost(&self) -> bool {
        self.each.iter().all(Connection::is_dead)
    }

    /// Whether the kernel has none of them.
    pub(super) fn are_not_in_use(&self) -> bool {
        self.alive().next().is_none()
    }

    /// When something is to be tried; `None` while all is well, and while nothing can be tried
    /// because there is no cable.
    pub(super) fn next_try(&self, cable: bool) -> Option<Instant> {
        let each = self.each.iter().filter(|each| cable || !each.is_dead());
        let tries = each.filter_map(Connection::next_try);
        let watch = self.watch.next_try();
        tries
            .chain(watch.filter(|_| cable && !self.are_not_in_use()))
            .min()
    }

    /// Finds out which are dead.
    pub(super) fn bury_dead(&mut self) {
        self.each.iter_mut().for_each(Connection::bury_dead);
    }

    /// Does what is due: dials if there is a cable, gives new sockets to the kernel, answers the
    /// lender. When the kernel has none, it returns as soon as it has one: the disk goes on. What
    /// comes next is the watch, without which the lender takes nothing that was moved.
    pub(super) fn revive(&mut self, nbd: &mut Nbd, device: u32, patience: Patience, cable: bool) {
        self.answer_calls();
        let stood_still = self.are_not_in_use();
        if cable && !stood_still {
            self.watch.revive();
        }
        for (slot, at) in (0..STRANDS).filter_map(Slot::new).zip(0..self.each.len()) {
            if cable && self.each[at].is_to_be_dialled() {
                self.newest += 1;
                let reach = REACH[self.unheard.min(REACH.len() - 1)];
                self.each[at].dial(strand(slot, self.newest), self.newest, reach);
                self.unheard = match self.each[at].is_dead() {
                    true => self.unheard + 1,
                    false => 0,
                };
                self.answer_calls();
            }
            self.each[at].offer(nbd, device, patience);
            // The next one must not come before this one; and who does not answer on this one
            // does not on others.
            if self.each[at].alive().is_none() || stood_still {
                break;
            }
        }
    }

    /// The path has changed: everything is tried at once.
    pub(super) fn try_now(&mut self) {
        self.unheard = 0;
        self.each.iter_mut().for_each(Connection::try_now);
    }

    /// Tells the lender which connections the kernel uses, if it has asked.
    fn answer_calls(&mut self) {
        let each = &self.each;
        let alive = || each.iter().filter_map(Connection::answer_roll).collect();
        let Some(roll) = self.watch.answer(self.newest, alive) else {
            return;
        };
        // A kernel whose requests are not understood makes it ask for every write.
        if self
            .noted
            .is_none_or(|noted| noted.elapsed() > NOTE_INTERVAL)
        {
            self.noted = Some(Instant::now());
            note(&format!("The lender calls the roll: {:?}.", roll.alive));
        }
    }
}

fn strand(slot: Slot, serial: u64) -> ExportName {
    ExportName::Strand(Strand { slot, serial })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watch_is_left_alone_until_the_disk_goes_on() {
        let later = Instant::now() + Duration::from_secs(3600);
        let strands = Strands {
            each: vec![Connection::Dead { next_try: later }],
            ..Strands::none()
        };
        assert_eq!(strands.next_try(true), Some(later));
        assert_eq!(strands.next_try(false), None);
    }
}
