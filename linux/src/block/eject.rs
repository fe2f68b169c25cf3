//! Taking a medium out, as far as software can.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::error::{Result, Tried};

/// `CDROMEJECT` (include/uapi/linux/cdrom.h), which all SCSI disks understand, so that sticks do
/// (drivers/scsi/scsi_ioctl.c).
const EJECT: libc::Ioctl = 0x5309;

/// `SCSI_IOCTL_DOORUNLOCK` (include/scsi/scsi_ioctl.h): while somebody has it open, the kernel
/// keeps the medium in.
const UNLOCK: libc::Ioctl = 0x5381;

/// Stops a drive that can be taken out; it has no medium then until it is plugged in again.
/// Write everything out before.
pub fn eject(drive: BorrowedFd<'_>) -> Result<()> {
    for request in [UNLOCK, EJECT] {
        // SAFETY: neither request takes an argument, and the descriptor is open for the call.
        #[allow(unsafe_code)]
        let done = unsafe { libc::ioctl(drive.as_raw_fd(), request, 0) };
        if done != 0 {
            return Err(io::Error::last_os_error()).tried(|| "cannot eject the drive".into());
        }
    }
    Ok(())
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
