//! The receive buffer of a session.

use std::io;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

/// Room for what a queue of 32 writes of 4 KiB brings at once, twice.
const INBOX_BYTES: usize = 256 << 10;

/// How long a lively client's next words are awaited without going to sleep. Being woken up costs
/// it and us more than that, and keeps a client that asks for one thing at a time waiting for
/// half of its time (measured).
const AWAKE: Duration = Duration::from_micros(50);

/// What was received and not yet looked at.
pub(super) struct Inbox {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    /// The client's last words came soon.
    lively: bool,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; INBOX_BYTES].into(),
            start: 0,
            end: 0,
            lively: false,
        }
    }

    pub(super) fn buffered(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(super) fn consume(&mut self, length: usize) {
        self.start += length.min(self.end - self.start);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Receives until `length` bytes are there, which must fit the buffer, and takes also
    /// what has come behind them.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the peer ends the stream before.
    pub(super) fn fill(&mut self, length: usize, socket: &TcpStream) -> io::Result<()> {
        if self.start + length > self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        while self.buffered().len() < length {
            match self.receive(socket) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.end += read,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes what has come, or waits for it: awake for a moment, if that is worth it and nobody
    /// else wants the processor, and then asleep.
    fn receive(&mut self, socket: &TcpStream) -> Result<usize, Errno> {
        let room = &mut self.bytes[self.end..];
        let start = Instant::now();
        while self.lively && start.elapsed() < AWAKE {
            match recv(socket, &mut *room, RecvFlags::DONTWAIT) {
                Err(Errno::AGAIN) => thread::yield_now(),
                received => return received.map(|(length, _)| length),
            }
        }
        let received = recv(socket, room, RecvFlags::empty());
        self.lively = start.elapsed() < 2 * AWAKE;
        received.map(|(length, _)| length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_is_left_moves_to_the_front_when_room_is_needed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (receiver, _) = listener.accept().unwrap();
        let sent: Vec<u8> = (0..3 * INBOX_BYTES).map(|n| (n % 251) as u8).collect();
        let copy = sent.clone();
        let writer = thread::spawn(move || sender.write_all(&copy));

        let mut inbox = Inbox::new();
        let mut received = Vec::new();
        for length in [1, INBOX_BYTES - 1, 28, 100_000, INBOX_BYTES]
            .into_iter()
            .cycle()
        {
            let length = length.min(sent.len() - received.len());
            inbox.fill(length, &receiver).unwrap();
            received.extend_from_slice(&inbox.buffered()[..length]);
            inbox.consume(length);
            if received.len() == sent.len() {
                break;
            }
        }
        assert!(received == sent);
        writer.join().unwrap().unwrap();
        let end = inbox.fill(1, &receiver).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }
}
