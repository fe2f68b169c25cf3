//! The disk GUID of a GUID partition table (UEFI specification, section 5.3.2).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of the header up to and with the table's own checksum.
const HEADER: usize = 92;

/// The disk GUID in lower case, or `None` when there is no valid primary header.
pub(super) fn disk_guid(node: &Path, logical_block: u32) -> Option<String> {
    let mut header = [0; HEADER];
    File::open(node)
        .ok()?
        .read_exact_at(&mut header, logical_block.into())
        .ok()?;
    guid(header)
}

fn guid(mut header: [u8; HEADER]) -> Option<String> {
    let word = |header: &[u8; HEADER], at: usize| {
        header[at..].first_chunk().copied().map(u32::from_le_bytes)
    };
    let checksum = word(&header, 16)?;
    if &header[..8] != b"EFI PART" || word(&header, 12)? as usize != HEADER {
        return None;
    }
    header[16..20].fill(0);
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    if crc.sum() != checksum {
        return None;
    }
    // The first three fields are little-endian numbers (appendix A).
    let [a, b, c, d, e, f, g, h, rest @ ..] = *header[56..].first_chunk::<16>()?;
    let [i, j, k, l, m, n, o, p] = rest;
    let bytes = [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p];
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    ))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The GUID of [`image`].
    pub(in crate::block) const GUID: &str = "a1b2c3d4-e5f6-0718-293a-4b5c6d7e8f90";

    /// The first blocks of a disk with a GPT.
    pub(in crate::block) fn image(logical_block: usize) -> Vec<u8> {
        let mut image = vec![0; 2 * logical_block];
        image[logical_block..logical_block + HEADER].copy_from_slice(&header());
        image
    }

    fn header() -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(b"EFI PART");
        header[10] = 1;
        header[12] = 92;
        header[24] = 1;
        let guid = [
            0xd4, 0xc3, 0xb2, 0xa1, 0xf6, 0xe5, 0x18, 0x07, 0x29, 0x3a, 0x4b, 0x5c, 0x6d, 0x7e,
            0x8f, 0x90,
        ];
        header[56..72].copy_from_slice(&guid);
        let mut crc = flate2::Crc::new();
        crc.update(&header);
        header[16..20].copy_from_slice(&crc.sum().to_le_bytes());
        header
    }

    #[test]
    fn a_valid_header_has_a_guid() {
        assert_eq!(guid(header()).as_deref(), Some(GUID));
    }

    #[test]
    fn a_damaged_header_has_none() {
        for at in [0, 12, 16, 56, 91] {
            let mut damaged = header();
            damaged[at] ^= 1;
            assert_eq!(guid(damaged), None, "byte {at}");
        }
    }
}
