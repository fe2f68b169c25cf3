//! What the tests of the disk service share: a client that may misbehave, a disk
//! that forgets what was not flushed, and a gate that keeps a diary.

#![allow(dead_code, reason = "each test program uses its own part")]

pub mod client;
pub mod gate;
pub mod simulated;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use stiefel_server::disk::{Disk, Gate, OpenGate, Server};

/// A test that waits longer than this for an event hangs.
pub const HANG: Duration = Duration::from_secs(60);

/// A server on a free port of the loopback.
pub fn serve_with(disk: Arc<Disk>, gate: Arc<dyn Gate>) -> (Server, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (Server::start(listener, disk, gate).unwrap(), address)
}

/// A server that lets everybody in.
pub fn serve(disk: Arc<Disk>) -> (Server, SocketAddr) {
    serve_with(disk, Arc::new(OpenGate))
}

/// Numbers that look random and are the same in each run (xorshift).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend(self.roll().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}
