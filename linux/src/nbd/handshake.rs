//! The user-space half of an NBD connection: dial, and fixed newstyle negotiation.
//!
//! Source: the NBD protocol, `doc/proto.md` of the NetworkBlockDevice project.

use std::io::{self, Read, Write};
use std::net::{SocketAddrV6, TcpStream};
use std::time::Duration;

use rustix::net::sockopt;

use super::call::call;

const INIT_MAGIC: u64 = u64::from_be_bytes(*b"NBDMAGIC");
const OPTION_MAGIC: u64 = u64::from_be_bytes(*b"IHAVEOPT");
const REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
const FLAG_FIXED_NEWSTYLE: u16 = 1;
const FLAG_NO_ZEROES: u16 = 2;
const OPTION_GO: u32 = 7;
const REPLY_ACK: u32 = 1;
const REPLY_INFO: u32 = 3;
const REPLY_ERROR: u32 = 0x8000_0000;
const INFO_EXPORT: u16 = 0;
const INFO_BLOCK_SIZE: u16 = 3;

/// Longest reply to an option that we read; the protocol's own strings end at 4096 bytes.
const REPLY_LIMIT: u32 = 8192;
/// Most replies to GO that we read; a server has three to give.
const REPLIES_LIMIT: usize = 32;

/// An idle path is tried after 5 s and given up 6 s later, about as soon as one in use.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_COUNT: u32 = 3;

/// What a server says about an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Export {
    /// Size in bytes.
    pub size: u64,
    /// Transmission flags.
    pub flags: u16,
    /// Smallest request in bytes; 1 when the server did not say, then 512 is safe.
    pub minimum_block: u32,
    /// Best request size in bytes; 4096 when the server did not say.
    pub preferred_block: u32,
    /// Largest request in bytes; 32 MiB when the server did not say.
    pub maximum_block: u32,
}

/// Why there is no NBD connection.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// Nobody answered, or the connection broke.
    #[error("the disk service at {address} cannot be reached: {cause}")]
    Unreachable {
        /// Whom we called.
        address: SocketAddrV6,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The connection broke in the middle of the negotiation, or took too long.
    #[error("the disk service broke off the negotiation: {0}")]
    Broken(#[from] io::Error),
    /// The other side does not speak NBD as we know it.
    #[error("the other side is no NBD server of the newstyle kind")]
    Foreign,
    /// The server does not want to give us this export.
    #[error("the disk service refused the export (error {code:#x}): {text}")]
    Refused {
        /// The NBD error number.
        code: u32,
        /// What the server says about it, control characters replaced.
        text: String,
    },
}

/// Connects to a disk service and negotiates an export. It has `reach` to take the call, which
/// is repeated while it is not heard, and then `limit` for each step; the socket that comes back
/// has no time limits of its own, keeps itself alive, and is ready for the kernel.
pub fn dial(
    address: SocketAddrV6,
    export: &str,
    reach: Duration,
    limit: Duration,
) -> Result<(TcpStream, Export), HandshakeError> {
    let unreachable = |cause| HandshakeError::Unreachable { address, cause };
    let mut stream = call(address, reach).map_err(unreachable)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    stream.set_nodelay(true)?;
    let export = negotiate(&mut stream, export)?;
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)?;
    keep_alive(&stream)?;
    Ok((stream, export))
}

/// Fixed newstyle negotiation up to the transmission phase of one export.
pub fn negotiate(mut stream: impl Read + Write, export: &str) -> Result<Export, HandshakeError> {
    let greeting: [u8; 18] = read(&mut stream)?;
    let flags = u16_at(&greeting, 16);
    if u64_at(&greeting, 0) != INIT_MAGIC
        || u64_at(&greeting, 8) != OPTION_MAGIC
        || flags & FLAG_FIXED_NEWSTYLE == 0
    {
        return Err(HandshakeError::Foreign);
    }
    stream.write_all(&go(export, flags & (FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES)))?;
    let mut found = None;
    let mut blocks = (1, 4096, 32 << 20);
    for _ in 0..REPLIES_LIMIT {
        let header: [u8; 20] = read(&mut stream)?;
        let (kind, length) = (u32_at(&header, 12), u32_at(&header, 16));
        if u64_at(&header, 0) != REPLY_MAGIC
            || u32_at(&header, 8) != OPTION_GO
            || length > REPLY_LIMIT
        {
            return Err(HandshakeError::Foreign);
        }
        let mut body = vec![0; length as usize];
        stream.read_exact(&mut body)?;
        match kind {
            REPLY_ACK => break,
            REPLY_INFO if body.len() == 12 && u16_at(&body, 0) == INFO_EXPORT => {
                found = Some((u64_at(&body, 2), u16_at(&body, 10)));
            }
            REPLY_INFO if body.len() == 14 && u16_at(&body, 0) == INFO_BLOCK_SIZE => {
                blocks = (u32_at(&body, 2), u32_at(&body, 6), u32_at(&body, 10));
            }
            code if code & REPLY_ERROR != 0 => {
                let text = String::from_utf8_lossy(&body).replace(char::is_control, " ");
                return Err(HandshakeError::Refused { code, text });
            }
            _ => {}
        }
    }
    let (size, flags) = found.ok_or(HandshakeError::Foreign)?;
    let (minimum_block, preferred_block, maximum_block) = blocks;
    Ok(Export {
        size,
        flags,
        minimum_block,
        preferred_block,
        maximum_block,
    })
}

/// Client flags, then NBD_OPT_GO for the export with a question for its block sizes.
fn go(export: &str, flags: u16) -> Vec<u8> {
    let name = u32::try_from(export.len()).unwrap_or(u32::MAX);
    let mut bytes = u32::from(flags).to_be_bytes().to_vec();
    bytes.extend(OPTION_MAGIC.to_be_bytes());
    bytes.extend(OPTION_GO.to_be_bytes());
    bytes.extend((4 + name + 2 + 2).to_be_bytes());
    bytes.extend(name.to_be_bytes());
    bytes.extend(export.as_bytes());
    bytes.extend(1_u16.to_be_bytes());
    bytes.extend(INFO_BLOCK_SIZE.to_be_bytes());
    bytes
}

fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_COUNT)?;
    Ok(())
}

fn read<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes[at..]
        .first_chunk()
        .copied()
        .map_or(0, u16::from_be_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..]
        .first_chunk()
        .copied()
        .map_or(0, u32::from_be_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..]
        .first_chunk()
        .copied()
        .map_or(0, u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// A server whose answers are known beforehand; what the client sends is kept.
    struct Script {
        answers: Cursor<Vec<u8>>,
        heard: Vec<u8>,
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.answers.read(buffer)
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.heard.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn greeting(flags: u16) -> Vec<u8> {
        [&b"NBDMAGICIHAVEOPT"[..], &flags.to_be_bytes()].concat()
    }

    fn reply(kind: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap();
        [
            &REPLY_MAGIC.to_be_bytes()[..],
            &OPTION_GO.to_be_bytes(),
            &kind.to_be_bytes(),
            &length.to_be_bytes(),
            body,
        ]
        .concat()
    }

    fn talk(answers: &[Vec<u8>]) -> (Result<Export, HandshakeError>, Vec<u8>) {
        let mut script = Script {
            answers: Cursor::new(answers.concat()),
            heard: Vec::new(),
        };
        let result = negotiate(&mut script, "disk/2");
        (result, script.heard)
    }

    fn export_info() -> Vec<u8> {
        reply(REPLY_INFO, &[0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0x01, 0x0d])
    }

    #[test]
    fn an_export_is_negotiated() {
        let sizes = reply(REPLY_INFO, &[0, 3, 0, 0, 2, 0, 0, 0, 0x10, 0, 2, 0, 0, 0]);
        let (export, heard) = talk(&[greeting(3), export_info(), sizes, reply(REPLY_ACK, &[])]);
        let expected = Export {
            size: 0x4000_0000,
            flags: 0x10d,
            minimum_block: 512,
            preferred_block: 4096,
            maximum_block: 32 << 20,
        };
        assert_eq!(export.unwrap(), expected);
        assert_eq!(
            heard,
            b"\0\0\0\x03IHAVEOPT\0\0\0\x07\0\0\0\x0e\0\0\0\x06disk/2\0\x01\0\x03"
        );
    }

    #[test]
    fn a_refusal_is_told_without_control_characters() {
        let (result, _) = talk(&[greeting(3), reply(0x8000_0006, b"lent\x1b[1m to\nBERTA")]);
        let text = result.unwrap_err().to_string();
        assert!(text.contains("lent [1m to BERTA"), "{text}");
    }

    #[test]
    fn strangers_are_noticed() {
        let foreign = |answers: &[Vec<u8>]| {
            assert!(matches!(talk(answers).0, Err(HandshakeError::Foreign)));
        };
        foreign(&[b"HTTP/1.1 400 Bad R".to_vec()]);
        foreign(&[greeting(0)]);
        foreign(&[greeting(3), reply(REPLY_ACK, &[])]);
        let mut long = reply(REPLY_INFO, &[]);
        long[16..20].copy_from_slice(&(REPLY_LIMIT + 1).to_be_bytes());
        foreign(&[greeting(3), long]);
        let endless: Vec<_> = (0..40).map(|_| reply(REPLY_INFO, &[0, 9])).collect();
        foreign(&[vec![greeting(3)], endless].concat());
    }

    #[test]
    fn a_broken_connection_is_an_error() {
        let (result, _) = talk(&[greeting(3), export_info()]);
        assert!(matches!(result, Err(HandshakeError::Broken(_))));
    }
}
