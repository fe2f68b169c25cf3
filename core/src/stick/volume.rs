//! The place of the error log in a stick's volume, which is the same on every stick: the first
//! whole page behind the root folder.
//!
//! ```text
//! | boot sector ... | FAT | FAT | root folder, up to a whole page | error log | other files ...
//! ```
//!
//! So it can be written in place by whoever has read the boot sector, without a file system
//! driver, and no page of the kernel holds a byte of it and a byte of something else.
//!
//! Source: "Microsoft Extensible Firmware Initiative FAT32 File System Specification", 1.03.

use std::fmt;
use std::str::FromStr;

use super::error_log::LEN;

/// Bytes of a sector, and of a cluster, on our sticks.
const SECTOR: u64 = 512;
/// Bytes of a page, by which the kernel reads and writes.
const PAGE: u64 = 4096;
/// Bytes of an entry in the FAT.
const ENTRY: u64 = 4;
/// The upper bits of an entry mean nothing (page 16 of the specification).
const ENTRY_MASK: u32 = 0x0fff_ffff;
/// Entries from here on end a chain.
const END: u32 = 0x0fff_fff8;
/// The number of the first cluster.
const FIRST_CLUSTER: u64 = 2;

/// A volume's serial number; a stick gets a new one whenever it is written. `1A2B-3C4D`, as GRUB
/// and udev show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serial(pub u32);

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}-{:04X}", self.0 >> 16, self.0 & 0xffff)
    }
}

/// It is no serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a volume's serial number has eight hexadecimal digits with a dash in the middle")]
pub struct BadSerial;

impl FromStr for Serial {
    type Err = BadSerial;

    fn from_str(text: &str) -> Result<Self, BadSerial> {
        let digits = text.replacen('-', "", 1);
        let number = u32::from_str_radix(&digits, 16).map_err(|_| BadSerial)?;
        let serial = Self(number);
        match serial.to_string() == text {
            true => Ok(serial),
            false => Err(BadSerial),
        }
    }
}

/// Where the error log begins when the clusters begin at `clusters_at`; bytes from the start of
/// the volume. The root folder has the clusters before it.
#[must_use]
pub fn log_at(clusters_at: u64) -> u64 {
    (clusters_at + 1).next_multiple_of(PAGE)
}

/// A volume as we make them, by its first sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its serial number.
    pub serial: Serial,
    fat_at: u64,
    clusters_at: u64,
}

impl Volume {
    /// Reads the first sector; `None` for a volume that is laid out in another way.
    #[must_use]
    pub fn of(sector: &[u8; SECTOR as usize]) -> Option<Self> {
        let byte = |at: usize| u64::from(sector[at]);
        let short = |at: usize| byte(at) | byte(at + 1) << 8;
        let long = |at: usize| short(at) | short(at + 2) << 16;
        let (sector_len, cluster_len, fats, root) = (short(11), byte(13), byte(16), long(44));
        let as_ours = (sector_len, cluster_len, fats, root) == (SECTOR, 1, 2, FIRST_CLUSTER);
        let is_fat32 = &sector[82..90] == b"FAT32   " && sector[510..] == [0x55, 0xaa];
        if !as_ours || !is_fat32 {
            return None;
        }
        let (reserved, fat_sectors) = (short(14), long(36));
        Some(Self {
            serial: Serial(u32::try_from(long(67)).ok()?),
            fat_at: reserved * SECTOR,
            clusters_at: (reserved + fats * fat_sectors) * SECTOR,
        })
    }

    /// Where the error log is, bytes from the start of the volume.
    #[must_use]
    pub fn log_at(&self) -> u64 {
        log_at(self.clusters_at)
    }

    /// What of the first FAT tells of the error log: where, and how many bytes.
    #[must_use]
    pub fn chain(&self) -> (u64, usize) {
        let at = self.fat_at + self.log_cluster() * ENTRY;
        (at, LEN / SECTOR as usize * ENTRY as usize)
    }

    /// Whether a file lies there that is as long as the error log and in one piece. Whatever
    /// somebody else has written since lies elsewhere, or has another length.
    #[must_use]
    pub fn is_one_piece(&self, chain: &[u8]) -> bool {
        let entries = chain.as_chunks::<{ ENTRY as usize }>().0;
        let follows = (self.log_cluster() + 1..).zip(entries);
        let last = entries.len().saturating_sub(1);
        let right = follows.enumerate().all(|(number, (next, entry))| {
            let entry = u32::from_le_bytes(*entry) & ENTRY_MASK;
            match number == last {
                true => entry >= END,
                false => u64::from(entry) == next,
            }
        });
        chain.len() == self.chain().1 && right
    }

    fn log_cluster(&self) -> u64 {
        FIRST_CLUSTER + (self.log_at() - self.clusters_at) / SECTOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sector() -> [u8; 512] {
        let mut sector = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| {
            sector[at..at + bytes.len()].copy_from_slice(bytes);
        };
        put(11, &[0, 2, 1, 32, 0, 2]);
        put(36, &2_033_u32.to_le_bytes());
        put(44, &[2]);
        put(67, &0x1a2b_3c4d_u32.to_le_bytes());
        put(82, b"FAT32   ");
        put(510, &[0x55, 0xaa]);
        sector
    }

    fn chain(first: u32) -> Vec<u8> {
        let count = (LEN / 512) as u32;
        let next = (first + 1..first + count).chain([0x0fff_ffff]);
        next.flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn a_serial_number_has_one_spelling() {
        assert_eq!("1A2B-3C4D".parse(), Ok(Serial(0x1a2b_3c4d)));
        assert_eq!(Serial(7).to_string(), "0000-0007");
        for text in [
            "1a2b-3c4d",
            "1A2B3C4D",
            "1A2B-3C4",
            "-1A2B3C4",
            "+000-0007",
            "",
        ] {
            assert_eq!(text.parse::<Serial>(), Err(BadSerial), "{text}");
        }
    }

    #[test]
    fn the_log_begins_with_a_page_and_behind_the_root_folder() {
        let volume = Volume::of(&sector()).unwrap();
        assert_eq!(volume.serial, Serial(0x1a2b_3c4d));
        let clusters_at = (32 + 2 * 2_033) * 512;
        assert_eq!(volume.clusters_at, clusters_at);
        assert_eq!(volume.log_at() % 4096, 0);
        assert!(volume.log_at() >= clusters_at + 512);
        assert_eq!(log_at(8192), 12_288, "never where the root folder is");
    }

    #[test]
    fn other_volumes_are_not_ours() {
        for (at, byte) in [(11, 1), (13, 8), (16, 1), (44, 3), (86, b'1'), (511, 0)] {
            let mut other = sector();
            other[at] = byte;
            assert_eq!(Volume::of(&other), None, "byte {at}");
        }
    }

    #[test]
    fn only_a_file_of_the_right_length_in_one_piece_will_do() {
        let volume = Volume::of(&sector()).unwrap();
        let first = u32::try_from(volume.log_cluster()).unwrap();
        assert!(volume.is_one_piece(&chain(first)));
        assert!(!volume.is_one_piece(&chain(first + 1)), "another file");
        assert!(!volume.is_one_piece(&vec![0; LEN / 128]), "removed");
        assert!(!volume.is_one_piece(&chain(first)[4..]));
        let mut broken = chain(first);
        broken[40] ^= 1;
        assert!(!volume.is_one_piece(&broken), "in two pieces");
        let mut longer = chain(first);
        let end = longer.len() - 4;
        longer[end..].copy_from_slice(&9_000_u32.to_le_bytes());
        assert!(!volume.is_one_piece(&longer));
    }
}
