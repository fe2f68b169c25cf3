//! A client that sends what it is told to, right or wrong.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::HANG;
use stiefel_core::nbd::negotiation::{self, info, option, reply};
use stiefel_core::nbd::transmission::{CHUNK_MAGIC, Request, SIMPLE_REPLY_MAGIC, WireError, chunk};

pub struct Client {
    pub stream: TcpStream,
    pub structured: bool,
    next_cookie: u64,
    parts: HashMap<u64, Reply>,
}

/// The answer to one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    pub cookie: u64,
    /// 0 or the error's number on the wire.
    pub error: u32,
    /// Where it failed, if that was told.
    pub error_offset: Option<u64>,
    /// Data with its offset, which simple replies do not tell.
    pub data: Vec<(Option<u64>, Vec<u8>)>,
    /// How many pieces of the data were told to be holes.
    pub holes: usize,
    /// Length and flags.
    pub extents: Vec<(u32, u32)>,
}

impl Reply {
    pub fn is(&self, error: WireError) -> bool {
        self.error == error as u32
    }

    /// All data in order; it must be without gaps from `offset` on.
    pub fn bytes(&self, offset: u64) -> Vec<u8> {
        let mut pieces = self.data.clone();
        pieces.sort_by_key(|(at, _)| *at);
        let mut bytes = Vec::new();
        for (at, piece) in pieces {
            assert!(at.is_none_or(|at| at == offset + bytes.len() as u64));
            bytes.extend(piece);
        }
        bytes
    }
}

impl Client {
    /// Connects and exchanges flags.
    pub fn connect(address: SocketAddr) -> Self {
        let mut client = Self::dial(address);
        assert_eq!(client.bytes(18), negotiation::greeting());
        client.write(&3u32.to_be_bytes());
        client
    }

    /// Connects and says nothing.
    pub fn dial(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        stream.set_write_timeout(Some(HANG)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            structured: false,
            next_cookie: 1,
            parts: HashMap::new(),
        }
    }

    /// Opens an export with GO.
    pub fn open(address: SocketAddr, export: &str) -> Self {
        let mut client = Self::connect(address);
        client.go(export).unwrap();
        client
    }

    /// Opens an export whose replies come in chunks.
    pub fn open_structured(address: SocketAddr, export: &str) -> Self {
        let mut client = Self::connect(address);
        client.agree_on_chunks();
        client.go(export).unwrap();
        client
    }

    pub fn agree_on_chunks(&mut self) {
        assert_eq!(
            self.ask(option::STRUCTURED_REPLY, &[]),
            [(reply::ACK, vec![])]
        );
        self.structured = true;
    }

    /// Sends GO and waits for its answer: size and flags, or kind and text of the refusal.
    pub fn go(&mut self, export: &str) -> Result<(u64, u16), (u32, String)> {
        self.send_go(export);
        self.went()
    }

    pub fn send_go(&mut self, export: &str) {
        let mut data = Vec::new();
        data.extend(u32::try_from(export.len()).unwrap().to_be_bytes());
        data.extend(export.as_bytes());
        data.extend([0, 0]);
        self.send_option(option::GO, &data);
    }

    /// The answer to GO.
    pub fn went(&mut self) -> Result<(u64, u16), (u32, String)> {
        let mut answers = self.answers(option::GO).unwrap();
        let (kind, text) = answers.pop().unwrap();
        if kind != reply::ACK {
            return Err((kind, String::from_utf8(text).unwrap()));
        }
        let export = info::EXPORT.to_be_bytes();
        let told = answers
            .iter()
            .find(|(_, data)| data.starts_with(&export))
            .unwrap();
        let size = u64::from_be_bytes(told.1[2..10].try_into().unwrap());
        Ok((size, u16::from_be_bytes(told.1[10..12].try_into().unwrap())))
    }

    pub fn send_option(&mut self, option: u32, data: &[u8]) {
        let length = u32::try_from(data.len()).unwrap();
        let head = [
            &b"IHAVEOPT"[..],
            &option.to_be_bytes(),
            &length.to_be_bytes(),
        ]
        .concat();
        self.write(&[&head, data].concat());
    }

    /// Sends an option and takes all its answers.
    pub fn ask(&mut self, option: u32, data: &[u8]) -> Vec<(u32, Vec<u8>)> {
        self.send_option(option, data);
        self.answers(option).unwrap()
    }

    /// Kinds and contents of the answers to `option`, up to the one that ends them.
    pub fn answers(&mut self, option: u32) -> io::Result<Vec<(u32, Vec<u8>)>> {
        let mut answers = Vec::new();
        loop {
            let head = self.try_bytes(20)?;
            assert_eq!(head[..8], negotiation::REPLY_MAGIC.to_be_bytes());
            assert_eq!(head[8..12], option.to_be_bytes());
            let kind = u32_at(&head, 12);
            let data = self.try_bytes(u32_at(&head, 16) as usize)?;
            answers.push((kind, data));
            if kind == reply::ACK || kind & (1 << 31) != 0 {
                return Ok(answers);
            }
        }
    }

    /// Sends a request and returns its cookie.
    pub fn send(
        &mut self,
        command: u16,
        flags: u16,
        offset: u64,
        length: u32,
        payload: &[u8],
    ) -> u64 {
        let cookie = self.next_cookie;
        self.next_cookie += 1;
        self.send_as(cookie, command, flags, offset, length, payload);
        cookie
    }

    /// Sends a request with a cookie of the caller's choice.
    pub fn send_as(
        &mut self,
        cookie: u64,
        command: u16,
        flags: u16,
        offset: u64,
        length: u32,
        payload: &[u8],
    ) {
        let request = Request {
            flags,
            command,
            cookie,
            offset,
            length,
        };
        self.write(&[&request.encode(), payload].concat());
    }

    /// Sends a request and waits for its reply, which must be the next.
    pub fn call(
        &mut self,
        command: u16,
        flags: u16,
        offset: u64,
        length: u32,
        payload: &[u8],
    ) -> Reply {
        let cookie = self.send(command, flags, offset, length, payload);
        let expected = if command == 0 { length } else { 0 };
        let reply = self.receive(|_| expected);
        assert_eq!(reply.cookie, cookie);
        reply
    }

    /// The next complete reply. `length_of` tells how much data a simple reply to a
    /// cookie has if there was no error.
    pub fn receive(&mut self, length_of: impl Fn(u64) -> u32) -> Reply {
        loop {
            let magic = u32_at(&self.bytes(4), 0);
            if magic == SIMPLE_REPLY_MAGIC {
                let head = self.bytes(12);
                let (error, cookie) = (u32_at(&head, 0), u64_at(&head, 4));
                let mut reply = Reply {
                    cookie,
                    error,
                    ..Reply::default()
                };
                if error == 0 && length_of(cookie) > 0 {
                    assert!(!self.structured, "a READ was answered without chunks");
                    reply
                        .data
                        .push((None, self.bytes(length_of(cookie) as usize)));
                }
                return reply;
            }
            assert_eq!(magic, CHUNK_MAGIC);
            assert!(self.structured, "chunks were not agreed on");
            if let Some(reply) = self.take_chunk() {
                return reply;
            }
        }
    }

    fn take_chunk(&mut self) -> Option<Reply> {
        let head = self.bytes(16);
        let (flags, kind) = (u16_at(&head, 0), u16_at(&head, 2));
        let cookie = u64_at(&head, 4);
        let content = self.bytes(u32_at(&head, 12) as usize);
        let reply = self.parts.entry(cookie).or_insert_with(|| Reply {
            cookie,
            ..Reply::default()
        });
        match kind {
            chunk::NONE => assert!(content.is_empty()),
            chunk::OFFSET_DATA => reply
                .data
                .push((Some(u64_at(&content, 0)), content[8..].to_vec())),
            chunk::OFFSET_HOLE => {
                let zeros = vec![0; u32_at(&content, 8) as usize];
                reply.data.push((Some(u64_at(&content, 0)), zeros));
                reply.holes += 1;
            }
            chunk::BLOCK_STATUS => {
                let pairs = content[4..].chunks_exact(8);
                reply.extents = pairs
                    .map(|pair| (u32_at(pair, 0), u32_at(pair, 4)))
                    .collect();
            }
            chunk::ERROR | chunk::ERROR_OFFSET => {
                reply.error = u32_at(&content, 0);
                assert_eq!(u16_at(&content, 4), 0);
                reply.error_offset = (kind == chunk::ERROR_OFFSET).then(|| u64_at(&content, 6));
            }
            other => panic!("a chunk of kind {other}"),
        }
        if flags & chunk::DONE == 0 {
            None
        } else {
            self.parts.remove(&cookie)
        }
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        self.try_bytes(length).unwrap()
    }

    fn try_bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Waits until the server hangs up; whatever still comes is dropped.
    pub fn is_hung_up(&mut self) {
        let mut rubbish = [0; 4096];
        loop {
            match self.stream.read(&mut rubbish) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return,
                Err(error) => panic!("the server does not hang up: {error}"),
            }
        }
    }

    /// Whether nothing has come yet.
    pub fn is_silent(&mut self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let outcome = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        outcome.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap())
}
