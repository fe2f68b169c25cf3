//! What is on a drive: its partitions, and what udev found in each.

use super::super::paths::Paths;
use super::{clean, text};
use std::fs;
use std::path::Path;

/// A drive or one of its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// The kernel's name, e.g. `sdb1`.
    pub name: String,
    /// The kernel's numbers, major and minor.
    pub device: (u32, u32),
    /// Label of the file system in it, else its kind.
    pub content: Option<String>,
    /// Another device stands on it, e.g. by LVM, RAID or LUKS.
    pub held: bool,
}

/// The drive itself, and all its partitions in their order. `None` if it vanishes.
pub(super) fn parts(paths: &Paths, folder: &Path, name: &str) -> Option<Vec<Part>> {
    let mut parts = vec![part(paths, folder, name)?];
    let mut partitions: Vec<(u32, Part)> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = text(&entry.path().join("partition"))?.parse().ok()?;
            let name = entry.file_name().into_string().ok()?;
            Some((number, part(paths, &entry.path(), &name)?))
        })
        .collect();
    partitions.sort_by_key(|(number, _)| *number);
    parts.extend(partitions.into_iter().map(|(_, part)| part));
    Some(parts)
}

fn part(paths: &Paths, folder: &Path, name: &str) -> Option<Part> {
    let numbers = text(&folder.join("dev"))?;
    let (major, minor) = numbers.split_once(':')?;
    let holders = fs::read_dir(folder.join("holders"));
    Some(Part {
        name: name.to_owned(),
        device: (major.parse().ok()?, minor.parse().ok()?),
        content: content(paths, &numbers),
        held: holders.is_ok_and(|mut holders| holders.next().is_some()),
    })
}

/// What udev's database says about a block device.
fn content(paths: &Paths, numbers: &str) -> Option<String> {
    let database = fs::read_to_string(paths.at(&format!("/run/udev/data/b{numbers}"))).ok()?;
    let value = |key: &str| {
        let mut lines = database.lines();
        lines.find_map(|line| {
            line.strip_prefix("E:")?
                .strip_prefix(key)?
                .strip_prefix('=')
        })
    };
    let label = value("ID_FS_LABEL_ENC")
        .map(decode)
        .map(|label| clean(&label));
    let kind = || value("ID_FS_TYPE").map(clean);
    label.filter(|label| !label.is_empty()).or_else(kind)
}

/// udev writes bytes that might trouble somebody as `\x` and two hexadecimal digits.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after
            .get(1..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(|_| *first == b'\\' && after.first() == Some(&b'x')) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn labels_are_decoded() {
        assert_eq!(decode(r"My\x20stick\x"), r"My stick\x");
        assert_eq!(decode(r"\xc3\xa4"), "ä");
        assert_eq!(decode(r"\xzz\"), r"\xzz\");
    }
}
