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

use stiefel_core::nbd::strands::Strand;
use stiefel_core::nbd::{ExportName, Slot};
use stiefel_linux::nbd::{Export, HandshakeError, Nbd, Patience};

use super::connection::{self, Connection, Socket};
use super::watch::Watch;
use crate::console::note;

/// How many sockets the kernel gets. It uses one for each processor; more than four bring
/// nothing.
const STRANDS: u8 = 4;

/// How often calls of the roll are noted at most.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Strands {
    each: Vec<Connection>,
    watch: Watch,
    /// The last serial that was given.
    newest: u64,
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
            noted: None,
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
                scope.spawn(move || (serial, connection::dial(strand(slot, serial))))
            };
            let calls: Vec<_> = slots.zip(serials).map(dial).collect();
            let watch = connection::dial(ExportName::Watch);
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

    /// How long until something is to be tried; `None` while all is well.
    pub(super) fn until_next_try(&self) -> Option<Duration> {
        let tries = self.each.iter().filter_map(Connection::next_try);
        let next = tries.chain(self.watch.next_try()).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Finds out which are dead.
    pub(super) fn bury_dead(&mut self) {
        self.each.iter_mut().for_each(Connection::bury_dead);
    }

    /// Does what is due: dials, gives new sockets to the kernel, answers the lender.
    pub(super) fn revive(&mut self, nbd: &mut Nbd, device: u32, patience: Patience) {
        self.answer_calls();
        for (slot, at) in (0..STRANDS).filter_map(Slot::new).zip(0..self.each.len()) {
            if self.each[at].is_to_be_dialled() {
                self.newest += 1;
                self.each[at].dial(strand(slot, self.newest), self.newest);
                self.answer_calls();
            }
            self.each[at].offer(nbd, device, patience);
            // The next one must not come before this one; and who does not answer on this one
            // does not on others.
            if self.each[at].alive().is_none() {
                break;
            }
        }
        self.watch.revive();
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
