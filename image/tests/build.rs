//! What an image holds, and what happens when it cannot be made.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use common::{RELEASE, System, elf, find, index, kernel, sections, unpack};
use stiefel_core::modules::Purpose;
use stiefel_image::{Error, Manifest, build, build_watched, load, manifest_path, remove, verify};

#[test]
fn an_image_holds_program_modules_and_firmware() {
    let system = System::new();
    let manifest = build(&system.options()).unwrap();
    let entries = unpack(&system.image());
    let paths: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "stiefel",
            "stiefel/init",
            "stiefel/modules",
            "stiefel/modules/index.json",
            "stiefel/modules/card.ko.gz",
            "stiefel/modules/libphy.ko.xz",
            "stiefel/modules/nbd.ko",
            "stiefel/modules/out-side.ko",
            "stiefel/modules/realtek.ko.xz",
            "stiefel/modules/udp_tunnel.ko.xz",
            "stiefel/modules/usbcard.ko.zst",
            "stiefel/modules/wireguard.ko.xz",
            "stiefel/firmware",
            "stiefel/firmware/test",
            "stiefel/firmware/test/alias.bin",
            "stiefel/firmware/test/card.bin",
            "stiefel/firmware/test/packed.bin.xz",
        ]
    );
    assert_eq!(find(&entries, "stiefel/init").mode, 0o100_755);
    let module = fs::read(system.path(&format!(
        "lib/modules/{RELEASE}/kernel/drivers/net/ethernet/x/card.ko.gz"
    )));
    assert_eq!(
        find(&entries, "stiefel/modules/card.ko.gz").data,
        module.unwrap()
    );
    let firmware = |name: &str| &find(&entries, &format!("stiefel/firmware/test/{name}")).data;
    assert_eq!(firmware("card.bin"), b"newer firmware of card");
    assert_eq!(firmware("alias.bin"), b"firmware of usbcard");
    assert_eq!(firmware("packed.bin.xz"), b"as it is");

    assert_eq!(manifest.modules[&Purpose::Net], 5);
    assert_eq!(manifest.modules[&Purpose::Disk], 1);
    assert_eq!(manifest.firmware, 3);
    assert_eq!(manifest.missing_firmware, ["test/gone.bin"]);
    assert_eq!(manifest.size, fs::metadata(system.image()).unwrap().len());
    assert_eq!(
        manifest.kernel,
        system.path(&format!("boot/vmlinuz-{RELEASE}"))
    );
}

#[test]
fn the_index_loads_phys_before_a_card_with_an_mdio_bus() {
    let system = System::new();
    build(&system.options()).unwrap();
    let index = index(&unpack(&system.image()));
    let names = |modules: Vec<&stiefel_core::modules::Module>| {
        modules
            .iter()
            .map(|module| module.name.clone())
            .collect::<Vec<_>>()
    };
    let found = index.for_hardware(["pci:v0000AAAAd1"], &[Purpose::Net]);
    assert_eq!(names(found), ["libphy", "realtek", "card"]);
    let found = index.for_hardware(["usb:v1234p1"], &[Purpose::Net]);
    assert_eq!(names(found), ["usbcard"]);
    let found = index.named(["nbd", "wireguard", "ahci"]).unwrap();
    assert_eq!(names(found), ["nbd", "udp_tunnel", "wireguard"]);
}

#[test]
fn one_firmware_with_several_names_is_stored_once() {
    let system = System::new();
    let path = "kernel/drivers/net/usb/usbcard.ko.zst";
    system.module(path, &["test/real.bin", "test/alias.bin"], &[]);
    build(&system.options()).unwrap();
    let entries = unpack(&system.image());
    let link = find(&entries, "stiefel/firmware/test/real.bin");
    assert_eq!(
        (link.mode, link.data.as_slice()),
        (0o120_777, b"../test/alias.bin".as_slice())
    );
}

#[test]
fn firmware_outside_of_the_folder_is_not_taken() {
    let system = System::new();
    system.write("etc/shadow", b"secret");
    system.module(
        "kernel/drivers/net/usb/usbcard.ko.zst",
        &["../../../etc/shadow", "/etc/shadow"],
        &[],
    );
    let manifest = build(&system.options()).unwrap();
    assert!(
        manifest
            .missing_firmware
            .contains(&"../../../etc/shadow".to_owned())
    );
    assert!(
        unpack(&system.image())
            .iter()
            .all(|entry| entry.data != b"secret")
    );
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (one, two) = (System::new(), System::new());
    build(&one.options()).unwrap();
    build(&two.options()).unwrap();
    assert_eq!(
        fs::read(one.image()).unwrap(),
        fs::read(two.image()).unwrap()
    );
}

#[test]
fn anybody_may_read_an_image_that_root_may_replace() {
    let system = System::new();
    build(&system.options()).unwrap();
    let out = system.options().out;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&system.image()), 0o644);
    assert_eq!(mode(&manifest_path(&out, RELEASE)), 0o644);
    assert_eq!(mode(&out), 0o700);
    assert_eq!(
        fs::read_dir(&out).unwrap().count(),
        2,
        "a temporary file is left"
    );
}

#[test]
fn an_image_is_loaded_verified_and_removed() {
    let system = System::new();
    let out = system.options().out;
    assert!(matches!(load(&out, RELEASE), Err(Error::NoImage(_))));
    let manifest = build(&system.options()).unwrap();
    assert_eq!(load(&out, RELEASE).unwrap(), manifest);
    assert_eq!(verify(&out, RELEASE).unwrap(), manifest);

    let mut bytes = fs::read(system.image()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(system.image(), &bytes).unwrap();
    assert!(load(&out, RELEASE).is_ok());
    assert!(matches!(verify(&out, RELEASE), Err(Error::Damaged(..))));
    bytes.pop();
    fs::write(system.image(), &bytes).unwrap();
    assert!(matches!(load(&out, RELEASE), Err(Error::Damaged(..))));

    assert!(remove(&out, RELEASE).unwrap());
    assert!(!remove(&out, RELEASE).unwrap());
    assert!(!system.image().exists());
}

/// Builds an image, breaks the system, builds again: the error, with the old image unchanged.
fn fails(break_it: impl FnOnce(&System)) -> Error {
    let system = System::new();
    build(&system.options()).unwrap();
    let out = system.options().out;
    let read = || {
        (
            fs::read(system.image()).unwrap(),
            fs::read(manifest_path(&out, RELEASE)).unwrap(),
        )
    };
    let before = read();
    break_it(&system);
    let error = build(&system.options()).unwrap_err();
    assert_eq!(read(), before, "the old image is another one");
    assert_eq!(
        fs::read_dir(&out).unwrap().count(),
        2,
        "a temporary file is left"
    );
    error
}

#[test]
fn a_missing_module_tree_is_said_with_what_there_is() {
    let system = System::new();
    let mut options = system.options();
    options.release = "9.9".into();
    let error = build(&options).unwrap_err();
    assert!(matches!(error, Error::NoModules { .. }), "{error}");
    assert!(error.to_string().contains(RELEASE), "{error}");
    let error = fails(|system| fs::remove_dir_all(system.path("lib/modules")).unwrap());
    assert!(
        error.to_string().contains("install a kernel package"),
        "{error}"
    );
}

#[test]
fn a_tree_without_tables_is_said() {
    let error = fails(|system| {
        fs::remove_file(system.path(&format!("lib/modules/{RELEASE}/modules.dep"))).unwrap();
    });
    assert!(matches!(error, Error::NoTables(..)), "{error}");
    assert!(
        error.to_string().contains(&format!("depmod {RELEASE}")),
        "{error}"
    );
}

#[test]
fn a_kernel_without_nbd_is_refused() {
    let error = fails(|system| system.table("dep", "kernel/drivers/net/phy/libphy.ko.xz:\n"));
    assert!(error.to_string().contains("nbd"), "{error}");
}

#[test]
fn a_module_that_is_gone_or_broken_is_named() {
    let path = format!("lib/modules/{RELEASE}/kernel/drivers/block/nbd.ko");
    let error = fails(|system| fs::remove_file(system.path(&path)).unwrap());
    assert!(error.to_string().contains("nbd.ko"), "{error}");
    let error = fails(|system| system.write(&path, b"no module"));
    assert!(matches!(error, Error::BadModule { .. }), "{error}");
}

#[test]
fn a_kernel_that_is_gone_unreadable_or_another_is_said() {
    let path = format!("boot/vmlinuz-{RELEASE}");
    let error = fails(|system| fs::remove_file(system.path(&path)).unwrap());
    assert!(matches!(error, Error::NoKernel { .. }), "{error}");
    let error = fails(|system| system.write(&path, b"short"));
    assert!(matches!(error, Error::BadKernel(_)), "{error}");
    let error = fails(|system| system.write(&path, &kernel("5.0")));
    assert!(matches!(error, Error::OtherKernel { .. }), "{error}");
}

#[test]
fn a_program_that_is_not_static_is_refused() {
    let error = fails(|system| fs::remove_file(system.path(stiefel_image::INIT)).unwrap());
    assert!(error.to_string().contains("stiefel-init"), "{error}");
    let error =
        fails(|system| system.write(stiefel_image::INIT, &sections(".interp", b"/ld", &[])));
    assert!(error.to_string().contains("static"), "{error}");
    let error = fails(|system| system.write(stiefel_image::INIT, b"#!/bin/sh\n"));
    assert!(matches!(error, Error::BadInit { .. }), "{error}");
}

#[test]
fn a_release_that_is_a_path_is_refused() {
    let system = System::new();
    for release in ["", "../x", "a/b", ".hidden"] {
        let mut options = system.options();
        options.release = release.into();
        assert!(
            matches!(build(&options), Err(Error::BadRelease(_))),
            "{release}"
        );
        assert!(
            matches!(remove(&options.out, release), Err(Error::BadRelease(_))),
            "{release}"
        );
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_said() {
    let system = System::new();
    // A file in the way, since root may write to any folder.
    system.write("blocked", b"");
    let mut options = system.options();
    options.out = system.path("blocked/images");
    let error = build(&options).unwrap_err();
    assert!(error.to_string().contains("blocked/images"), "{error}");
}

/// Set in the process that has a full file system of its own.
const FULL: &str = "STIEFEL_TEST_FULL_DISK";

/// Runs itself again with a file system of 128 KiB over the folder of images.
#[test]
fn a_full_disk_leaves_the_old_image() {
    let system = System::new();
    if std::env::var_os(FULL).is_some() {
        return fill(&system);
    }
    // Who is root needs no user namespace, and may be where there is none (in a chroot).
    let root = rustix::process::geteuid().is_root();
    let own_root: &[&str] = if root {
        &[]
    } else {
        &["--user", "--map-root-user"]
    };
    let output = Command::new("unshare")
        .args(own_root)
        .args(["--mount", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_full_disk_leaves_the_old_image", "--nocapture"])
        .env(FULL, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

fn fill(system: &System) {
    let out = system.options().out;
    fs::create_dir_all(&out).unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=128k", "none"])
        .arg(&out)
        .status()
        .unwrap();
    assert!(mount.success());
    let before: Manifest = build(&system.options()).unwrap();

    // 1 MiB that no compression makes smaller.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(1 << 20)
    .collect();
    let mut program = elf(&[], &[]);
    program.extend(noise);
    system.write(stiefel_image::INIT, &program);
    let error = build(&system.options()).unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    assert_eq!(verify(&out, RELEASE).unwrap(), before);
    assert_eq!(
        fs::read_dir(&out).unwrap().count(),
        2,
        "a temporary file is left"
    );
}

#[test]
fn a_watched_build_tells_how_far_it_is_and_one_that_is_broken_off_leaves_nothing() {
    let system = System::new();
    let mut told = vec![];
    build_watched(&system.options(), &mut |share| {
        told.push(share);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(
        told.is_sorted() && told[0] == 0.0 && *told.last().unwrap() == 1.0,
        "{told:?}"
    );
    let files = || {
        let folder = fs::read_dir(system.options().out).unwrap();
        let mut names: Vec<_> = folder.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    for stop in 0..told.len() {
        let mut calls = 0;
        let result = build_watched(&system.options(), &mut |_| {
            calls += 1;
            match calls > stop {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        assert!(matches!(result, Err(Error::BrokenOff)), "{stop}");
        assert_eq!(files(), before);
    }
}
