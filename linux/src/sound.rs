//! Sound cards: which there are, opening their mixers, and playing samples on them.
//!
//! ```text
//! /proc/asound/pcm ──▶ outputs ──┬──▶ raise      (/dev/snd/controlC0: from mute to audible)
//!                                └──▶ Playback   (/dev/snd/pcmC0D0p: samples in, sound out)
//! ```
//!
//! There is no libasound where this runs, and of what it does only this is needed: one format
//! that every analog output takes, [`RATE`] frames a second of [`FRAME_LEN`] bytes.
//!
//! Sources: include/uapi/sound/asound.h, sound/core/pcm.c and pcm_native.c, and for the names
//! Documentation/sound/designs/control-names.rst.

mod mixer;
mod playback;
mod wire;

use std::fs;

pub use mixer::raise;
pub use playback::{FRAME_LEN, Playback, RATE};

/// Where the kernel lists what can be played on (`snd_pcm_proc_read`, sound/core/pcm.c).
const LIST: &str = "/proc/asound/pcm";

/// Cards that are used; the kernel has up to 32, and a laptop one or two.
const CARDS_LIMIT: usize = 8;

/// Outputs whose name has one of these in it lead to a screen or an amplifier by light or wire.
const DIGITAL: [&str; 5] = ["hdmi", "digital", "displayport", "iec958", "spdif"];

/// An analog output of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// The card's number.
    pub card: u32,
    /// The number of the device on it.
    pub device: u32,
}

/// The first analog output of every card. A machine without a card has none.
pub fn outputs() -> Vec<Output> {
    fs::read_to_string(LIST).map_or_else(|_| vec![], |list| analog(&list))
}

fn analog(list: &str) -> Vec<Output> {
    let mut outputs: Vec<Output> = vec![];
    for output in list.lines().filter_map(parse) {
        let known = outputs.iter().any(|other| other.card == output.card);
        if !known && outputs.len() < CARDS_LIMIT {
            outputs.push(output);
        }
    }
    outputs
}

/// A line such as `00-00: ALC257 Analog : ALC257 Analog : playback 1 : capture 1`.
fn parse(line: &str) -> Option<Output> {
    let (numbers, rest) = line.split_once(": ")?;
    let (card, device) = numbers.split_once('-')?;
    let names = rest.to_lowercase();
    let plays = rest.split(" : ").any(|part| part.starts_with("playback "));
    if !plays || DIGITAL.iter().any(|word| names.contains(word)) {
        return None;
    }
    Some(Output {
        card: card.parse().ok()?,
        device: device.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_card_plays_on_its_first_analog_output() {
        let list = "00-03: HDMI 0 : HDMI 0 : playback 1\n\
                    01-00: ALC257 Analog : ALC257 Analog : playback 1 : capture 1\n\
                    01-01: ALC257 Digital : ALC257 Digital : playback 1\n\
                    01-02: ALC257 Alt Analog : ALC257 Alt Analog : playback 1 : capture 1\n\
                    02-00: Camera : Camera : capture 1\n\
                    03-00: Generic Analog : Generic Analog : playback 1\n";
        let output = |card| Output { card, device: 0 };
        assert_eq!(analog(list), [output(1), output(3)]);
    }

    #[test]
    fn lines_that_are_none_are_no_cards() {
        assert_eq!(
            analog("--- no soundcards ---\n\n0: x\n-: : playback 1\n"),
            []
        );
        let many: String = (0..32)
            .map(|card| format!("{card:02}-00: x : y : playback 1\n"))
            .collect();
        assert_eq!(analog(&many).len(), CARDS_LIMIT);
    }
}
