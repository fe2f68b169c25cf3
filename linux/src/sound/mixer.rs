//! A card's mixer: drivers leave everything mute, and at zero.
//!
//! Elements are found by their names. What is raised lies between samples and ears; what a
//! microphone or a plug brings in stays as it is.

use std::ffi::c_long;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::wire::{self, ElemId, ElemInfo, ElemValue};
use crate::error::{Result, Tried};

/// `SNDRV_CTL_ELEM_IFACE_MIXER`.
const MIXER: i32 = 2;
/// `SNDRV_CTL_ELEM_TYPE_BOOLEAN` and `_INTEGER`.
const SWITCH: i32 = 1;
const NUMBER: i32 = 2;
/// `SNDRV_CTL_ELEM_ACCESS_WRITE`.
const WRITABLE: u32 = 1 << 1;

/// Elements that are looked at; the largest codecs of laptops have about 60.
const ELEMENTS_LIMIT: usize = 256;

/// What a volume is for that works on all others (`vmaster`).
const MASTER: &str = "Master";
/// Names of what may lie on the way (sound/pci/hda/hda_generic.c, hda_auto_parser.c).
const ON_THE_WAY: [&str; 10] = [
    MASTER,
    "PCM",
    "Front",
    "Speaker",
    "Bass Speaker",
    "Desktop Speaker",
    "Headphone",
    "Line Out",
    "Speaker+LO",
    "Headphone+LO",
];

/// How loud, of a hundred: with the usual 65 dB from end to end, 10 dB below the top. That is
/// heard in the next room from a laptop's speaker, and does not hurt in an ear.
const LEVEL: i64 = 85;

/// An element that can be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Element {
    numid: u32,
    name: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Switch,
    Volume { min: i64, max: i64 },
}

/// Switches a card's analog outputs on and makes them audible. Returns how many elements obeyed;
/// a card that has none plays without.
///
/// # Errors
/// The card is gone, or its mixer does not tell what it has.
pub fn raise(card: u32) -> Result<usize> {
    let path = PathBuf::from(format!("/dev/snd/controlC{card}"));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&path)
        .tried(|| format!("cannot open {}", path.display()))?;
    let mut ids = [ElemId::numbered(0); ELEMENTS_LIMIT];
    let count = wire::list(&file, &mut ids).tried(|| format!("cannot ask {}", path.display()))?;
    let elements: Vec<Element> = ids[..count]
        .iter()
        .filter_map(|id| describe(&file, *id))
        .collect();
    let raised = plan(&elements).into_iter().filter(|(numid, value)| {
        let value = &mut ElemValue::of(ElemId::numbered(*numid), *value as c_long);
        wire::ask::<{ wire::ELEM_WRITE }, _>(&file, value).is_ok()
    });
    Ok(raised.count())
}

/// What an element is; none that has gone, that is nothing for us or that cannot be changed.
fn describe(file: &File, id: ElemId) -> Option<Element> {
    if id.iface != MIXER {
        return None;
    }
    let mut info = ElemInfo::about(id);
    wire::ask::<{ wire::ELEM_INFO }, _>(file, &mut info).ok()?;
    if info.access & WRITABLE == 0 || info.count as usize > wire::VALUES {
        return None;
    }
    let kind = match info.kind {
        SWITCH => Kind::Switch,
        NUMBER => Kind::Volume {
            min: info.min,
            max: info.max,
        },
        _ => return None,
    };
    let length = id.name.iter().position(|byte| *byte == 0)?;
    Some(Element {
        numid: id.numid,
        name: String::from_utf8_lossy(&id.name[..length]).into_owned(),
        kind,
    })
}

/// Elements to set, and to what. One volume makes it as loud as it shall be, the others let
/// everything through: the master's, or where there is none, each.
fn plan(elements: &[Element]) -> Vec<(u32, i64)> {
    let has_master = elements.iter().any(|element| {
        matches!(element.kind, Kind::Volume { .. }) && on_the_way(element) == Some(MASTER)
    });
    let value = |element: &Element| {
        let name = on_the_way(element)?;
        let value = match element.kind {
            Kind::Switch => 1,
            Kind::Volume { max, .. } if has_master && name != MASTER => max,
            Kind::Volume { min, max } => {
                let range = i128::from(max) - i128::from(min);
                let above = range.max(0) * i128::from(LEVEL) / 100;
                min.saturating_add(i64::try_from(above).unwrap_or(0))
            }
        };
        Some((element.numid, value))
    };
    elements.iter().filter_map(value).collect()
}

/// The name of what an element switches or turns, if it is one of [`ON_THE_WAY`].
fn on_the_way(element: &Element) -> Option<&'static str> {
    let ending = match element.kind {
        Kind::Switch => " Playback Switch",
        Kind::Volume { .. } => " Playback Volume",
    };
    let name = element.name.strip_suffix(ending)?;
    ON_THE_WAY.into_iter().find(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOLUME: Kind = Kind::Volume { min: 0, max: 100 };

    fn planned(elements: &[(&str, Kind)]) -> Vec<(String, i64)> {
        let elements: Vec<Element> = elements
            .iter()
            .zip(1..)
            .map(|((name, kind), numid)| Element {
                numid,
                name: (*name).to_owned(),
                kind: *kind,
            })
            .collect();
        plan(&elements)
            .into_iter()
            .map(|(numid, value)| (elements[numid as usize - 1].name.clone(), value))
            .collect()
    }

    /// The elements of a laptop with a Realtek codec, as `amixer controls` has them.
    #[test]
    fn a_laptop_is_heard_and_its_microphones_are_not() {
        let (switch, volume) = (Kind::Switch, VOLUME);
        let planned = planned(&[
            ("Headphone Playback Volume", volume),
            ("Headphone Playback Switch", switch),
            ("Speaker Playback Volume", volume),
            ("Speaker Playback Switch", switch),
            ("Mic Playback Volume", volume),
            ("Front Mic Playback Switch", switch),
            ("Internal Mic Boost Volume", volume),
            ("Beep Playback Switch", switch),
            ("Capture Switch", switch),
            ("IEC958 Playback Switch", switch),
            ("Master Playback Volume", volume),
            ("Master Playback Switch", switch),
            ("PCM Playback Volume", volume),
        ]);
        let expected = [
            ("Headphone Playback Volume", 100),
            ("Headphone Playback Switch", 1),
            ("Speaker Playback Volume", 100),
            ("Speaker Playback Switch", 1),
            ("Master Playback Volume", 85),
            ("Master Playback Switch", 1),
            ("PCM Playback Volume", 100),
        ];
        assert_eq!(
            planned,
            expected.map(|(name, value)| (name.to_owned(), value))
        );
    }

    #[test]
    fn without_a_master_nothing_is_at_the_top() {
        let master = ("Master Playback Switch", Kind::Switch);
        let front = ("Front Playback Volume", Kind::Volume { min: -60, max: 40 });
        let expected = [
            ("Master Playback Switch".to_owned(), 1),
            ("Front Playback Volume".to_owned(), 25),
        ];
        assert_eq!(planned(&[master, front]), expected);
    }

    #[test]
    fn a_strange_range_is_no_trouble() {
        for (min, max) in [(i64::MIN, i64::MAX), (5, -5), (0, 0)] {
            let volume = ("Master Playback Volume", Kind::Volume { min, max });
            let value = planned(&[volume])[0].1;
            assert!(value >= min && (value <= max || max < min), "{value}");
        }
    }

    #[test]
    fn a_card_that_is_not_there_is_named() {
        let error = raise(255).unwrap_err();
        assert!(error.to_string().contains("controlC255"), "{error}");
    }
}
