//! The service on real image files: the paths through the page cache, pipes and holes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod disk_support;

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use disk_support::client::Client;
use disk_support::{Dice, serve};
use stiefel_core::nbd::negotiation::option;
use stiefel_core::nbd::transmission::command::*;
use stiefel_core::nbd::transmission::command_flag::{DF, FAST_ZERO, FUA, NO_HOLE};
use stiefel_core::nbd::transmission::{Request, WireError};
use stiefel_server::disk::{Access, Disk, Server};
use tempfile::TempDir;

const BLOCK: u64 = 512;

struct Image {
    _folder: TempDir,
    path: PathBuf,
    server: Server,
    address: SocketAddr,
}

fn image(content: &[u8]) -> Image {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.img");
    std::fs::write(&path, content).unwrap();
    let (server, address) = serve(Disk::open(&path, Access::ReadWrite).unwrap());
    Image {
        _folder: folder,
        path,
        server,
        address,
    }
}

fn open(address: SocketAddr, structured: bool) -> Client {
    if structured {
        Client::open_structured(address, "disk")
    } else {
        Client::open(address, "disk")
    }
}

/// A length as they occur: mostly small, some beyond what is spliced, a few huge.
fn length(dice: &mut Dice, most: u64) -> u64 {
    let blocks = match dice.below(10) {
        0..=5 => 1 + dice.below(16),
        6 | 7 => 100 + dice.below(60),
        8 => 1 + dice.below(1000),
        _ => 2000 + dice.below(4000),
    };
    (blocks * BLOCK).min(most)
}

/// Rounds of requests that do not overlap, all sent before the first answer is read.
fn random_work(structured: bool, seed: u64) {
    const SIZE: u64 = 16 << 20;
    let mut dice = Dice(seed);
    let mut model = dice.bytes(SIZE as usize);
    let Image {
        _folder,
        path,
        server,
        address,
    } = image(&model);
    let mut client = open(address, structured);
    for _ in 0..12 {
        let mut expected: HashMap<u64, (u64, Vec<u8>)> = HashMap::new();
        let mut at = dice.below(64) * BLOCK;
        let mut sender = client.stream.try_clone().unwrap();
        let mut requests = Vec::new();
        while at < SIZE {
            let length = length(&mut dice, SIZE - at);
            let range = at as usize..(at + length) as usize;
            let cookie = dice.roll();
            let (command, flags, payload) = match dice.below(8) {
                0..=3 => {
                    expected.insert(cookie, (at, model[range].to_vec()));
                    (READ, 0, vec![])
                }
                4..=6 => {
                    let payload = dice.bytes(length as usize);
                    model[range].copy_from_slice(&payload);
                    (WRITE, if dice.below(8) == 0 { FUA } else { 0 }, payload)
                }
                _ => {
                    model[range].fill(0);
                    let kinds = [
                        (WRITE_ZEROES, 0),
                        (WRITE_ZEROES, NO_HOLE),
                        (TRIM, 0),
                        (WRITE_ZEROES, FAST_ZERO),
                    ];
                    let (command, flags) = kinds[dice.below(4) as usize];
                    (command, flags, vec![])
                }
            };
            expected.entry(cookie).or_insert((at, vec![]));
            requests.push((command, flags, cookie, at, length as u32, payload));
            at += length + dice.below(200) * BLOCK;
        }
        let writer = std::thread::spawn(move || {
            for (command, flags, cookie, offset, length, payload) in requests {
                let request = Request {
                    flags,
                    command,
                    cookie,
                    offset,
                    length,
                };
                sender
                    .write_all(&[&request.encode(), &payload[..]].concat())
                    .unwrap();
            }
        });
        while !expected.is_empty() {
            let reply = client.receive(|cookie| expected[&cookie].1.len() as u32);
            let (offset, data) = expected.remove(&reply.cookie).unwrap();
            assert_eq!(reply.error, 0);
            assert!(
                reply.bytes(offset) == data,
                "{} bytes at {offset} are wrong",
                data.len()
            );
        }
        writer.join().unwrap();
    }
    server.close();
    assert!(std::fs::read(&path).unwrap() == model);
}

#[test]
fn random_work_with_simple_replies() {
    random_work(false, 11);
}

#[test]
fn random_work_with_chunks() {
    random_work(true, 12);
}

#[test]
fn the_longest_reads_and_writes() {
    const LONGEST: u32 = 32 << 20;
    let content = Dice(5).bytes(LONGEST as usize);
    let Image {
        _folder,
        path,
        server,
        address,
    } = image(&vec![0; LONGEST as usize + 1024]);
    for structured in [false, true] {
        let mut client = open(address, structured);
        for offset in [0, 512] {
            assert_eq!(client.call(WRITE, FUA, offset, LONGEST, &content).error, 0);
            let reply = client.call(READ, 0, offset, LONGEST, &[]);
            assert!(reply.bytes(offset) == content);
            if structured {
                assert!(reply.data.len() > 1);
                let whole = client.call(READ, DF, offset, LONGEST, &[]);
                assert_eq!(whole.data.len(), 1, "a reply that must not be split was");
                assert!(whole.bytes(offset) == content);
            }
        }
    }
    server.close();
    assert!(std::fs::read(&path).unwrap()[512..][..LONGEST as usize] == content);
}

#[test]
fn an_image_that_shrinks_gives_errors_and_stays_in_step() {
    const SIZE: usize = 8 << 20;
    let content = Dice(6).bytes(SIZE);
    let Image {
        _folder,
        path,
        server,
        address,
    } = image(&content);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(3 << 20)
        .unwrap();
    for structured in [false, true] {
        let mut client = open(address, structured);
        for (offset, length) in [
            (4 << 20, 512),
            (4 << 20, 64 << 10),
            (5 << 20, 3 << 20),
            (0, 8 << 20),
        ] {
            let reply = client.call(READ, 0, offset, length, &[]);
            assert!(
                reply.is(WireError::Io),
                "{offset} {length}: {} {:?}",
                reply.error,
                reply.error_offset
            );
            if structured && offset == 0 {
                // What comes before the damage has been sent, and it is told where it begins.
                let at = reply.error_offset.unwrap();
                assert!(at <= 3 << 20);
                assert!(reply.bytes(0)[..] == content[..at as usize]);
                assert!(client.call(READ, DF, 0, 8 << 20, &[]).is(WireError::Io));
            }
            assert!(
                client.call(READ, 0, 1 << 20, 1 << 20, &[]).bytes(1 << 20)
                    == content[1 << 20..2 << 20]
            );
        }
    }
    server.close();
}

#[test]
fn holes_are_told_made_and_filled() {
    const SIZE: usize = 4 << 20;
    let Image {
        _folder,
        path,
        server,
        address,
    } = image(&vec![1; SIZE]);
    let mut client = Client::connect(address);
    client.agree_on_chunks();
    client.ask(
        option::SET_META_CONTEXT,
        b"\0\0\0\x04disk\0\0\0\x01\0\0\0\x0fbase:allocation",
    );
    client.go("disk").unwrap();
    let status = |client: &mut Client| client.call(BLOCK_STATUS, 0, 0, SIZE as u32, &[]).extents;
    let allocated = || path.metadata().unwrap().blocks() * 512;

    assert_eq!(status(&mut client), [(SIZE as u32, 0)]);
    assert_eq!(client.call(TRIM, 0, 1 << 20, 1 << 20, &[]).error, 0);
    assert_eq!(
        client
            .call(WRITE_ZEROES, FAST_ZERO, 2 << 20, 1 << 20, &[])
            .error,
        0
    );
    assert_eq!(
        status(&mut client),
        [(1 << 20, 0), (2 << 20, 3), (1 << 20, 0)]
    );
    assert!(allocated() <= 2 << 20);
    assert_eq!(
        client
            .call(WRITE_ZEROES, NO_HOLE, 1 << 20, 2 << 20, &[])
            .error,
        0
    );
    assert!(
        allocated() >= SIZE as u64,
        "space that was to be kept was not"
    );
    let mut expected = vec![1; SIZE];
    expected[1 << 20..3 << 20].fill(0);
    assert!(client.call(READ, 0, 0, SIZE as u32, &[]).bytes(0) == expected);
    assert_eq!(client.call(CACHE, 0, 0, SIZE as u32, &[]).error, 0);
    server.close();
    assert_eq!(path.metadata().unwrap().len(), SIZE as u64);
}

#[test]
fn everything_that_was_written_is_seen_by_all_connections_at_once() {
    let Image {
        _folder,
        path,
        server,
        address,
    } = image(&vec![0; 1 << 20]);
    let mut clients: Vec<Client> = (0..4)
        .map(|slot| Client::open(address, &format!("disk/{slot}")))
        .collect();
    let mut dice = Dice(8);
    for turn in 1..500u32 {
        let (writer, reader) = (dice.below(4) as usize, dice.below(4) as usize);
        let payload = turn.to_be_bytes().repeat(128);
        let offset = dice.below(2048) * BLOCK;
        assert_eq!(
            clients[writer].call(WRITE, 0, offset, 512, &payload).error,
            0
        );
        assert_eq!(
            clients[reader]
                .call(READ, 0, offset, 512, &[])
                .bytes(offset),
            payload
        );
        let mut found = [0; 512];
        File::open(&path)
            .unwrap()
            .read_exact_at(&mut found, offset)
            .unwrap();
        assert_eq!(found[..], payload);
    }
    server.close();
}

/// A disk full: nothing is written beyond what has room, the client is told, and the
/// stream stays in step.
#[test]
fn a_full_file_system_gives_enospc_in_step() {
    let place = Tmpfs::new("size=4m");
    let path = place.0.path().join("disk.img");
    File::create(&path).unwrap().set_len(16 << 20).unwrap();
    let (server, address) = serve(Disk::open(&path, Access::ReadWrite).unwrap());
    let mut client = open(address, false);
    let content = Dice(11).bytes(8 << 20);
    for length in [8 << 20, 64 << 10, 4096] {
        for flags in [0, FUA] {
            let reply = client.call(WRITE, flags, 8 << 20, length, &content[..length as usize]);
            // What is in memory already has room for ever.
            assert!(
                reply.is(WireError::NoSpace) || length < 1 << 20,
                "{length}: {}",
                reply.error
            );
        }
    }
    let reply = client.call(WRITE, 0, 0, 4096, &content[..4096]);
    assert!(reply.is(WireError::NoSpace));
    assert!(client.call(READ, 0, 0, 1 << 20, &[]).bytes(0) == vec![0; 1 << 20]);
    // Room comes back, and with it everything works as before.
    assert_eq!(client.call(TRIM, 0, 8 << 20, 8 << 20, &[]).error, 0);
    assert_eq!(
        client
            .call(WRITE, FUA, 512, 1 << 20, &content[..1 << 20])
            .error,
        0
    );
    assert!(client.call(READ, 0, 512, 1 << 20, &[]).bytes(512) == content[..1 << 20]);
    assert_eq!(client.call(FLUSH, 0, 0, 0, &[]).error, 0);
    server.close();
}

/// A small file system in memory (needs root), gone when dropped.
struct Tmpfs(TempDir);

impl Tmpfs {
    fn new(options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let status = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(status.success(), "mount needs root");
        Self(folder)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("--lazy")
            .arg(self.0.path())
            .status();
    }
}

/// Holes cost nothing to read, and are never told where there is data.
#[test]
fn holes_are_read_as_holes() {
    const SIZE: u64 = 4 << 20;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.img");
    let file = File::create(&path).unwrap();
    file.set_len(SIZE).unwrap();
    let (server, address) = serve(Disk::open(&path, Access::ReadWrite).unwrap());
    let mut client = open(address, true);
    let reply = client.call(READ, 0, 0, SIZE as u32, &[]);
    assert_eq!((reply.holes, reply.data.len()), (1, 1));
    assert!(reply.bytes(0) == vec![0; SIZE as usize]);
    // Whole is whole: then nothing is in chunks.
    assert_eq!(client.call(READ, DF, 0, SIZE as u32, &[]).holes, 0);

    let mut model = vec![0; SIZE as usize];
    let mut dice = Dice(5);
    for _ in 0..40 {
        let length = (1 + dice.below(100)) * BLOCK;
        let offset = dice.below((SIZE - length) / BLOCK) * BLOCK;
        let place = offset as usize..(offset + length) as usize;
        if dice.below(3) == 0 {
            model[place].fill(0);
            assert_eq!(client.call(TRIM, 0, offset, length as u32, &[]).error, 0);
        } else {
            let payload = dice.bytes(length as usize);
            model[place].copy_from_slice(&payload);
            let reply = client.call(WRITE, 0, offset, length as u32, &payload);
            assert_eq!(reply.error, 0);
        }
        let length = (128 + dice.below(1000)) * BLOCK;
        let offset = dice.below((SIZE - length) / BLOCK) * BLOCK;
        let reply = client.call(READ, 0, offset, length as u32, &[]);
        assert!(reply.bytes(offset) == model[offset as usize..][..length as usize]);
    }
    server.close();
}

/// A payload in pieces of all sizes, with what follows right behind it.
#[test]
fn large_writes_arrive_in_any_pieces() {
    const SIZE: u64 = 4 << 20;
    let mut dice = Dice(21);
    let mut model = vec![0; SIZE as usize];
    let image = image(&model);
    let mut client = open(image.address, false);
    for _ in 0..60 {
        let length = (128 + dice.below(4000)) * BLOCK;
        let offset = dice.below((SIZE - length) / BLOCK) * BLOCK;
        let payload = dice.bytes(length as usize);
        model[offset as usize..][..payload.len()].copy_from_slice(&payload);
        let request = Request {
            flags: 0,
            command: WRITE,
            cookie: 7,
            offset,
            length: length as u32,
        };
        let stream = [&request.encode()[..], &payload].concat();
        let mut left = &stream[..];
        while !left.is_empty() {
            let most = [30, 1000, 5000, 300_000, 3_000_000][dice.below(5) as usize];
            let (piece, rest) = left.split_at(left.len().min(1 + dice.below(most) as usize));
            client.write(piece);
            left = rest;
        }
        assert_eq!(client.receive(|_| 0).error, 0);
    }
    assert!(client.call(READ, 0, 0, SIZE as u32, &[]).bytes(0) == model);
    image.server.close();
    assert!(std::fs::read(&image.path).unwrap() == model);
}

/// Half a payload is in the old session's hands when its successor comes.
#[test]
fn what_a_cut_session_holds_of_a_large_write_is_never_written() {
    const LENGTH: u32 = 4 << 20;
    let image = image(&vec![0; LENGTH as usize]);
    for round in 0..20u8 {
        let mut old = Client::open(image.address, "disk/0");
        let request = Request {
            flags: 0,
            command: WRITE,
            cookie: 7,
            offset: 0,
            length: LENGTH,
        };
        let payload = vec![0xee; LENGTH as usize - 512];
        old.write(&request.encode());
        let mut sender = old.stream.try_clone().unwrap();
        // Ends with an error when the session is cut.
        let sending = std::thread::spawn(move || sender.write_all(&payload));
        let mut new = Client::open(image.address, "disk/0");
        let content = vec![round; LENGTH as usize];
        assert_eq!(new.call(WRITE, 0, 0, LENGTH, &content).error, 0);
        // It may not know yet that nobody listens any more.
        let _ = old.stream.shutdown(std::net::Shutdown::Both);
        let _ = sending.join().unwrap();
        assert!(new.call(READ, 0, 0, LENGTH, &[]).bytes(0) == content);
    }
    image.server.close();
}
