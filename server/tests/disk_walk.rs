//! A kernel with several connections, a network that delivers what and when it likes, and the
//! real server: whatever happens, what was answered stays on the disk.
//!
//! The kernel gives up on connections as it does after a request's timeout, sends their requests
//! again on others, and takes new connections; its old ones still deliver what they hold.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod disk_support;

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use disk_support::client::Client;
use disk_support::simulated::{Kind, Simulated};
use disk_support::{Dice, serve};
use stiefel_core::nbd::SLOTS;
use stiefel_core::nbd::strands::{CALL_BYTES, Cookies, Roll};
use stiefel_core::nbd::transmission::command::WRITE;
use stiefel_core::nbd::transmission::{Request, SIMPLE_REPLY_BYTES};

const BLOCK: u32 = 512;
const BLOCKS: u64 = 3;
const QUEUES: usize = 3;
const STEPS: u32 = 1500;

/// How the client uses the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// As a client with several connections has to.
    Strands,
    /// The same, by an older kernel.
    OlderStrands,
    /// By a kernel whose cookies nobody understands.
    StrangeStrands,
    /// As if slots were all that is needed.
    PlainSlots,
    /// With a watch that counts everybody as alive.
    LyingWatch,
}

/// A write that was not answered yet.
#[derive(Clone, Copy)]
struct Pending {
    block: u64,
    value: u64,
    queue: usize,
    /// On which connection it was sent last, if the kernel had one.
    serial: Option<u64>,
}

struct Wire {
    client: Client,
    /// What the network has not delivered.
    under_way: VecDeque<Vec<u8>>,
    /// The network loses much here, and delivers late.
    slow: bool,
    replies: Vec<u8>,
}

enum Socket {
    Dead,
    /// The server has not answered GO yet.
    Dialling(u64, Client),
    Alive(u64),
}

struct Kernel {
    manner: Manner,
    address: SocketAddr,
    sim: Simulated,
    dice: Dice,
    sockets: Vec<Socket>,
    wires: BTreeMap<u64, Wire>,
    watch: Client,
    serials: u64,
    values: u64,
    sends: u64,
    /// By cookie.
    pending: BTreeMap<u64, Pending>,
    answered: [u64; BLOCKS as usize],
    violations: usize,
}

impl Kernel {
    fn start(manner: Manner, address: SocketAddr, sim: &Simulated, seed: u64) -> Self {
        Self {
            manner,
            address,
            sim: sim.clone(),
            dice: Dice(seed),
            sockets: (0..QUEUES).map(|_| Socket::Dead).collect(),
            wires: BTreeMap::new(),
            watch: Client::open(address, "watch"),
            serials: 0,
            values: 0,
            sends: 0,
            pending: BTreeMap::new(),
            answered: [0; BLOCKS as usize],
            violations: 0,
        }
    }

    fn step(&mut self) {
        match self.dice.below(32) {
            0..=7 => self.write_something(),
            8..=17 => self.deliver(),
            18 | 19 => self.give_up(),
            20 => self.dial(),
            21..=25 => self.answer_calls(),
            26 => self.sim.hold(Kind::Write),
            27..=29 => self.sim.release(),
            _ => std::thread::yield_now(),
        }
        self.look_for_connections();
        self.look_for_replies();
        self.look_at_disk();
    }

    /// One write at a time for each block, as a file system does it.
    fn write_something(&mut self) {
        let block = self.dice.below(BLOCKS);
        if self.pending.values().any(|other| other.block == block) {
            return;
        }
        self.values += 1;
        let pending = Pending {
            block,
            value: self.values,
            queue: self.dice.below(QUEUES as u64) as usize,
            serial: None,
        };
        self.send(pending);
    }

    /// Sends on the queue's own connection, or else on the first that lives.
    fn send(&mut self, pending: Pending) {
        let alive = |socket: &Socket| match socket {
            Socket::Alive(serial) => Some(*serial),
            Socket::Dead | Socket::Dialling(..) => None,
        };
        let serial =
            alive(&self.sockets[pending.queue]).or_else(|| self.sockets.iter().find_map(alive));
        self.sends += 1;
        // The upper half counts the sends of one tag; here there is one tag.
        let number = self.sends << 32 | (pending.queue as u64) << 16 | pending.block;
        let cookie = match self.manner {
            Manner::OlderStrands => number.swap_bytes(),
            Manner::StrangeStrands => number << 8 | 0xff,
            Manner::Strands | Manner::PlainSlots | Manner::LyingWatch => number,
        };
        if let Some(serial) = serial {
            let request = Request {
                flags: 0,
                command: WRITE,
                cookie,
                offset: pending.block * u64::from(BLOCK),
                length: BLOCK,
            };
            let payload = pending.value.to_be_bytes().repeat(BLOCK as usize / 8);
            let bytes = [&request.encode()[..], &payload].concat();
            self.wires
                .get_mut(&serial)
                .unwrap()
                .under_way
                .push_back(bytes);
        }
        self.pending.insert(cookie, Pending { serial, ..pending });
    }

    /// The network delivers something, also on connections that the kernel has given up.
    fn deliver(&mut self) {
        let at = self.dice.below(self.wires.len().max(1) as u64) as usize;
        let late = self.dice.below(8) > 0;
        let Some((_, wire)) = self.wires.iter_mut().nth(at) else {
            return;
        };
        if wire.slow && late {
            return;
        }
        if let Some(bytes) = wire.under_way.pop_front() {
            // The server may have ended the connection.
            let _ = wire.client.stream.write_all(&bytes);
        }
        // What the kernel has given up ends behind what was under way.
        let sockets = &self.sockets;
        self.wires.retain(|serial, wire| {
            let used = |socket: &Socket| matches!(socket, Socket::Alive(alive) if alive == serial);
            !wire.under_way.is_empty() || sockets.iter().any(used)
        });
    }

    /// A request takes too long.
    fn give_up(&mut self) {
        let at = self.dice.below(self.pending.len().max(1) as u64) as usize;
        let serial = self.pending.values().nth(at).and_then(|late| late.serial);
        let used =
            |socket: &Socket| matches!(socket, Socket::Alive(alive) if Some(*alive) == serial);
        if let Some(slot) = self.sockets.iter().position(used) {
            self.bury(slot);
        }
    }

    fn bury(&mut self, slot: usize) {
        if let Socket::Alive(serial) = self.sockets[slot] {
            self.sockets[slot] = Socket::Dead;
            let moved: Vec<u64> = self
                .pending
                .iter()
                .filter(|(_, p)| p.serial == Some(serial))
                .map(|(c, _)| *c)
                .collect();
            for cookie in moved {
                let pending = self.pending.remove(&cookie).unwrap();
                self.send(pending);
            }
        }
    }

    fn dial(&mut self) {
        let slot = self.dice.below(QUEUES as u64) as usize;
        if matches!(self.sockets[slot], Socket::Dead) {
            self.serials += 1;
            let name = match self.manner {
                Manner::PlainSlots => format!("disk/{slot}"),
                _ => format!("disk/{slot}/{}", self.serials),
            };
            let mut client = Client::connect(self.address);
            client.send_go(&name);
            self.sockets[slot] = Socket::Dialling(self.serials, client);
        }
    }

    fn look_for_connections(&mut self) {
        for slot in 0..QUEUES {
            let has_come = match &mut self.sockets[slot] {
                Socket::Dialling(_, client) => !client.is_silent(),
                Socket::Dead | Socket::Alive(_) => false,
            };
            if !has_come {
                continue;
            }
            let socket = std::mem::replace(&mut self.sockets[slot], Socket::Dead);
            let Socket::Dialling(serial, mut client) = socket else {
                continue;
            };
            if client.went().is_err() {
                continue;
            }
            let wire = Wire {
                client,
                under_way: VecDeque::new(),
                slow: self.dice.below(2) > 0,
                replies: Vec::new(),
            };
            self.wires.insert(serial, wire);
            self.sockets[slot] = Socket::Alive(serial);
            // Who waited for any connection is woken by the first.
            let waiting: Vec<u64> = self
                .pending
                .iter()
                .filter(|(_, p)| p.serial.is_none())
                .map(|(c, _)| *c)
                .collect();
            for cookie in waiting {
                let pending = self.pending.remove(&cookie).unwrap();
                self.send(pending);
            }
        }
    }

    fn answer_calls(&mut self) {
        while !self.watch.is_silent() {
            let call = self.watch.bytes(CALL_BYTES);
            let alive = self.sockets.iter().filter_map(|socket| match socket {
                Socket::Dead => None,
                Socket::Dialling(serial, _) | Socket::Alive(serial) => Some(*serial),
            });
            let mut alive: Vec<u64> = alive.collect();
            if self.manner == Manner::LyingWatch {
                let oldest = self.serials.saturating_sub(u64::from(SLOTS)) + 1;
                alive = (oldest..=self.serials).collect();
            }
            let roll = Roll {
                call: u64::from_be_bytes(call.try_into().unwrap()),
                newest: self.serials,
                alive,
            };
            self.watch.write(&roll.encode());
        }
    }

    fn look_for_replies(&mut self) {
        for slot in 0..QUEUES {
            let Socket::Alive(serial) = self.sockets[slot] else {
                continue;
            };
            let wire = self.wires.get_mut(&serial).unwrap();
            if !receive(wire) {
                self.bury(slot);
                continue;
            }
            let whole = wire.replies.len() / SIMPLE_REPLY_BYTES * SIMPLE_REPLY_BYTES;
            for reply in wire
                .replies
                .drain(..whole)
                .collect::<Vec<u8>>()
                .chunks(SIMPLE_REPLY_BYTES)
            {
                assert_eq!(reply[4..8], [0; 4], "a write failed");
                let cookie = u64::from_be_bytes(reply[8..].try_into().unwrap());
                let Pending { block, value, .. } = self.pending.remove(&cookie).unwrap();
                self.answered[block as usize] = value;
            }
        }
    }

    /// A block holds what was answered last, or what is being written to it.
    fn look_at_disk(&mut self) {
        let content = self.sim.content();
        for (block, bytes) in (0..BLOCKS).zip(content.chunks_exact(BLOCK as usize)) {
            let found = u64::from_be_bytes(bytes[..8].try_into().unwrap());
            let pending = self.pending.values().find(|pending| pending.block == block);
            if found != self.answered[block as usize]
                && pending.is_none_or(|pending| pending.value != found)
            {
                self.violations += 1;
            }
        }
    }

    /// All is delivered and the kernel may reconnect as it likes: everything gets done.
    fn come_to_rest(&mut self) {
        let mut rounds = 0_u64;
        while !self.pending.is_empty() && self.violations == 0 {
            self.sim.release();
            self.answer_calls();
            self.deliver();
            self.dial();
            self.look_for_connections();
            self.look_for_replies();
            self.look_at_disk();
            rounds += 1;
            assert!(
                rounds < 20_000_000,
                "{} writes are never answered",
                self.pending.len()
            );
        }
        self.sim.release();
    }
}

/// Takes what has come; false when the server has hung up.
fn receive(wire: &mut Wire) -> bool {
    let mut bytes = [0; 4096];
    wire.client.stream.set_nonblocking(true).unwrap();
    let outcome = wire.client.stream.read(&mut bytes);
    wire.client.stream.set_nonblocking(false).unwrap();
    match outcome {
        Ok(0) => false,
        Ok(read) => {
            wire.replies.extend_from_slice(&bytes[..read]);
            true
        }
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

/// How often the disk held something that it must not hold.
fn violations(manner: Manner, seed: u64) -> usize {
    let sim = Simulated::new((BLOCKS * u64::from(BLOCK)) as usize);
    let (server, address) = serve(sim.disk());
    let mut kernel = Kernel::start(manner, address, &sim, seed);
    for _ in 0..STEPS {
        kernel.step();
    }
    kernel.come_to_rest();
    let violations = kernel.violations;
    drop(kernel);
    server.close();
    violations
}

/// So many walks are enough to find what the last two tests look for, and more.
const WALKS: u64 = 60;

fn none_for(manner: Manner) {
    for seed in 1..=WALKS {
        assert_eq!(violations(manner, seed), 0, "seed {seed}");
    }
}

fn some_for(manner: Manner) {
    let found = (1..=20 * WALKS).any(|seed| violations(manner, seed) > 0);
    assert!(found, "the walk does not find what it is for");
}

#[test]
fn nothing_old_lands_on_something_new() {
    none_for(Manner::Strands);
}

#[test]
fn an_older_kernel_is_as_safe() {
    none_for(Manner::OlderStrands);
}

#[test]
fn a_kernel_that_is_not_understood_is_as_safe() {
    assert_eq!(Cookies::recognize(1 << 40 | 0xff), None);
    none_for(Manner::StrangeStrands);
}

#[test]
fn the_walk_finds_what_goes_wrong_without_serials() {
    some_for(Manner::PlainSlots);
}

#[test]
fn the_walk_finds_what_goes_wrong_with_a_watch_that_lies() {
    some_for(Manner::LyingWatch);
}
