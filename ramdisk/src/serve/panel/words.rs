//! Figures and spans of time, as a person says them.

use std::time::Duration;

/// What the console can show: the kernel's font has these, and one column is enough.
const SHOWN: std::ops::RangeInclusive<char> = ' '..='\u{17f}';

/// Bytes, with the prefixes that disks are sold with.
pub fn amount(bytes: u64) -> String {
    let bytes = bytes as f64;
    let (figure, unit) = match bytes {
        ..1e3 => return format!("{bytes:.0} B"),
        ..1e6 => (bytes / 1e3, "kB"),
        ..1e9 => (bytes / 1e6, "MB"),
        ..1e12 => (bytes / 1e9, "GB"),
        _ => (bytes / 1e12, "TB"),
    };
    let digits = usize::from(figure < 99.95);
    format!("{figure:.digits$} {unit}")
}

/// How long something lasts or lasted.
pub fn span(time: Duration) -> String {
    let secs = time.as_secs();
    match (secs / 3600, secs / 60 % 60) {
        (0, 0) => format!("{secs} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    }
}

/// How long it takes from now: never shorter than it is.
pub fn left(time: Duration) -> String {
    match time.as_secs() + u64::from(time.subsec_nanos() > 0) {
        secs @ 0..120 => format!("{secs} s"),
        secs => span(Duration::from_secs(secs.div_ceil(60) * 60)),
    }
}

/// A link's speed, Mbit/s.
pub fn speed(mbps: u32) -> String {
    match mbps {
        0 => "speed not known".into(),
        1..1000 => format!("{mbps} Mbit/s"),
        _ if mbps.is_multiple_of(1000) => format!("{} Gbit/s", mbps / 1000),
        _ => format!("{:.1} Gbit/s", f64::from(mbps) / 1000.0),
    }
}

/// A name as the console can show it.
pub fn plain(name: &str) -> String {
    let shown = |c| {
        if SHOWN.contains(&c) && !c.is_control() {
            c
        } else {
            '?'
        }
    };
    name.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_three_digits_at_most() {
        let said = [
            0,
            999,
            1_000,
            99_949,
            99_950,
            12_345_678,
            3_100_000_000,
            2 << 40,
        ]
        .map(amount);
        let expected = [
            "0 B", "999 B", "1.0 kB", "99.9 kB", "100 kB", "12.3 MB", "3.1 GB", "2.2 TB",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn times() {
        let said = [0, 59, 60, 3_599, 3_600, 8_040].map(|secs| span(Duration::from_secs(secs)));
        assert_eq!(
            said,
            ["0 s", "59 s", "1 min", "59 min", "1 h 00 min", "2 h 14 min"]
        );
        let said = [500, 60_000, 119_000, 120_001, 541_000]
            .map(|msecs| left(Duration::from_millis(msecs)));
        assert_eq!(said, ["1 s", "60 s", "119 s", "3 min", "10 min"]);
    }

    #[test]
    fn speeds() {
        assert_eq!(
            [0, 100, 1000, 2500, 10_000].map(speed),
            [
                "speed not known",
                "100 Mbit/s",
                "1 Gbit/s",
                "2.5 Gbit/s",
                "10 Gbit/s"
            ]
        );
    }

    #[test]
    fn what_the_font_has_not_is_a_question_mark() {
        assert_eq!(plain("Büro 東\u{1b}"), "Büro ??");
    }
}
