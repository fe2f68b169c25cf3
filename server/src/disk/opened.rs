//! The opened disk: what it is, and the promise of FLUSH.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::{FlockOperation, OFlags, flock, ioctl_blksszget, major, minor};
use rustix::io::Errno;
use stiefel_core::nbd::Export;

use super::backing::Backing;
use super::file::{self, FileBacking, Kind};
use super::lock;
use super::sessions::Sessions;

/// Block size of an image file in bytes: that of nearly every disk it was taken from.
const IMAGE_BLOCK_BYTES: u32 = 512;

/// What may be done with the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading; others may use the disk at the same time.
    ReadOnly,
    /// Reading and writing; nobody else may use the disk.
    ReadWrite,
}

/// Why a disk cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Somebody else uses it.
    #[error("{0} is in use, e.g. mounted or served already; unmount it, or open it read-only")]
    InUse(PathBuf),
    /// Neither a block device nor a regular file.
    #[error("{0} is neither a disk nor an image file; name a block device or a regular file")]
    NotADisk(PathBuf),
    /// Its size is not a number of blocks.
    #[error(
        "{path} has {bytes} bytes, which is not a positive multiple of its {block_bytes} byte blocks; is it complete?"
    )]
    OddSize {
        /// What was to be opened.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// Its logical block size.
        block_bytes: u32,
    },
    /// The system refused.
    #[error("cannot open {path} as a disk: {source}")]
    Io {
        /// What was to be opened.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A disk that is ready to be served.
pub struct Disk {
    backing: Box<dyn Backing>,
    export: Export,
    /// A flush has failed. The kernel tells of a lost write to one caller only, so
    /// whatever makes writes durable holds this lock: nobody can be told that all is
    /// well while another is just being told that it is not.
    failed: Mutex<bool>,
    /// The connections of the server that has the disk.
    sessions: Mutex<Option<Arc<Sessions>>>,
}

impl Disk {
    /// Opens a block device or an image file. To write, it must be ours alone:
    /// devices are claimed (`O_EXCL`), image files locked (`flock`).
    ///
    /// # Errors
    /// [`DiskError`]; nothing stays claimed.
    pub fn open(path: &Path, access: Access) -> Result<Arc<Self>, DiskError> {
        let failed = |source| DiskError::Io {
            path: path.into(),
            source,
        };
        let kind = kind(&fs::metadata(path).map_err(failed)?);
        let kind = kind.ok_or_else(|| DiskError::NotADisk(path.into()))?;
        let file = claim(path, kind, access)?;
        let metadata = file.metadata().map_err(failed)?;
        if self::kind(&metadata) != Some(kind) {
            return Err(DiskError::NotADisk(path.into()));
        }
        let block_bytes = match kind {
            Kind::Device => ioctl_blksszget(&file).map_err(|error| failed(error.into()))?,
            Kind::Image => IMAGE_BLOCK_BYTES,
        };
        let size = file::size(&file).map_err(failed)?;
        if size == 0 || !size.is_multiple_of(block_bytes.into()) {
            return Err(DiskError::OddSize {
                path: path.into(),
                bytes: size,
                block_bytes,
            });
        }
        let queue = |attribute| kind == Kind::Device && queue_number(&metadata, attribute) > 0;
        let export = Export {
            size,
            block_bytes,
            read_only: access == Access::ReadOnly,
            trim: kind == Kind::Image || queue("discard_max_bytes"),
            rotational: queue("rotational"),
        };
        Ok(Self::over(
            Box::new(FileBacking::new(file, kind, block_bytes)),
            export,
        ))
    }

    /// A disk over something that is no file, e.g. a simulation.
    pub fn over(backing: Box<dyn Backing>, export: Export) -> Arc<Self> {
        Arc::new(Self {
            backing,
            export,
            failed: Mutex::new(false),
            sessions: Mutex::new(None),
        })
    }

    /// Size, block size, and what it can do.
    pub fn export(&self) -> &Export {
        &self.export
    }

    /// Makes everything durable that was written by anybody. Waits for the disk.
    ///
    /// # Errors
    /// When it fails, and ever after: what was lost stays lost.
    pub fn flush(&self) -> io::Result<()> {
        let mut failed = lock(&self.failed);
        if *failed {
            return Err(Errno::IO.into());
        }
        let outcome = self.backing.sync();
        *failed = outcome.is_err();
        outcome
    }

    /// The disk itself, for everything that makes nothing durable.
    pub(super) fn backing(&self) -> &dyn Backing {
        &*self.backing
    }

    /// A new server takes the disk over from the one before.
    pub(super) fn hand_over(&self) -> Arc<Sessions> {
        let mut sessions = lock(&self.sessions);
        let next = Arc::new(Sessions::after(sessions.take()));
        *sessions = Some(Arc::clone(&next));
        next
    }
}

fn kind(metadata: &fs::Metadata) -> Option<Kind> {
    if metadata.file_type().is_block_device() {
        Some(Kind::Device)
    } else {
        metadata.is_file().then_some(Kind::Image)
    }
}

fn claim(path: &Path, kind: Kind, access: Access) -> Result<File, DiskError> {
    let write = access == Access::ReadWrite;
    let mut options = OpenOptions::new();
    options.read(true).write(write);
    if write && kind == Kind::Device {
        options.custom_flags(OFlags::EXCL.bits().cast_signed());
    }
    let in_use = |error: io::Error| match Errno::from_io_error(&error) {
        Some(Errno::BUSY | Errno::WOULDBLOCK) => DiskError::InUse(path.into()),
        _ => DiskError::Io {
            path: path.into(),
            source: error,
        },
    };
    let file = options.open(path).map_err(in_use)?;
    if kind == Kind::Image {
        let operation = match access {
            Access::ReadOnly => FlockOperation::NonBlockingLockShared,
            Access::ReadWrite => FlockOperation::NonBlockingLockExclusive,
        };
        flock(&file, operation).map_err(|error| in_use(error.into()))?;
    }
    Ok(file)
}

/// A number that sysfs tells of a device's queue; a partition uses its disk's. 0 if unknown.
fn queue_number(metadata: &fs::Metadata, attribute: &str) -> u64 {
    let (major, minor) = (major(metadata.rdev()), minor(metadata.rdev()));
    let device = format!("/sys/dev/block/{major}:{minor}");
    let read = |folder: &str| fs::read_to_string(format!("{device}/{folder}/{attribute}"));
    let text = read("queue")
        .or_else(|_| read("../queue"))
        .unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests;
