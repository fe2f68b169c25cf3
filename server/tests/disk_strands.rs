//! Several connections of one kernel: each rule by itself. All of them together, in any order:
//! `disk_walk.rs`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod disk_support;

use std::sync::Arc;

use disk_support::client::Client;
use disk_support::gate::{Diary, Entry};
use disk_support::simulated::{Act, Kind, Simulated};
use disk_support::{serve, serve_with};
use stiefel_core::nbd::strands::{CALL_BYTES, Roll};
use stiefel_core::nbd::transmission::command::{FLUSH, READ, WRITE, WRITE_ZEROES};

const BLOCK: u32 = 512;

/// A request of a queue as the kernel marks it.
fn send(client: &mut Client, queue: u64, command: u16, offset: u64, value: u8) {
    let payload = [value; BLOCK as usize];
    let payload = if command == WRITE { &payload[..] } else { &[] };
    let length = if command == FLUSH { 0 } else { BLOCK };
    client.send_as(1 << 32 | queue << 16, command, 0, offset, length, payload);
}

/// Waits for a call, and says who is alive.
fn answer(watch: &mut Client, newest: u64, alive: &[u64]) {
    let call = watch.bytes(CALL_BYTES);
    let roll = Roll {
        call: u64::from_be_bytes(call.try_into().unwrap()),
        newest,
        alive: alive.to_vec(),
    };
    watch.write(&roll.encode());
}

fn done(client: &mut Client) {
    assert_eq!(client.receive(|_| 0).error, 0);
}

fn wrote(offset: u64, first: u8) -> Act {
    Act::Wrote { offset, first }
}

#[test]
fn at_home_nobody_is_asked() {
    let sim = Simulated::new(1 << 20);
    let (server, address) = serve(sim.disk());
    for queue in 0..4 {
        let mut client = Client::open(address, &format!("disk/{queue}/{}", queue + 1));
        for command in [WRITE, WRITE_ZEROES, READ, FLUSH] {
            send(&mut client, queue, command, 0, 1);
            let length = if command == READ { BLOCK } else { 0 };
            assert_eq!(client.receive(|_| length).error, 0);
        }
    }
    server.close();
}

#[test]
fn what_changes_nothing_is_done_anywhere() {
    let (server, address) = serve(Simulated::new(1 << 20).disk());
    let mut client = Client::open(address, "disk/1/1");
    send(&mut client, 0, READ, 0, 0);
    assert_eq!(client.receive(|_| BLOCK).error, 0);
    send(&mut client, 0, FLUSH, 0, 0);
    done(&mut client);
    server.close();
}

#[test]
fn a_moved_write_waits_until_the_connection_it_left_is_drained() {
    let sim = Simulated::new(1 << 20);
    let (server, address) = serve(sim.disk());
    let mut watch = Client::open(address, "watch");
    let mut left = Client::open(address, "disk/0/1");
    let mut right = Client::open(address, "disk/1/2");
    // One write is in the disk, and behind it lies one that nobody has looked at.
    sim.hold(Kind::Write);
    send(&mut left, 0, WRITE, 0, 1);
    sim.wait_for_held(1);
    send(&mut left, 0, WRITE, 8192, 2);

    send(&mut right, 0, WRITE, 8192, 2);
    answer(&mut watch, 2, &[2]);
    left.is_hung_up();
    assert!(right.is_silent());
    sim.release();
    done(&mut right);
    send(&mut right, 1, WRITE, 8192, 3);
    done(&mut right);
    server.close();
    assert_eq!(sim.acts(), [wrote(0, 1), wrote(8192, 2), wrote(8192, 3)]);
}

#[test]
fn a_write_in_a_connection_that_the_kernel_has_given_up_is_never_done() {
    let sim = Simulated::new(1 << 20);
    let (server, address) = serve(sim.disk());
    let mut watch = Client::open(address, "watch");
    let mut first = Client::open(address, "disk/0/1");
    let mut second = Client::open(address, "disk/1/2");
    // From queue 2 to the first, from there to the second.
    send(&mut second, 2, WRITE, 0, 7);
    answer(&mut watch, 2, &[2]);
    done(&mut second);
    first.is_hung_up();
    // The other way round: it is at home again, and what it has left comes late.
    let mut home = Client::open(address, "disk/2/3");
    send(&mut home, 2, WRITE, 0, 8);
    done(&mut home);
    send(&mut second, 2, WRITE, 0, 7);
    answer(&mut watch, 3, &[3]);
    second.is_hung_up();
    server.close();
    assert_eq!(sim.acts(), [wrote(0, 7), wrote(0, 8)]);
}

#[test]
fn nobody_is_disturbed_by_a_write_that_comes_elsewhere_before_its_own_connection_does() {
    let sim = Simulated::new(1 << 20);
    let (server, address) = serve(sim.disk());
    let mut watch = Client::open(address, "watch");
    let mut clients: Vec<Client> = (0..3)
        .map(|slot| Client::open(address, &format!("disk/{slot}/{}", slot + 1)))
        .collect();
    send(&mut clients[0], 2, WRITE, 0, 1);
    // The last one is younger than all that the answer knows of.
    answer(&mut watch, 2, &[1, 2]);
    done(&mut clients[0]);
    for (queue, client) in (0..).zip(&mut clients) {
        send(client, queue, WRITE, 512, 2);
        done(client);
    }
    assert_eq!(server.stats().moved, 1);
    server.close();
}

#[test]
fn a_write_at_home_waits_for_moved_ones_that_are_under_way() {
    for (command, kind) in [(WRITE, Kind::Write), (WRITE_ZEROES, Kind::Zero)] {
        let sim = Simulated::new(1 << 20);
        let (server, address) = serve(sim.disk());
        let mut watch = Client::open(address, "watch");
        let mut home = Client::open(address, "disk/0/1");
        let mut away = Client::open(address, "disk/1/2");
        sim.hold(kind);
        send(&mut away, 0, command, 0, 1);
        answer(&mut watch, 2, &[1, 2]);
        sim.wait_for_held(1);
        // Now the kernel gives up on that one as well, and sends it home.
        send(&mut home, 0, WRITE, 8192, 1);
        send(&mut home, 0, READ, 0, 0);
        let mut other = Client::open(address, "disk");
        assert_eq!(other.call(READ, 0, 0, BLOCK, &[]).error, 0);
        assert!(home.is_silent());
        assert_eq!(sim.acts(), []);
        sim.release();
        done(&mut home);
        assert_eq!(home.receive(|_| BLOCK).error, 0);
        assert_eq!(sim.acts().last(), Some(&wrote(8192, 1)));
        server.close();
    }
}

#[test]
fn without_a_watch_moved_writes_wait_for_one() {
    let sim = Simulated::new(1 << 20);
    let diary = Arc::new(Diary::default());
    let (server, address) = serve_with(sim.disk(), diary.clone());
    let mut client = Client::open(address, "disk/1/1");
    send(&mut client, 0, WRITE, 0, 1);
    let gone = Client::open(address, "watch");
    drop(gone);
    diary.wait_for(3);
    let mut watch = Client::open(address, "watch");
    // An answer to a question that was not asked yet.
    let early = Roll {
        call: 9,
        newest: 1,
        alive: vec![1],
    };
    watch.write(&early.encode());
    assert!(client.is_silent());
    answer(&mut watch, 1, &[1]);
    done(&mut client);

    let mut younger = Client::open(address, "watch");
    watch.is_hung_up();
    send(&mut client, 0, WRITE, 0, 2);
    answer(&mut younger, 1, &[1]);
    done(&mut client);
    server.close();
}

#[test]
fn who_vanishes_while_it_waits_is_noticed_and_nothing_is_done() {
    let sim = Simulated::new(1 << 20);
    let diary = Arc::new(Diary::default());
    let (server, address) = serve_with(sim.disk(), diary.clone());
    let mut client = Client::open(address, "disk/1/1");
    send(&mut client, 0, WRITE, 0, 1);
    drop(client);
    assert_eq!(diary.wait_for(2), [Entry::Opened(1), Entry::Closed(1)]);
    let mut waiting = Client::open(address, "disk/1/2");
    send(&mut waiting, 0, WRITE, 0, 1);
    server.close();
    assert_eq!(sim.acts(), []);
}
