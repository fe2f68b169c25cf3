//! Kernel modules: which there are, what they need, and what hardware they are for.
//!
//! ```text
//! modules.dep .alias .softdep .weakdep .builtin ──parse──▶ Catalogue     (on the source system)
//!                                   names to take ──close──▶ Index ──JSON──▶ the ramdisk
//!                                modaliases of devices ──▶ Index ──▶ files, in load order
//! ```
//!
//! There is no modprobe in the ramdisk, so the [`Index`] holds for each module the finished
//! sequence of files to load, and all aliases by which a device may ask for it.

mod catalogue;
mod index;
mod pattern;

pub use catalogue::{Catalogue, ParseError, Tables};
pub use index::{INDEX_LIMIT, Index, IndexError, Missing, Module, Wanted};

use serde::{Deserialize, Serialize};

/// What a module is in the ramdisk for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Wired network cards and their PHYs.
    Net,
    /// USB host controllers.
    UsbHost,
    /// Keyboards, and what they hang on.
    Hid,
    /// What a laptop's disk may be or hang on.
    Storage,
    /// Buses that other devices are found behind: Thunderbolt, Hyper-V, virtio.
    Bus,
    /// The encrypted tunnel.
    Tunnel,
    /// The lent disk on the borrower.
    Disk,
    /// Battery, mains, lid and power button.
    Power,
    /// The beeper, and sound cards.
    Sound,
    /// Taken only because another one needs it.
    Support,
}

impl Purpose {
    /// All of them, in the order in which people are told about them.
    pub const ALL: [Self; 10] = [
        Self::Net,
        Self::UsbHost,
        Self::Hid,
        Self::Storage,
        Self::Bus,
        Self::Tunnel,
        Self::Disk,
        Self::Power,
        Self::Sound,
        Self::Support,
    ];

    /// A few words for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Net => "wired network",
            Self::UsbHost => "USB hosts",
            Self::Hid => "keyboards",
            Self::Storage => "storage",
            Self::Bus => "buses",
            Self::Tunnel => "tunnel",
            Self::Disk => "lent disk",
            Self::Power => "power",
            Self::Sound => "sound",
            Self::Support => "needed by these",
        }
    }
}

/// A module's name as the kernel knows it: dashes are underscores.
///
/// Aliases are compared in the same spelling, except within brackets (libkmod does so too).
pub fn normal(name: &str) -> String {
    let mut bracket = false;
    name.chars()
        .map(|c| {
            match c {
                '[' => bracket = true,
                ']' => bracket = false,
                '-' if !bracket => return '_',
                _ => {}
            }
            c
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_become_underscores_outside_of_brackets() {
        assert_eq!(normal("usb-storage"), "usb_storage");
        assert_eq!(normal("x-[0-9]-y"), "x_[0-9]_y");
    }

    #[test]
    fn every_purpose_is_listed_once() {
        let mut all = Purpose::ALL.to_vec();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), Purpose::ALL.len());
        assert_eq!(all.last(), Some(&Purpose::Support));
        assert_eq!(Purpose::Support as usize + 1, all.len());
    }
}
