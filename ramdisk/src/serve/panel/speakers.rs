//! Plays tunes on all sound cards, from a thread on which nothing waits.
//!
//! The cards are looked for anew for each tune, and closed behind it: one that has come later is
//! heard, one that has gone is not missed, and one that nobody uses sleeps.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use stiefel_linux::Result;
use stiefel_linux::sound::{self, FRAME_LEN, Output, Playback, RATE};

use super::tune::Note;
use super::wave;
use crate::console;

/// Tunes that may wait for the one that plays; more are dropped.
const WAITING: usize = 4;

/// How much longer than its tune a card may take before it is given up.
const GRACE: Duration = Duration::from_secs(5);

/// The thread that plays, for as long as this is there.
pub struct Speakers(SyncSender<&'static [Note]>);

impl Speakers {
    /// Starts to wait for tunes.
    ///
    /// # Errors
    /// No memory for a thread.
    pub fn start() -> std::io::Result<Self> {
        let (tunes, waiting) = sync_channel(WAITING);
        let play = move || {
            while let Ok(tune) = waiting.recv() {
                play_everywhere(tune);
            }
        };
        thread::Builder::new().name("speakers".into()).spawn(play)?;
        Ok(Self(tunes))
    }

    /// Plays a tune behind what is playing.
    pub fn play(&self, tune: &'static [Note]) {
        // Whoever has not heard those that wait hears no more of this one.
        let _ = self.0.try_send(tune);
    }
}

fn play_everywhere(tune: &[Note]) {
    thread::scope(|cards| {
        for output in sound::outputs() {
            let play = move || {
                // There may be no sound; the screen says it all the same.
                if let Err(error) = play(tune, output) {
                    console::note(&format!(
                        "Not heard from sound card {}: {error}.",
                        output.card
                    ));
                }
            };
            // Without memory for a thread, this card stays silent.
            let _ = thread::Builder::new().spawn_scoped(cards, play);
        }
    });
}

/// Plays a tune on one card, and waits until it has been heard.
fn play(tune: &[Note], output: Output) -> Result<()> {
    // It may be heard all the same.
    let raised = sound::raise(output.card);
    let playback = Playback::open(output)?;
    let frames = wave::frames(tune, playback.buffer_frames());
    let length = Duration::from_secs((frames.len() / FRAME_LEN) as u64) / RATE;
    let end = Instant::now() + length + GRACE;
    let mut left = &frames[..];
    while !left.is_empty() && Instant::now() < end {
        left = &left[playback.write(left)?..];
        if !left.is_empty() {
            wait_for_room(&playback, end)?;
        }
    }
    raised.map(drop)
}

/// Sleeps until there is room, something is wrong, or the time is over.
fn wait_for_room(playback: &Playback, end: Instant) -> Result<()> {
    let time = end.saturating_duration_since(Instant::now());
    let time = time.try_into().unwrap_or_default();
    match poll(&mut [PollFd::new(playback, PollFlags::OUT)], Some(&time)) {
        // What is wrong is seen when it is written to.
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(stiefel_linux::Error::new(
            "cannot wait for a sound card",
            error,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunes_that_nobody_hears_do_not_pile_up() {
        let (tunes, waiting) = sync_channel(WAITING);
        let speakers = Speakers(tunes);
        for _ in 0..100 {
            speakers.play(&[(880, 120)]);
        }
        assert_eq!(waiting.try_iter().count(), WAITING);
        drop(waiting);
        speakers.play(&[(880, 120)]);
    }
}
