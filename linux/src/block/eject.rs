//! Taking a medium out, as far as software can.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::error::{Result, Tried};

/// `CDROMEJECT` (include/uapi/linux/cdrom.h), which all SCSI disks understand, so that sticks do
/// (drivers/scsi/scsi_ioctl.c).
const EJECT: libc::Ioctl = 0x5309;

/// Stops a drive that can be taken out; it has no medium then until it is plugged in again.
/// Write everything out before.
pub fn eject(drive: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: this request takes no argument, and the descriptor is open for the call.
    #[allow(unsafe_code)]
    let done = unsafe { libc::ioctl(drive.as_raw_fd(), EJECT, 0) };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()).tried(|| "cannot eject the drive".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn what_is_no_drive_is_not_ejected() {
        let file = tempfile::tempfile().unwrap();
        let error = eject(file.as_fd()).unwrap_err();
        assert!(error.is(rustix::io::Errno::NOTTY), "{error}");
    }
}
