//! Serves one disk or image on a free port of the loopback, for the interop tests.
//!
//! `serve_disk PATH [--read-only]` prints its port and serves until its standard
//! input ends.

use std::io::{self, Read};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use stiefel_server::disk::{Access, Disk, OpenGate, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name a disk or an image")?;
    let access = match arguments.next().as_deref() {
        None => Access::ReadWrite,
        Some("--read-only") => Access::ReadOnly,
        Some(other) => return Err(format!("unknown argument {other}").into()),
    };
    let disk = Disk::open(Path::new(&path), access)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    let server = Server::start(listener, Arc::clone(&disk), Arc::new(OpenGate))?;
    io::stdin().read_to_end(&mut Vec::new())?;
    eprintln!("{:?}", server.stats());
    server.close();
    disk.flush()?;
    Ok(())
}
