//! The socket by which root asks the supervisor.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::Duration;

use anyhow::Context;
use rustix::net::sockopt::socket_peercred;
use stiefel_core::supervisor::{Answer, LINE_LIMIT, Question, SOCKET_NAME};

/// Who has connected has its question ready; nobody may keep us from looking after the disk.
const QUESTION_LIMIT: Duration = Duration::from_millis(500);

pub(super) struct Control(UnixListener);

/// Somebody who waits for an answer.
pub(super) struct Asker(UnixStream);

impl Control {
    /// Takes the name in the network namespace that we are in now.
    pub(super) fn open() -> anyhow::Result<Self> {
        Self::named(SOCKET_NAME)
    }

    fn named(name: &str) -> anyhow::Result<Self> {
        let listen = || {
            let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
            listener.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(listener)
        };
        listen()
            .map(Self)
            .with_context(|| format!("cannot listen on the unix socket @{name}"))
    }

    /// The next question that waits. Strangers and nonsense are hung up on.
    pub(super) fn next(&mut self) -> Option<(Question, Asker)> {
        loop {
            let (stream, _) = self.0.accept().ok()?;
            if let Some(question) = hear(&stream) {
                return Some((question, Asker(stream)));
            }
        }
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Asker {
    #[cfg(test)]
    pub(super) fn on(stream: UnixStream) -> Self {
        Self(stream)
    }

    /// Answers and hangs up. Whoever is gone needs no answer.
    pub(super) fn tell(mut self, answer: &Answer) {
        self.say(answer);
    }

    /// Answers, maybe not for the last time; whether the asker has taken it.
    pub(super) fn say(&mut self, answer: &Answer) -> bool {
        let Ok(mut line) = serde_json::to_vec(answer) else {
            return false;
        };
        line.push(b'\n');
        self.0.write_all(&line).is_ok()
    }
}

fn hear(stream: &UnixStream) -> Option<Question> {
    if !socket_peercred(stream).ok()?.uid.is_root() {
        return None;
    }
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(QUESTION_LIMIT)).ok()?;
    stream.set_write_timeout(Some(QUESTION_LIMIT)).ok()?;
    let mut line = String::new();
    BufReader::new(stream.take(LINE_LIMIT as u64))
        .read_line(&mut line)
        .ok()?;
    serde_json::from_str(&line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(name: &str, line: &str) -> UnixStream {
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let mut stream = UnixStream::connect_addr(&address).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        stream
    }

    #[test]
    fn root_is_answered_and_nonsense_is_not() {
        let name = "stiefelsystem-control-test";
        let mut control = Control::named(name).unwrap();
        let mut nonsense = ask(name, "give me your disk\n");
        let mut asker = ask(name, "{\"ask\":\"status\"}\n");
        let (question, waiting) = control.next().unwrap();
        assert_eq!(question, Question::Status);
        waiting.tell(&Answer::Released);
        let mut answers = [String::new(), String::new()];
        nonsense.read_to_string(&mut answers[0]).unwrap();
        asker.read_to_string(&mut answers[1]).unwrap();
        assert_eq!(answers, ["", "{\"answer\":\"released\"}\n"]);
        assert!(control.next().is_none());
    }
}
