//! eMMC: what the kernel read when it found the device.
//!
//! Source: Documentation/ABI/testing/sysfs-bus-mmc, JESD84-B51, 7.4.40 to 7.4.42.

use std::fs;
use std::path::Path;

use stiefel_core::control::{DiskHealth, DiskStatus};

/// `None` for what says nothing, such as an SD card.
pub(super) fn read_below(device: &Path) -> Option<DiskStatus> {
    let read = |file: &str| fs::read_to_string(device.join(file)).ok();
    let number = |word: &str| u8::from_str_radix(word.trim_start_matches("0x"), 16).ok();
    // Tenths of its life that are used, from 1 to 11, for each kind of its memory.
    let used = read("life_time")?
        .split_whitespace()
        .filter_map(number)
        .max()?;
    let end = read("pre_eol_info").and_then(|text| number(text.trim()));
    let (health, detail) = match (end, used) {
        (Some(3), _) => (DiskHealth::Failing, "The disk has no spare blocks left."),
        (Some(2), _) => (
            DiskHealth::Worn,
            "The disk has used up 80 % of its spare blocks.",
        ),
        (_, 11..) => (DiskHealth::Worn, "The disk has used up its life."),
        (_, 0) => return None,
        _ => (DiskHealth::Good, ""),
    };
    Some(DiskStatus {
        health,
        detail: detail.to_owned(),
        celsius: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(life_time: &str, end: &str) -> Option<DiskHealth> {
        let device = tempfile::tempdir().unwrap();
        fs::write(device.path().join("life_time"), life_time).unwrap();
        fs::write(device.path().join("pre_eol_info"), end).unwrap();
        read_below(device.path()).map(|status| status.health)
    }

    #[test]
    fn both_tables_count() {
        assert_eq!(device("0x01 0x02\n", "0x01\n"), Some(DiskHealth::Good));
        assert_eq!(device("0x01 0x0b\n", "0x01\n"), Some(DiskHealth::Worn));
        assert_eq!(device("0x05 0x05\n", "0x02\n"), Some(DiskHealth::Worn));
        assert_eq!(device("0x05 0x05\n", "0x03\n"), Some(DiskHealth::Failing));
        assert_eq!(device("0x00 0x00\n", "0x00\n"), None);
        assert_eq!(device("", ""), None);
    }
}
