//! Samples to a card's output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rustix::io::Errno;

use super::Output;
use super::wire::{self, HwParams, Interval};
use crate::error::{Result, Tried};

/// Frames a second. HD Audio demands it of every codec (specification 1.0a, 7.3.4.7).
pub const RATE: u32 = 48_000;
/// Bytes of a frame: left and right, 16 bits each, the lower byte first.
pub const FRAME_LEN: usize = CHANNELS as usize * 2;

const CHANNELS: u32 = 2;

/// Places in `HwParams::masks`, and what is wanted there: `SNDRV_PCM_HW_PARAM_ACCESS`,
/// `_RW_INTERLEAVED`; `_FORMAT`, `_S16_LE`; `_SUBFORMAT`, `_STD`.
const WAYS: [(usize, u32); 3] = [(0, 3), (1, 2), (2, 0)];
/// Places in `HwParams::intervals`, from `SNDRV_PCM_HW_PARAM_SAMPLE_BITS` on.
const CHANNELS_AT: usize = 2;
const RATE_AT: usize = 3;
const PERIOD_SIZE_AT: usize = 5;
const BUFFER_SIZE_AT: usize = 9;

/// Frames between two interrupts: few enough to be no load.
const PERIOD: (u32, u32) = (RATE / 20, RATE / 10);
/// Frames that wait in the card: enough for a machine that is busy.
const BUFFER: (u32, u32) = (RATE / 5, RATE / 2);

/// An output that is open; it falls silent when it goes.
#[derive(Debug)]
pub struct Playback {
    file: File,
    path: PathBuf,
    buffer_frames: u32,
}

impl Playback {
    /// Opens an output for [`RATE`] and [`FRAME_LEN`]. Nothing of it ever blocks.
    ///
    /// # Errors
    /// The card is gone or in use, or has no such format.
    pub fn open(output: Output) -> Result<Self> {
        let path = PathBuf::from(format!("/dev/snd/pcmC{}D{}p", output.card, output.device));
        let file = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .tried(|| format!("cannot open {}", path.display()))?;
        let buffer_frames = set_up(&file).tried(|| format!("cannot set up {}", path.display()))?;
        Ok(Self {
            file,
            path,
            buffer_frames,
        })
    }

    /// Frames that have been written and not been heard yet, at most.
    pub fn buffer_frames(&self) -> usize {
        self.buffer_frames as usize
    }

    /// Writes as many whole frames as there is room for, and returns how many bytes that were.
    /// The first ones start it. When it ran dry it goes on with these.
    ///
    /// # Errors
    /// The card is gone.
    pub fn write(&self, frames: &[u8]) -> Result<usize> {
        let tried = || format!("cannot play on {}", self.path.display());
        match (&self.file).write(frames) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) if is_dry(&error) => {
                wire::prepare(&self.file).tried(tried)?;
                Ok(0)
            }
            written => written.tried(tried),
        }
    }
}

impl AsFd for Playback {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// It had nothing to play any more.
fn is_dry(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::PIPE.raw_os_error())
}

/// Agrees on everything with the hardware; returns the frames that its buffer has.
fn set_up(file: &File) -> rustix::io::Result<u32> {
    let mut wanted = HwParams::any();
    for (place, way) in WAYS {
        wanted.masks[place] = [0; 8];
        wanted.masks[place][0] = 1 << way;
    }
    wanted.intervals[CHANNELS_AT] = exactly(CHANNELS);
    wanted.intervals[RATE_AT] = exactly(RATE);
    wire::ask::<{ wire::HW_REFINE }, _>(file, &mut wanted)?;
    for (place, range) in [(PERIOD_SIZE_AT, PERIOD), (BUFFER_SIZE_AT, BUFFER)] {
        wanted.intervals[place] = narrowed(wanted.intervals[place], range);
    }
    // Of what is left, the kernel takes the shortest period and the longest buffer.
    wanted.asked = u32::MAX;
    wire::ask::<{ wire::HW_PARAMS }, _>(file, &mut wanted)?;
    wire::prepare(file)?;
    Ok(wanted.intervals[BUFFER_SIZE_AT].max)
}

fn exactly(value: u32) -> Interval {
    Interval {
        min: value,
        max: value,
        flags: 0,
    }
}

/// The part of what the hardware can that we would like; all of it if there is none.
fn narrowed(able: Interval, (min, max): (u32, u32)) -> Interval {
    if able.min > max || able.max < min {
        return able;
    }
    Interval {
        min: able.min.max(min),
        max: able.max.min(max),
        flags: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_hardware_can_is_narrowed_to_what_is_liked() {
        let able = |min, max| Interval { min, max, flags: 1 };
        let part = |min, max| Interval { min, max, flags: 0 };
        assert_eq!(narrowed(able(32, 8192), (2400, 4800)), part(2400, 4800));
        assert_eq!(narrowed(able(3000, 4000), (2400, 4800)), part(3000, 4000));
        assert_eq!(narrowed(able(32, 64), (2400, 4800)), able(32, 64));
        assert_eq!(narrowed(able(9000, 9600), (2400, 4800)), able(9000, 9600));
    }

    #[test]
    fn an_output_that_is_not_there_is_named() {
        let output = Output {
            card: 255,
            device: 7,
        };
        let error = Playback::open(output).unwrap_err();
        assert!(error.to_string().contains("pcmC255D7p"), "{error}");
    }
}
