//! What a caller has opened for us to write to.

use super::BusError;
use crate::request::{Medium, Refused};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat, major, minor};
use std::os::fd::OwnedFd;

/// Checks that it is a file or a block device that can be read and written.
pub(super) fn opened(fd: OwnedFd) -> Result<Medium, BusError> {
    let flags = fcntl_getfl(&fd).map_err(BusError::invalid)?;
    // Of O_PATH, the access mode says nothing; O_APPEND writes elsewhere than told.
    if flags.intersection(OFlags::ACCMODE | OFlags::PATH | OFlags::APPEND) != OFlags::RDWR {
        let text = "the target must be open for reading and writing, and not for appending";
        return Err(BusError::invalid(text));
    }
    let stat = fstat(&fd).map_err(BusError::invalid)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(Medium::File(fd)),
        FileType::BlockDevice => Ok(Medium::Block {
            fd,
            device: (major(stat.st_rdev), minor(stat.st_rdev)),
        }),
        FileType::Fifo
        | FileType::Socket
        | FileType::Directory
        | FileType::Symlink
        | FileType::CharacterDevice
        | FileType::Unknown => Err(Refused::NotRemovable.into()),
    }
}
