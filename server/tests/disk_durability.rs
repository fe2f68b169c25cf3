//! What was flushed survives, on a disk that keeps nothing else.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod disk_support;

use std::net::SocketAddr;

use disk_support::client::Client;
use disk_support::simulated::{Kind, Simulated};
use disk_support::{Dice, serve};
use stiefel_core::nbd::transmission::WireError;
use stiefel_core::nbd::transmission::command::{FLUSH, TRIM, WRITE, WRITE_ZEROES};
use stiefel_core::nbd::transmission::command_flag::FUA;

const BLOCK: u32 = 512;
const BLOCKS: u64 = 64;
const EIO: i32 = 5;

#[test]
fn flush_on_one_connection_covers_the_writes_of_all() {
    let sim = Simulated::new(1 << 20);
    let (server, address) = serve(sim.disk());
    let mut clients: Vec<Client> = (0..4)
        .map(|slot| Client::open(address, &format!("disk/{slot}")))
        .collect();
    for (number, client) in (0u8..).zip(&mut clients) {
        let offset = u64::from(number) * 512;
        assert_eq!(
            client
                .call(WRITE, 0, offset, BLOCK, &[number + 1; 512])
                .error,
            0
        );
    }
    assert_eq!(sim.after_power_loss()[..2048], [0; 2048]);
    assert_eq!(clients[3].call(FLUSH, 0, 0, 0, &[]).error, 0);
    for number in 0..4u8 {
        assert_eq!(
            sim.after_power_loss()[usize::from(number) * 512],
            number + 1
        );
    }
    server.close();
}

#[test]
fn fua_is_durable_when_it_is_answered() {
    let sim = Simulated::new(1 << 20);
    let (server, address) = serve(sim.disk());
    let mut client = Client::open(address, "disk");
    for length in [BLOCK, 64 << 10, 600 << 10] {
        let payload: Vec<u8> = vec![(length >> 9) as u8; length as usize];
        assert_eq!(client.call(WRITE, FUA, 512, length, &payload).error, 0);
        assert!(sim.after_power_loss()[512..][..length as usize] == payload);
    }
    assert_eq!(client.call(WRITE_ZEROES, FUA, 512, BLOCK, &[]).error, 0);
    assert_eq!(sim.after_power_loss()[512..1024], [0; 512]);
    let syncs = sim.syncs();
    client.call(TRIM, FUA, 0, BLOCK, &[]);
    assert_eq!(sim.syncs(), syncs + 1);
    server.close();
}

#[test]
fn a_failed_flush_stays_failed_on_all_connections() {
    let sim = Simulated::new(1 << 20);
    let disk = sim.disk();
    let (server, address) = serve(disk.clone());
    let mut one = Client::open(address, "disk/0");
    let mut two = Client::open(address, "disk/1");
    assert_eq!(one.call(FLUSH, 0, 0, 0, &[]).error, 0);
    sim.fail(Kind::Sync, EIO);
    assert!(one.call(FLUSH, 0, 0, 0, &[]).is(WireError::Io));
    sim.heal();
    for client in [&mut one, &mut two] {
        assert!(client.call(FLUSH, 0, 0, 0, &[]).is(WireError::Io));
        assert!(
            client
                .call(WRITE, FUA, 0, BLOCK, &[1; 512])
                .is(WireError::Io)
        );
        assert!(
            client
                .call(WRITE_ZEROES, FUA, 0, BLOCK, &[])
                .is(WireError::Io)
        );
        assert_eq!(client.call(WRITE, 0, 0, BLOCK, &[1; 512]).error, 0);
    }
    let mut three = Client::open(address, "disk/0");
    assert!(three.call(FLUSH, 0, 0, 0, &[]).is(WireError::Io));
    server.close();
    disk.flush().unwrap_err();
}

#[test]
fn flushes_that_wait_are_done_together_but_never_by_one_that_began_before() {
    let sim = Simulated::new(1 << 20);
    let (server, address) = serve(sim.disk());
    let mut one = Client::open(address, "disk/0");
    let mut two = Client::open(address, "disk/1");
    sim.hold(Kind::Sync);
    one.send(FLUSH, 0, 0, 0, &[]);
    sim.wait_for_held(1);
    // Written and flushed while a flush is under way: that one may have missed it.
    assert_eq!(two.call(WRITE, 0, 0, BLOCK, &[7; 512]).error, 0);
    for _ in 0..20 {
        two.send(FLUSH, 0, 0, 0, &[]);
    }
    // Answered behind the flushes, so they all were received.
    assert_eq!(two.call(WRITE, 0, 512, BLOCK, &[7; 512]).error, 0);
    sim.release();
    for _ in 0..20 {
        assert_eq!(two.receive(|_| 0).error, 0);
    }
    assert_eq!(one.receive(|_| 0).error, 0);
    assert_eq!(sim.after_power_loss()[0], 7);
    assert_eq!(sim.syncs(), 2);
    server.close();
}

/// What a client knows of a block: the turns of the last write that is surely
/// durable, and of the last one that was answered.
#[derive(Clone, Copy, Default)]
struct Known {
    durable: u32,
    latest: u32,
}

/// A random workload of writes with and without FUA, of flushes and of reconnects;
/// the power may fail after each answer. Returns how many blocks were ever lost.
fn losses(address: SocketAddr, sim: &Simulated, connections: usize, seed: u64) -> usize {
    let mut dice = Dice(seed);
    let mut known = vec![Known::default(); BLOCKS as usize];
    let open = |slot: usize| Client::open(address, &format!("disk/{slot}"));
    let mut clients: Vec<Client> = (0..connections).map(open).collect();
    let mut lost = 0;
    for turn in 1..=2000u32 {
        let slot = dice.below(connections as u64) as usize;
        let client = &mut clients[slot];
        match dice.below(20) {
            0 => clients[slot] = open(slot),
            1..=3 => {
                assert_eq!(client.call(FLUSH, 0, 0, 0, &[]).error, 0);
                for block in &mut known {
                    block.durable = block.latest;
                }
            }
            kind => {
                let block = dice.below(BLOCKS);
                let flags = if kind < 7 { FUA } else { 0 };
                let payload = turn.to_be_bytes().repeat(BLOCK as usize / 4);
                assert_eq!(
                    client
                        .call(WRITE, flags, block * 512, BLOCK, &payload)
                        .error,
                    0
                );
                let known = &mut known[block as usize];
                known.latest = turn;
                if flags == FUA {
                    known.durable = turn;
                }
            }
        }
        let left = sim.after_power_loss();
        for (block, known) in left.chunks_exact(BLOCK as usize).zip(&known) {
            let found = u32::from_be_bytes(block[..4].try_into().unwrap());
            // What was written later may have become durable by itself.
            if !(known.durable..=known.latest).contains(&found) {
                lost += 1;
            }
        }
    }
    lost
}

#[test]
fn nothing_that_was_flushed_is_ever_lost() {
    for connections in [1, 4] {
        for seed in 1..=3 {
            let sim = Simulated::new((BLOCKS * 512) as usize);
            let (server, address) = serve(sim.disk());
            assert_eq!(losses(address, &sim, connections, seed), 0);
            server.close();
        }
    }
}

#[test]
fn the_search_for_losses_finds_a_flush_that_does_nothing() {
    let sim = Simulated::new((BLOCKS * 512) as usize);
    sim.lie();
    let (server, address) = serve(sim.disk());
    assert_ne!(losses(address, &sim, 4, 1), 0);
    server.close();
}
