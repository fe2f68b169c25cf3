//! Answers the lender's question which connections the kernel still uses.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use stiefel_core::nbd::ExportName;
use stiefel_core::nbd::strands::{CALL_BYTES, Roll};
use stiefel_linux::nbd::HandshakeError;

use super::connection;

/// Between two tries to connect.
const AGAIN: Duration = Duration::from_millis(250);
/// How long the lender has to take our call: it has just taken others.
const REACH: Duration = Duration::from_secs(1);
/// How long an answer may take to leave; it fits into the socket's buffer.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);

pub(super) struct Watch {
    stream: Option<TcpStream>,
    next_try: Instant,
    /// A call that has not come as a whole.
    heard: Vec<u8>,
}

impl Watch {
    pub(super) fn none() -> Self {
        Self {
            stream: None,
            next_try: Instant::now(),
            heard: Vec::new(),
        }
    }

    fn connect(&mut self) -> Result<(), HandshakeError> {
        let (stream, _) = connection::dial(ExportName::Watch, REACH)?;
        self.listen_to(stream)?;
        Ok(())
    }

    /// Takes a connection that was negotiated.
    pub(super) fn listen_to(&mut self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_write_timeout(Some(ANSWER_LIMIT))?;
        self.stream = Some(stream);
        self.heard.clear();
        Ok(())
    }

    pub(super) fn stream(&self) -> Option<&TcpStream> {
        self.stream.as_ref()
    }

    /// When to connect; `None` while it is connected.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.stream.is_none().then_some(self.next_try)
    }

    /// Connects if there is no connection, and it is time.
    pub(super) fn revive(&mut self) {
        if self.stream.is_none() && self.next_try <= Instant::now() && self.connect().is_err() {
            self.next_try = Instant::now() + AGAIN;
        }
    }

    /// Answers if a call has come, and says what. `alive` is asked after it has.
    pub(super) fn answer(&mut self, newest: u64, alive: impl FnOnce() -> Vec<u64>) -> Option<Roll> {
        let stream = self.stream.as_mut()?;
        let end = hear(stream, &mut self.heard);
        let whole = self.heard.len() / CALL_BYTES * CALL_BYTES;
        let calls = self.heard.drain(..whole).collect::<Vec<u8>>();
        // An answer to the last call is one to all before it.
        let Some(call) = calls.last_chunk::<CALL_BYTES>() else {
            self.keep_unless(end);
            return None;
        };
        let roll = Roll {
            call: u64::from_be_bytes(*call),
            newest,
            alive: alive(),
        };
        let told = stream.write_all(&roll.encode());
        self.keep_unless(end || told.is_err());
        told.is_ok().then_some(roll)
    }

    fn keep_unless(&mut self, ended: bool) {
        if ended {
            self.stream = None;
            self.next_try = Instant::now();
        }
    }
}

/// Takes what has come, without waiting; true at the end.
fn hear(stream: &TcpStream, into: &mut Vec<u8>) -> bool {
    let mut bytes = [0; 64 * CALL_BYTES];
    match recv(stream, &mut bytes, RecvFlags::DONTWAIT) {
        Ok((_, 0)) => true,
        Ok((_, read)) => {
            into.extend_from_slice(&bytes[..read]);
            false
        }
        Err(error) => !matches!(error, Errno::AGAIN | Errno::INTR),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Ipv6Addr, TcpListener};

    use super::*;
    use stiefel_core::nbd::strands::ROLL_BYTES;

    fn pair() -> (Watch, TcpStream) {
        let lender = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let stream = TcpStream::connect(lender.local_addr().unwrap()).unwrap();
        let mut watch = Watch::none();
        watch.listen_to(stream).unwrap();
        (watch, lender.accept().unwrap().0)
    }

    #[test]
    fn the_last_call_is_answered_with_who_is_alive_then() {
        let (mut watch, mut lender) = pair();
        watch.answer(9, || panic!("nobody has asked"));
        // The second one comes in two pieces.
        lender.write_all(&1_u64.to_be_bytes()).unwrap();
        lender.write_all(&[0; 7]).unwrap();
        let mut answers = 0;
        while answers == 0 {
            watch.answer(9, || {
                answers += 1;
                vec![3, 9]
            });
        }
        lender.write_all(&[2]).unwrap();
        while answers == 1 {
            watch.answer(9, || {
                answers += 1;
                vec![9]
            });
        }
        for (call, alive) in [(1, vec![3, 9]), (2, vec![9])] {
            let mut bytes = [0; ROLL_BYTES];
            lender.read_exact(&mut bytes).unwrap();
            let newest = 9;
            assert_eq!(
                Roll::parse(&bytes),
                Roll {
                    call,
                    newest,
                    alive
                }
            );
        }
    }

    #[test]
    fn a_lender_that_hangs_up_is_called_again() {
        let (mut watch, lender) = pair();
        assert_eq!(watch.next_try(), None);
        drop(lender);
        while watch.stream().is_some() {
            watch.answer(1, || panic!("nobody has asked"));
        }
        assert!(watch.next_try().unwrap() <= Instant::now());
    }
}
