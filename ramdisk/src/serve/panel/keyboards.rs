//! All keyboards of the machine, as they come and go, in a thread of their own.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use stiefel_linux::Result;
use stiefel_linux::input::{self, Keyboard, Stroke};
use stiefel_linux::uevent::{Event, Uevents};
use tokio::sync::mpsc;

/// What may wait for somebody who is slow.
const QUEUE: usize = 16;

/// What is heard of the keyboards.
#[derive(Debug)]
pub enum Heard {
    /// There are some, or none any more.
    AreThere(bool),
    /// What was done with any of their keys.
    Strokes(Vec<Stroke>),
}

/// Starts to listen, first to what comes and goes, then to what is there.
///
/// # Errors
/// The kernel does not tell of devices, or there is no memory for a thread.
pub fn listen() -> anyhow::Result<mpsc::Receiver<Heard>> {
    let uevents = Uevents::open()?;
    let (tell, heard) = mpsc::channel(QUEUE);
    let mut keyboards = Keyboards {
        uevents,
        open: vec![],
    };
    keyboards.look();
    let listen = move || {
        let there = Heard::AreThere(!keyboards.open.is_empty());
        // Who does not want to hear any more ends it.
        if tell.blocking_send(there).is_err() {
            return;
        }
        while let Ok(news) = keyboards.next() {
            if news
                .into_iter()
                .any(|heard| tell.blocking_send(heard).is_err())
            {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("keys".into())
        .spawn(listen)?;
    Ok(heard)
}

struct Keyboards {
    uevents: Uevents,
    open: Vec<Keyboard>,
}

impl Keyboards {
    /// Sleeps until something happens.
    fn next(&mut self) -> Result<Vec<Heard>> {
        let sources = [self.uevents.as_fd()];
        let sources = sources.into_iter().chain(self.open.iter().map(AsFd::as_fd));
        let mut sources: Vec<PollFd> = sources
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        match poll(&mut sources, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(stiefel_linux::Error::new("cannot wait for keys", error)),
        }
        let ready: Vec<bool> = sources
            .iter()
            .map(|source| !source.revents().is_empty())
            .collect();
        let before = self.open.len();
        let mut strokes = vec![];
        let mut ready = ready.into_iter();
        let devices = ready.next() == Some(true);
        self.open.retain(|keyboard| {
            if ready.next() != Some(true) {
                return true;
            }
            match keyboard.take() {
                Ok(taken) => strokes.extend(taken),
                // It was pulled out.
                Err(_) => return false,
            }
            true
        });
        if devices && self.uevents.take()?.iter().any(is_input) {
            self.look();
        }
        let mut heard = vec![];
        if self.open.len() != before {
            heard.push(Heard::AreThere(!self.open.is_empty()));
        }
        if !strokes.is_empty() {
            heard.push(Heard::Strokes(strokes));
        }
        Ok(heard)
    }

    /// Opens those that are not open yet. One that cannot be opened is gone again.
    fn look(&mut self) {
        for path in input::keyboards() {
            if !self.open.iter().any(|open| open.path() == path) {
                self.open.extend(Keyboard::open(&path));
            }
        }
    }
}

fn is_input(event: &Event) -> bool {
    event.action == "overflow" || event.property("SUBSYSTEM") == Some("input")
}
