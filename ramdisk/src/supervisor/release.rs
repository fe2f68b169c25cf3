//! Giving the disk back: flushing it, and telling the lender (`POST /release`, see [`control`]).

use std::io::{self, PipeReader, Read, Write};
use std::net::{SocketAddr, SocketAddrV6, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::bail;
use stiefel_core::control::{self, Refused, Release};
use stiefel_core::net::{CONTROL_PORT, LENDER_ADDRESS};
use stiefel_core::pairing::Name;
use stiefel_core::supervisor::Answer;
use stiefel_linux::process::wait_readable;

use super::control::Asker;
use super::strands::Strands;
use super::{DEVICE, STACK, Supervisor};
use crate::console::warn;

/// How long to try. The shutdown waits for us; without our word the lender goes home too, later.
const LIMIT: Duration = Duration::from_secs(10);
/// For each step of one try.
const STEP_LIMIT: Duration = Duration::from_secs(3);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(200);

/// All that was written is being forced out, on a thread of its own.
pub(super) struct Flush {
    asker: Asker,
    verb: String,
    thread: JoinHandle<anyhow::Result<()>>,
    /// Its other end is the thread's.
    end: PipeReader,
}

impl Flush {
    /// Runs `flush`. `None`, and the asker is told so, when there is no thread to be had.
    pub(super) fn begin(
        asker: Asker,
        verb: String,
        flush: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> Option<Self> {
        let begun = io::pipe().and_then(|(end, thread_end)| {
            let work = move || {
                let outcome = flush();
                drop(thread_end);
                outcome
            };
            let thread = thread::Builder::new().stack_size(STACK).spawn(work)?;
            Ok((thread, end))
        });
        match begun {
            Ok((thread, end)) => Some(Self {
                asker,
                verb,
                thread,
                end,
            }),
            Err(error) => {
                let message = format!("the disk cannot be flushed: {error}");
                asker.tell(&Answer::Refused { message });
                None
            }
        }
    }

    /// Somebody else waits for it now; who waited before is hung up on.
    pub(super) fn asked_again(self, asker: Asker) -> Self {
        Self { asker, ..self }
    }

    /// What to poll for [`Flush::has_ended`].
    pub(super) fn end(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }

    /// Whether it is done, or has failed.
    pub(super) fn has_ended(&self) -> bool {
        wait_readable(&self.end, Duration::ZERO).unwrap_or(true)
    }

    /// Who is to be told, what the machine does next, and how it went.
    pub(super) fn outcome(self) -> (Asker, String, anyhow::Result<()>) {
        let outcome = self.thread.join();
        let panicked = |_| Err(anyhow::anyhow!("the disk cannot be flushed"));
        (self.asker, self.verb, outcome.unwrap_or_else(panicked))
    }
}

impl Supervisor {
    /// Flushes beside the loop: that may wait for a cable, and for us to see it come back.
    pub(super) fn begin_release(&self, verb: String, asker: Asker) -> Option<Flush> {
        let seclusion = self.seclusion.clone();
        Flush::begin(asker, verb, move || seclusion.flush_system())
    }

    /// Gives the disk back once it is flushed.
    pub(super) fn finish_release(&mut self) {
        let Some(flush) = self.flush.take_if(|flush| flush.has_ended()) else {
            return;
        };
        let (asker, verb, flushed) = flush.outcome();
        let answer = match flushed.and_then(|()| self.release(&verb)) {
            Ok(()) => Answer::Released,
            Err(error) => {
                warn(&format!("{error:#}."));
                let message = format!("{error:#}");
                Answer::Refused { message }
            }
        };
        asker.tell(&answer);
    }

    fn release(&mut self, verb: &str) -> anyhow::Result<()> {
        // From here on nothing can be written, whatever the lender answers.
        self.nbd.disconnect(DEVICE)?;
        self.released = true;
        self.strands = Strands::none();
        tell_lender(&self.lender, self.epoch, verb)?;
        warn(&format!("The disk is given back to {}.", self.lender));
        Ok(())
    }
}

/// Tells until the lender has answered.
fn tell_lender(lender: &Name, epoch: u64, verb: &str) -> anyhow::Result<()> {
    let address = SocketAddrV6::new(LENDER_ADDRESS, CONTROL_PORT, 0, 0);
    let release = Release {
        epoch,
        verb: verb.to_owned(),
    };
    let since = Instant::now();
    loop {
        match post(SocketAddr::V6(address), &release) {
            Ok(Reply::Done) => return Ok(()),
            Ok(Reply::Refused(message)) => {
                bail!("{lender} does not take its disk back: {message}; everything is saved on it")
            }
            Err(error) if since.elapsed() > LIMIT => bail!(
                "the disk is saved, but {lender} cannot be told ({error}); it starts its own \
                 system by itself after a while"
            ),
            Err(_) => thread::sleep(AGAIN),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Done,
    Refused(String),
}

fn post(address: SocketAddr, release: &Release) -> io::Result<Reply> {
    let body = serde_json::to_vec(release)?;
    let mut stream = TcpStream::connect_timeout(&address, STEP_LIMIT)?;
    stream.set_read_timeout(Some(STEP_LIMIT))?;
    stream.set_write_timeout(Some(STEP_LIMIT))?;
    let mut request = format!(
        "POST /release HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(body);
    stream.write_all(&request)?;
    let mut answer = Vec::new();
    stream
        .take(control::MAX_BODY_LEN as u64)
        .read_to_end(&mut answer)?;
    parse(&answer)
}

/// 200 is done, 409 is a refusal with its reason; everything else may go better next time.
fn parse(answer: &[u8]) -> io::Result<Reply> {
    let text = String::from_utf8_lossy(answer);
    let strange = || io::Error::new(io::ErrorKind::InvalidData, "its answer is not understood");
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(strange)?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(Reply::Done),
        Some("409") => {
            let refused: Refused = serde_json::from_str(body)?;
            Ok(Reply::Refused(refused.message))
        }
        _ => Err(strange()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv6Addr, TcpListener};
    use std::os::unix::net::UnixStream;

    fn talk(answer: &'static str) -> (io::Result<Reply>, String) {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = Vec::new();
            while !heard.ends_with(b"}") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                heard.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(heard).unwrap()
        });
        let reply = post(
            address,
            &Release {
                epoch: 7,
                verb: "poweroff".into(),
            },
        );
        (reply, server.join().unwrap())
    }

    #[test]
    fn a_flush_that_takes_long_is_waited_for_beside_everything_else() {
        let (asker, mut other) = UnixStream::pair().unwrap();
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let work = move || {
            gone.recv()?;
            Ok(())
        };
        let flush = Flush::begin(Asker::on(asker), "poweroff".into(), work).unwrap();
        assert!(!flush.has_ended());
        // A hook that was started again takes the place of the first one.
        let (asker, mut again) = UnixStream::pair().unwrap();
        let flush = flush.asked_again(Asker::on(asker));
        assert_eq!(other.read(&mut [0]).unwrap(), 0);
        go.send(()).unwrap();
        assert!(wait_readable(&flush.end(), Duration::from_secs(60)).unwrap());
        let (asker, verb, outcome) = flush.outcome();
        assert!(outcome.is_ok() && verb == "poweroff");
        asker.tell(&Answer::Released);
        let mut told = String::new();
        again.read_to_string(&mut told).unwrap();
        assert!(told.contains("released"), "{told}");
    }

    #[test]
    fn the_lender_hears_epoch_and_verb() {
        let (reply, heard) = talk("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"epoch\":7}");
        assert_eq!(reply.unwrap(), Reply::Done);
        assert!(heard.starts_with("POST /release HTTP/1.1\r\n"), "{heard}");
        assert!(
            heard.ends_with("\r\n\r\n{\"epoch\":7,\"verb\":\"poweroff\"}"),
            "{heard}"
        );
        assert!(heard.contains("Content-Length: 29\r\n"));
    }

    #[test]
    fn a_refusal_is_told_apart_from_trouble() {
        let (reply, _) = talk("HTTP/1.1 409 Conflict\r\n\r\n{\"message\":\"another loan\"}");
        assert_eq!(reply.unwrap(), Reply::Refused("another loan".into()));
        assert!(talk("HTTP/1.1 503 Service Unavailable\r\n\r\n").0.is_err());
        assert!(talk("220 mail.example ESMTP\r\n").0.is_err());
    }
}
