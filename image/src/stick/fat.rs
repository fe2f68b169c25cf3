//! A FAT32 file system that is written once, as a whole.
//!
//! Source: "Microsoft Extensible Firmware Initiative FAT32 File System Specification", 1.03.
//! One sector is one cluster, files lie in one piece, and all times are the first of the
//! format's, so that the same content makes the same bytes.
//!
//! ```text
//! | boot sector, FSInfo, copy | FAT | FAT | root folder | error log | folders, files ... | free |
//!   RESERVED sectors                       cluster 2 ──▶
//! ```

use std::collections::{BTreeMap, BTreeSet};

use stiefel_core::stick::{Serial, error_log, log_at};

use super::extent::{Data, Extent};

/// Bytes of a sector, and of a cluster.
pub(crate) const SECTOR: u64 = 512;
/// Sectors before the first FAT, as other programs have it.
const RESERVED: u64 = 32;
/// Fewer clusters are FAT16 for whoever reads it (page 14 of the specification).
const FEWEST_CLUSTERS: u64 = 65_525;
/// Bytes of an entry in a folder.
const ENTRY: usize = 32;
/// The last cluster of a chain.
const END: u32 = 0x0fff_ffff;
/// 1980-01-01, the first day that there is.
const DAY: u16 = (1 << 5) | 1;

/// What the volume is.
pub(crate) struct Volume<'a> {
    /// Size, sectors.
    pub sectors: u64,
    /// Where the partition begins, sectors.
    pub start: u64,
    /// Its serial number, by which boot loaders find it.
    pub serial: Serial,
    /// Up to eleven capital letters.
    pub label: &'a str,
}

/// A file by its path, with `/` between, and what it is made of, piece after piece.
pub(crate) type Files<'a> = BTreeMap<String, Vec<Data<'a>>>;

/// The files do not fit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooSmall {
    /// Bytes that they need.
    pub needed: u64,
}

/// Lays the files out, the error log where [`log_at`] says. Places are counted from the start of the volume; what no extent names
/// may hold anything.
pub(crate) fn lay_out<'a>(
    volume: &Volume<'_>,
    files: Files<'a>,
) -> Result<Vec<Extent<'a>>, TooSmall> {
    let fat_sectors = fat_sectors(volume.sectors);
    let first = RESERVED + 2 * fat_sectors;
    let clusters = volume.sectors.saturating_sub(first);
    let mut fat = Fat::default();
    let mut folder = Folder::default();
    for (path, data) in files {
        folder.put(&path, data);
    }
    let mut content = Vec::new();
    let clusters_at = first * SECTOR;
    let until_log = log_at(clusters_at) - clusters_at;
    let root_size = folder.size(true).next_multiple_of(SECTOR);
    let root = fat.reserve(root_size.max(until_log));
    content.push(Extent {
        at: root_size,
        data: Data::Zeros(until_log.saturating_sub(root_size)),
    });
    if let Some(log) = folder.find(error_log::PATH) {
        log.first = Some(fat.reserve(log.size()));
    }
    folder.write(root, None, volume.label, &mut fat, &mut content);
    let used = fat.chain.len() as u64 - 2;
    if clusters < FEWEST_CLUSTERS || used > clusters {
        return Err(TooSmall {
            needed: (used + first) * SECTOR,
        });
    }
    let mut extents = head(volume, fat_sectors, clusters - used, fat.chain.len() as u64);
    let table: Vec<u8> = fat
        .chain
        .iter()
        .flat_map(|next| next.to_le_bytes())
        .collect();
    for number in 0..2 {
        let at = (RESERVED + number * fat_sectors) * SECTOR;
        let rest = fat_sectors * SECTOR - table.len() as u64;
        extents.push(Extent {
            at,
            data: Data::owned(table.clone()),
        });
        extents.push(Extent {
            at: at + table.len() as u64,
            data: Data::Zeros(rest),
        });
    }
    extents.extend(content.into_iter().map(|extent| Extent {
        at: first * SECTOR + extent.at,
        ..extent
    }));
    Ok(extents)
}

/// Size of one FAT (page 21 of the specification).
fn fat_sectors(sectors: u64) -> u64 {
    sectors.saturating_sub(RESERVED).div_ceil((256 + 2) / 2)
}

/// Boot sector and FSInfo, twice, and nothing else before the FATs.
fn head<'a>(volume: &Volume<'_>, fat_sectors: u64, free: u64, next: u64) -> Vec<Extent<'a>> {
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let mut boot = vec![0; SECTOR as usize];
    let mut put = |at: usize, bytes: &[u8]| boot[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &[0xeb, 0x58, 0x90]);
    put(3, b"STIEFEL ");
    put(11, &(SECTOR as u16).to_le_bytes());
    put(13, &[1]);
    put(14, &(RESERVED as u16).to_le_bytes());
    put(16, &[2]);
    put(21, &[0xf8]);
    put(24, &63_u16.to_le_bytes());
    put(26, &255_u16.to_le_bytes());
    put(28, &narrow(volume.start));
    put(32, &narrow(volume.sectors));
    put(36, &narrow(fat_sectors));
    put(44, &2_u32.to_le_bytes());
    put(48, &1_u16.to_le_bytes());
    put(50, &6_u16.to_le_bytes());
    put(64, &[0x80]);
    put(66, &[0x29]);
    put(67, &volume.serial.0.to_le_bytes());
    put(71, &padded(volume.label));
    put(82, b"FAT32   ");
    put(510, &[0x55, 0xaa]);
    let mut info = vec![0; SECTOR as usize];
    let mut put = |at: usize, bytes: &[u8]| info[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"RRaA");
    put(484, b"rrAa");
    put(488, &narrow(free));
    put(492, &narrow(next));
    put(510, &[0x55, 0xaa]);
    let copy = [boot, info].concat();
    let between = |from: u64, to: u64| Extent {
        at: from * SECTOR,
        data: Data::Zeros((to - from) * SECTOR),
    };
    let whole = |at: u64| Extent {
        at: at * SECTOR,
        data: Data::owned(copy.clone()),
    };
    vec![whole(0), between(2, 6), whole(6), between(8, RESERVED)]
}

/// The table of clusters: the next one of each.
struct Fat {
    chain: Vec<u32>,
}

impl Default for Fat {
    fn default() -> Self {
        Self {
            chain: vec![0x0fff_fff8, END],
        }
    }
}

impl Fat {
    /// Reserves clusters in one piece; returns the first, or 0 for none.
    fn reserve(&mut self, bytes: u64) -> u32 {
        let count = bytes.div_ceil(SECTOR) as u32;
        let first = self.chain.len() as u32;
        if count == 0 {
            return 0;
        }
        self.chain.extend((1..count).map(|step| first + step));
        self.chain.push(END);
        first
    }
}

/// A file's content.
struct Content<'a> {
    pieces: Vec<Data<'a>>,
    /// Its first cluster, if that is settled.
    first: Option<u32>,
}

impl Content<'_> {
    fn size(&self) -> u64 {
        self.pieces.iter().map(Data::len).sum()
    }
}

#[derive(Default)]
struct Folder<'a> {
    folders: BTreeMap<String, Folder<'a>>,
    files: BTreeMap<String, Content<'a>>,
}

impl<'a> Folder<'a> {
    fn put(&mut self, path: &str, data: Vec<Data<'a>>) {
        match path.split_once('/') {
            Some((folder, rest)) => self
                .folders
                .entry(folder.to_owned())
                .or_default()
                .put(rest, data),
            None => {
                let content = Content {
                    pieces: data,
                    first: None,
                };
                self.files.insert(path.to_owned(), content);
            }
        }
    }

    fn find(&mut self, path: &str) -> Option<&mut Content<'a>> {
        match path.split_once('/') {
            Some((folder, rest)) => self.folders.get_mut(folder)?.find(rest),
            None => self.files.get_mut(path),
        }
    }

    /// Bytes of this folder's entries. The root has a label, others have `.` and `..`.
    fn size(&self, root: bool) -> u64 {
        let names = self.folders.keys().chain(self.files.keys());
        let entries: usize = names.map(|name| Name::new(name).count()).sum();
        ((entries + if root { 1 } else { 2 }) * ENTRY) as u64
    }

    /// Writes this folder, which begins at this cluster, and all below it. The root has no parent.
    fn write(
        self,
        own: u32,
        parent: Option<u32>,
        label: &str,
        fat: &mut Fat,
        content: &mut Vec<Extent<'a>>,
    ) {
        let mut entries = match parent {
            None => entry(padded(label), 0, 0x08, 0, 0).to_vec(),
            // The root's number is written as 0 here (page 25 of the specification).
            Some(parent) => [
                entry(padded("."), 0, 0x10, own, 0),
                entry(
                    padded(".."),
                    0,
                    0x10,
                    if parent == 2 { 0 } else { parent },
                    0,
                ),
            ]
            .concat(),
        };
        let mut taken = BTreeSet::new();
        let mut below = Vec::new();
        for (name, folder) in self.folders {
            let first = fat.reserve(folder.size(false));
            Name::new(&name).entries(&mut taken, 0x10, first, 0, &mut entries);
            below.push((first, folder));
        }
        for (name, file) in self.files {
            let size = file.size();
            let first = file.first.unwrap_or_else(|| fat.reserve(size));
            Name::new(&name).entries(&mut taken, 0x20, first, size as u32, &mut entries);
            let mut at = u64::from(first.saturating_sub(2)) * SECTOR;
            for data in file.pieces {
                let len = data.len();
                content.push(Extent { at, data });
                at += len;
            }
            content.push(Extent {
                at,
                data: Data::Zeros(size.next_multiple_of(SECTOR) - size),
            });
        }
        entries.resize(entries.len().next_multiple_of(SECTOR as usize), 0);
        content.push(Extent {
            at: u64::from(own - 2) * SECTOR,
            data: Data::owned(entries),
        });
        for (first, folder) in below {
            folder.write(first, Some(own), label, fat, content);
        }
    }
}

/// A name in its short form, with the long one beside it where the short one does not say all.
struct Name<'a> {
    base: String,
    extension: String,
    /// The bits that say "in small letters" (0x08 base, 0x10 extension), as Windows NT sets them.
    case: u8,
    long: Option<&'a str>,
}

impl<'a> Name<'a> {
    fn new(name: &'a str) -> Self {
        let (base, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let fits = base.len() <= 8
            && extension.len() <= 3
            && [base, extension]
                .iter()
                .all(|part| plain(part) && one_case(part));
        let short = |part: &str, limit| -> String {
            part.chars()
                .filter(char::is_ascii_alphanumeric)
                .take(limit)
                .collect::<String>()
                .to_ascii_uppercase()
        };
        if !fits {
            return Self {
                base: short(base, 6),
                extension: short(extension, 3),
                case: 0,
                long: Some(name),
            };
        }
        let small = |part: &str, bit| {
            if part.chars().any(|c| c.is_ascii_lowercase()) {
                bit
            } else {
                0
            }
        };
        Self {
            base: base.to_ascii_uppercase(),
            extension: extension.to_ascii_uppercase(),
            case: small(base, 0x08) | small(extension, 0x10),
            long: None,
        }
    }

    fn count(&self) -> usize {
        1 + self
            .long
            .map_or(0, |long| long.encode_utf16().count().div_ceil(13))
    }

    fn entries(
        &self,
        taken: &mut BTreeSet<[u8; 11]>,
        attributes: u8,
        first: u32,
        size: u32,
        out: &mut Vec<u8>,
    ) {
        let mut short = parts(&self.base, &self.extension);
        if let Some(long) = self.long {
            for number in 1.. {
                short = parts(&format!("{}~{number}", self.base), &self.extension);
                if !taken.contains(&short) {
                    break;
                }
            }
            long_entries(long, &short, out);
        }
        taken.insert(short);
        out.extend(entry(short, self.case, attributes, first, size));
    }
}

/// The long name's entries, the last part first (page 26 of the specification).
fn long_entries(name: &str, short: &[u8; 11], out: &mut Vec<u8>) {
    let sum = short
        .iter()
        .fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
    let units: Vec<u16> = name.encode_utf16().collect();
    let parts: Vec<&[u16]> = units.chunks(13).collect();
    for (number, part) in parts.iter().enumerate().rev() {
        let last = if number + 1 == parts.len() { 0x40 } else { 0 };
        let mut text = [0xffff_u16; 13];
        text[..part.len()].copy_from_slice(part);
        if let Some(end) = text.get_mut(part.len()) {
            *end = 0;
        }
        let bytes: Vec<u8> = text.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        out.push((number + 1) as u8 | last);
        out.extend(&bytes[..10]);
        out.extend([0x0f, 0, sum]);
        out.extend(&bytes[10..22]);
        out.extend([0, 0]);
        out.extend(&bytes[22..]);
    }
}

fn entry(name: [u8; 11], case: u8, attributes: u8, first: u32, size: u32) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    let mut put = |at: usize, bytes: &[u8]| entry[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name);
    put(11, &[attributes, case]);
    put(16, &DAY.to_le_bytes());
    put(18, &DAY.to_le_bytes());
    put(20, &((first >> 16) as u16).to_le_bytes());
    put(24, &DAY.to_le_bytes());
    put(26, &(first as u16).to_le_bytes());
    put(28, &size.to_le_bytes());
    entry
}

fn parts(base: &str, extension: &str) -> [u8; 11] {
    padded(&format!("{base:<8}{extension}"))
}

fn padded(text: &str) -> [u8; 11] {
    let mut bytes = [b' '; 11];
    let len = text.len().min(11);
    bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
    bytes
}

fn plain(part: &str) -> bool {
    part.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn one_case(part: &str) -> bool {
    !(part.chars().any(|c| c.is_ascii_lowercase()) && part.chars().any(|c| c.is_ascii_uppercase()))
}
