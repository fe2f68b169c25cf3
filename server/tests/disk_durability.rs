//! What was flushed survives, on a disk that keeps nothing else.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod disk_support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;

use disk_support::client::Client;
use disk_support::simulated::{Kind, Simulated};
use disk_support::{Dice, serve};
use stiefel_core::nbd::transmission::WireError;
use stiefel_core::nbd::transmission::command::{FLUSH, TRIM, WRITE, WRITE_ZEROES};
use stiefel_core::nbd::transmission::command_flag::FUA;

const BLOCK: u32 = 512;
const BLOCKS: u64 = 600;
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

/// What a client knows of a block: the turns of the last write that is surely durable, of
/// the last one that was answered, and of the last one that was sent.
#[derive(Clone, Copy, Default)]
struct Known {
    durable: u32,
    answered: u32,
    sent: u32,
    /// It may still be answered.
    under_way: bool,
}

/// A request that was not answered yet.
enum Pending {
    Write {
        turn: u32,
        blocks: Range<usize>,
        fua: bool,
    },
    /// What was answered when it was sent.
    Flush { answered: Vec<u32> },
}

/// Several connections with requests under way on each, and what may be found on the disk.
struct Workload {
    address: SocketAddr,
    dice: Dice,
    known: Vec<Known>,
    connections: Vec<(Client, HashMap<u64, Pending>)>,
}

impl Workload {
    fn open(&self, slot: usize) -> Client {
        Client::open(self.address, &format!("disk/{slot}"))
    }

    /// Sends something on one of the connections, or makes it anew.
    fn act(&mut self, turn: u32) {
        let at = self.dice.below(self.connections.len() as u64) as usize;
        match self.dice.below(24) {
            0 => {
                // Whether what was under way has been done is not known, but it is over.
                let lost = std::mem::take(&mut self.connections[at].1);
                self.connections[at].0 = self.open(at);
                for pending in lost.into_values() {
                    if let Pending::Write { blocks, .. } = pending {
                        for known in &mut self.known[blocks] {
                            known.under_way = false;
                        }
                    }
                }
            }
            1..=4 => {
                let answered = self.known.iter().map(|known| known.answered).collect();
                let (client, pending) = &mut self.connections[at];
                let cookie = client.send(FLUSH, 0, 0, 0, &[]);
                pending.insert(cookie, Pending::Flush { answered });
            }
            kind => self.write(at, turn, kind < 9),
        }
    }

    /// Writes some blocks, none of which is being written already.
    fn write(&mut self, at: usize, turn: u32, fua: bool) {
        let length = match self.dice.below(3) {
            0 => 1,
            1 => 1 + self.dice.below(32),
            // These come in several pieces.
            _ => 128 + self.dice.below(300),
        };
        let first = self.dice.below(BLOCKS - length) as usize;
        let blocks = first..first + length as usize;
        let mut known = self.known[blocks.clone()].iter();
        if known.any(|known| known.under_way) {
            return;
        }
        for known in &mut self.known[blocks.clone()] {
            known.sent = turn;
            known.under_way = true;
        }
        let payload = turn
            .to_be_bytes()
            .repeat(length as usize * BLOCK as usize / 4);
        let (client, pending) = &mut self.connections[at];
        let offset = first as u64 * u64::from(BLOCK);
        let flags = if fua { FUA } else { 0 };
        let cookie = client.send(WRITE, flags, offset, payload.len() as u32, &payload);
        pending.insert(cookie, Pending::Write { turn, blocks, fua });
    }

    /// Takes an answer on one of the connections, if one is due.
    fn hear(&mut self) {
        let at = self.dice.below(self.connections.len() as u64) as usize;
        let (client, pending) = &mut self.connections[at];
        if pending.is_empty() {
            return;
        }
        let reply = client.receive(|_| 0);
        assert_eq!(reply.error, 0);
        match pending.remove(&reply.cookie).unwrap() {
            Pending::Write { turn, blocks, fua } => {
                for known in &mut self.known[blocks] {
                    known.answered = turn;
                    known.under_way = false;
                    if fua {
                        known.durable = turn;
                    }
                }
            }
            Pending::Flush { answered } => {
                for (known, answered) in self.known.iter_mut().zip(answered) {
                    known.durable = known.durable.max(answered);
                }
            }
        }
    }

    /// How many blocks hold something else than they may.
    fn losses(&self, left: &[u8]) -> usize {
        let found = left
            .chunks_exact(BLOCK as usize)
            .map(|block| u32::from_be_bytes(block[..4].try_into().unwrap()));
        // What was written later may have become durable by itself.
        let lost = found
            .zip(&self.known)
            .filter(|(found, known)| !(known.durable..=known.sent).contains(found));
        lost.count()
    }
}

/// A random workload of writes with and without FUA, of flushes and of reconnects; the power
/// may fail at any moment. Returns how many blocks were ever lost.
fn losses(sim: &Simulated, connections: usize, seed: u64) -> usize {
    let (server, address) = serve(sim.disk());
    let mut workload = Workload {
        address,
        dice: Dice(seed),
        known: vec![Known::default(); BLOCKS as usize],
        connections: Vec::new(),
    };
    for slot in 0..connections {
        let client = workload.open(slot);
        workload.connections.push((client, HashMap::new()));
    }
    let mut lost = 0;
    for turn in 1..=800 {
        workload.act(turn);
        if workload.dice.below(3) > 0 {
            workload.hear();
        }
        lost += workload.losses(&sim.after_power_loss());
    }
    drop(workload);
    server.close();
    lost
}

const SIZE: usize = BLOCKS as usize * BLOCK as usize;

#[test]
fn nothing_that_was_flushed_is_ever_lost() {
    for connections in [1, 4] {
        for seed in 1..=4 {
            let lost = losses(&Simulated::new(SIZE), connections, seed);
            assert_eq!(lost, 0, "{connections} connections, seed {seed}");
        }
    }
}

#[test]
fn the_search_for_losses_finds_a_flush_that_does_nothing() {
    for connections in [1, 4] {
        let sim = Simulated::new(SIZE);
        sim.lie();
        assert_ne!(losses(&sim, connections, 1), 0);
    }
}
