//! A session's thread: takes requests from the socket, one after the other.
//!
//! What the socket holds is parsed in one go, and small answers leave together
//! before the thread waits for the socket again. Writes are done here, in order,
//! as is reading from the cache; the rest is handed on.

use std::io;
use std::sync::Arc;

use stiefel_core::nbd::transmission::{
    Command, DATA_CHUNK_BYTES, REQUEST_BYTES, Range, Request, SIMPLE_REPLY_BYTES, WireError,
    data_chunk, simple_reply,
};

use super::batch::{Batch, SMALL_BYTES};
use super::inbox::Inbox;
use super::large_read;
use super::pipe::Pipe;
use super::session::{Session, wire_error};
#[cfg(doc)]
use super::sessions::Sessions;
use super::stats::add;
use super::work::{Job, Work};

/// Longest piece of a payload that is written at once: what stays in the processor's cache.
const WRITE_PIECE_BYTES: u64 = 128 << 10;

/// Pieces of a long write end where pages end, so that no page is written twice.
const PAGE_BYTES: u64 = 4096;

/// Reads that are handed on together at most, far fewer than may be under way.
const MAX_MISSES: usize = 32;

/// How much of a cold disk is asked for before its turn: a queue of 16 reads of 1 MiB. With
/// half of it the disk is idle at times (measured).
const LOOK_AHEAD_BYTES: u32 = 16 << 20;

/// Serves requests until the client leaves or the session is cut.
///
/// # Errors
/// When the client is gone or out of step; work that was handed on may go on.
pub(super) fn serve(session: &Arc<Session>, work: &Work) -> io::Result<()> {
    Transmission {
        session,
        work,
        inbox: Inbox::new(),
        batch: Batch::new(),
        misses: Vec::new(),
        pipe: None,
    }
    .run()
}

struct Transmission<'a> {
    session: &'a Arc<Session>,
    work: &'a Work,
    inbox: Inbox,
    batch: Batch,
    /// Reads that have to wait for the disk, not handed on yet.
    misses: Vec<Job>,
    pipe: Option<Pipe>,
}

impl Transmission<'_> {
    fn run(&mut self) -> io::Result<()> {
        loop {
            match self.receive(REQUEST_BYTES) {
                // A client that just stops talking still gets what it asked for.
                Err(error) if self.is_end(&error) => return Ok(()),
                received => received?,
            }
            let Some(bytes) = self.inbox.buffered().first_chunk() else {
                continue;
            };
            let request = Request::parse(bytes)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.inbox.consume(REQUEST_BYTES);
            add(&self.session.counters.requests, 1);
            match request.check(self.session.export(), &self.session.agreed) {
                Ok(Command::Disconnect) => return self.send_batch(),
                Ok(command) => self.perform_in_order(&request, command)?,
                Err(error) => {
                    self.skip(request.payload_bytes())?;
                    self.reply(&request, Err(error))?;
                }
            }
        }
    }

    /// Does a request of one of several connections once no older copy of it can be done
    /// later, see [`Sessions::settle`].
    fn perform_in_order(&mut self, request: &Request, command: Command) -> io::Result<()> {
        let session = self.session;
        let strand = session.strand.as_ref();
        let Some((strand, all)) = strand.filter(|_| command.changes_the_disk()) else {
            return self.perform(request, command);
        };
        if all.is_at_home(*strand, request.cookie) {
            if all.any_moved() {
                self.send_batch()?;
                all.wait_for_moved(&session.link)?;
            }
            return self.perform(request, command);
        }
        self.send_batch()?;
        let _moved = all.settle(&session.link)?;
        add(&session.counters.moved, 1);
        self.perform(request, command)?;
        self.send_batch()?;
        session.drain();
        Ok(())
    }

    fn perform(&mut self, request: &Request, command: Command) -> io::Result<()> {
        match command {
            Command::Write { range, fua } => self.write(request, range, fua),
            Command::Read { range, whole } => self.read(request, range, whole),
            Command::Flush
            | Command::Trim { .. }
            | Command::WriteZeroes { .. }
            | Command::Cache { .. }
            | Command::BlockStatus { .. } => {
                self.hand_on(request, command);
                Ok(())
            }
            // The client goes without an answer.
            Command::Disconnect => Ok(()),
        }
    }

    /// Waits until `length` bytes of the stream are there. Whatever then follows may
    /// be done: the session was not cut while waiting.
    fn receive(&mut self, length: usize) -> io::Result<()> {
        if self.inbox.buffered().len() < length {
            self.send_batch()?;
            let link = &self.session.link;
            self.inbox.fill(length, &link.socket)?;
        }
        // What a cut session has left in its socket is received like anything else.
        if self.session.link.is_cut() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// Whether the client has ended the stream between two requests.
    fn is_end(&self, error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::UnexpectedEof && self.inbox.buffered().is_empty()
    }

    fn skip(&mut self, length: u32) -> io::Result<()> {
        let mut left = length as usize;
        while left > 0 {
            self.receive(1)?;
            let piece = left.min(self.inbox.buffered().len());
            self.inbox.consume(piece);
            left -= piece;
        }
        Ok(())
    }

    fn write(&mut self, request: &Request, range: Range, fua: bool) -> io::Result<()> {
        let mut outcome = Ok(());
        let mut at = range.offset;
        let end = range.offset + u64::from(range.length);
        while at < end {
            let piece = match end - at {
                left if left <= WRITE_PIECE_BYTES => left,
                _ => WRITE_PIECE_BYTES - at % PAGE_BYTES,
            };
            self.receive(piece as usize)?;
            if outcome.is_ok() {
                let data = &self.inbox.buffered()[..piece as usize];
                outcome = self.session.disk.backing().write(data, at);
            }
            self.inbox.consume(piece as usize);
            at += piece;
        }
        self.wrote(request, range, fua, outcome)
    }

    /// Answers a WRITE, or has it answered when it is durable.
    fn wrote(
        &mut self,
        request: &Request,
        range: Range,
        fua: bool,
        outcome: io::Result<()>,
    ) -> io::Result<()> {
        if outcome.is_ok() && fua {
            self.hand_on(request, Command::Write { range, fua });
            return Ok(());
        }
        if outcome.is_ok() {
            add(&self.session.counters.written_bytes, range.length.into());
        }
        self.reply(request, outcome.map_err(|error| wire_error(&error)))
    }

    /// Whether there is a pipe to splice through, and something to splice.
    fn find_pipe(&mut self) -> bool {
        if self.session.disk.backing().descriptor().is_some() && self.pipe.is_none() {
            self.pipe = Pipe::new().ok();
        }
        self.pipe.is_some()
    }

    fn read(&mut self, request: &Request, range: Range, whole: bool) -> io::Result<()> {
        if range.length as usize >= SMALL_BYTES {
            return self.read_large(request, range, whole);
        }
        let structured = self.session.agreed.structured;
        let head = if structured {
            DATA_CHUNK_BYTES
        } else {
            SIMPLE_REPLY_BYTES
        };
        let length = head + range.length as usize;
        if self.batch.room(length).is_none() {
            self.send_batch()?;
        }
        let disk = self.session.disk.backing();
        let Some(room) = self.batch.room(length) else {
            return Err(io::ErrorKind::OutOfMemory.into());
        };
        match disk.read_cached(&mut room[head..], range.offset) {
            Ok(true) => {}
            Ok(false) => {
                let job = self.job(request, Command::Read { range, whole });
                self.misses.push(job);
                if self.misses.len() >= MAX_MISSES {
                    self.hand_on_misses();
                }
                return Ok(());
            }
            Err(error) => return self.reply(request, Err(wire_error(&error))),
        }
        if structured {
            room[..head].copy_from_slice(&data_chunk(request.cookie, range, true));
        } else {
            room[..head].copy_from_slice(&simple_reply(request.cookie, Ok(())));
        }
        self.batch.keep(length);
        add(&self.session.counters.read_bytes, range.length.into());
        Ok(())
    }

    fn read_large(&mut self, request: &Request, range: Range, whole: bool) -> io::Result<()> {
        self.find_pipe();
        match self.pipe.take() {
            Some(pipe) => {
                self.send_batch()?;
                self.pipe = large_read::send(self.session, pipe, request.cookie, range, whole)?;
                if self.pipe.as_ref().is_some_and(Pipe::waited) {
                    self.look_ahead();
                }
            }
            None => self.hand_on(request, Command::Read { range, whole }),
        }
        Ok(())
    }

    /// Asks the disk for what the client wants next, while this thread is busy with
    /// what it wants now.
    fn look_ahead(&self) {
        let mut left = LOOK_AHEAD_BYTES;
        let queued = self.inbox.buffered().chunks_exact(REQUEST_BYTES);
        for bytes in queued.filter_map(<[u8]>::first_chunk) {
            let Ok(request) = Request::parse(bytes) else {
                return;
            };
            let checked = request.check(self.session.export(), &self.session.agreed);
            let Ok(Command::Read { range, .. }) = checked else {
                return;
            };
            left = left.saturating_sub(range.length);
            // What cannot be read is told when its turn comes.
            if left == 0 || self.session.disk.backing().prefetch(range).is_err() {
                return;
            }
        }
    }

    fn hand_on(&mut self, request: &Request, command: Command) {
        // Waiting for those that are not handed on would last for ever.
        self.hand_on_misses();
        let job = self.job(request, command);
        self.work.hand_on(job);
    }

    fn hand_on_misses(&mut self) {
        if !self.misses.is_empty() {
            self.work.hand_on_reads(std::mem::take(&mut self.misses));
        }
    }

    fn job(&self, request: &Request, command: Command) -> Job {
        let bytes = match command {
            Command::Read { range, .. } => range.length as usize,
            _ => 0,
        };
        Job {
            session: self.session.take_off(bytes),
            cookie: request.cookie,
            command,
        }
    }

    fn reply(&mut self, request: &Request, outcome: Result<(), WireError>) -> io::Result<()> {
        let reply = self.session.reply(request.command, request.cookie, outcome);
        if !self.batch.push(&reply) {
            self.send_batch()?;
            self.batch.push(&reply);
        }
        Ok(())
    }

    /// Called whenever this thread may have to wait.
    fn send_batch(&mut self) -> io::Result<()> {
        self.hand_on_misses();
        if !self.batch.replies().is_empty() {
            self.session.send(self.batch.replies())?;
            self.batch.clear();
        }
        Ok(())
    }
}
