//! Boot variables: what the firmware is told to start.
//!
//! Source: UEFI Specification 2.10, sections 3.1.3 (load options) and 10.3 (device paths).

use super::Partition;

/// `LOAD_OPTION_ACTIVE`.
const ACTIVE: u32 = 1;
/// Type and subtype of the nodes of a device path.
const HARD_DRIVE: [u8; 2] = [4, 1];
const FILE_PATH: [u8; 2] = [4, 4];
const END: [u8; 2] = [0x7f, 0xff];
/// The partition's format is GPT, and its signature a GUID.
const GPT_BY_GUID: [u8; 2] = [2, 2];

/// A load option that starts the program at `path` (with `\` between) of a partition.
pub(super) fn encode(title: &str, partition: &Partition, path: &str) -> Vec<u8> {
    let mut drive = partition.number.to_le_bytes().to_vec();
    drive.extend(partition.first_block.to_le_bytes());
    drive.extend(partition.blocks.to_le_bytes());
    drive.extend(partition.guid);
    drive.extend(GPT_BY_GUID);
    let device_path = [
        node(HARD_DRIVE, &drive),
        node(FILE_PATH, &ucs2(path)),
        node(END, &[]),
    ]
    .concat();
    let mut option = ACTIVE.to_le_bytes().to_vec();
    option.extend((device_path.len() as u16).to_le_bytes());
    option.extend(ucs2(title));
    option.extend(device_path);
    option
}

/// Whether a load option starts a program below a folder (with `\` between).
pub(super) fn starts_below(option: &[u8], folder: &str) -> bool {
    let Some(wanted) = ucs2(folder).strip_suffix(&[0, 0]).map(<[u8]>::to_vec) else {
        return false;
    };
    let title = option.get(6..).unwrap_or_default();
    let Some(end) = title.chunks_exact(2).position(|unit| unit == [0, 0]) else {
        return false;
    };
    let mut nodes = &title[2 * (end + 1)..];
    while let [kind, subtype, low, high, ..] = *nodes {
        let len = usize::from(u16::from_le_bytes([low, high]));
        let Some(content) = nodes.get(4..len) else {
            return false;
        };
        if [kind, subtype] == FILE_PATH && content.starts_with(&wanted) {
            return true;
        }
        if [kind, subtype] == END {
            return false;
        }
        nodes = &nodes[len..];
    }
    false
}

fn node(kind: [u8; 2], content: &[u8]) -> Vec<u8> {
    let len = (content.len() + 4) as u16;
    [&kind[..], &len.to_le_bytes(), content].concat()
}

/// Two bytes for each character, and two zeros.
fn ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition() -> Partition {
        Partition {
            number: 1,
            first_block: 2048,
            blocks: 0x3_2000,
            guid: [
                0x11, 0x22, 0x33, 0x44, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
            ],
        }
    }

    /// Packed by another program (Python's struct) after the same sections.
    #[test]
    fn it_is_as_specified() {
        let expected = concat!(
            "0100000048007800000004012a0001000000000800000000000000200300000000001122",
            "334405060708090a0b0c0d0e0f10020204041a005c004500460049005c0061002e006500",
            "6600690000007fff0400",
        );
        let option = encode("x", &partition(), "\\EFI\\a.efi");
        let hex: String = option.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn ours_is_told_from_others_and_broken_ones_are_nobodys() {
        let ours = encode(
            "Lender",
            &partition(),
            "\\EFI\\stiefelsystem\\1\\shimx64.efi",
        );
        assert!(starts_below(&ours, "\\EFI\\stiefelsystem\\"));
        assert!(!starts_below(&ours, "\\EFI\\debian\\"));
        let other = encode("\\EFI\\stiefelsystem\\", &partition(), "\\EFI\\debian\\x");
        assert!(!starts_below(&other, "\\EFI\\stiefelsystem\\"));
        for len in 0..ours.len() {
            let _ = starts_below(&ours[..len], "\\EFI\\stiefelsystem\\");
        }
        let endless = [&ours[..20], &[4, 4, 0, 0][..]].concat();
        assert!(!starts_below(&endless, "\\EFI\\stiefelsystem\\"));
    }
}
