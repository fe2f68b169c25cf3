//! To the medium, and back from it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use rustix::fs::{Advice, fadvise};

use super::extent::Extent;
use super::fat::SECTOR;
use super::{Found, Phase, StickWatch, table};
use crate::Error;

/// What is moved at a time, bytes; a slow stick takes a tenth of a second for it.
const PIECE: usize = 1 << 20;

/// What becomes a stick.
#[derive(Debug)]
pub struct Target {
    file: File,
    /// For messages.
    name: PathBuf,
    is_drive: bool,
}

impl Target {
    /// A drive or a file, open for reading and writing; `name` is for messages.
    ///
    /// # Errors
    /// It is neither a file nor a block device.
    pub fn new(file: File, name: PathBuf) -> Result<Self, Error> {
        let kind = file.metadata().map_err(Error::file("look at", &name))?;
        let is_drive = kind.file_type().is_block_device();
        if !is_drive && !kind.is_file() {
            return Err(Error::NoMedium(name));
        }
        Ok(Self {
            file,
            name,
            is_drive,
        })
    }

    /// Whether it is a stick of ours already.
    #[must_use]
    pub fn recognize(&self) -> Option<Found> {
        table::recognize(&self.file)
    }

    /// Makes a file this large; a drive has to be large enough. Returns its size in bytes.
    pub(super) fn fit(&mut self, needed: u64) -> Result<u64, Error> {
        if !self.is_drive {
            // What was in the file before is gone, so that holes stay holes.
            let cleared = self
                .file
                .set_len(0)
                .and_then(|()| self.file.set_len(needed));
            cleared.map_err(Error::write(&self.name, needed))?;
            return Ok(needed);
        }
        let size = self.file.seek(SeekFrom::End(0));
        let size = size.map_err(Error::file("see the size of", &self.name))?;
        if size < needed {
            return Err(Error::TooSmall { size, needed });
        }
        Ok(size)
    }

    /// Whether it is a drive, and no file.
    #[must_use]
    pub fn is_drive(&self) -> bool {
        self.is_drive
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    pub(super) fn failed(&self, source: io::Error) -> Error {
        match self.is_drive {
            true => Error::Drive {
                path: self.name.clone(),
                source,
            },
            false => Error::write(&self.name, 0)(source),
        }
    }

    pub(super) fn not_read_back(&self, at: u64) -> Error {
        Error::ReadBack {
            path: self.name.clone(),
            at,
        }
    }

    /// Waits until the medium has everything, and forgets what was read or written, so that
    /// reading comes from the medium.
    pub(super) fn settle(&self) -> Result<(), Error> {
        let settled = self.file.sync_all().and_then(|()| {
            fadvise(self.file.as_fd(), 0, None, Advice::DontNeed).map_err(io::Error::from)
        });
        settled.map_err(|error| self.failed(error))
    }
}

impl AsFd for Target {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

pub(super) fn tell(watch: StickWatch<'_>, phase: Phase, share: f64) -> Result<(), Error> {
    if watch(phase, share).is_break() {
        return Err(Error::BrokenOff);
    }
    Ok(())
}

/// Writes the content. Before, what told of partitions is wiped out: the first sectors, and the
/// copy of a partition table at the end.
pub(super) fn write(
    target: &mut Target,
    size: u64,
    extents: &[Extent<'_>],
    watch: StickWatch<'_>,
) -> Result<(), Error> {
    let zeros = [0; 34 * SECTOR as usize];
    for at in [0, size - zeros.len() as u64] {
        let wiped = target.file.seek(SeekFrom::Start(at));
        wiped
            .and_then(|_| target.file.write_all(&zeros))
            .map_err(|error| target.failed(error))?;
    }
    each_piece(extents, Phase::Writing, watch, |at, bytes| {
        let moved = target.file.seek(SeekFrom::Start(at));
        moved
            .and_then(|_| target.file.write_all(bytes))
            .and_then(|()| match target.is_drive {
                // Piece by piece, so that the progress is the medium's and not the memory's.
                true => target.file.sync_data(),
                false => Ok(()),
            })
            .map_err(|error| target.failed(error))
    })?;
    target.settle()
}

/// Reads everything back and compares it.
pub(super) fn verify(
    target: &mut Target,
    extents: &[Extent<'_>],
    watch: StickWatch<'_>,
) -> Result<(), Error> {
    let mut found = vec![0; PIECE];
    each_piece(extents, Phase::Verifying, watch, |at, bytes| {
        let found = &mut found[..bytes.len()];
        let moved = target.file.seek(SeekFrom::Start(at));
        moved
            .and_then(|_| target.file.read_exact(found))
            .map_err(|error| target.failed(error))?;
        match found == bytes {
            true => Ok(()),
            false => Err(target.not_read_back(at)),
        }
    })
}

/// Hands the content on in pieces, and tells how far it is.
fn each_piece(
    extents: &[Extent<'_>],
    phase: Phase,
    watch: StickWatch<'_>,
    mut take: impl FnMut(u64, &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let all: u64 = extents.iter().map(|extent| extent.data.len()).sum();
    let mut done = 0;
    let mut piece = vec![0; PIECE];
    for Extent { at, data } in extents {
        let mut reader = data.open()?;
        let mut left = data.len();
        while left > 0 {
            let len = left.min(PIECE as u64) as usize;
            reader
                .read_exact(&mut piece[..len])
                .map_err(|source| Error::ContentChanged { source })?;
            take(at + data.len() - left, &piece[..len])?;
            left -= len as u64;
            done += len as u64;
            tell(watch, phase, done as f64 / all as f64)?;
        }
    }
    Ok(())
}
