//! Requests, right and wrong: each is answered as it deserves, and the stream stays in step.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod disk_support;

use disk_support::client::{Client, Reply};
use disk_support::simulated::{Act, Kind, Simulated};
use disk_support::{Dice, serve};
use std::net::Shutdown;
use stiefel_core::nbd::negotiation::option;
use stiefel_core::nbd::transmission::WireError;
use stiefel_core::nbd::transmission::command::*;
use stiefel_core::nbd::transmission::command_flag::{DF, FAST_ZERO, FUA, NO_HOLE, REQ_ONE};

const SIZE: u64 = 1 << 20;
const BLOCK: u32 = 512;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// A simple and a structured session on a disk with a known first block.
fn both(test: impl Fn(Client, &Simulated)) {
    for structured in [false, true] {
        let sim = Simulated::new(SIZE as usize);
        let (server, address) = serve(sim.disk());
        let mut client = if structured {
            Client::open_structured(address, "disk")
        } else {
            Client::open(address, "disk")
        };
        assert_eq!(client.call(WRITE, 0, 0, BLOCK, &[0xaa; 512]).error, 0);
        test(client, &sim);
        server.close();
    }
}

/// Fails unless the stream is in step and the first block is as it was.
fn in_step(client: &mut Client) {
    assert_eq!(client.call(READ, 0, 0, BLOCK, &[]).bytes(0), [0xaa; 512]);
}

#[test]
fn wrong_requests_get_their_error_and_leave_the_stream_in_step() {
    both(|mut client, sim| {
        let before = sim.acts();
        let wrong = [
            // Ranges.
            (READ, 0, SIZE, BLOCK, WireError::Invalid),
            (READ, 0, SIZE - 512, 1024, WireError::Invalid),
            (READ, 0, u64::MAX - 511, BLOCK, WireError::Invalid),
            (READ, 0, 1, BLOCK, WireError::Invalid),
            (READ, 0, 0, 513, WireError::Invalid),
            (READ, 0, 0, 0, WireError::Invalid),
            (READ, 0, 0, u32::MAX, WireError::Invalid),
            (TRIM, 0, SIZE, BLOCK, WireError::Invalid),
            (TRIM, 0, 0, 0, WireError::Invalid),
            (CACHE, 0, SIZE, BLOCK, WireError::Invalid),
            (WRITE_ZEROES, 0, SIZE, BLOCK, WireError::NoSpace),
            (WRITE_ZEROES, 0, 3, BLOCK, WireError::Invalid),
            (FLUSH, 0, 0, BLOCK, WireError::Invalid),
            (FLUSH, 0, 512, 0, WireError::Invalid),
            // Flags.
            (READ, NO_HOLE, 0, BLOCK, WireError::Invalid),
            (READ, 1 << 15, 0, BLOCK, WireError::Invalid),
            (TRIM, FAST_ZERO, 0, BLOCK, WireError::Invalid),
            (WRITE_ZEROES, REQ_ONE, 0, BLOCK, WireError::Invalid),
            (FLUSH, DF, 0, 0, WireError::Invalid),
            // Not agreed on.
            (BLOCK_STATUS, 0, 0, BLOCK, WireError::Invalid),
            // Unknown.
            (8, 0, 0, BLOCK, WireError::Invalid),
            (u16::MAX, u16::MAX, u64::MAX, u32::MAX, WireError::Invalid),
        ];
        for (command, flags, offset, length, error) in wrong {
            let reply = client.call(command, flags, offset, length, &[]);
            assert!(
                reply.is(error),
                "{command} {flags} {offset} {length}: {reply:?}"
            );
            in_step(&mut client);
        }
        assert_eq!(sim.acts(), before);
    });
}

#[test]
fn the_payload_of_a_wrong_write_is_skipped() {
    both(|mut client, sim| {
        let before = sim.acts();
        // The payload looks like requests, so that it does harm if it is read as such.
        let trap = stiefel_core::nbd::transmission::Request {
            flags: 0,
            command: WRITE_ZEROES,
            cookie: 1,
            offset: 0,
            length: SIZE as u32,
        };
        let payload: Vec<u8> = trap.encode().into_iter().cycle().take(40 << 20).collect();
        let wrong = [
            (0, SIZE, BLOCK, WireError::NoSpace),
            (0, SIZE - 512, 1024, WireError::NoSpace),
            (0, 0, 500, WireError::Invalid),
            (0, 1, 512, WireError::Invalid),
            (NO_HOLE, 0, 512, WireError::Invalid),
            (0, 0, 2 << 20, WireError::NoSpace),
            (0, 0, 32 << 20, WireError::NoSpace),
            (0, 0, (32 << 20) + 512, WireError::Invalid),
            (0, 0, 40 << 20, WireError::Invalid),
        ];
        for (flags, offset, length, error) in wrong {
            let reply = client.call(WRITE, flags, offset, length, &payload[..length as usize]);
            assert!(reply.is(error), "{flags} {offset} {length}: {reply:?}");
            in_step(&mut client);
        }
        assert_eq!(sim.acts(), before);
    });
}

#[test]
fn a_read_only_disk_is_not_written_to() {
    let sim = Simulated::new(SIZE as usize);
    let (server, address) = serve(sim.disk_for(true));
    let mut client = Client::open(address, "disk");
    assert!(
        client
            .call(WRITE, 0, 0, BLOCK, &[1; 512])
            .is(WireError::NotPermitted)
    );
    assert!(
        client
            .call(WRITE_ZEROES, 0, 0, BLOCK, &[])
            .is(WireError::NotPermitted)
    );
    assert!(
        client
            .call(TRIM, 0, 0, BLOCK, &[])
            .is(WireError::NotPermitted)
    );
    assert_eq!(client.call(FLUSH, 0, 0, 0, &[]).error, 0);
    assert_eq!(client.call(READ, 0, 0, BLOCK, &[]).bytes(0), [0; 512]);
    server.close();
    assert_eq!(sim.acts(), [Act::Synced]);
}

#[test]
fn who_loses_step_is_hung_up_on() {
    both(|mut client, sim| {
        let before = sim.acts();
        client.write(&[0xee; 28]);
        client.is_hung_up();
        assert_eq!(sim.acts(), before);
    });
    both(|mut client, sim| {
        let before = sim.acts();
        // A write that ends in the middle of its payload is not done in part, if it is short.
        client.send(WRITE, 0, 0, 4096, &[1; 1000]);
        client.stream.shutdown(Shutdown::Write).unwrap();
        client.is_hung_up();
        assert_eq!(sim.acts(), before);
    });
}

#[test]
fn who_stops_sending_still_gets_its_answers() {
    let sim = Simulated::new(SIZE as usize);
    sim.chill();
    let (server, address) = serve(sim.disk());
    let mut client = Client::open(address, "disk");
    sim.hold(Kind::Read);
    let cookie = client.send(READ, 0, 0, BLOCK, &[]);
    client.stream.shutdown(Shutdown::Write).unwrap();
    sim.wait_for_held(1);
    sim.release();
    assert_eq!(client.receive(|_| BLOCK).cookie, cookie);
    client.is_hung_up();
    server.close();
}

#[test]
fn disconnecting_drains_what_was_asked_for() {
    let sim = Simulated::new(SIZE as usize);
    let (server, address) = serve(sim.disk());
    let mut client = Client::open(address, "disk");
    sim.hold(Kind::Sync);
    let write = client.send(WRITE, 0, 512, BLOCK, &[9; 512]);
    let flush = client.send(FLUSH, 0, 0, 0, &[]);
    client.send(DISC, 0, 0, 0, &[]);
    client.send(WRITE, 0, 512, BLOCK, &[8; 512]);
    assert_eq!(client.receive(|_| 0).cookie, write);
    sim.wait_for_held(1);
    sim.release();
    assert_eq!(client.receive(|_| 0).cookie, flush);
    client.is_hung_up();
    server.close();
    assert_eq!(sim.after_power_loss()[512..1024], [9; 512]);
    assert_eq!(
        sim.content()[512..1024],
        [9; 512],
        "something after the goodbye was done"
    );
}

#[test]
fn zeroing_trimming_and_caching_reach_the_disk() {
    both(|mut client, sim| {
        assert_eq!(client.call(WRITE_ZEROES, 0, 0, 1024, &[]).error, 0);
        assert_eq!(client.call(READ, 0, 0, BLOCK, &[]).bytes(0), [0; 512]);
        assert_eq!(
            client
                .call(WRITE_ZEROES, NO_HOLE | FUA, 0, BLOCK, &[])
                .error,
            0
        );
        assert_eq!(client.call(WRITE_ZEROES, FAST_ZERO, 0, BLOCK, &[]).error, 0);
        assert!(
            client
                .call(WRITE_ZEROES, FAST_ZERO | NO_HOLE, 0, BLOCK, &[])
                .is(WireError::NotSupported)
        );
        assert_eq!(client.call(TRIM, 0, 4096, 4096, &[]).error, 0);
        assert_eq!(client.call(TRIM, FUA, 8192, 4096, &[]).error, 0);
        assert_eq!(client.call(CACHE, 0, 512, SIZE as u32 - 512, &[]).error, 0);
        let expected = [
            Act::Zeroed { offset: 0 },
            Act::Zeroed { offset: 0 },
            Act::Synced,
            Act::Zeroed { offset: 0 },
            Act::Trimmed { offset: 4096 },
            Act::Trimmed { offset: 8192 },
            Act::Synced,
            Act::Prefetched { offset: 512 },
        ];
        assert_eq!(sim.acts()[1..], expected);
    });
}

#[test]
fn allocation_is_told() {
    let sim = Simulated::new(SIZE as usize);
    let (server, address) = serve(sim.disk());
    let mut client = Client::connect(address);
    client.agree_on_chunks();
    let query = b"\0\0\0\x04disk\0\0\0\x01\0\0\0\x0fbase:allocation";
    assert_eq!(client.ask(option::SET_META_CONTEXT, query).len(), 2);
    client.go("disk").unwrap();
    client.call(WRITE, 0, 512, BLOCK, &[1; 512]);
    let reply = client.call(BLOCK_STATUS, 0, 0, 1536, &[]);
    assert_eq!(reply.extents, [(512, 3), (512, 0), (512, 3)]);
    assert_eq!(
        client.call(BLOCK_STATUS, REQ_ONE, 512, 1024, &[]).extents,
        [(512, 0)]
    );
    assert!(
        client
            .call(BLOCK_STATUS, 0, 0, 5, &[])
            .is(WireError::Invalid)
    );
    assert!(
        client
            .call(BLOCK_STATUS, 0, SIZE, 512, &[])
            .is(WireError::Invalid)
    );
    // More extents than one answer holds: the client asks again behind them.
    assert_eq!(
        client
            .call(BLOCK_STATUS, 0, 0, SIZE as u32, &[])
            .extents
            .len(),
        1024
    );
    sim.fail(Kind::Read, EIO);
    assert!(client.call(BLOCK_STATUS, 0, 0, 512, &[]).is(WireError::Io));
    server.close();
}

#[test]
fn errors_of_the_disk_reach_the_client_and_nothing_else_breaks() {
    both(|mut client, sim| {
        for length in [BLOCK, 64 << 10, 512 << 10] {
            sim.fail(Kind::Read, EIO);
            assert!(client.call(READ, 0, 0, length, &[]).is(WireError::Io));
            sim.heal();
            in_step(&mut client);
        }
        sim.fail(Kind::Write, ENOSPC);
        for (flags, length) in [(0, BLOCK), (FUA, BLOCK), (0, 512 << 10), (FUA, 512 << 10)] {
            let payload = vec![7; length as usize];
            assert!(
                client
                    .call(WRITE, flags, 0, length, &payload)
                    .is(WireError::NoSpace)
            );
        }
        sim.fail(Kind::Zero, EIO);
        assert!(
            client
                .call(WRITE_ZEROES, 0, 0, BLOCK, &[])
                .is(WireError::Io)
        );
        sim.heal();
        in_step(&mut client);
        // A full image is no lost write: flushing still works.
        assert_eq!(client.call(FLUSH, 0, 0, 0, &[]).error, 0);
    });
}

#[test]
fn reads_that_wait_do_not_hold_up_those_that_do_not() {
    both(|mut client, sim| {
        sim.chill();
        sim.hold(Kind::Read);
        let slow = client.send(READ, 0, 0, BLOCK, &[]);
        sim.wait_for_held(1);
        assert_eq!(client.call(WRITE, 0, 4096, BLOCK, &[5; 512]).error, 0);
        assert_eq!(client.call(FLUSH, 0, 0, 0, &[]).error, 0);
        sim.release();
        let reply = client.receive(|_| BLOCK);
        assert_eq!(reply.cookie, slow);
        assert_eq!(reply.bytes(0), [0xaa; 512]);
    });
}

#[test]
fn more_requests_than_may_be_under_way_are_answered_one_after_the_other() {
    both(|mut client, sim| {
        sim.chill();
        sim.hold(Kind::Read);
        let mut open: Vec<u64> = (0..1000)
            .map(|_| client.send(READ, 0, 0, BLOCK, &[]))
            .collect();
        // Done at once when it is looked at: when no more than 256 others are open.
        let write = client.send(WRITE, 0, 4096, BLOCK, &[5; 512]);
        sim.wait_for_held(16);
        sim.release();
        open.push(write);
        while !open.is_empty() {
            let reply = client.receive(|cookie| if cookie == write { 0 } else { BLOCK });
            open.retain(|cookie| *cookie != reply.cookie);
            if reply.cookie == write {
                assert!(open.len() <= 256, "{} requests were under way", open.len());
            } else {
                assert_eq!(reply.bytes(0), [0xaa; 512]);
            }
        }
    });
}

/// Reads that wait for the disk together are answered each for itself.
#[test]
fn reads_that_miss_together_fail_and_succeed_together() {
    let sim = Simulated::new(SIZE as usize);
    sim.chill();
    let (server, address) = serve(sim.disk());
    for mut client in [
        Client::open(address, "disk"),
        Client::open_structured(address, "disk"),
    ] {
        for failing in [false, true] {
            if failing {
                sim.fail(Kind::Read, 5);
            }
            let cookies: Vec<u64> = (0..100)
                .map(|number| client.send(READ, 0, number % 8 * 512, 512, &[]))
                .collect();
            for _ in &cookies {
                let reply = client.receive(|_| 512);
                assert!(cookies.contains(&reply.cookie));
                assert_eq!(reply.is(WireError::Io), failing);
                assert_eq!(reply.data.len(), usize::from(!failing));
            }
            sim.heal();
        }
    }
    server.close();
}

#[test]
fn rubbish_of_all_kinds_is_survived() {
    let sim = Simulated::new(SIZE as usize);
    let (server, address) = serve(sim.disk());
    let mut dice = Dice(0x5eed);
    for round in 0..300 {
        let mut client = if round % 2 == 0 {
            Client::open(address, "disk")
        } else {
            Client::connect(address)
        };
        let length = dice.below(4000) as usize;
        let mut rubbish = dice.bytes(length);
        if round % 3 == 0 {
            // Nearly right: the magic number and a command that there is.
            for request in rubbish.chunks_exact_mut(28) {
                request[..4].copy_from_slice(&[0x25, 0x60, 0x95, 0x13]);
                request[6] = 0;
                request[7] %= 9;
            }
        }
        // The server may have hung up by now.
        let _ = std::io::Write::write_all(&mut client.stream, &rubbish);
        let _ = client.stream.shutdown(Shutdown::Write);
        client.is_hung_up();
    }
    let mut client = Client::open(address, "disk");
    assert_eq!(
        client.call(READ, 0, 0, BLOCK, &[]),
        Reply {
            cookie: 1,
            data: vec![(None, sim.content()[..512].to_vec())],
            ..Reply::default()
        }
    );
    server.close();
}
