//! The service on block devices (loop devices; needs root): claims, block sizes, discarding.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod disk_support;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use disk_support::client::Client;
use disk_support::{Dice, serve};
use stiefel_core::nbd::transmission::WireError;
use stiefel_core::nbd::transmission::command::*;
use stiefel_core::nbd::transmission::command_flag::{FAST_ZERO, FUA, NO_HOLE};
use stiefel_server::disk::{Access, Disk, DiskError};
use tempfile::TempDir;

const SIZE: u64 = 16 << 20;

/// A loop device over a file of ours, gone when dropped.
struct Loop {
    folder: TempDir,
    device: PathBuf,
}

impl Loop {
    fn new(block_bytes: u32) -> Self {
        Self::over(tempfile::tempdir().unwrap(), block_bytes, &[])
    }

    /// The file lies in `folder`.
    fn over(folder: TempDir, block_bytes: u32, options: &[&str]) -> Self {
        let image = folder.path().join("disk.img");
        File::create(&image).unwrap().set_len(SIZE).unwrap();
        let mut command = Command::new("losetup");
        command
            .args([
                "--find",
                "--show",
                "--sector-size",
                &block_bytes.to_string(),
            ])
            .args(options)
            .arg(&image);
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "losetup: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let device = String::from_utf8(output.stdout).unwrap().trim().into();
        Self { folder, device }
    }

    /// The file behind the device.
    fn image(&self) -> File {
        let path = self.folder.path().join("disk.img");
        File::options().write(true).open(path).unwrap()
    }

    /// What has reached the file behind the device.
    fn content(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("disk.img")).unwrap()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup")
            .arg("--detach")
            .arg(&self.device)
            .status();
    }
}

fn open(device: &Path, access: Access) -> Result<std::sync::Arc<Disk>, DiskError> {
    Disk::open(device, access)
}

#[test]
fn the_device_tells_its_block_size() {
    for block_bytes in [512, 4096] {
        let device = Loop::new(block_bytes);
        let disk = open(&device.device, Access::ReadWrite).unwrap();
        assert_eq!(disk.export().block_bytes, block_bytes);
        assert_eq!(disk.export().size, SIZE);
        let (server, address) = serve(disk);
        let mut client = Client::open(address, "disk/0");
        let reply = client.call(READ, 0, 512, 512, &[]);
        assert_eq!(reply.is(WireError::Invalid), block_bytes == 4096);
        server.close();
    }
}

#[test]
fn a_device_in_use_is_refused_and_a_served_one_is_claimed() {
    let device = Loop::new(512);
    let disk = open(&device.device, Access::ReadWrite).unwrap();
    assert!(matches!(
        open(&device.device, Access::ReadWrite),
        Err(DiskError::InUse(_))
    ));
    // Reading is possible beside.
    open(&device.device, Access::ReadOnly).unwrap();
    let (server, address) = serve(disk);
    let client = Client::open(address, "disk");
    server.close();
    drop(client);
    // Closing the server gives the claim back.
    open(&device.device, Access::ReadWrite).unwrap();

    let status = Command::new("mkfs.ext4")
        .arg("-q")
        .arg(&device.device)
        .status()
        .unwrap();
    assert!(status.success());
    let place = device.folder.path().join("mounted");
    std::fs::create_dir(&place).unwrap();
    assert!(
        Command::new("mount")
            .arg(&device.device)
            .arg(&place)
            .status()
            .unwrap()
            .success()
    );
    let refused = open(&device.device, Access::ReadWrite);
    assert!(
        Command::new("umount")
            .arg(&place)
            .status()
            .unwrap()
            .success()
    );
    assert!(matches!(refused, Err(DiskError::InUse(_))));
}

#[test]
fn all_commands_work_on_a_device() {
    let device = Loop::new(512);
    let disk = open(&device.device, Access::ReadWrite).unwrap();
    assert!(disk.export().trim, "loop devices discard");
    let (server, address) = serve(disk);
    let mut client = Client::open_structured(address, "disk");
    let content = Dice(3).bytes(4 << 20);
    assert_eq!(client.call(WRITE, 0, 512, 4 << 20, &content).error, 0);
    assert!(client.call(READ, 0, 512, 4 << 20, &[]).bytes(512) == content);
    assert_eq!(client.call(FLUSH, 0, 0, 0, &[]).error, 0);
    assert!(
        device.content()[512..][..4 << 20] == content,
        "FLUSH has not reached what is behind the device"
    );

    assert_eq!(client.call(WRITE, FUA, 0, 512, &[9; 512]).error, 0);
    assert!(
        device.content()[..512] == [9; 512],
        "FUA has not reached what is behind the device"
    );
    assert_eq!(
        client.call(WRITE, FUA, 0, 1 << 20, &vec![8; 1 << 20]).error,
        0
    );
    assert!(device.content()[..1 << 20] == vec![8; 1 << 20]);

    assert_eq!(
        client
            .call(WRITE_ZEROES, NO_HOLE | FUA, 4096, 8192, &[])
            .error,
        0
    );
    assert_eq!(client.call(WRITE_ZEROES, FUA, 65536, 8192, &[]).error, 0);
    assert!(
        client
            .call(WRITE_ZEROES, FAST_ZERO | NO_HOLE, 0, 512, &[])
            .is(WireError::NotSupported)
    );
    assert_eq!(client.call(TRIM, FUA, 1 << 20, 1 << 20, &[]).error, 0);
    assert_eq!(client.call(CACHE, 0, 0, SIZE as u32, &[]).error, 0);
    let mut expected = vec![8; 1 << 20];
    expected[4096..12288].fill(0);
    expected[65536..73728].fill(0);
    assert!(client.call(READ, 0, 0, 1 << 20, &[]).bytes(0) == expected);
    assert!(device.content()[..1 << 20] == expected);
    server.close();
}

/// A file system of a size, mounted on a folder until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(folder: &Path, size: &str) -> Self {
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder)
            .status()
            .unwrap();
        assert!(status.success(), "this test needs root");
        Self(folder.into())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_device_that_cannot_take_what_it_has_promised_fails_flushes_for_ever_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let full = Mounted::tmpfs(folder.path(), "1m");
    let device = Loop::over(folder, 512, &[]);
    let (server, address) = serve(open(&device.device, Access::ReadWrite).unwrap());
    let mut client = Client::open(address, "disk/0");
    let mut other = Client::open(address, "disk/1");
    // The page cache takes it, the device cannot.
    let content = Dice(4).bytes(4 << 20);
    assert_eq!(client.call(WRITE, 0, 0, 4 << 20, &content).error, 0);
    let refused = client.call(FLUSH, 0, 0, 0, &[]);
    assert!(
        refused.is(WireError::Io) || refused.is(WireError::NoSpace),
        "{refused:?}"
    );
    // The kernel tells only once; we do not forget.
    for client in [&mut client, &mut other] {
        assert!(client.call(FLUSH, 0, 0, 0, &[]).is(WireError::Io));
        assert!(client.call(WRITE, FUA, 0, 512, &[1; 512]).is(WireError::Io));
        assert_eq!(client.call(WRITE, 0, 8 << 20, 512, &[2; 512]).error, 0);
        assert_eq!(
            client.call(READ, 0, 8 << 20, 512, &[]).bytes(8 << 20),
            [2; 512]
        );
        assert_eq!(client.call(READ, 0, 12 << 20, 1 << 20, &[]).error, 0);
    }
    server.close();
    drop(device);
    drop(full);
}

#[test]
fn what_a_device_cannot_read_is_an_error_in_step() {
    let folder = tempfile::tempdir().unwrap();
    // With direct I/O, a loop device has no data, and no zeros, behind the end of its file.
    let device = Loop::over(folder, 512, &["--direct-io=on"]);
    let content = Dice(5).bytes(4 << 20);
    std::os::unix::fs::FileExt::write_all_at(&device.image(), &content, 0).unwrap();
    device.image().set_len(4 << 20).unwrap();
    let (server, address) = serve(open(&device.device, Access::ReadWrite).unwrap());
    for structured in [false, true] {
        let mut client = match structured {
            true => Client::open_structured(address, "disk/0"),
            false => Client::open(address, "disk/0"),
        };
        for length in [512, 4096, 60 << 10, 64 << 10, 1 << 20] {
            let reply = client.call(READ, 0, 8 << 20, length, &[]);
            assert!(reply.is(WireError::Io), "{length} bytes: {}", reply.error);
            let good = client.call(READ, 0, 1 << 20, length, &[]);
            assert!(good.bytes(1 << 20) == content[1 << 20..][..length as usize]);
        }
        // The first of it can be read.
        let reply = client.call(READ, 0, (4 << 20) - 65536, 1 << 20, &[]);
        assert!(reply.is(WireError::Io));
        assert_eq!(client.call(WRITE, 0, 0, 512, &content[..512]).error, 0);
    }
    assert_eq!(server.stats().errors, 12);
    server.close();
}
