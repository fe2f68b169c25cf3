//! A block device or an image file.

use std::fs::{File, Metadata};
use std::io::{self, IoSliceMut, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate, fdatasync};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use stiefel_core::nbd::transmission::{Extent, Range};

use super::backing::{Backing, Zeroing};

/// What kind of file the disk is; holes are made differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A block device.
    Device,
    /// A regular file.
    Image,
}

/// The opened file. One descriptor for all sessions.
pub(super) struct FileBacking {
    file: File,
    kind: Kind,
    block_bytes: u32,
    /// The file system cannot tell whether a read would wait (tmpfs, for one).
    always_waits: AtomicBool,
    /// There may be holes in the file; in one without, nobody needs to look for them.
    sparse: AtomicBool,
}

impl FileBacking {
    pub(super) fn new(file: File, kind: Kind, block_bytes: u32) -> Self {
        let sparse = kind == Kind::Image && file.metadata().is_ok_and(|file| is_sparse(&file));
        Self {
            file,
            kind,
            block_bytes,
            always_waits: AtomicBool::new(false),
            sparse: AtomicBool::new(sparse),
        }
    }

    fn may_punch(&self) {
        if self.kind == Kind::Image {
            self.sparse.store(true, Ordering::Relaxed);
        }
    }

    fn fallocate(&self, mode: FallocateFlags, range: Range) -> Result<(), Errno> {
        fallocate(&self.file, mode, range.offset, range.length.into())
    }

    fn write_zeros(&self, range: Range) -> io::Result<()> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        let mut offset = range.offset;
        let mut left = range.length as usize;
        while left > 0 {
            let piece = &ZEROS[..left.min(ZEROS.len())];
            self.file.write_all_at(piece, offset)?;
            offset += piece.len() as u64;
            left -= piece.len();
        }
        Ok(())
    }

    /// Where data (or a hole) begins at or behind `offset`; the range's end if nowhere.
    fn seek(&self, to: rustix::fs::SeekFrom, end: u64) -> io::Result<u64> {
        match rustix::fs::seek(&self.file, to) {
            Ok(found) => Ok(found.min(end)),
            Err(Errno::NXIO) => Ok(end),
            Err(error) => Err(error.into()),
        }
    }
}

impl Backing for FileBacking {
    fn read(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(into, offset)
    }

    fn read_cached(&self, into: &mut [u8], offset: u64) -> io::Result<bool> {
        if self.always_waits.load(Ordering::Relaxed) {
            return self.read(into, offset).map(|()| true);
        }
        let whole = into.len();
        match preadv2(
            &self.file,
            &mut [IoSliceMut::new(into)],
            offset,
            ReadWriteFlags::NOWAIT,
        ) {
            // Fewer bytes: the rest has to be waited for.
            Ok(read) => Ok(read == whole),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(Errno::OPNOTSUPP) => {
                self.always_waits.store(true, Ordering::Relaxed);
                self.read(into, offset).map(|()| true)
            }
            // Read again by a worker, who reports what it finds.
            Err(_) => Ok(false),
        }
    }

    fn write(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(fdatasync(&self.file)?)
    }

    fn trim(&self, range: Range) -> io::Result<()> {
        self.may_punch();
        let outcome = match self.kind {
            Kind::Device => discard(&self.file, range),
            Kind::Image => self.fallocate(
                FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
                range,
            ),
        };
        match outcome {
            // Trimming is advice.
            Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn zero(&self, range: Range, zeroing: Zeroing) -> io::Result<()> {
        self.may_punch();
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let keep = FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE;
        // On a device, the kernel punches only if the device does it by itself, but
        // for ZERO_RANGE it writes zeros where it must.
        let attempts: &[FallocateFlags] = match (zeroing, self.kind) {
            (
                Zeroing {
                    hole: true,
                    fast: true,
                },
                _,
            ) => &[punch],
            (
                Zeroing {
                    hole: true,
                    fast: false,
                },
                _,
            ) => &[punch, keep],
            (
                Zeroing {
                    hole: false,
                    fast: true,
                },
                Kind::Device,
            ) => &[],
            (Zeroing { hole: false, .. }, _) => &[keep],
        };
        for mode in attempts {
            match self.fallocate(*mode, range) {
                Ok(()) => return Ok(()),
                Err(Errno::OPNOTSUPP) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if zeroing.fast {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.write_zeros(range)
    }

    fn prefetch(&self, range: Range) -> io::Result<()> {
        let length = std::num::NonZeroU64::new(range.length.into());
        Ok(fadvise(&self.file, range.offset, length, Advice::WillNeed)?)
    }

    fn extents(&self, range: Range, most: usize) -> io::Result<Vec<Extent>> {
        if self.kind == Kind::Device {
            return Ok(vec![Extent {
                length: range.length,
                hole: false,
            }]);
        }
        let block = u64::from(self.block_bytes);
        let end = range.offset + u64::from(range.length);
        let mut extents: Vec<Extent> = Vec::new();
        let mut at = range.offset;
        while at < end && extents.len() < most {
            let data = self.seek(rustix::fs::SeekFrom::Data(at), end)?;
            // A block that holds any data is data.
            let (next, hole) = match data / block * block {
                data if data > at => (data, true),
                _ => {
                    let hole = self.seek(rustix::fs::SeekFrom::Hole(at), end)?;
                    (hole.next_multiple_of(block).max(at + block), false)
                }
            };
            let length = u32::try_from(next - at).unwrap_or(range.length);
            extents.push(Extent { length, hole });
            at = next;
        }
        Ok(extents)
    }

    fn leading_hole(&self, range: Range) -> u32 {
        if !self.sparse.load(Ordering::Relaxed) {
            return 0;
        }
        let end = range.offset + u64::from(range.length);
        // Who cannot tell has no holes.
        let data = self
            .seek(rustix::fs::SeekFrom::Data(range.offset), end)
            .unwrap_or(range.offset);
        let data = match data == end {
            true => end,
            // A block that holds any data is data.
            false => data / u64::from(self.block_bytes) * u64::from(self.block_bytes),
        };
        u32::try_from(data.saturating_sub(range.offset)).unwrap_or(0)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}

/// Whether fewer blocks are stored than its size needs.
fn is_sparse(file: &Metadata) -> bool {
    file.blocks() * 512 < file.len()
}

/// The size of an opened device or file in bytes.
pub(super) fn size(file: &File) -> io::Result<u64> {
    use std::io::Seek;
    let mut file = file;
    file.seek(SeekFrom::End(0))
}

/// `BLKDISCARD` of `linux/fs.h`.
fn discard(file: &File, range: Range) -> Result<(), Errno> {
    use rustix::ioctl::{Opcode, Setter, ioctl, opcode};
    const BLKDISCARD: Opcode = opcode::none(0x12, 119);
    let bytes = [range.offset, u64::from(range.length)];
    #[allow(unsafe_code)]
    // SAFETY: BLKDISCARD reads two 64-bit numbers, start and length, from its
    // argument and changes no memory of ours.
    unsafe {
        ioctl(file, Setter::<BLKDISCARD, [u64; 2]>::new(bytes))
    }
}
