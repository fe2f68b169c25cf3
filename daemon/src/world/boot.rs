//! The boot that this system is in.

use super::paths::Paths;
use std::fs;

/// One boot of the system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Boot {
    /// The kernel's id of it; empty if it says none.
    pub id: String,
    /// When it began, microseconds since the epoch; 0 if that is not known.
    pub began_usec: u64,
}

/// The present one.
#[must_use]
pub fn read(paths: &Paths) -> Boot {
    let text = |path: &str| fs::read_to_string(paths.at(path)).unwrap_or_default();
    // `btime` is the wall clock's seconds at the boot (proc_stat(5)).
    let stat = text("/proc/stat");
    let began = stat.lines().find_map(|line| line.strip_prefix("btime "));
    let secs: u64 = began.and_then(|secs| secs.trim().parse().ok()).unwrap_or(0);
    Boot {
        id: text("/proc/sys/kernel/random/boot_id").trim().to_owned(),
        began_usec: secs.saturating_mul(1_000_000),
    }
}
