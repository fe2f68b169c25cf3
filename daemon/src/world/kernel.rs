//! Kexec of the real kernel.

use super::{Kexec, Parcel, Trouble};
use std::os::fd::AsFd;
use stiefel_core::preflight;
use stiefel_linux::kexec::{self, Unavailable};

/// The running kernel.
#[derive(Debug, Default)]
pub struct RunningKernel;

impl Kexec for RunningKernel {
    fn load(&self, parcel: &Parcel) -> Result<(), Trouble> {
        kexec::load(
            parcel.kernel.as_fd(),
            Some(parcel.initramfs.as_fd()),
            &parcel.cmdline,
        )
        .map_err(|error| Trouble(error.to_string()))?;
        // systemd ignores the wish for a kexec silently when nothing is loaded.
        match kexec::is_loaded() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Trouble(
                "the kernel took the ramdisk but does not have it".into(),
            )),
            Err(error) => Err(Trouble(error.to_string())),
        }
    }

    fn unload(&self) -> Result<(), Trouble> {
        kexec::unload().map_err(|error| Trouble(error.to_string()))
    }
}

/// What the running kernel says about kexec; under lockdown, whatever it is asked to start has
/// to be signed.
#[must_use]
pub fn ability() -> preflight::Kexec {
    match kexec::available() {
        Ok(()) if kexec::lockdown() => preflight::Kexec::Unsigned,
        Ok(()) => preflight::Kexec::Allowed,
        Err(Unavailable::Missing) => preflight::Kexec::NotBuilt,
        Err(Unavailable::Disabled) => preflight::Kexec::SwitchedOff,
    }
}
