//! Where a system keeps a kernel and its initramfs.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::tree::check_release;

/// How much of a kernel is read to see what it is. The name of an x86 kernel is within the
/// first 64 KiB, because the pointer to it has 16 bits (Documentation/arch/x86/boot.rst).
const HEAD: u64 = 0x1_0000 + 0x400;

/// A kernel of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelFiles {
    /// Its release, as `uname -r` prints it.
    pub release: String,
    /// The kernel image.
    pub kernel: PathBuf,
    /// The system's own initramfs, when there is one.
    pub initramfs: Option<PathBuf>,
    tried: Vec<PathBuf>,
}

impl KernelFiles {
    /// The system's own initramfs.
    ///
    /// # Errors
    /// [`Error::NoInitramfs`] with the places where it could be.
    pub fn stock_initramfs(&self) -> Result<&Path, Error> {
        self.initramfs.as_deref().ok_or_else(|| Error::NoInitramfs {
            release: self.release.clone(),
            tried: self.tried.clone(),
        })
    }
}

/// Finds the kernel image and the stock initramfs of a release, below `root`.
///
/// Known are the places of Debian, Ubuntu, Fedora, openSUSE, Arch, Gentoo, and those that
/// kernel-install(8) makes for boot loader entries. The kernel is opened, and an x86 one has
/// to be of this release.
///
/// # Errors
/// [`Error::NoKernel`], [`Error::BadKernel`], [`Error::OtherKernel`], or not readable.
pub fn kernel_of(root: &Path, release: &str) -> Result<KernelFiles, Error> {
    check_release(release)?;
    let (kernels, tried) = places(root, release);
    let found = |paths: &[PathBuf]| paths.iter().find(|path| path.is_file()).cloned();
    let Some(kernel) = found(&kernels) else {
        return Err(Error::NoKernel {
            release: release.to_owned(),
            tried: kernels,
        });
    };
    check_kernel(&kernel, release)?;
    Ok(KernelFiles {
        release: release.to_owned(),
        kernel,
        initramfs: found(&tried),
        tried,
    })
}

/// Candidates for the kernel and for the initramfs, the likeliest first.
fn places(root: &Path, release: &str) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let mut kernels: Vec<String> = ["vmlinuz", "vmlinux", "kernel", "Image"]
        .iter()
        .map(|name| format!("boot/{name}-{release}"))
        .collect();
    let mut initramfs: Vec<String> = ["initrd.img-@", "initramfs-@.img", "initrd-@", "initramfs-@"]
        .iter()
        .map(|name| format!("boot/{}", name.replace('@', release)))
        .collect();
    for modules in ["usr/lib/modules", "lib/modules"] {
        kernels.push(format!("{modules}/{release}/vmlinuz"));
        kernels.push(format!("{modules}/{release}/Image"));
        initramfs.push(format!("{modules}/{release}/initrd"));
        // Arch names the files in /boot by the package.
        if let Some(package) = word(root, &format!("{modules}/{release}/pkgbase")) {
            kernels.push(format!("boot/vmlinuz-{package}"));
            initramfs.push(format!("boot/initramfs-{package}.img"));
        }
    }
    for token in ["etc/kernel/entry-token", "etc/machine-id"] {
        let Some(token) = word(root, token) else {
            continue;
        };
        for boot in ["boot", "efi", "boot/efi"] {
            kernels.push(format!("{boot}/{token}/{release}/linux"));
            initramfs.push(format!("{boot}/{token}/{release}/initrd"));
        }
    }
    let below = |paths: Vec<String>| paths.iter().map(|path| root.join(path)).collect();
    (below(kernels), below(initramfs))
}

/// The single word in a file, when it can be part of a path.
fn word(root: &Path, path: &str) -> Option<String> {
    let text = fs::read_to_string(root.join(path)).ok()?;
    let word = text.trim();
    let odd = word.is_empty() || word.starts_with('.') || word.contains(['/', '\0', '\n']);
    (!odd).then(|| word.to_owned())
}

fn check_kernel(path: &Path, release: &str) -> Result<(), Error> {
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(HEAD).read_to_end(&mut head))
        .map_err(Error::file("read the kernel", path))?;
    if head.len() < 1024 {
        return Err(Error::BadKernel(path.to_owned()));
    }
    match x86_release(&head) {
        Some(found) if found != release => Err(Error::OtherKernel {
            path: path.to_owned(),
            release: release.to_owned(),
            found,
        }),
        _ => Ok(()),
    }
}

/// What an x86 kernel says of itself: the text at `kernel_version` (offset 0x20e, counted
/// from 0x200) up to the first blank. Other kernels have no such header.
fn x86_release(head: &[u8]) -> Option<String> {
    if head.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let pointer = u16::from_le_bytes([*head.get(0x20e)?, *head.get(0x20f)?]);
    if pointer == 0 {
        return None;
    }
    let text = head.get(0x200 + usize::from(pointer)..)?;
    let end = text.iter().position(|byte| matches!(byte, 0 | b' '))?;
    std::str::from_utf8(&text[..end]).ok().map(str::to_owned)
}
