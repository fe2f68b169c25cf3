//! Who waits for whom: nobody for a client that does not read its replies, and on one
//! connection nothing for what has to become durable.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod disk_support;

use std::sync::Arc;

use disk_support::client::Client;
use disk_support::gate::{Diary, Entry};
use disk_support::simulated::{Kind, Simulated};
use disk_support::{serve, serve_with};
use socket2::SockRef;
use stiefel_core::nbd::transmission::command::{BLOCK_STATUS, FLUSH, READ, TRIM, WRITE};
use stiefel_core::nbd::transmission::command_flag::FUA;

const BLOCK: u32 = 512;
const SIZE: usize = 1 << 20;
/// The longest reads that the shared threads do.
const LONG: u32 = 60 << 10;

#[test]
fn what_has_to_become_durable_holds_up_nothing_else_of_its_connection() {
    let sim = Simulated::new(SIZE);
    let (server, address) = serve(sim.disk());
    let mut client = Client::open(address, "disk/0");
    sim.hold(Kind::Sync);
    let long = vec![7; 200 << 10];
    let mut durable = vec![
        client.send(WRITE, FUA, 0, BLOCK, &[7; BLOCK as usize]),
        client.send(WRITE, FUA, 4096, 200 << 10, &long),
        client.send(FLUSH, 0, 0, 0, &[]),
    ];
    sim.wait_for_held(1);
    assert_eq!(
        client.call(READ, 0, 0, BLOCK, &[]).bytes(0),
        [7; BLOCK as usize]
    );
    assert_eq!(client.call(WRITE, 0, 512, BLOCK, &[8; 512]).error, 0);
    // Nor, once it has been answered, is anything of it lost.
    sim.release();
    while !durable.is_empty() {
        let reply = client.receive(|_| 0);
        assert_eq!(reply.error, 0);
        durable.retain(|cookie| *cookie != reply.cookie);
    }
    assert!(sim.after_power_loss()[4096..][..long.len()] == long);
    server.close();
}

#[test]
fn clients_that_never_read_hold_up_nobody_else() {
    let sim = Simulated::new(SIZE);
    sim.chill();
    let diary = Arc::new(Diary::default());
    let (server, address) = serve_with(sim.disk(), diary.clone());
    let mut hostile: Vec<Client> = (0..4)
        .map(|_| {
            let client = Client::open_structured(address, "disk");
            SockRef::from(&client.stream)
                .set_recv_buffer_size(4096)
                .unwrap();
            client
        })
        .collect();
    // More than all buffers between us take, and more than the server works on for one client.
    for client in &mut hostile {
        for _ in 0..400 {
            client.send(READ, 0, 0, LONG, &[]);
        }
    }
    for _ in 0..100 {
        for client in &mut hostile {
            client.send(FLUSH, 0, 0, 0, &[]);
            client.send(TRIM, FUA, 0, BLOCK, &[]);
            client.send(BLOCK_STATUS, 0, 0, BLOCK, &[]);
        }
    }
    let mut good = Client::open(address, "disk");
    for round in 0..50 {
        assert_eq!(good.call(READ, 0, 0, LONG, &[]).error, 0);
        assert_eq!(good.call(WRITE, FUA, 0, BLOCK, &[round; 512]).error, 0);
        assert_eq!(good.call(FLUSH, 0, 0, 0, &[]).error, 0);
    }
    // Not because the others were thrown out.
    let ended = |entry: &Entry| matches!(entry, Entry::Closed(_));
    assert!(!diary.entries().iter().any(ended), "{:?}", diary.entries());
    server.close();
    assert_eq!(
        diary.entries().iter().filter(|entry| ended(entry)).count(),
        5
    );
}

#[test]
fn a_client_that_reads_late_gets_everything_in_one_piece_each() {
    let sim = Simulated::new(SIZE);
    sim.chill();
    let (server, address) = serve(sim.disk());
    let mut client = Client::open(address, "disk");
    let content: Vec<u8> = (0..LONG).map(|at| (at % 251) as u8).collect();
    assert_eq!(
        client
            .call(WRITE, 0, 0, LONG, &content[..LONG as usize])
            .error,
        0
    );
    let mut reads: Vec<u64> = Vec::new();
    let mut flushes: Vec<u64> = Vec::new();
    for _ in 0..300 {
        reads.push(client.send(READ, 0, 0, LONG, &[]));
        flushes.push(client.send(FLUSH, 0, 0, 0, &[]));
    }
    for _ in 0..600 {
        let reply = client.receive(|cookie| if reads.contains(&cookie) { LONG } else { 0 });
        assert_eq!(reply.error, 0);
        if reads.contains(&reply.cookie) {
            assert!(reply.bytes(0) == content);
        }
        reads.retain(|cookie| *cookie != reply.cookie);
        flushes.retain(|cookie| *cookie != reply.cookie);
    }
    assert!(reads.is_empty() && flushes.is_empty());
    server.close();
}
