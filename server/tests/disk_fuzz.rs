//! Arbitrary bytes for the handshake and for the transmission, over a real socket.
//!
//! What each input has to do with the server is known from the rules in
//! [`stiefel_core::nbd`]: each request that can be parsed gets exactly one reply, with
//! its own cookie, and the stream never loses step. A panic anywhere is a failure.
//!
//! The inputs are those in `tests/fuzz/corpus`, and mutations of them. More of these:
//! `STIEFEL_FUZZ_ROUNDS=100000 cargo test -p stiefel-server --test disk_fuzz`. An input
//! that fails is kept, and the failure says where; its place is then in the corpus.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod disk_support;

use std::collections::HashMap;
use std::io::Write;
use std::net::{Shutdown, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use disk_support::client::Client;
use disk_support::simulated::Simulated;
use disk_support::{Dice, serve};
use stiefel_core::nbd::transmission::command::READ;
use stiefel_core::nbd::transmission::{Command, REQUEST_BYTES, Request};
use stiefel_core::nbd::{Agreed, Export};

const SIZE: usize = 256 << 10;
/// Mutations of each file when nobody asks for more.
const ROUNDS: u64 = 20;
/// Longest input: what a few full queues are.
const MAX_BYTES: usize = 64 << 10;

static PANICKED: AtomicBool = AtomicBool::new(false);

#[test]
fn handshakes_are_survived() {
    fuzz("handshake", |address, bytes| {
        let mut client = Client::dial(address);
        // The server may have hung up by now.
        let _ = client.stream.write_all(bytes);
        let _ = client.stream.shutdown(Shutdown::Write);
        client.is_hung_up();
    });
}

#[test]
fn transmissions_are_answered_in_step() {
    fuzz("transmission", transmit);
}

fn transmit(address: SocketAddr, bytes: &[u8]) {
    let mut client = Client::open(address, "disk");
    let stream = Stream::of(bytes);
    let mut sender = client.stream.try_clone().unwrap();
    let bytes = stream.bytes;
    // Replies are read meanwhile: who does not read is not read from.
    let sending = std::thread::spawn(move || {
        let _ = sender.write_all(&bytes);
        let _ = sender.shutdown(Shutdown::Write);
    });
    let mut waiting = stream.replies;
    if stream.in_step {
        while !waiting.is_empty() {
            let reply = client.receive(|cookie| waiting[&cookie].unwrap_or(0));
            let data = waiting.remove(&reply.cookie).unwrap();
            assert_eq!(reply.error == 0, data.is_some(), "{reply:?}");
        }
    }
    client.is_hung_up();
    sending.join().unwrap();
}

/// What is sent, and what has to come back.
struct Stream {
    bytes: Vec<u8>,
    /// For each cookie the data that a reply without error has; `None`: an error is due.
    replies: HashMap<u64, Option<u32>>,
    /// Nothing in it makes the server hang up before all is answered.
    in_step: bool,
}

impl Stream {
    /// Cookies are made different, so that replies can be told apart.
    fn of(bytes: &[u8]) -> Self {
        let export = Export {
            size: SIZE as u64,
            block_bytes: 512,
            read_only: false,
            trim: true,
            rotational: false,
        };
        let mut stream = Self {
            bytes: bytes.to_vec(),
            replies: HashMap::new(),
            in_step: true,
        };
        let mut at = 0;
        while at < bytes.len() {
            let Some(Ok(mut request)) = bytes[at..].first_chunk().map(Request::parse) else {
                stream.in_step = false;
                break;
            };
            request.cookie = at as u64;
            stream.bytes[at..][..REQUEST_BYTES].copy_from_slice(&request.encode());
            let payload = request.payload_bytes() as usize;
            at += REQUEST_BYTES;
            if bytes.len() - at < payload {
                stream.in_step = false;
                break;
            }
            at += payload;
            let data = match request.check(&export, &Agreed::default()) {
                Ok(Command::Disconnect) => break,
                // Not possible on the simulated disk.
                Ok(Command::WriteZeroes {
                    hole: false,
                    fast: true,
                    ..
                }) => None,
                Ok(Command::Read { range, .. }) => Some(range.length),
                Ok(_) => Some(0),
                Err(_) => None,
            };
            stream.replies.insert(request.cookie, data);
        }
        stream
    }
}

fn fuzz(target: &str, run: impl Fn(SocketAddr, &[u8])) {
    std::panic::set_hook(Box::new(|panic| {
        PANICKED.store(true, Ordering::SeqCst);
        eprintln!("{panic}");
    }));
    let rounds = std::env::var("STIEFEL_FUZZ_ROUNDS").map_or(ROUNDS, |text| text.parse().unwrap());
    let sim = Simulated::new(SIZE);
    let (server, address) = serve(sim.disk());
    let corpus = corpus(target);
    assert!(corpus.len() >= 5, "the corpus is not there");
    let one = |input: &[u8]| {
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(address, input)));
        if ran.is_err() || PANICKED.load(Ordering::SeqCst) {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz-failure");
            std::fs::write(&kept, input).unwrap();
            panic!("see {}", kept.display());
        }
    };
    for (_, input) in &corpus {
        one(input);
    }
    let mut dice = Dice(0xf022);
    for _ in 0..rounds {
        for (_, input) in &corpus {
            let other = &corpus[dice.below(corpus.len() as u64) as usize].1;
            one(&mutated(input, other, &mut dice));
        }
    }
    let mut good = Client::open(address, "disk");
    assert_eq!(good.call(READ, 0, 0, 512, &[]).error, 0);
    server.close();
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fuzz/corpus")
        .join(target);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

/// A few changes of the kinds that break parsers: bits, extreme numbers, pieces left out,
/// doubled, or taken from elsewhere.
fn mutated(input: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=dice.below(3) {
        if bytes.is_empty() {
            bytes.extend_from_slice(other);
            continue;
        }
        let at = dice.below(bytes.len() as u64) as usize;
        let until = at + dice.below((bytes.len() - at) as u64 + 1) as usize;
        match dice.below(6) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][dice.below(5) as usize],
            2 => {
                let end = bytes.len().min(at + 4);
                let filler = if dice.below(2) == 0 { 0 } else { 0xff };
                bytes[at..end].fill(filler);
            }
            3 => bytes.truncate(at),
            4 => {
                let piece = bytes[at..until].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let from = dice.below(other.len() as u64 + 1) as usize;
                bytes.splice(at..until, other[from..].iter().copied());
            }
        }
        bytes.truncate(MAX_BYTES);
    }
    bytes
}
