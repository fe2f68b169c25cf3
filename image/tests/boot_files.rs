//! Finding kernels, and writing boot files.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use common::{RELEASE, System, entries, kernel};
use stiefel_core::cpio::{self, File};
use stiefel_image::{BootFiles, Error, boot_files, build, kernel_of};

#[test]
fn boot_files_are_kernel_image_ticket_and_command_line() {
    let system = System::new();
    build(&system.options()).unwrap();
    // A length that is no multiple of four.
    let mut image = fs::read(system.image()).unwrap();
    image.resize(image.len().next_multiple_of(4) + 1, 0);
    fs::write(system.image(), &image).unwrap();
    let ticket = cpio::archive(&[File {
        path: "stiefel/ticket.json",
        mode: 0o600,
        data: b"{}",
    }])
    .unwrap();
    let kernel = system.path(&format!("boot/vmlinuz-{RELEASE}"));
    let out = system.path("stick");
    let from = BootFiles {
        kernel: &kernel,
        image: &system.image(),
        ticket: &ticket,
    };
    boot_files(&from, &out).unwrap();
    // Again, over the old ones.
    boot_files(&from, &out).unwrap();

    assert_eq!(
        fs::read(out.join("vmlinuz")).unwrap(),
        fs::read(&kernel).unwrap()
    );
    let initramfs = fs::read(out.join("initramfs.img")).unwrap();
    assert_eq!(initramfs[..image.len()], image);
    assert_eq!(initramfs[image.len()..image.len() + 3], [0; 3]);
    let (found, _) = entries(&initramfs[image.len() + 3..]);
    assert_eq!(found[1].path, "stiefel/ticket.json");
    assert_eq!(
        (found[1].mode, found[1].data.as_slice()),
        (0o100_600, b"{}".as_slice())
    );
    let line = fs::read_to_string(out.join("cmdline")).unwrap();
    assert!(
        line.starts_with("rdinit=/stiefel/init ") && line.ends_with('\n'),
        "{line:?}"
    );

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&out), 0o700);
    let mut files = 0;
    for file in fs::read_dir(&out).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
        files += 1;
    }
    assert_eq!(files, 3);
}

#[test]
fn boot_files_need_an_image() {
    let system = System::new();
    let kernel = system.path(&format!("boot/vmlinuz-{RELEASE}"));
    let from = BootFiles {
        kernel: &kernel,
        image: &system.image(),
        ticket: b"",
    };
    let error = boot_files(&from, &system.path("stick")).unwrap_err();
    assert!(
        error.to_string().contains(&format!("{RELEASE}.img")),
        "{error}"
    );
}

/// Kernel, initramfs, and what else has to be there, of several distributions.
#[test]
fn kernels_are_found_where_distributions_put_them() {
    let arch = format!("usr/lib/modules/{RELEASE}/pkgbase");
    let cases = [
        ("boot/vmlinuz-@", "boot/initrd.img-@", None),
        ("boot/vmlinuz-@", "boot/initramfs-@.img", None),
        ("lib/modules/@/vmlinuz", "boot/initramfs-@.img", None),
        ("usr/lib/modules/@/vmlinuz", "boot/initrd-@", None),
        (
            "boot/vmlinuz-linux",
            "boot/initramfs-linux.img",
            Some((arch.as_str(), "linux\n")),
        ),
        (
            "boot/efi/abc/@/linux",
            "boot/efi/abc/@/initrd",
            Some(("etc/machine-id", "abc\n")),
        ),
        (
            "efi/me/@/linux",
            "efi/me/@/initrd",
            Some(("etc/kernel/entry-token", "me\n")),
        ),
    ];
    for (kernel_path, initramfs_path, other) in cases {
        let system = System {
            root: tempfile::TempDir::new().unwrap(),
        };
        let [kernel_path, initramfs_path] =
            [kernel_path, initramfs_path].map(|path| path.replace('@', RELEASE));
        system.write(&kernel_path, &kernel(RELEASE));
        system.write(&initramfs_path, b"");
        if let Some((path, text)) = other {
            system.write(path, text.as_bytes());
        }
        let found = kernel_of(system.root.path(), RELEASE).unwrap();
        assert_eq!(found.kernel, system.path(&kernel_path));
        assert_eq!(
            found.stock_initramfs().unwrap(),
            system.path(&initramfs_path)
        );
    }
}

#[test]
fn a_kernel_without_initramfs_is_found_and_said() {
    let system = System::new();
    let found = kernel_of(system.root.path(), RELEASE).unwrap();
    let error = found.stock_initramfs().unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("boot/initrd.img-{RELEASE}")),
        "{error}"
    );
}

#[test]
fn the_next_kernel_of_a_rolling_system_is_not_taken_for_the_running_one() {
    let system = System::new();
    let path = system.path(&format!("boot/vmlinuz-{RELEASE}"));
    fs::remove_file(&path).unwrap();
    system.write(&format!("usr/lib/modules/{RELEASE}/pkgbase"), b"linux");
    system.write("boot/vmlinuz-linux", &kernel("6.2"));
    let error = kernel_of(system.root.path(), RELEASE).unwrap_err();
    assert!(
        matches!(&error, Error::OtherKernel { found, .. } if found == "6.2"),
        "{error}"
    );
}

#[test]
fn a_kernel_of_another_machine_type_has_no_name_to_compare() {
    let system = System::new();
    system.write(&format!("boot/vmlinuz-{RELEASE}"), &[0; 4096]);
    assert!(kernel_of(system.root.path(), RELEASE).is_ok());
}

#[test]
fn an_entry_token_cannot_lead_elsewhere() {
    let system = System {
        root: tempfile::TempDir::new().unwrap(),
    };
    system.write("etc/machine-id", b"../../elsewhere");
    fs::create_dir_all(system.path("boot")).unwrap();
    symlink("/", system.path("elsewhere")).unwrap();
    let error = kernel_of(system.root.path(), RELEASE).unwrap_err();
    assert!(!error.to_string().contains("elsewhere"), "{error}");
}
