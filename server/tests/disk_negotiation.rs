//! Clients that negotiate wrongly: each gets its answer, nobody else notices.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod disk_support;

use std::io::Write;
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;

use disk_support::client::Client;
use disk_support::serve;
use disk_support::simulated::Simulated;
use stiefel_core::nbd::flags;
use stiefel_core::nbd::negotiation::{MAX_OPTION_BYTES, option, reply};
use stiefel_core::nbd::transmission::command::READ;
use stiefel_server::disk::{OpenGate, Server};

const SIZE: usize = 1 << 20;

#[test]
fn whoever_connects_is_waited_for_also_on_a_socket_that_does_not_wait() {
    let sim = Simulated::new(SIZE);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    // The setting belongs to what both descriptors lead to.
    let seen = listener.try_clone().unwrap();
    let server = Server::start(listener, sim.disk(), Arc::new(OpenGate)).unwrap();
    let set = rustix::fs::fcntl_getfl(&seen).unwrap();
    assert!(!set.contains(rustix::fs::OFlags::NONBLOCK));
    server.close();
}

#[test]
fn go_tells_the_disks_size_and_abilities() {
    let sim = Simulated::new(SIZE);
    let (server, address) = serve(sim.disk());
    let (size, offered) = Client::connect(address).go("disk").unwrap();
    assert_eq!(size, SIZE as u64);
    for flag in [
        flags::CAN_MULTI_CONN,
        flags::SEND_FLUSH,
        flags::SEND_FUA,
        flags::SEND_TRIM,
    ] {
        assert_ne!(offered & flag, 0);
    }
    server.close();
    let (server, address) = serve(sim.disk_for(true));
    let (_, offered) = Client::connect(address).go("disk/0").unwrap();
    assert_ne!(offered & flags::READ_ONLY, 0);
    server.close();
}

#[test]
fn export_name_opens_too() {
    let (server, address) = serve(Simulated::new(SIZE).disk());
    for (client_flags, length) in [(3u32, 10), (1, 134), (0, 134)] {
        let mut client = Client::dial(address);
        client.bytes(18);
        client.write(&client_flags.to_be_bytes());
        client.send_option(option::EXPORT_NAME, b"disk");
        let told = client.bytes(length);
        assert_eq!(told[..8], (SIZE as u64).to_be_bytes());
        assert_eq!(client.call(READ, 0, 0, 512, &[]).bytes(0).len(), 512);
    }
    let mut client = Client::connect(address);
    client.send_option(option::EXPORT_NAME, b"other");
    client.is_hung_up();
    server.close();
}

#[test]
fn wrong_options_are_answered_in_step() {
    let (server, address) = serve(Simulated::new(SIZE).disk());
    let mut client = Client::connect(address);
    for unknown in [0, 4, option::STARTTLS, 11, 99, u32::MAX] {
        assert_eq!(client.ask(unknown, b"what is this?")[0].0, reply::ERR_UNSUP);
    }
    let too_long = vec![0; MAX_OPTION_BYTES as usize + 1];
    for option in [option::GO, option::LIST, option::SET_META_CONTEXT, 99] {
        assert_eq!(client.ask(option, &too_long)[0].0, reply::ERR_TOO_BIG);
    }
    assert_eq!(client.ask(option::GO, &[0xff; 64])[0].0, reply::ERR_INVALID);
    assert_eq!(client.ask(option::GO, &[])[0].0, reply::ERR_INVALID);
    assert_eq!(client.ask(option::LIST, &[1])[0].0, reply::ERR_INVALID);
    assert_eq!(
        client.ask(option::SET_META_CONTEXT, &[])[0].0,
        reply::ERR_INVALID
    );
    assert_eq!(client.go("disk/16").unwrap_err().0, reply::ERR_UNKNOWN);
    assert_eq!(client.ask(option::LIST, &[]).len(), 2);
    client.go("disk").unwrap();
    assert_eq!(client.call(READ, 0, 0, 512, &[]).error, 0);
    server.close();
}

#[test]
fn who_does_not_speak_nbd_is_dropped() {
    let (server, address) = serve(Simulated::new(SIZE).disk());
    let mut http = Client::dial(address);
    http.write(b"GET / HTTP/1.1\r\nHost: disk\r\n\r\n");
    http.is_hung_up();

    let mut unknown_flags = Client::dial(address);
    unknown_flags.write(&0x8000_0003u32.to_be_bytes());
    unknown_flags.is_hung_up();

    let mut wrong_magic = Client::connect(address);
    wrong_magic.write(&[0x55; 16]);
    wrong_magic.is_hung_up();

    let mut cut_short = Client::connect(address);
    cut_short.write(b"IHAVEOPT\0\0\0\x07\0\0\0\x20disk");
    cut_short.stream.shutdown(Shutdown::Write).unwrap();
    cut_short.is_hung_up();

    let mut leaves = Client::connect(address);
    assert_eq!(leaves.ask(option::ABORT, &[]), [(reply::ACK, vec![])]);
    leaves.is_hung_up();

    let mut talks = Client::connect(address);
    while talks
        .stream
        .write_all(b"IHAVEOPT\0\0\0\x63\0\0\0\0")
        .is_ok()
    {}
    talks.is_hung_up();

    Client::open(address, "disk");
    assert_eq!(server.stats().sessions, 1);
    server.close();
}

#[test]
fn each_byte_may_come_alone() {
    let (server, address) = serve(Simulated::new(SIZE).disk());
    let mut client = Client::dial(address);
    client.bytes(18);
    let hello = [
        &[0, 0, 0, 3][..],
        b"IHAVEOPT\0\0\0\x07\0\0\0\x0a\0\0\0\x04disk\0\0",
    ]
    .concat();
    for byte in hello {
        client.write(&[byte]);
    }
    client.went().unwrap();
    server.close();
}

#[test]
fn what_follows_go_in_the_same_segment_is_a_request() {
    let (server, address) = serve(Simulated::new(SIZE).disk());
    let mut client = Client::connect(address);
    let go = b"IHAVEOPT\0\0\0\x07\0\0\0\x0a\0\0\0\x04disk\0\0";
    let read = stiefel_core::nbd::transmission::Request {
        flags: 0,
        command: READ,
        cookie: 5,
        offset: 0,
        length: 512,
    };
    client.write(&[&go[..], &read.encode()].concat());
    client.went().unwrap();
    assert_eq!(client.receive(|_| 512).cookie, 5);
    server.close();
}

#[test]
fn places_are_limited_and_given_back() {
    let (server, address) = serve(Simulated::new(SIZE).disk());
    let mut clients: Vec<Client> = (0..64).map(|_| Client::connect(address)).collect();
    Client::dial(address).is_hung_up();
    // Who leaves makes room for another; wait until the server has seen it.
    let mut leaver = clients.pop().unwrap();
    leaver.send_option(option::ABORT, &[]);
    leaver.is_hung_up();
    let mut next = loop {
        let mut client = Client::dial(address);
        if client.stream.peek(&mut [0]).is_ok_and(|seen| seen > 0) {
            client.bytes(18);
            client.write(&3u32.to_be_bytes());
            break client;
        }
    };
    next.go("disk").unwrap();
    server.close();
}
