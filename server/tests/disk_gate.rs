//! Who is let in, and what the gate is told of their end.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod disk_support;

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use disk_support::client::Client;
use disk_support::gate::{Diary, Entry};
use disk_support::serve_with;
use disk_support::simulated::{Act, Kind, Simulated};
use stiefel_core::nbd::negotiation::{option, reply};
use stiefel_core::nbd::transmission::command::{DISC, FLUSH, READ, WRITE};

const BLOCK: u32 = 512;

#[test]
fn only_who_opens_is_asked_for_and_each_end_is_told_once() {
    let diary = Arc::new(Diary::default());
    let (server, address) = serve_with(Simulated::new(1 << 20).disk(), diary.clone());
    let mut asks = Client::connect(address);
    asks.ask(option::LIST, &[]);
    asks.ask(option::INFO, b"\0\0\0\x04disk\0\0");
    asks.ask(option::ABORT, &[]);
    asks.is_hung_up();

    let mut polite = Client::open(address, "disk/0");
    polite.send(DISC, 0, 0, 0, &[]);
    assert_eq!(diary.wait_for(2), [Entry::Opened(2), Entry::Closed(2)]);

    let vanishes = Client::open(address, "disk/1");
    drop(vanishes);
    assert_eq!(diary.wait_for(4)[2..], [Entry::Opened(3), Entry::Closed(3)]);

    let mut wrong = Client::open(address, "disk");
    wrong.write(&[0; 28]);
    assert_eq!(diary.wait_for(6)[4..], [Entry::Opened(4), Entry::Closed(4)]);
    server.close();
    assert_eq!(diary.entries().len(), 6);
}

#[test]
fn who_is_denied_may_ask_again_on_a_new_connection() {
    let diary = Arc::new(Diary::default());
    let (server, address) = serve_with(Simulated::new(1 << 20).disk(), diary.clone());
    diary.shut.store(true, Ordering::SeqCst);
    let mut client = Client::connect(address);
    assert_eq!(
        client.go("disk").unwrap_err(),
        (reply::ERR_POLICY, "lent to desktop".into())
    );
    client.is_hung_up();
    let mut client = Client::connect(address);
    client.send_option(option::EXPORT_NAME, b"disk");
    client.is_hung_up();
    diary.shut.store(false, Ordering::SeqCst);
    Client::open(address, "disk");
    server.close();
    let expected = [
        Entry::Denied(1),
        Entry::Denied(2),
        Entry::Opened(3),
        Entry::Closed(3),
    ];
    assert_eq!(diary.entries(), expected);
}

#[test]
fn hanging_up_does_not_wait_but_the_gate_is_told_after_the_drain() {
    let sim = Simulated::new(1 << 20);
    let diary = Arc::new(Diary::default());
    let (server, address) = serve_with(sim.disk(), diary.clone());
    let mut idle = Client::open(address, "disk/0");
    let mut busy = Client::open(address, "disk/1");
    let mut negotiates = Client::connect(address);
    sim.hold(Kind::Sync);
    busy.send(WRITE, 0, 0, BLOCK, &[1; 512]);
    busy.send(FLUSH, 0, 0, 0, &[]);
    sim.wait_for_held(1);

    server.hang_up();
    idle.is_hung_up();
    busy.is_hung_up();
    negotiates.is_hung_up();
    assert_eq!(diary.wait_for(3)[2], Entry::Closed(1));
    assert_eq!(
        diary.entries().len(),
        3,
        "a session with a flush under way was reported closed"
    );
    sim.release();
    assert_eq!(diary.wait_for(4)[3], Entry::Closed(2));
    server.close();
    assert!(
        TcpStream::connect(address).is_err(),
        "somebody still listens"
    );
}

#[test]
fn a_waiting_successor_is_sent_away_when_the_server_hangs_up() {
    let sim = Simulated::new(1 << 20);
    let diary = Arc::new(Diary::default());
    let (server, address) = serve_with(sim.disk(), diary.clone());
    let mut old = Client::open(address, "disk/0");
    sim.hold(Kind::Write);
    old.send(WRITE, 0, 0, BLOCK, &[1; 512]);
    sim.wait_for_held(1);
    let mut new = Client::connect(address);
    new.send_go("disk/0");
    old.is_hung_up();
    server.hang_up();
    new.is_hung_up();
    sim.release();
    server.close();
    let mut entries = diary.entries()[2..].to_vec();
    entries.sort_by_key(|entry| format!("{entry:?}"));
    assert_eq!(entries, [Entry::Closed(1), Entry::Closed(2)]);
}

#[test]
fn a_new_server_takes_the_disk_over_and_waits_for_the_old_ones() {
    let sim = Simulated::new(1 << 20);
    let disk = sim.disk();
    let diary = Arc::new(Diary::default());
    let (first, address) = serve_with(disk.clone(), diary.clone());
    let mut old = Client::open(address, "disk/0");
    sim.hold(Kind::Write);
    old.send(WRITE, 0, 0, BLOCK, &[1; 512]);
    sim.wait_for_held(1);
    old.send(WRITE, 0, 8192, BLOCK, &[2; 512]);

    // One in between that nobody uses, and neither slots nor gates in common.
    let (second, _) = serve_with(disk.clone(), Arc::new(Diary::default()));
    let (third, address) = serve_with(disk, diary.clone());
    old.is_hung_up();
    // Dropping does not wait, or this would hang.
    drop((first, second));
    let mut new = Client::connect(address);
    new.send_go("disk/5");
    diary.wait_for(2);
    assert!(
        new.is_silent(),
        "GO was answered before the old server was drained"
    );
    sim.release();
    new.went().unwrap();
    assert_eq!(diary.entries().len(), 3);
    third.close();
    assert_eq!(
        sim.acts(),
        [Act::Wrote {
            offset: 0,
            first: 1
        }]
    );
}

#[test]
fn what_is_done_is_counted() {
    let (server, address) = serve_with(Simulated::new(1 << 20).disk(), Arc::new(Diary::default()));
    let mut client = Client::open(address, "disk");
    client.call(WRITE, 0, 0, 1024, &[1; 1024]);
    client.call(READ, 0, 0, BLOCK, &[]);
    client.call(FLUSH, 0, 0, 0, &[]);
    client.call(READ, 0, 1, BLOCK, &[]);
    let stats = server.stats();
    assert_eq!((stats.sessions, stats.requests, stats.errors), (1, 4, 1));
    assert_eq!(
        (stats.read_bytes, stats.written_bytes, stats.flushes),
        (512, 1024, 1)
    );
    server.close();
}
