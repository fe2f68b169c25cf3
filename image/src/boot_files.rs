//! Files that let anything that boots a kernel boot a borrower.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use stiefel_core::{cmdline, cpio};

use crate::Error;
use crate::replace::{Replacement, folder};

/// Permission bits of all three files: the ticket in the initramfs is secret.
const SECRET: u32 = 0o600;

/// What boot files are made from.
pub struct BootFiles<'a> {
    /// The kernel image, see [`crate::kernel_of`].
    pub kernel: &'a Path,
    /// The kernel's image of ours, see [`crate::image_path`].
    pub image: &'a Path,
    /// The ticket of a pairing, a cpio archive.
    pub ticket: &'a [u8],
}

/// Writes `vmlinuz`, `initramfs.img` and `cmdline` into a folder, each one as a whole.
///
/// The folder gets the permission bits 0700, the files 0600. The initramfs is the image,
/// zeros up to a multiple of four bytes, and the ticket. The command line (with a line feed
/// behind it) is [`cmdline::fetch`]; a `console=` may be added to it.
///
/// # Errors
/// A file that cannot be read or written, or a full disk; files that were there before are
/// then old or new, none is half.
pub fn boot_files(from: &BootFiles<'_>, out: &Path) -> Result<(), Error> {
    folder(out)?;
    fs::set_permissions(out, Permissions::from_mode(0o700))
        .map_err(Error::file("protect the folder", out))?;
    copy(from.kernel, &out.join("vmlinuz"), &[])?;
    copy(from.image, &out.join("initramfs.img"), from.ticket)?;
    let line = format!("{}\n", cmdline::fetch());
    Replacement::new(out.join("cmdline"), SECRET)?
        .fill(line.as_bytes())?
        .commit()
}

/// Copies a file, with another segment behind it.
fn copy(source: &Path, target: &Path, behind: &[u8]) -> Result<(), Error> {
    let mut input = File::open(source).map_err(Error::file("read", source))?;
    let mut replacement = Replacement::new(target.to_owned(), SECRET)?;
    let mut sink = replacement.sink();
    let size = io::copy(&mut input, &mut sink).map_err(Error::write(target, 0))?;
    let zeros = [0; cpio::ALIGNMENT as usize];
    let padding = if behind.is_empty() {
        0
    } else {
        cpio::padding(size)
    };
    sink.write_all(&zeros[..padding])
        .and_then(|()| sink.write_all(behind))
        .and_then(|()| sink.flush())
        .map_err(Error::write(target, size))?;
    drop(sink);
    replacement.commit()
}
