//! What the maker of a stick and the ramdisk on it have to agree on.

pub mod error_log;
mod volume;

use crate::pairing::PairingId;

pub use volume::{Serial, Volume, log_at};

/// What the volume's partition is called, with the pairing's id behind it.
const PARTITION: &str = "stiefel ";

/// The name of the partition on a pairing's stick, in its GPT.
#[must_use]
pub fn partition_name(pairing: PairingId) -> String {
    format!("{PARTITION}{pairing}")
}

/// Whose stick it is, by the name of its partition.
#[must_use]
pub fn pairing_of(partition_name: &str) -> Option<PairingId> {
    partition_name.strip_prefix(PARTITION)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_tells_whose_it_is() {
        let pairing = PairingId::from_bytes([7; 8]);
        assert_eq!(partition_name(pairing), "stiefel 0707070707070707");
        assert_eq!(pairing_of(&partition_name(pairing)), Some(pairing));
        assert_eq!(pairing_of("stiefel"), None);
        assert_eq!(pairing_of("EFI system partition"), None);
    }
}
