//! A client that others have written: the crate `nbd`, which knows only the oldest
//! way to open an export, and simple replies.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod disk_support;

use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpStream;

use disk_support::simulated::Simulated;
use disk_support::{Dice, HANG, serve};
use nbd::client::{NbdClient, handshake};

const SIZE: usize = 4 << 20;

#[test]
fn the_crate_nbd_reads_what_it_wrote() {
    let sim = Simulated::new(SIZE);
    let (server, address) = serve(sim.disk());
    for export in ["disk", "disk/3", ""] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        let found = handshake(&mut stream, export.as_bytes()).unwrap();
        assert_eq!((found.size, found.readonly), (SIZE as u64, false));
        let mut client = NbdClient::new(&mut stream, &found);
        let mut dice = Dice(9);
        for length in [512, 4096, 70 << 10, 1 << 20] {
            let content = dice.bytes(length);
            client.seek(SeekFrom::Start(1 << 20)).unwrap();
            client.write_all(&content).unwrap();
            let mut back = vec![0; length];
            client.seek(SeekFrom::Start(1 << 20)).unwrap();
            client.read_exact(&mut back).unwrap();
            assert!(back == content);
            assert!(sim.content()[1 << 20..][..length] == content);
        }
        client.flush().unwrap();
        assert!(sim.after_power_loss() == sim.content());
    }
    server.close();
}
