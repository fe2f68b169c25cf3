//! Starting another kernel (kexec_file_load(2), so that signed kernels work under Secure Boot).

use std::ffi::{CString, c_long, c_ulong};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use rustix::system::{RebootCommand, reboot};

use crate::error::{Error, Result, Tried};
use crate::sysctl;

/// `KEXEC_FILE_UNLOAD` and `KEXEC_FILE_NO_INITRAMFS` (include/uapi/linux/kexec.h).
const UNLOAD: c_ulong = 1;
const NO_INITRAMFS: c_ulong = 4;

/// `COMMAND_LINE_SIZE` of x86, with its final NUL.
const COMMAND_LINE_LIMIT: usize = 2048;

/// Why this machine cannot start another kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The kernel was built without it.
    #[error("this kernel cannot start another one (it has no kexec)")]
    Missing,
    /// Switched off until the next reboot.
    #[error("kexec is switched off (kernel.kexec_load_disabled); reboot, and see who sets it")]
    Disabled,
}

/// Whether another kernel could be loaded. Under lockdown it must be signed: see [`lockdown`].
pub fn available() -> std::result::Result<(), Unavailable> {
    match sysctl::get("kernel/kexec_load_disabled") {
        Err(_) => Err(Unavailable::Missing),
        Ok(value) if value != "0" => Err(Unavailable::Disabled),
        Ok(_) => Ok(()),
    }
}

/// Whether the kernel accepts signed kernels and modules only (any lockdown mode).
pub fn lockdown() -> bool {
    let text = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    text.contains("[integrity]") || text.contains("[confidentiality]")
}

/// Loads a kernel with its initramfs and command line; nothing starts yet. A kernel that was
/// loaded before is replaced. *Any* reboot through systemd takes a loaded kernel: [`unload`] it
/// when the plan changes.
pub fn load(
    kernel: BorrowedFd<'_>,
    initramfs: Option<BorrowedFd<'_>>,
    command_line: &str,
) -> Result<()> {
    let tried = || "cannot load the other kernel".to_owned();
    let line = CString::new(command_line)
        .map_err(io::Error::from)
        .tried(tried)?;
    if line.as_bytes_with_nul().len() > COMMAND_LINE_LIMIT {
        let cause = io::Error::other("its command line is longer than 2047 bytes");
        return Err(Error::new(tried(), cause));
    }
    let flags = if initramfs.is_none() { NO_INITRAMFS } else { 0 };
    let initramfs = initramfs.map_or(-1, |fd| fd.as_raw_fd());
    file_load(kernel.as_raw_fd(), initramfs, &line, flags).tried(tried)
}

/// Forgets a loaded kernel; fine when there is none.
pub fn unload() -> Result<()> {
    file_load(-1, -1, c"", UNLOAD).tried(|| "cannot unload the other kernel".into())
}

/// Whether a kernel is loaded that any reboot would take.
pub fn is_loaded() -> Result<bool> {
    fs::read_to_string("/sys/kernel/kexec_loaded")
        .map(|text| text.trim() == "1")
        .tried(|| "cannot ask whether another kernel is loaded".into())
}

/// Starts the loaded kernel at once. Nothing is stopped or written back before. Only comes
/// back with an error.
pub fn execute() -> Result<std::convert::Infallible> {
    let tried = || "cannot start the other kernel".to_owned();
    reboot(RebootCommand::Kexec).tried(tried)?;
    Err(Error::new(
        tried(),
        io::Error::other("the kernel just came back"),
    ))
}

fn file_load(
    kernel: RawFd,
    initramfs: RawFd,
    command_line: &std::ffi::CStr,
    flags: c_ulong,
) -> io::Result<()> {
    let length = command_line.to_bytes_with_nul().len();
    // SAFETY: the kernel reads `length` bytes at the pointer, which the CStr owns for the call,
    // and keeps neither pointer nor descriptors.
    #[allow(unsafe_code)]
    let result: c_long = unsafe {
        libc::syscall(
            libc::SYS_kexec_file_load,
            kernel,
            initramfs,
            length as c_ulong,
            command_line.as_ptr(),
            flags,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_command_line_that_the_kernel_would_cut_is_refused() {
        let stdin = io::stdin();
        let error = load(stdin.as_fd(), None, &"x".repeat(2048)).unwrap_err();
        assert!(error.to_string().contains("2047"), "{error}");
        let error = load(stdin.as_fd(), None, "a\0b").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
