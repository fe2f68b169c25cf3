//! The "newc" archives that the kernel unpacks into its first file system.
//!
//! Only what the kernel reads (Documentation/driver-api/early-userspace/buffer-format.rst,
//! init/initramfs.c): regular files, directories and symbolic links, owned by root, with no
//! time stamps, so that the same input gives the same bytes. The kernel does not create
//! parents, so the writer does, once each.

use std::collections::BTreeSet;
use std::io::{self, Write};

/// Permission bits of the directories that the writer creates. Ours hold the ticket.
pub const DIRECTORY_MODE: u32 = 0o700;

/// A segment starts at a multiple of this many bytes, or the kernel does not find it
/// behind the one before ("invalid magic at start of compressed archive").
pub const ALIGNMENT: u64 = 4;

/// Largest file: the format has eight hexadecimal digits for the size.
const FILE_LIMIT: u64 = u32::MAX as u64;

const HEADER_LENGTH: u64 = 110;
const TRAILER: &str = "TRAILER!!!";

const TYPE_FILE: u32 = 0o100_000;
const TYPE_DIRECTORY: u32 = 0o040_000;
const TYPE_SYMLINK: u32 = 0o120_000;

/// One regular file of an archive made by [`archive`].
#[derive(Clone, Copy)]
pub struct File<'a> {
    /// Path without a leading slash, parts separated by `/`, valid for [`Writer::file`].
    pub path: &'a str,
    /// Permission bits, for example `0o600`.
    pub mode: u32,
    /// Content.
    pub data: &'a [u8],
}

/// How many zero bytes follow `length` bytes until the next segment may start, 0 to 3.
pub fn padding(length: u64) -> usize {
    // The remainder of a division by four fits any integer.
    (length.wrapping_neg() % ALIGNMENT) as usize
}

/// A whole archive of a few files, with their parents, in the order given.
///
/// The vector is allocated once at its final size, so that no stray copy of a secret stays
/// behind in freed memory; wiping the vector itself is the caller's part.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for a path or a size that the format cannot hold.
pub fn archive(files: &[File<'_>]) -> io::Result<Vec<u8>> {
    let bound: usize = files
        .iter()
        .map(|file| {
            let levels = file.path.split('/').count();
            file.data.len() + levels * (file.path.len() + HEADER_LENGTH as usize + 16)
        })
        .sum();
    let mut writer = Writer::new(Vec::with_capacity(bound + 2 * HEADER_LENGTH as usize));
    for file in files {
        writer.file(file.path, file.mode, file.data)?;
    }
    writer.finish()
}

/// The content of a regular file of an archive that [`archive`] made, by its path; `None` also
/// for what is no such archive.
#[must_use]
pub fn find<'a>(mut archive: &'a [u8], path: &str) -> Option<&'a [u8]> {
    loop {
        let header = archive.get(..HEADER_LENGTH as usize)?;
        let text = std::str::from_utf8(header).ok()?.strip_prefix("070701")?;
        let field = |number: usize| {
            let digits = text.get(8 * number..8 * number + 8)?;
            usize::from_str_radix(digits, 16).ok()
        };
        let (mode, size, name_size) = (field(1)?, field(6)?, field(11)?);
        let name_end = (HEADER_LENGTH as usize).checked_add(name_size)?;
        let name = archive.get(HEADER_LENGTH as usize..name_end.checked_sub(1)?)?;
        let start = name_end.checked_add(padding(name_end as u64))?;
        let end = start.checked_add(size)?;
        let data = archive.get(start..end)?;
        if name == path.as_bytes() && mode as u32 & TYPE_FILE == TYPE_FILE {
            return Some(data);
        }
        if name == TRAILER.as_bytes() {
            return None;
        }
        archive = archive.get(end.checked_add(padding(end as u64))?..)?;
    }
}

/// Writes an archive, entry by entry, to any sink.
pub struct Writer<W> {
    out: W,
    written: u64,
    next_inode: u32,
    directories: BTreeSet<String>,
}

impl<W: Write> Writer<W> {
    /// Starts an archive at the sink's present position, which has to be [`ALIGNMENT`]ed.
    pub fn new(out: W) -> Self {
        Self {
            out,
            written: 0,
            next_inode: 1,
            directories: BTreeSet::new(),
        }
    }

    /// Bytes written until now.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Adds a regular file and the parents that are not there yet.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when the path is empty, absolute, has an empty, `.` or
    /// `..` part or a NUL, or when the data is 4 GiB or more; else what the sink says.
    pub fn file(&mut self, path: &str, mode: u32, data: &[u8]) -> io::Result<()> {
        self.parents(path)?;
        self.entry(path, TYPE_FILE | mode, data)
    }

    /// Adds a symbolic link and the parents that are not there yet.
    ///
    /// # Errors
    /// As [`Self::file`].
    pub fn symlink(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.parents(path)?;
        self.entry(path, TYPE_SYMLINK | 0o777, target.as_bytes())
    }

    /// Writes the trailer and the padding to [`ALIGNMENT`], and gives the sink back.
    ///
    /// # Errors
    /// What the sink says.
    pub fn finish(mut self) -> io::Result<W> {
        self.next_inode = 0;
        self.entry(TRAILER, 0, &[])?;
        Ok(self.out)
    }

    fn parents(&mut self, path: &str) -> io::Result<()> {
        check(path)?;
        for (end, _) in path.match_indices('/') {
            let parent = &path[..end];
            if !self.directories.contains(parent) {
                self.entry(parent, TYPE_DIRECTORY | DIRECTORY_MODE, &[])?;
                self.directories.insert(parent.to_owned());
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &str, mode: u32, data: &[u8]) -> io::Result<()> {
        let size = data.len() as u64;
        if size > FILE_LIMIT {
            return Err(invalid(
                path,
                "is larger than an initramfs can hold (4 GiB)",
            ));
        }
        let links = if mode & TYPE_DIRECTORY == TYPE_DIRECTORY {
            2
        } else {
            1
        };
        let name_size = path.len() + 1;
        // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor,
        // rdevminor, namesize, check
        let header = format!(
            "070701{:08x}{mode:08x}{:08x}{:08x}{links:08x}{:08x}{size:08x}{:08x}{:08x}{:08x}{:08x}{name_size:08x}{:08x}",
            self.next_inode, 0, 0, 0, 0, 0, 0, 0, 0
        );
        self.next_inode += u32::from(self.next_inode != 0);
        self.put(header.as_bytes())?;
        self.put(path.as_bytes())?;
        self.put(&[0])?;
        self.align()?;
        self.put(data)?;
        self.align()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn align(&mut self) -> io::Result<()> {
        self.put(&[0; ALIGNMENT as usize][..padding(self.written)])
    }
}

fn check(path: &str) -> io::Result<()> {
    let odd = |part: &str| part.is_empty() || part == "." || part == "..";
    if path.contains('\0') || path.split('/').any(odd) || path == TRAILER {
        return Err(invalid(path, "is no path for an archive"));
    }
    Ok(())
}

fn invalid(path: &str, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{path:?} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields of a header at `at`: inode, mode, links, size, length of the name, name.
    fn header(bytes: &[u8], at: usize) -> (u32, u32, u32, u32, u32, &str) {
        let text = std::str::from_utf8(&bytes[at..at + 110]).unwrap();
        assert_eq!(&text[..6], "070701");
        let field = |n: usize| u32::from_str_radix(&text[6 + 8 * n..14 + 8 * n], 16).unwrap();
        for zero in [2, 3, 5, 7, 8, 9, 10, 12] {
            assert_eq!(field(zero), 0, "field {zero}");
        }
        let name = &bytes[at + 110..at + 110 + field(11) as usize - 1];
        (
            field(0),
            field(1),
            field(4),
            field(6),
            field(11),
            std::str::from_utf8(name).unwrap(),
        )
    }

    #[test]
    fn a_file_comes_behind_its_parents_and_before_the_trailer() {
        let bytes = archive(&[File {
            path: "a/bc/d",
            mode: 0o600,
            data: b"hello",
        }])
        .unwrap();
        // 110 + "a\0" = 112; 110 + "a/bc\0" = 115, padded 116; 110 + "a/bc/d\0" = 117, padded
        // 120; "hello" padded 8; 110 + 11 = 121, padded 124.
        assert_eq!(header(&bytes, 0), (1, 0o040_700, 2, 0, 2, "a"));
        assert_eq!(header(&bytes, 112), (2, 0o040_700, 2, 0, 5, "a/bc"));
        assert_eq!(header(&bytes, 228), (3, 0o100_600, 1, 5, 7, "a/bc/d"));
        assert_eq!(&bytes[348..356], b"hello\0\0\0");
        assert_eq!(header(&bytes, 356), (0, 0, 1, 0, 11, "TRAILER!!!"));
        assert_eq!(bytes.len(), 356 + 124);
    }

    #[test]
    fn a_file_is_found_again_and_nothing_else_is() {
        let file = |path, data| File {
            path,
            mode: 0o600,
            data,
        };
        let bytes = archive(&[file("a/b", b"one".as_slice()), file("a/c", b"more")]).unwrap();
        assert_eq!(find(&bytes, "a/b"), Some(b"one".as_slice()));
        assert_eq!(find(&bytes, "a/c"), Some(b"more".as_slice()));
        assert_eq!(find(&bytes, "a"), None, "a folder");
        assert_eq!(find(&bytes, "a/d"), None);
        for len in 0..bytes.len() {
            let _ = find(&bytes[..len], "a/d");
        }
        let mut broken = bytes;
        for at in 0..broken.len() {
            broken[at] ^= 0x11;
            let _ = find(&broken, "a/c");
            broken[at] ^= 0x11;
        }
    }

    #[test]
    fn a_parent_is_written_once() {
        let bytes = archive(&[
            File {
                path: "a/b",
                mode: 0o644,
                data: b"",
            },
            File {
                path: "a/c",
                mode: 0o644,
                data: b"",
            },
        ])
        .unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(text.matches("070701").count(), 4, "a, a/b, a/c, trailer");
    }

    #[test]
    fn a_link_holds_its_target() {
        let mut writer = Writer::new(Vec::new());
        writer.symlink("l", "../target").unwrap();
        let bytes = writer.finish().unwrap();
        assert_eq!(header(&bytes, 0), (1, 0o120_777, 1, 9, 2, "l"));
        assert_eq!(&bytes[112..124], b"../target\0\0\0");
    }

    #[test]
    fn paths_that_would_leave_the_archive_are_refused() {
        for path in ["", "/a", "a/", "a//b", "a/../b", ".", "a\0b", "TRAILER!!!"] {
            assert!(
                archive(&[File {
                    path,
                    mode: 0o600,
                    data: b""
                }])
                .is_err(),
                "{path:?}"
            );
        }
    }

    #[test]
    fn an_archive_is_allocated_once() {
        let data = [7; 1001];
        let files = [File {
            path: "some/where/deep/file",
            mode: 0o600,
            data: &data,
        }; 3];
        let bytes = archive(&files).unwrap();
        assert_eq!(bytes.len() % 4, 0);
        let levels = 4;
        let bound = 3 * (1001 + levels * (20 + 126)) + 220;
        assert_eq!(bytes.capacity(), bound, "has grown");
    }

    #[test]
    fn padding_reaches_the_next_multiple_of_four() {
        assert_eq!([0, 1, 2, 3, 4].map(padding), [0, 3, 2, 1, 0]);
    }
}
