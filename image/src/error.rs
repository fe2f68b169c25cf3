//! What can go wrong, in words that say what to do.

use std::io;
use std::path::{Path, PathBuf};

use stiefel_core::modules::{IndexError, ParseError};
use thiserror::Error;

/// Why there is no new image, no boot files, or no stick. Images and boot files that were there
/// before are still there.
#[derive(Debug, Error)]
pub enum Error {
    /// Whoever watched broke off.
    #[error("the making was broken off")]
    BrokenOff,
    /// No module tree for this kernel.
    #[error("there is no module tree for kernel {release} in {folder}; {}", there_are(.others))]
    NoModules {
        /// The kernel asked for.
        release: String,
        /// Where it was looked for.
        folder: PathBuf,
        /// The kernels that have one.
        others: Vec<String>,
    },
    /// A name that cannot be one of a kernel.
    #[error("{0:?} is no kernel release; `uname -r` prints one")]
    BadRelease(String),
    /// The tree has no table of dependencies.
    #[error("{0} is not there; run `depmod {1}`")]
    NoTables(PathBuf, String),
    /// A table that cannot be read.
    #[error(transparent)]
    Tables(#[from] ParseError),
    /// A module that every loan needs is not there.
    #[error(transparent)]
    Modules(#[from] IndexError),
    /// A module's file that is none.
    #[error("module {path} cannot be understood ({why}); reinstall the kernel's package")]
    BadModule {
        /// The file.
        path: PathBuf,
        /// What is odd.
        why: String,
    },
    /// The static program of the ramdisk is not usable.
    #[error("{path} {why}; reinstall Stiefelsystem")]
    BadInit {
        /// The file.
        path: PathBuf,
        /// What is odd.
        why: &'static str,
    },
    /// No kernel image.
    #[error("no kernel image for {release}: tried {}; install the kernel's package, or mount /boot", list(.tried))]
    NoKernel {
        /// The kernel asked for.
        release: String,
        /// Where it was looked for.
        tried: Vec<PathBuf>,
    },
    /// The file is a kernel, but another one.
    #[error("{path} holds kernel {found}, not {release}; after an upgrade, reboot first")]
    OtherKernel {
        /// The file.
        path: PathBuf,
        /// The kernel asked for.
        release: String,
        /// What the file says of itself.
        found: String,
    },
    /// The file is no kernel.
    #[error("{0} is no kernel image; reinstall the kernel's package")]
    BadKernel(PathBuf),
    /// The system has no initramfs for this kernel.
    #[error("no initramfs for kernel {release}: tried {}; make one with the system's own tool (update-initramfs, dracut, mkinitcpio)", list(.tried))]
    NoInitramfs {
        /// The kernel.
        release: String,
        /// Where it was looked for.
        tried: Vec<PathBuf>,
    },
    /// There is no image for this kernel.
    #[error("there is no image for kernel {0}; make one with `stiefelctl update --kernel {0}`")]
    NoImage(String),
    /// The image is not what its manifest says.
    #[error("the image {0} is damaged ({1}); make it anew with `stiefelctl update`")]
    Damaged(PathBuf, String),
    /// The system has no boot loader for a stick.
    #[error(
        "there is no boot loader to put on a stick; install the signed ones of your distribution (Debian and Ubuntu: shim-signed, grub-efi-amd64-signed; Fedora: shim-x64, grub2-efi-x64) or systemd-boot"
    )]
    NoLoader,
    /// GRUB's own tool cannot make its part for a BIOS.
    #[error(
        "GRUB for machines with a legacy BIOS cannot be made ({0}); install grub-common and grub-pc-bin of one version"
    )]
    Grub(String),
    /// The medium, or the largest that is supported, is too small.
    #[error("a stick needs {} MB, but there are {} MB only; take a larger one", .needed.div_ceil(1_000_000), .size / 1_000_000)]
    TooSmall {
        /// What there is, bytes.
        size: u64,
        /// What is needed, bytes.
        needed: u64,
    },
    /// A drive that fails.
    #[error(
        "{path} fails ({source}): it was pulled out, or is worn out. It is no stick now; the pairing is unharmed, make one of it or of another drive"
    )]
    Drive {
        /// The drive.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Neither a file nor a drive.
    #[error("{0} is neither a drive nor a file")]
    NoMedium(PathBuf),
    /// What is on the medium is not what was written.
    #[error(
        "{path} gives back something else than was written to it (at byte {at}); it is worn out or a fake: take another one"
    )]
    ReadBack {
        /// The medium.
        path: PathBuf,
        /// First byte of the piece that differs.
        at: u64,
    },
    /// A file that goes onto the stick was changed while it was read.
    #[error("the kernel or the ramdisk was replaced meanwhile ({source}); try again")]
    ContentChanged {
        /// What the system says.
        source: io::Error,
    },
    /// The machine was started by a BIOS, or its firmware shows nothing of itself.
    #[error(
        "this machine was not started by UEFI, so there is nothing to put a boot entry into; take a stick, which starts by a BIOS as well"
    )]
    NoUefi,
    /// No EFI system partition is mounted.
    #[error(
        "no EFI system partition is mounted at /efi, /boot/efi or /boot; mount it, or say where it is with --esp"
    )]
    NoEsp,
    /// It is not on a disk that the firmware can name to itself.
    #[error("what is mounted at {0} is no partition of a GPT; take a stick")]
    NotGpt(PathBuf),
    /// Whoever has the secret can borrow.
    #[error(
        "everybody can read {0}, and a boot entry holds the pairing's secret; mount it with umask=0077 (in /etc/fstab), and try again"
    )]
    OpenEsp(PathBuf),
    /// It cannot be written to.
    #[error(
        "{0} cannot be made: the EFI system partition is mounted read-only; mount it for writing, and see whether its file system is sound (fsck.vfat)"
    )]
    ReadOnlyEsp(PathBuf),
    /// There is no room on it.
    #[error(
        "a boot entry needs {} MB, but {path} has only {} MB left; make room, or take a stick. Nothing was changed", .needed.div_ceil(1_000_000), .free / 1_000_000
    )]
    EspFull {
        /// Where it is mounted.
        path: PathBuf,
        /// What is left, bytes.
        free: u64,
        /// What is needed, bytes.
        needed: u64,
    },
    /// It takes its menu from the machine's own folder only.
    #[error("{0} is too old to be started from a folder of its own (GRUB 2.12 can); take a stick")]
    OldGrub(PathBuf),
    /// The firmware's memory is full or locked.
    #[error("the firmware does not take the change of {name}: {source}; nothing was changed")]
    Variable {
        /// The variable.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// No random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// The disk is full.
    #[error(
        "the disk is full: writing {path} needs about {needed} MB more in its folder; what was there before is unchanged"
    )]
    DiskFull {
        /// What was being written.
        path: PathBuf,
        /// Free space to make, rounded up.
        needed: u64,
    },
    /// A file operation failed.
    #[error("cannot {doing} {path}: {source}")]
    File {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: names the operation and the file.
    pub(crate) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    /// As [`Self::file`] for writing: a full disk says so, with how much is to be freed.
    pub(crate) fn write(path: &Path, size: u64) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull {
                path: path.to_owned(),
                needed: size.div_ceil(1_000_000).max(1),
            },
            _ => Self::File {
                doing: "write",
                path: path.to_owned(),
                source,
            },
        }
    }
}

fn there_are(others: &[String]) -> String {
    match others {
        [] => "no other kernel has one either: install a kernel package".to_owned(),
        others => format!("there are {}: name one with --kernel", others.join(", ")),
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}
