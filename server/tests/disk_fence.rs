//! The fence: what an old connection has sent never lands on top of what its
//! successor writes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod disk_support;

use std::sync::Arc;

use disk_support::client::Client;
use disk_support::gate::{Diary, Entry};
use disk_support::simulated::{Act, Kind, Simulated};
use disk_support::{serve, serve_with};
use stiefel_core::nbd::negotiation::reply;
use stiefel_core::nbd::transmission::command::{DISC, FLUSH, READ, TRIM, WRITE, WRITE_ZEROES};

const BLOCK: u32 = 512;
const OLD: [u8; BLOCK as usize] = [0x11; BLOCK as usize];
const STALE: [u8; BLOCK as usize] = [0x22; BLOCK as usize];
const NEW: [u8; BLOCK as usize] = [0x33; BLOCK as usize];

#[test]
fn a_write_that_lies_unread_in_the_old_socket_is_never_done() {
    let sim = Simulated::new(1 << 20);
    let diary = Arc::new(Diary::default());
    let (server, address) = serve_with(sim.disk(), diary.clone());
    let mut old = Client::open(address, "disk/0");

    // The old session's thread is stuck in the disk, and behind that in its socket
    // lies a write that nobody has looked at.
    sim.hold(Kind::Write);
    old.send(WRITE, 0, 0, BLOCK, &OLD);
    sim.wait_for_held(1);
    old.send(WRITE, 0, 8192, BLOCK, &STALE);

    // The successor is not answered while the old one's write is under way.
    let mut new = Client::connect(address);
    new.send_go("disk/0");
    old.is_hung_up();
    assert!(
        new.is_silent(),
        "GO was answered before the old session was drained"
    );
    assert_eq!(diary.entries(), [Entry::Opened(1), Entry::Opened(2)]);

    sim.release();
    new.went().unwrap();
    assert_eq!(diary.entries()[2..], [Entry::Closed(1)]);
    assert_eq!(new.call(WRITE, 0, 8192, BLOCK, &NEW).error, 0);
    assert_eq!(new.call(READ, 0, 8192, BLOCK, &[]).bytes(8192), NEW);
    server.close();

    let expected = [
        Act::Wrote {
            offset: 0,
            first: 0x11,
        },
        Act::Wrote {
            offset: 8192,
            first: 0x33,
        },
    ];
    assert_eq!(sim.acts(), expected);
    assert_eq!(diary.entries()[3..], [Entry::Closed(2)]);
}

#[test]
fn a_write_that_lies_unread_in_the_old_sessions_buffer_is_never_done() {
    let sim = Simulated::new(1 << 20);
    let (server, address) = serve(sim.disk());
    let mut old = Client::open(address, "disk/0");

    // Both writes in one segment: the second is received together with the first.
    sim.hold(Kind::Write);
    let one = request(WRITE, 0, &OLD);
    let two = request(WRITE, 8192, &STALE);
    old.write(&[one, two].concat());
    sim.wait_for_held(1);

    let mut new = Client::connect(address);
    new.send_go("disk/0");
    old.is_hung_up();
    sim.release();
    new.went().unwrap();
    server.close();
    assert_eq!(
        sim.acts(),
        [Act::Wrote {
            offset: 0,
            first: 0x11
        }]
    );
}

#[test]
fn the_rest_of_a_long_write_is_never_done() {
    let sim = Simulated::new(4 << 20);
    let (server, address) = serve(sim.disk());
    let mut old = Client::open(address, "disk/0");
    sim.hold(Kind::Write);
    // One piece is in the disk, the next lies in the socket.
    let payload = vec![0x11; 144 << 10];
    let cut = 128 << 10;
    old.send(WRITE, 0, 0, 144 << 10, &payload[..cut]);
    sim.wait_for_held(1);
    old.write(&payload[cut..]);
    let mut new = Client::connect(address);
    new.send_go("disk/0");
    old.is_hung_up();
    sim.release();
    new.went().unwrap();
    server.close();
    assert_eq!(
        sim.acts().len(),
        1,
        "only the piece that had begun: {:?}",
        sim.acts()
    );
}

#[test]
fn what_workers_have_begun_is_drained_and_what_they_have_not_is_dropped() {
    let sim = Simulated::new(1 << 20);
    let (server, address) = serve(sim.disk());
    let mut old = Client::open(address, "disk/7");
    sim.hold(Kind::Zero);
    // As many as there are workers, and as many again that wait for them.
    for _ in 0..16 {
        old.send(WRITE_ZEROES, 0, 0, BLOCK, &[]);
    }
    sim.wait_for_held(16);
    for command in [TRIM, WRITE_ZEROES].repeat(8) {
        old.send(command, 0, 0, BLOCK, &[]);
    }
    // Answered behind them, so they all were received.
    assert_eq!(old.call(WRITE, 0, 512, BLOCK, &OLD).error, 0);
    let mut new = Client::connect(address);
    new.send_go("disk/7");
    old.is_hung_up();
    assert!(new.is_silent());
    sim.release();
    new.went().unwrap();
    let wrote = Act::Wrote {
        offset: 512,
        first: 0x11,
    };
    let expected = [vec![wrote], vec![Act::Zeroed { offset: 0 }; 16]].concat();
    assert_eq!(sim.acts(), expected);
    server.close();
    assert_eq!(sim.acts(), expected);
}

#[test]
fn a_flush_that_is_under_way_is_drained() {
    let sim = Simulated::new(1 << 20);
    let (server, address) = serve(sim.disk());
    let mut old = Client::open(address, "disk/1");
    sim.hold(Kind::Sync);
    old.send(FLUSH, 0, 0, 0, &[]);
    sim.wait_for_held(1);
    let mut new = Client::connect(address);
    new.send_go("disk/1");
    old.is_hung_up();
    assert!(new.is_silent());
    sim.release();
    new.went().unwrap();
    server.close();
}

#[test]
fn slots_do_not_disturb_each_other_and_the_disk_has_no_fence() {
    let sim = Simulated::new(1 << 20);
    let (server, address) = serve(sim.disk());
    let mut names: Vec<String> = (0..16).map(|slot| format!("disk/{slot}")).collect();
    names.extend(["disk".into(), "disk".into(), String::new()]);
    let mut clients: Vec<Client> = names
        .iter()
        .map(|name| Client::open(address, name))
        .collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let offset = 512 * number as u64;
        assert_eq!(client.call(WRITE, 0, offset, BLOCK, &NEW).error, 0);
    }
    for client in &mut clients {
        let bytes = client
            .call(READ, 0, 0, BLOCK * names.len() as u32, &[])
            .bytes(0);
        assert!(bytes.iter().all(|byte| *byte == 0x33));
    }
    assert_eq!(server.stats().sessions, 19);
    server.close();
}

#[test]
fn an_older_connection_does_not_fence_a_newer_one() {
    let sim = Simulated::new(1 << 20);
    let diary = Arc::new(Diary::default());
    let (server, address) = serve_with(sim.disk(), diary.clone());
    let mut older = Client::connect(address);
    let mut newer = Client::open(address, "disk/0");
    let (kind, text) = older.go("disk/0").unwrap_err();
    assert_eq!(kind, reply::ERR_POLICY);
    assert_eq!(text, "a newer connection has this slot");
    assert_eq!(newer.call(READ, 0, 0, BLOCK, &[]).error, 0);
    let expected = [Entry::Opened(2), Entry::Opened(1), Entry::Closed(1)];
    assert_eq!(diary.wait_for(3), expected);
    server.close();
}

#[test]
fn who_is_denied_fences_nobody() {
    let sim = Simulated::new(1 << 20);
    let diary = Arc::new(Diary::default());
    let (server, address) = serve_with(sim.disk(), diary.clone());
    let mut holder = Client::open(address, "disk/0");
    diary.shut.store(true, std::sync::atomic::Ordering::SeqCst);
    let mut stranger = Client::connect(address);
    assert_eq!(
        stranger.go("disk/0").unwrap_err(),
        (reply::ERR_POLICY, "lent to desktop".into())
    );
    assert_eq!(holder.call(READ, 0, 0, BLOCK, &[]).error, 0);
    server.close();
}

#[test]
fn a_slot_is_handed_on_many_times() {
    let sim = Simulated::new(1 << 20);
    let diary = Arc::new(Diary::default());
    let (server, address) = serve_with(sim.disk(), diary.clone());
    let mut clients = Vec::new();
    for turn in 0..50u8 {
        let mut client = Client::open(address, "disk/0");
        client.send(WRITE, 0, 0, BLOCK, &[turn; BLOCK as usize]);
        // Some leave politely, most just stay and are fenced.
        if turn % 5 == 0 {
            client.send(DISC, 0, 0, 0, &[]);
        }
        clients.push(client);
    }
    let mut last = Client::open(address, "disk/0");
    let found = last.call(READ, 0, 0, BLOCK, &[]).bytes(0)[0];
    let written: Vec<u8> = sim
        .acts()
        .iter()
        .filter_map(|act| match act {
            Act::Wrote { first, .. } => Some(*first),
            _ => None,
        })
        .collect();
    assert!(
        written.is_sorted(),
        "an older session's write came after a newer one's: {written:?}"
    );
    assert_eq!(written.last().copied().unwrap_or(0), found);
    server.close();
    assert_eq!(diary.entries().len(), 2 * 51);
}

fn request(command: u16, offset: u64, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    let request = stiefel_core::nbd::transmission::Request {
        flags: 0,
        command,
        cookie: 9,
        offset,
        length,
    };
    [&request.encode(), payload].concat()
}
