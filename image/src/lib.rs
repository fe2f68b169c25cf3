//! Makes the ramdisk of a kernel, and the boot files of a pairing.
//!
//! ```text
//! /lib/modules/R ─┐ choice: which modules, and what for
//! /lib/firmware  ─┼─ build ──▶ images/R.img (cpio, zstd) + images/R.json (Manifest)
//! stiefel-init   ─┘                     │
//! /boot/vmlinuz-R ── kernel_of ──┐      │
//! ticket (cpio)  ────────────────┼── boot_files ──▶ vmlinuz, initramfs.img, cmdline
//! boot loaders ──────────────────┴── stick, entry ▶ a drive, or a machine's own disk, that boots
//! ```
//!
//! Nothing of the system is changed: the stock initramfs and /boot are only read. The same
//! input gives the same image, byte by byte.

mod boot_files;
mod build;
mod choice;
pub mod entry;
mod error;
mod firmware;
mod kernel;
mod manifest;
mod module_file;
mod replace;
pub mod stick;
pub mod sticks;
mod tree;

pub use boot_files::{BootFiles, boot_files};
pub use build::{LEVEL, Options, Watch, build, build_watched};
pub use error::Error;
pub use kernel::{KernelFiles, kernel_of};
pub use manifest::{Manifest, image_path, load, manifest_path, remove, verify};
pub use tree::releases;

/// Where the images of a system are, below its root folder.
pub const IMAGES: &str = "var/lib/stiefelsystem/images";

/// The ramdisk's static program, below a system's root folder. Where a distribution has another place for
/// programs that nobody calls by hand, the build says so.
pub const INIT: &str = match option_env!("STIEFEL_INIT") {
    Some(path) => path,
    None => "usr/libexec/stiefelsystem/stiefel-init",
};
