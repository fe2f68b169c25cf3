//! Reads that go from the page cache to the socket without being copied.
//!
//! What a reply's head promises must follow. So the disk is read into the pipe
//! first, and the head is sent when the data is there: an error of the disk then
//! reaches the client as an error, not as a broken stream.

use std::io;

use stiefel_core::nbd::transmission::{
    Range, command, data_chunk, error_chunk, hole_chunk, simple_reply,
};

use super::pipe::Pipe;
use super::session::{Session, wire_error};
use super::socket::send_all;
use super::stats::add;

/// Sends the reply to a READ. Gives the pipe back unless it is of no use any more.
///
/// # Errors
/// When the stream is broken.
pub(super) fn send(
    session: &Session,
    pipe: Pipe,
    cookie: u64,
    range: Range,
    whole: bool,
) -> io::Result<Option<Pipe>> {
    let read = LargeRead {
        session,
        cookie,
        range,
    };
    if session.agreed.structured && !whole {
        read.in_chunks(pipe)
    } else {
        read.in_one(pipe)
    }
}

struct LargeRead<'a> {
    session: &'a Session,
    cookie: u64,
    range: Range,
}

impl LargeRead<'_> {
    /// One chunk for each filling of the pipe, and for a hole at the beginning.
    fn in_chunks(&self, mut pipe: Pipe) -> io::Result<Option<Pipe>> {
        let hole = self.session.disk.backing().leading_hole(self.range);
        let mut left = self.range.behind(hole);
        if hole > 0 {
            let range = Range {
                length: hole,
                ..self.range
            };
            let head = hole_chunk(self.cookie, range, left.length == 0);
            self.session.send(&head)?;
        }
        while left.length > 0 {
            let length = match self.fill(&mut pipe, left) {
                Ok(length) => length,
                Err(error) => {
                    return self.failed(&error, (left != self.range).then_some(left.offset));
                }
            };
            let rest = left.behind(length);
            let head = data_chunk(self.cookie, Range { length, ..left }, rest.length == 0);
            let _voice = self.session.speak();
            send_all(&self.session.link.socket, &head, true)?;
            pipe.send(&self.session.link.socket, length, false)?;
            left = rest;
        }
        Ok(self.sent(pipe))
    }

    /// One head for all. What does not fit the pipe is read beforehand, so that it
    /// is in the cache when it is promised.
    fn in_one(&self, mut pipe: Pipe) -> io::Result<Option<Pipe>> {
        let filled = self.fill(&mut pipe, self.range).and_then(|filled| {
            self.warm_up(self.range.behind(filled))?;
            Ok(filled)
        });
        let mut filled = match filled {
            Ok(filled) => filled,
            Err(error) => return self.failed(&error, None),
        };
        let _voice = self.session.speak();
        let socket = &self.session.link.socket;
        if self.session.agreed.structured {
            send_all(socket, &data_chunk(self.cookie, self.range, true), true)?;
        } else {
            send_all(socket, &simple_reply(self.cookie, Ok(())), true)?;
        }
        let mut left = self.range;
        loop {
            left = left.behind(filled);
            pipe.send(socket, filled, left.length > 0)?;
            if left.length == 0 {
                return Ok(self.sent(pipe));
            }
            filled = self.fill(&mut pipe, left)?;
        }
    }

    fn fill(&self, pipe: &mut Pipe, range: Range) -> io::Result<u32> {
        match self.session.disk.backing().descriptor() {
            Some(file) => pipe.fill(file, range),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn warm_up(&self, range: Range) -> io::Result<()> {
        let mut buffer = vec![0; range.length.min(64 << 10) as usize];
        let mut left = range;
        while left.length > 0 {
            let piece = left.length.min(64 << 10);
            self.session
                .disk
                .backing()
                .read(&mut buffer[..piece as usize], left.offset)?;
            left = left.behind(piece);
        }
        Ok(())
    }

    /// Tells the client; the pipe may hold something and is dropped.
    fn failed(&self, error: &io::Error, at: Option<u64>) -> io::Result<Option<Pipe>> {
        let error = wire_error(error);
        let reply = match at {
            None => self.session.reply(command::READ, self.cookie, Err(error)),
            Some(_) => {
                add(&self.session.counters.errors, 1);
                error_chunk(self.cookie, error, at)
            }
        };
        self.session.send(&reply)?;
        Ok(None)
    }

    fn sent(&self, pipe: Pipe) -> Option<Pipe> {
        add(&self.session.counters.read_bytes, self.range.length.into());
        Some(pipe)
    }
}
