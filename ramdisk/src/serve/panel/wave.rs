//! A tune as samples for a sound card.
//!
//! Sines: a small speaker makes enough other tones of them by itself. Each note grows and fades
//! for a few milliseconds, because one that is cut off clicks.

use std::f64::consts::TAU;
use std::iter::repeat_n;

use stiefel_linux::sound::{FRAME_LEN, RATE};

use super::tune::{Note, SILENCE};

/// Half of what there is, 6 dB below the top; the mixer does the rest.
const PEAK: f64 = 0.5 * i16::MAX as f64;
/// Samples in which a note grows or fades: 5 ms.
const FADE: usize = RATE as usize / 200;

/// The frames of a tune, and of silence behind it. A buffer that has taken the last of them has
/// nothing but silence in it, where that is not shorter than the buffer.
pub fn frames(tune: &[Note], silence: usize) -> Vec<u8> {
    let sounding: usize = tune.iter().map(|(_, msecs)| length(*msecs)).sum();
    let samples = tune.iter().flat_map(|note| samples(*note));
    let mut frames = Vec::with_capacity((sounding + silence) * FRAME_LEN);
    for sample in samples.chain(repeat_n(0, silence)) {
        let [low, high] = sample.to_le_bytes();
        frames.extend([low, high, low, high]);
    }
    frames
}

fn samples((hertz, msecs): Note) -> impl Iterator<Item = i16> {
    let count = length(msecs);
    (0..count).map(move |at| {
        if hertz == SILENCE {
            return 0;
        }
        let loudness = at.min(count - 1 - at).min(FADE) as f64 / FADE as f64;
        let turns = at as f64 * f64::from(hertz) / f64::from(RATE);
        ((turns * TAU).sin() * PEAK * loudness) as i16
    })
}

/// Samples in so many milliseconds.
fn length(msecs: u64) -> usize {
    msecs as usize * RATE as usize / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(frames: &[u8]) -> Vec<i16> {
        let samples = frames
            .chunks_exact(FRAME_LEN)
            .map(|frame| i16::from_le_bytes([frame[0], frame[1]]));
        samples.collect()
    }

    #[test]
    fn a_note_is_as_long_as_high_and_as_loud_as_it_shall_be() {
        let samples = left(&frames(&[(880, 400)], 0));
        assert_eq!(samples.len(), 19_200);
        let rising = samples
            .windows(2)
            .filter(|pair| pair[0] < 0 && pair[1] >= 0);
        assert!((350..=352).contains(&rising.count()), "880 Hz for 0.4 s");
        let highest = samples.iter().copied().max().unwrap();
        assert!((16_000..=PEAK as i16).contains(&highest), "{highest}");
    }

    #[test]
    fn nothing_clicks() {
        let samples = left(&frames(
            &[(1320, 120), (SILENCE, 120), (660, 120), (880, 9)],
            100,
        ));
        assert_eq!(samples[0], 0);
        assert_eq!(samples[samples.len() - 101..], [0; 101]);
        // As steep as the highest of these tones is by itself.
        let steepest = PEAK * TAU * 1320.0 / f64::from(RATE) + 1.0;
        let steps = samples
            .windows(2)
            .map(|pair| i32::from(pair[0]) - i32::from(pair[1]));
        assert!(steps.map(f64::from).all(|step| step.abs() <= steepest));
    }

    #[test]
    fn both_ears_hear_the_same() {
        let frames = frames(&[(660, 10)], 1);
        assert_eq!(frames.len(), 481 * FRAME_LEN);
        assert!(
            frames
                .chunks_exact(FRAME_LEN)
                .all(|frame| frame[..2] == frame[2..])
        );
    }
}
