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

/// Memory in use, bytes: what is neither free nor a copy of something on a disk.
/// The ramdisk's own files count. `MemAvailable` would not do: it also takes off
/// what the kernel keeps free for emergencies (Documentation/filesystems/proc.rst).
pub fn memory_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    used(&text).unwrap_or(0)
}

fn used(text: &str) -> Option<u64> {
    let field = |name: &str| meminfo(text, name);
    let files_in_memory = field("Shmem:")? + field("Unevictable:")?;
    let copies = field("Buffers:")? + field("Cached:")?.saturating_sub(files_in_memory);
    Some(field("MemTotal:")?.saturating_sub(field("MemFree:")? + copies + field("SReclaimable:")?))
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
    fn files_in_memory_are_in_use_and_copies_of_the_disk_are_not() {
        let text = "MemTotal: 1000 kB\nMemFree: 500 kB\nMemAvailable: 400 kB\nBuffers: 200 kB\n\
             Cached: 150 kB\nUnevictable: 60 kB\nShmem: 40 kB\nSReclaimable: 10 kB\n";
        let expected = 1000 - 500 - 200 - 50 - 10;
        assert_eq!(used(text), Some(expected << 10));
        assert_eq!(used("MemTotal: 1000 kB\n"), None);
    }
}
