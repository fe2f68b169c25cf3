//! Keys, as they are pressed and released.
//!
//! Source: Documentation/input/input.rst, include/uapi/linux/input.h. Keys are named by their
//! place on a keyboard of the United States: what is printed on them is not known here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Result, Tried};

/// `struct input_event` on a machine of 64 bits: two longs of time, type, code, value.
const EVENT_LEN: usize = 24;
/// Events that are read at once; the kernel keeps 64 for a keyboard (drivers/input/evdev.c).
const EVENTS: usize = 64;
/// Types (include/uapi/linux/input-event-codes.h).
const EV_SYN: u16 = 0;
const EV_KEY: u16 = 1;
const SYN_DROPPED: u16 = 3;
/// Codes from here to [`KEYS_AGAIN`] are buttons of mice, pads and joysticks.
const BUTTONS: usize = 0x100;
const KEYS_AGAIN: usize = 0x160;
/// Bits in a word of a capability's file; it has the words of the kernel.
const WORD: usize = u64::BITS as usize;

/// A key's number (include/uapi/linux/input-event-codes.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub u16);

impl Key {
    /// Escape, at the upper left.
    pub const ESC: Self = Self(1);
    /// The larger Enter.
    pub const ENTER: Self = Self(28);
    /// Enter beside the numbers.
    pub const KEYPAD_ENTER: Self = Self(96);
    /// The power button.
    pub const POWER: Self = Self(116);
    /// Sleep, often a function key with a moon.
    pub const SLEEP: Self = Self(142);
    /// Another word for it.
    pub const SUSPEND: Self = Self(205);
}

/// What somebody did with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// It went down.
    Pressed(Key),
    /// It came up.
    Released(Key),
    /// So many at once that the kernel lost some.
    Lost,
}

/// A device with keys.
#[derive(Debug)]
pub struct Keyboard {
    file: File,
    path: PathBuf,
}

impl Keyboard {
    /// Opens a node such as `/dev/input/event3`. Reading from it never blocks.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .tried(|| format!("cannot open {}", path.display()))?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    /// The node that it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What has happened since the last call. Keys that repeat themselves are left out.
    ///
    /// # Errors
    /// The device is gone.
    pub fn take(&self) -> Result<Vec<Stroke>> {
        let mut strokes = Vec::new();
        let mut bytes = [0; EVENT_LEN * EVENTS];
        loop {
            match (&self.file).read(&mut bytes) {
                Ok(0) => return Ok(strokes),
                // The kernel gives whole events only.
                Ok(length) => {
                    strokes.extend(bytes[..length].chunks_exact(EVENT_LEN).filter_map(parse))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(strokes),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(error).tried(|| format!("cannot read {}", self.path.display()));
                }
            }
        }
    }
}

impl AsFd for Keyboard {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The nodes of all devices with keys: keyboards, power buttons. No mice, no lids.
pub fn keyboards() -> Vec<PathBuf> {
    keyboards_below(Path::new("/sys/class/input"))
        .into_iter()
        .map(|name| Path::new("/dev/input").join(name))
        .collect()
}

fn keyboards_below(class: &Path) -> Vec<String> {
    let entries = fs::read_dir(class).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("event"))
        .filter(|name| {
            let keys = class.join(name).join("device/capabilities/key");
            fs::read_to_string(keys).is_ok_and(|text| has_keys(&text))
        })
        .collect();
    names.sort();
    names
}

/// Whether a capability's bits, words in hexadecimal with the highest first, have a key in
/// them that is no button (`input_print_bitmap`, drivers/input/input.c).
fn has_keys(text: &str) -> bool {
    let words = text
        .split_whitespace()
        .rev()
        .map(|word| u64::from_str_radix(word, 16).unwrap_or(0));
    words.enumerate().any(|(at, word)| {
        let bits = (0..WORD).filter(|bit| word >> bit & 1 == 1);
        bits.map(|bit| at * WORD + bit)
            .any(|code| !(BUTTONS..KEYS_AGAIN).contains(&code))
    })
}

fn parse(event: &[u8]) -> Option<Stroke> {
    let number = |at: usize| Some(u16::from_ne_bytes([*event.get(at)?, *event.get(at + 1)?]));
    let value = event
        .get(20..)?
        .first_chunk()
        .map(|bytes| i32::from_ne_bytes(*bytes))?;
    match (number(16)?, number(18)?, value) {
        (EV_SYN, SYN_DROPPED, _) => Some(Stroke::Lost),
        (EV_KEY, code, 1) => Some(Stroke::Pressed(Key(code))),
        (EV_KEY, code, 0) => Some(Stroke::Released(Key(code))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
        let mut bytes = vec![7; 16];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(code.to_ne_bytes());
        bytes.extend(value.to_ne_bytes());
        bytes
    }

    #[test]
    fn keys_are_pressed_and_released_and_do_not_repeat() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("event0");
        let events = [
            event(4, 4, 1),
            event(EV_KEY, 1, 1),
            event(EV_SYN, 0, 0),
            event(EV_KEY, 1, 2),
            event(EV_KEY, 1, 0),
            event(EV_SYN, SYN_DROPPED, 0),
        ];
        fs::write(&path, events.concat()).unwrap();
        let strokes = Keyboard::open(&path).unwrap().take().unwrap();
        assert_eq!(
            strokes,
            [
                Stroke::Pressed(Key::ESC),
                Stroke::Released(Key::ESC),
                Stroke::Lost
            ]
        );
    }

    #[test]
    fn keyboards_and_power_buttons_are_found_and_mice_are_not() {
        let class = tempfile::tempdir().unwrap();
        for (name, keys) in [
            (
                "event0",
                "402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe",
            ),
            ("event1", "10000000000000 0"),
            ("event2", "1f0000 0 0 0 0"),
            ("event3", "0"),
            ("mouse0", "1"),
        ] {
            let folder = class.path().join(name).join("device/capabilities");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("key"), format!("{keys}\n")).unwrap();
        }
        assert_eq!(keyboards_below(class.path()), ["event0", "event1"]);
        assert!(keyboards_below(&class.path().join("none")).is_empty());
    }
}
