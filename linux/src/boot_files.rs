//! What this machine starts from, as a list that can be compared with a later one.
//!
//! Kernels, initramfs, boot loader configuration: everything below `/boot` with
//! its size and time, and the kernels that have modules. Whatever changes
//! the next start of the machine changes one of these.

use std::fmt::Write;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::{Result, Tried};

/// Files of a full `/boot`: GRUB has some 300 modules, each kernel four files.
const MOST: usize = 4096;
/// Deepest folder: `boot/efi/EFI/BOOT` is four.
const DEEPEST: usize = 8;
/// Boot loaders write into these at every start.
const ALWAYS_NEW: [&str; 2] = ["grubenv", "random-seed"];

/// The list for the system below `root`, one line for each file and each kernel, in order.
///
/// Times are in whole seconds, and even ones, because FAT knows no others.
///
/// # Errors
/// A folder cannot be read, or there is more than any `/boot` has.
pub fn list(root: &Path) -> Result<String> {
    let mut lines = Vec::new();
    walk(&root.join("boot"), "boot", DEEPEST, &mut lines)
        .tried(|| format!("cannot list {}", root.join("boot").display()))?;
    let modules = root.join("lib/modules");
    for entry in fs::read_dir(&modules).into_iter().flatten().flatten() {
        lines.push(format!("kernel {}", entry.file_name().display()));
    }
    lines.sort();
    let mut text = String::new();
    for line in lines {
        // A String takes everything.
        let _ = writeln!(text, "{line}");
    }
    Ok(text)
}

fn walk(folder: &Path, name: &str, deepest: usize, lines: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{name}/{}", entry.file_name().display());
        let data = entry.metadata()?;
        if lines.len() >= MOST || deepest == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if data.is_dir() {
            walk(&entry.path(), &name, deepest - 1, lines)?;
        } else if !ALWAYS_NEW.iter().any(|new| entry.file_name() == *new) {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            let (size, time) = (data.size(), data.mtime() & !1);
            lines.push(format!("{name} {size} {time} {}", target.display()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    fn system() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("boot/grub/x86_64-efi")).unwrap();
        fs::create_dir_all(root.path().join("lib/modules/6.1.0")).unwrap();
        for name in [
            "boot/vmlinuz-6.1.0",
            "boot/initrd.img-6.1.0",
            "boot/grub/grub.cfg",
        ] {
            write(root.path(), name, "one", 0);
        }
        root
    }

    fn write(root: &Path, name: &str, text: &str, after: u64) {
        fs::write(root.join(name), text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + after);
        File::options()
            .write(true)
            .open(root.join(name))
            .and_then(|file| file.set_modified(time))
            .unwrap();
    }

    #[test]
    fn whatever_changes_the_next_start_is_seen_and_nothing_else() {
        let root = system();
        let before = list(root.path()).unwrap();
        assert_eq!(before.lines().count(), 4, "{before}");
        let changed = |act: &dyn Fn(&Path)| {
            let root = system();
            act(root.path());
            list(root.path()).unwrap() != before
        };
        assert!(!changed(&|_| {}));
        assert!(!changed(&|root| write(root, "boot/grub/grubenv", "x", 9)));
        assert!(
            !changed(&|root| write(root, "boot/vmlinuz-6.1.0", "one", 1)),
            "FAT"
        );
        assert!(
            changed(&|root| write(root, "boot/initrd.img-6.1.0", "one", 2)),
            "made again"
        );
        assert!(changed(&|root| write(
            root,
            "boot/initrd.img-6.1.0",
            "longer",
            0
        )));
        assert!(changed(&|root| write(root, "boot/vmlinuz-6.2.0", "one", 0)));
        assert!(changed(&|root| write(
            root,
            "boot/grub/x86_64-efi/a.mod",
            "one",
            0
        )));
        assert!(changed(&|root| fs::create_dir(
            root.join("lib/modules/6.2.0")
        )
        .unwrap()));
        assert!(changed(&|root| fs::remove_file(
            root.join("boot/grub/grub.cfg")
        )
        .unwrap()));
        assert!(changed(&|root| {
            std::os::unix::fs::symlink("vmlinuz-6.1.0", root.join("boot/vmlinuz")).unwrap();
        }));
    }

    #[test]
    fn a_system_without_boot_has_no_list() {
        let root = tempfile::tempdir().unwrap();
        assert!(list(root.path()).is_err());
    }
}
