//! Numbers and times as people say them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long ago a time of `CLOCK_REALTIME` was; 0 is never.
pub fn ago(usec: u64) -> String {
    if usec == 0 {
        return "never".into();
    }
    let then = UNIX_EPOCH + Duration::from_micros(usec);
    let secs = SystemTime::now()
        .duration_since(then)
        .unwrap_or_default()
        .as_secs();
    match secs {
        0..=59 => format!("{secs} s ago"),
        60..=3599 => format!("{} min ago", secs / 60),
        3600..=86_399 => format!("{} h ago", secs / 3600),
        86_400..=172_799 => "1 day ago".into(),
        _ => format!("{} days ago", secs / 86_400),
    }
}

/// How long something takes.
pub fn lasting(usec: u64) -> String {
    let secs = usec / 1_000_000;
    match (secs / 3600, secs / 60 % 60) {
        (0, 0) => format!("{secs} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// Whole seconds from now to a time of `CLOCK_MONOTONIC`.
pub fn seconds_until(deadline_usec: u64) -> u64 {
    deadline_usec
        .saturating_sub(monotonic_usec())
        .div_ceil(1_000_000)
}

/// `/proc/uptime` would count suspended time; this clock does not.
fn monotonic_usec() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let secs = u64::try_from(now.tv_sec).unwrap_or(0);
    secs * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1000
}

/// A number of bytes as disks are sold: in powers of ten.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = number as f64;
    let mut unit = 0;
    // What would be shown as 1000.0 is one of the next unit.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{number} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// The speed of a link; nothing if it is not known.
pub fn speed(mbps: u32) -> String {
    match mbps {
        0 => String::new(),
        1..=999 => format!("{mbps} Mbit/s"),
        _ => format!("{} Gbit/s", f64::from(mbps) / 1000.0),
    }
}

/// A share of 1.
pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_their_largest_unit() {
        assert_eq!(ago(0), "never");
        assert!(ago(1).ends_with("days ago"));
        for (secs, told) in [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7260, "2 h 1 min")] {
            assert_eq!(lasting(secs * 1_000_000), told);
        }
    }

    #[test]
    fn bytes_are_told_in_powers_of_ten() {
        for (number, told) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (500_107_862_016, "500.1 GB"),
            (u64::MAX, "18446.7 PB"),
        ] {
            assert_eq!(bytes(number), told);
        }
    }

    #[test]
    fn speeds_are_told_as_they_are_sold() {
        for (mbps, told) in [
            (0, ""),
            (100, "100 Mbit/s"),
            (1000, "1 Gbit/s"),
            (2500, "2.5 Gbit/s"),
        ] {
            assert_eq!(speed(mbps), told);
        }
    }
}
