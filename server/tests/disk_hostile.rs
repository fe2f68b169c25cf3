//! Thousands of clients with bad intentions, one after the other, beside a good one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod disk_support;

use std::io::{Read, Write};
use std::net::SocketAddr;

use disk_support::client::Client;
use disk_support::simulated::Simulated;
use disk_support::{Dice, serve};
use stiefel_core::nbd::negotiation::option;
use stiefel_core::nbd::transmission::Request;
use stiefel_core::nbd::transmission::command::{FLUSH, READ, WRITE};

const CONNECTIONS: u32 = 10_000;
/// So many have come when memory is looked at for the first time.
const WARM_UP: u32 = 1_000;
/// What may come and go with the threads. A session that left its smallest buffer behind would
/// be at a hundred times as much.
const FLAT_BYTES: u64 = 8 << 20;
const SIZE: usize = 1 << 20;

#[test]
fn ten_thousand_hostile_connections_leave_memory_flat_and_a_good_client_served() {
    let sim = Simulated::new(SIZE);
    let (server, address) = serve(sim.disk());
    let mut good = Client::open(address, "disk/0");
    let mut dice = Dice(0xbad);
    let mut before = 0;
    for number in 0..CONNECTIONS {
        if number == WARM_UP {
            before = resident_bytes();
        }
        annoy(address, &mut dice);
        if number % 10 == 0 {
            let content = number.to_be_bytes().repeat(128);
            assert_eq!(good.call(WRITE, 0, 4096, 512, &content).error, 0);
            assert!(good.call(READ, 0, 4096, 512, &[]).bytes(0) == content);
        }
    }
    assert_eq!(good.call(FLUSH, 0, 0, 0, &[]).error, 0);
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < FLAT_BYTES, "{grown} bytes more");
    server.close();
}

/// One hostile connection. It may find the house full, or be hung up on at any time.
fn annoy(address: SocketAddr, dice: &mut Dice) {
    let mut client = Client::dial(address);
    let flags = 3u32.to_be_bytes();
    let bytes = match dice.below(7) {
        // Comes and goes.
        0 => vec![],
        // Speaks something else.
        1 => {
            let length = dice.below(2000) as usize;
            dice.bytes(length)
        }
        // Stops in the middle of an option.
        2 => [&flags[..], b"IHAVEOPT", &[0, 0]].concat(),
        // Promises an option of four gigabytes.
        3 => [&flags[..], &head(option::GO, u32::MAX)].concat(),
        // Sends options for ever.
        4 => {
            let list = head(option::LIST, 0);
            [&flags[..], &list.repeat(50)].concat()
        }
        // Opens the disk, promises a long payload and leaves.
        5 => [
            &flags[..],
            &go(),
            &request(WRITE, 0, SIZE as u32),
            &[0; 100],
        ]
        .concat(),
        // Asks for much and reads nothing of it.
        _ => [&flags[..], &go(), &request(READ, 0, SIZE as u32).repeat(8)].concat(),
    };
    let _ = client.stream.write_all(&bytes);
    // Who leaves with the greeting unread is cut off before anything is looked at. Most
    // stay until the greeting and the first answer have come.
    if dice.below(4) > 0 {
        let _ = client.stream.shutdown(std::net::Shutdown::Write);
        let _ = client.stream.read_exact(&mut [0; 18 + 20]);
    }
}

fn head(option: u32, length: u32) -> Vec<u8> {
    [
        &b"IHAVEOPT"[..],
        &option.to_be_bytes(),
        &length.to_be_bytes(),
    ]
    .concat()
}

fn go() -> Vec<u8> {
    [&head(option::GO, 10)[..], &[0, 0, 0, 4], b"disk", &[0, 0]].concat()
}

fn request(command: u16, offset: u64, length: u32) -> Vec<u8> {
    let request = Request {
        flags: 0,
        command,
        cookie: 1,
        offset,
        length,
    };
    request.encode().to_vec()
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
