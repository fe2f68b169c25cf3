//! How the lender is: power and memory.

use stiefel_linux::power::{self, Power};

/// Battery and mains; a machine that tells nothing counts as one on mains.
pub fn power() -> Power {
    power::read().unwrap_or(Power {
        battery_percent: None,
        on_mains: true,
        charging: false,
    })
}

/// Memory in use, bytes: what is not available to programs.
pub fn memory_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let field = |name: &str| meminfo(&text, name).unwrap_or(0);
    field("MemTotal:").saturating_sub(field("MemAvailable:"))
}

fn meminfo(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let text = "MemTotal:        2048 kB\nMemFree:  1 kB\nMemAvailable:    1024 kB\n";
        assert_eq!(meminfo(text, "MemAvailable:"), Some(1 << 20));
        assert_eq!(meminfo(text, "SwapTotal:"), None);
    }
}
