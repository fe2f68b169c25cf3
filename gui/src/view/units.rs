//! Numbers as people read them.

use super::Now;
use super::words::fill;
use gettextrs::{gettext, ngettext, pgettext};

const SECOND: u64 = 1_000_000;
const DAY_SECS: i64 = 86_400;

/// Bytes, in decimal units, as on the box of a drive.
#[must_use]
pub fn size(bytes: u64) -> String {
    let (value, unit) = scaled(bytes);
    format!("{value}\u{a0}{unit}")
}

/// Bytes a second.
#[must_use]
pub fn rate(bytes: u64) -> String {
    let (value, unit) = scaled(bytes);
    format!("{value}\u{a0}{unit}/s")
}

fn scaled(bytes: u64) -> (String, &'static str) {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    // What would be rounded to a thousand is one of the next.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && value < 9.95);
    (number(value, decimals), UNITS[unit])
}

/// Speed of a link.
#[must_use]
pub fn speed(mbps: u32) -> String {
    if mbps < 1000 {
        return format!("{mbps}\u{a0}Mbit/s");
    }
    let gbps = f64::from(mbps) / 1000.0;
    let decimals = usize::from(!mbps.is_multiple_of(1000));
    format!("{}\u{a0}Gbit/s", number(gbps, decimals))
}

/// How long a message takes.
#[must_use]
pub fn latency(usec: u64) -> String {
    match usec {
        0 => gettext("unknown"),
        1..1000 => format!("{usec}\u{a0}µs"),
        _ => {
            let msec = usec as f64 / 1000.0;
            format!("{}\u{a0}ms", number(msec, usize::from(msec < 9.95)))
        }
    }
}

/// Percent.
#[must_use]
pub fn percent(percent: f64) -> String {
    // Translators: a percentage, e.g. "64%"; with a no-break space if your language wants one
    fill(&gettext("{number}%"), "number", &number(percent, 0))
}

/// Degrees Celsius.
#[must_use]
pub fn degrees(celsius: f64) -> String {
    format!("{}\u{a0}°C", number(celsius, 0))
}

/// A time span: hours and minutes, or minutes, or seconds.
#[must_use]
pub fn duration(usec: u64) -> String {
    let secs = usec / SECOND;
    let (hours, minutes) = (secs / 3600, secs % 3600 / 60);
    let minutes_text = || {
        let text = ngettext("{n} minute", "{n} minutes", plural(minutes));
        fill(&text, "n", &minutes.to_string())
    };
    match (hours, minutes) {
        (0, 0) => {
            let text = ngettext("{n} second", "{n} seconds", plural(secs));
            fill(&text, "n", &secs.to_string())
        }
        (0, _) => minutes_text(),
        (_, 0) => hours_text(hours),
        _ => fill(
            &fill(
                // Translators: hours and minutes, e.g. "2 hours 14 minutes"
                &gettext("{hours} {minutes}"),
                "hours",
                &hours_text(hours),
            ),
            "minutes",
            &minutes_text(),
        ),
    }
}

fn hours_text(hours: u64) -> String {
    let text = ngettext("{n} hour", "{n} hours", plural(hours));
    fill(&text, "n", &hours.to_string())
}

/// Seconds from now to a moment, rounded up: "0" only when it is over.
#[must_use]
pub fn seconds_until(monotonic_usec: u64, now: &Now) -> u64 {
    monotonic_usec
        .saturating_sub(now.monotonic_usec)
        .div_ceil(SECOND)
}

/// The rest of a wait, as on a clock: "9", "1:05", "2:00:00".
#[must_use]
pub fn countdown(secs: u64) -> String {
    match (secs / 3600, secs / 60 % 60, secs % 60) {
        (0, 0, secs) => secs.to_string(),
        (0, minutes, secs) => format!("{minutes}:{secs:02}"),
        (hours, minutes, secs) => format!("{hours}:{minutes:02}:{secs:02}"),
    }
}

/// The rest of a wait inside of a sentence: "0:09", "1:05", "2:00:00".
#[must_use]
pub fn rest(secs: u64) -> String {
    match secs {
        0..60 => format!("0:{secs:02}"),
        _ => countdown(secs),
    }
}

/// A moment in the past, on the local clock.
#[must_use]
pub fn moment(epoch_usec: u64, now: &Now) -> String {
    let (then, today) = (local(epoch_usec, now), local(now.epoch_usec, now));
    let clock = clock(epoch_usec, now);
    match today.div_euclid(DAY_SECS) - then.div_euclid(DAY_SECS) {
        // A clock that was set back is no reason for nonsense.
        ..=0 => fill(&gettext("today at {time}"), "time", &clock),
        1 => fill(&gettext("yesterday at {time}"), "time", &clock),
        days => {
            let days = days.unsigned_abs();
            let text = ngettext("{n} day ago", "{n} days ago", plural(days));
            fill(&text, "n", &days.to_string())
        }
    }
}

/// A moment of this day, on the local clock.
#[must_use]
pub fn clock(epoch_usec: u64, now: &Now) -> String {
    let of_day = local(epoch_usec, now).rem_euclid(DAY_SECS);
    format!("{}:{:02}", of_day / 3600, of_day % 3600 / 60)
}

fn local(epoch_usec: u64, now: &Now) -> i64 {
    (epoch_usec / SECOND) as i64 + now.offset_secs
}

/// A count for gettext, which takes 32 bits.
pub(super) fn plural(count: u64) -> u32 {
    // What decides about the form of a large number is how it ends.
    u32::try_from(count).unwrap_or((count % 1_000_000) as u32 + 1_000_000)
}

fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match decimals {
        0 => text,
        // Translators: what stands between the 2 and the 5 of two and a half
        _ => text.replace('.', &pgettext("decimal separator", ".")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600 * SECOND;

    #[test]
    fn sizes_are_those_on_the_box() {
        assert_eq!(size(0), "0\u{a0}B");
        assert_eq!(size(512_110_190_592), "512\u{a0}GB");
        assert_eq!(size(1_000_204_886_016), "1.0\u{a0}TB");
        assert_eq!(size(999_999_999), "1.0\u{a0}GB");
        assert_eq!(size(9_960), "10\u{a0}kB");
        assert_eq!(rate(112_000_000), "112\u{a0}MB/s");
    }

    #[test]
    fn speeds_have_no_superfluous_digits() {
        assert_eq!(speed(100), "100\u{a0}Mbit/s");
        assert_eq!(speed(1000), "1\u{a0}Gbit/s");
        assert_eq!(speed(2500), "2.5\u{a0}Gbit/s");
    }

    #[test]
    fn latencies_are_readable() {
        assert_eq!(latency(0), "unknown");
        assert_eq!(latency(420), "420\u{a0}µs");
        assert_eq!(latency(1500), "1.5\u{a0}ms");
        assert_eq!(latency(12_345), "12\u{a0}ms");
    }

    #[test]
    fn durations_and_countdowns() {
        assert_eq!(duration(59 * SECOND), "59 seconds");
        assert_eq!(duration(60 * SECOND), "1 minute");
        assert_eq!(duration(2 * HOUR), "2 hours");
        assert_eq!(duration(HOUR + 840 * SECOND), "1 hour 14 minutes");
        assert_eq!(countdown(9), "9");
        assert_eq!(countdown(65), "1:05");
        assert_eq!(countdown(7200), "2:00:00");
        assert_eq!(rest(9), "0:09");
        assert_eq!(rest(65), "1:05");
    }

    #[test]
    fn seconds_are_rounded_up() {
        let now = Now {
            monotonic_usec: 1_000_001,
            ..Now::default()
        };
        assert_eq!(seconds_until(2_000_000, &now), 1);
        assert_eq!(seconds_until(1_000_001, &now), 0);
        assert_eq!(seconds_until(0, &now), 0);
    }

    #[test]
    fn moments_are_on_the_local_clock() {
        let now = Now {
            epoch_usec: 24 * HOUR + HOUR / 2,
            offset_secs: 3600,
            ..Now::default()
        };
        assert_eq!(moment(24 * HOUR, &now), "today at 1:00");
        assert_eq!(moment(HOUR, &now), "yesterday at 2:00");
        assert_eq!(moment(25 * HOUR, &now), "today at 2:00");
        let later = Now {
            epoch_usec: 240 * HOUR,
            ..now
        };
        assert_eq!(moment(24 * HOUR, &later), "9 days ago");
    }
}
