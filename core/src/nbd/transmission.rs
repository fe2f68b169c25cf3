//! Requests, the rules that each must keep, and replies.
//!
//! [`Request::parse`] keeps the stream in step, [`Request::check`] decides whether
//! the request is one that may be done. A refused WRITE still has its payload
//! behind it, see [`Request::payload_bytes`].

use super::negotiation::ALLOCATION_ID;
use super::{Agreed, Export, Fields, MAX_PAYLOAD_BYTES, OutOfStep, flags};

/// In front of each request.
pub const REQUEST_MAGIC: u32 = 0x2560_9513;
/// In front of each simple reply.
pub const SIMPLE_REPLY_MAGIC: u32 = 0x6744_6698;
/// In front of each chunk of a structured reply.
pub const CHUNK_MAGIC: u32 = 0x668e_33ef;
/// Length of a request in bytes, without a payload.
pub const REQUEST_BYTES: usize = 28;
/// Length of a simple reply in bytes, without data.
pub const SIMPLE_REPLY_BYTES: usize = 16;
/// Length in bytes of what stands in front of a chunk's content.
pub const CHUNK_BYTES: usize = 20;
/// Length in bytes of what stands in front of the data in an OFFSET_DATA chunk.
pub const DATA_CHUNK_BYTES: usize = CHUNK_BYTES + 8;

/// Length in bytes of an OFFSET_HOLE chunk.
pub const HOLE_CHUNK_BYTES: usize = CHUNK_BYTES + 12;

/// Numbers of the commands (`NBD_CMD_*`).
pub mod command {
    #![allow(missing_docs, reason = "the names are the protocol's own")]
    pub const READ: u16 = 0;
    pub const WRITE: u16 = 1;
    pub const DISC: u16 = 2;
    pub const FLUSH: u16 = 3;
    pub const TRIM: u16 = 4;
    pub const CACHE: u16 = 5;
    pub const WRITE_ZEROES: u16 = 6;
    pub const BLOCK_STATUS: u16 = 7;
}

/// Flags of the commands (`NBD_CMD_FLAG_*`).
pub mod command_flag {
    #![allow(missing_docs, reason = "the names are the protocol's own")]
    pub const FUA: u16 = 1;
    pub const NO_HOLE: u16 = 1 << 1;
    pub const DF: u16 = 1 << 2;
    pub const REQ_ONE: u16 = 1 << 3;
    pub const FAST_ZERO: u16 = 1 << 4;
}

/// Kinds of chunks (`NBD_REPLY_TYPE_*`).
pub mod chunk {
    #![allow(missing_docs, reason = "the names are the protocol's own")]
    pub const NONE: u16 = 0;
    pub const OFFSET_DATA: u16 = 1;
    pub const OFFSET_HOLE: u16 = 2;
    pub const BLOCK_STATUS: u16 = 5;
    pub const ERROR: u16 = (1 << 15) + 1;
    pub const ERROR_OFFSET: u16 = (1 << 15) + 2;
    /// Flag of a reply's last chunk.
    pub const DONE: u16 = 1;
}

/// Errors on the wire, with the protocol's own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum WireError {
    /// Writing to a read-only export.
    NotPermitted = 1,
    /// The disk failed.
    Io = 5,
    /// No memory.
    NoMemory = 12,
    /// A request that breaks the rules.
    Invalid = 22,
    /// Beyond the end of the disk, or the image's file system is full.
    NoSpace = 28,
    /// Too long to be answered in one piece.
    Overflow = 75,
    /// Not possible as quickly as asked for.
    NotSupported = 95,
}

/// A piece of the disk in bytes; never empty, never beyond the end once checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub length: u32,
}

impl Range {
    /// What is left behind the first `length` bytes, which must not be more than there are.
    #[must_use]
    pub fn behind(self, length: u32) -> Self {
        Self {
            offset: self.offset + u64::from(length),
            length: self.length - length,
        }
    }
}

/// One request as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// See [`command_flag`].
    pub flags: u16,
    /// See [`command`].
    pub command: u16,
    /// The client's own mark, sent back with the reply.
    pub cookie: u64,
    /// Where on the disk, in bytes.
    pub offset: u64,
    /// How long, in bytes.
    pub length: u32,
}

/// A request that keeps all rules.
#[allow(missing_docs, reason = "each variant says what its fields are")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Read; `whole` asks for at most one chunk of data.
    Read { range: Range, whole: bool },
    /// Write the payload; `fua`: answer once it is on stable storage.
    Write { range: Range, fua: bool },
    /// Answer once all answered writes are on stable storage.
    Flush,
    /// The content is no longer needed.
    Trim { range: Range, fua: bool },
    /// Fill with zeros. `hole`: may give back the space. `fast`: fail with
    /// [`WireError::NotSupported`] instead of writing zeros out.
    WriteZeroes {
        range: Range,
        fua: bool,
        hole: bool,
        fast: bool,
    },
    /// Will be read soon.
    Cache { range: Range },
    /// Tell what is allocated; `one`: only the first extent.
    BlockStatus { range: Range, one: bool },
    /// The client goes; nothing is answered.
    Disconnect,
}

impl Command {
    /// Whether the disk has another content afterwards.
    pub fn changes_the_disk(&self) -> bool {
        match self {
            Self::Write { .. } | Self::Trim { .. } | Self::WriteZeroes { .. } => true,
            Self::Read { .. }
            | Self::Flush
            | Self::Cache { .. }
            | Self::BlockStatus { .. }
            | Self::Disconnect => false,
        }
    }
}

impl Request {
    /// Reads a request; an error is the end of the connection.
    pub fn parse(bytes: &[u8; REQUEST_BYTES]) -> Result<Self, OutOfStep> {
        let mut fields = Fields(bytes);
        if fields.u32() != Some(REQUEST_MAGIC) {
            return Err(OutOfStep("a request without its magic number"));
        }
        let mut read = || {
            Some(Self {
                flags: fields.u16()?,
                command: fields.u16()?,
                cookie: fields.u64()?,
                offset: fields.u64()?,
                length: fields.u32()?,
            })
        };
        read().ok_or(OutOfStep("a request cut short"))
    }

    /// Writes the request as a client does.
    pub fn encode(&self) -> [u8; REQUEST_BYTES] {
        let mut bytes = [0; REQUEST_BYTES];
        bytes[..4].copy_from_slice(&REQUEST_MAGIC.to_be_bytes());
        bytes[4..6].copy_from_slice(&self.flags.to_be_bytes());
        bytes[6..8].copy_from_slice(&self.command.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.cookie.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.offset.to_be_bytes());
        bytes[24..].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }

    /// Bytes that follow the request in the stream, whether it is a good one or not.
    pub fn payload_bytes(&self) -> u32 {
        if self.command == command::WRITE {
            self.length
        } else {
            0
        }
    }

    /// Decides whether the request may be done.
    pub fn check(&self, export: &Export, agreed: &Agreed) -> Result<Command, WireError> {
        let offered = export.flags(agreed.structured);
        let fua = self.flags & command_flag::FUA != 0;
        match self.command {
            command::READ => {
                self.allow(offered, command_flag::DF)?;
                let range = self.payload(export, WireError::Invalid)?;
                Ok(Command::Read {
                    range,
                    whole: self.flags & command_flag::DF != 0,
                })
            }
            command::WRITE => {
                self.writing(export, offered, flags::HAS_FLAGS, 0)?;
                Ok(Command::Write {
                    range: self.payload(export, WireError::NoSpace)?,
                    fua,
                })
            }
            command::FLUSH => {
                self.allow(offered, 0)?;
                if self.offset != 0 || self.length != 0 {
                    return Err(WireError::Invalid);
                }
                Ok(Command::Flush)
            }
            command::TRIM => {
                self.writing(export, offered, flags::SEND_TRIM, 0)?;
                Ok(Command::Trim {
                    range: self.range(export, WireError::Invalid)?,
                    fua,
                })
            }
            command::WRITE_ZEROES => {
                let known = command_flag::NO_HOLE | command_flag::FAST_ZERO;
                self.writing(export, offered, flags::SEND_WRITE_ZEROES, known)?;
                Ok(Command::WriteZeroes {
                    range: self.range(export, WireError::NoSpace)?,
                    fua,
                    hole: self.flags & command_flag::NO_HOLE == 0,
                    fast: self.flags & command_flag::FAST_ZERO != 0,
                })
            }
            command::CACHE => {
                self.allow(offered, 0)?;
                Ok(Command::Cache {
                    range: self.range(export, WireError::Invalid)?,
                })
            }
            command::BLOCK_STATUS => {
                self.allow(offered, command_flag::REQ_ONE)?;
                if !agreed.allocation {
                    return Err(WireError::Invalid);
                }
                let range = self.range(export, WireError::Invalid)?;
                Ok(Command::BlockStatus {
                    range,
                    one: self.flags & command_flag::REQ_ONE != 0,
                })
            }
            command::DISC => Ok(Command::Disconnect),
            _ => Err(WireError::Invalid),
        }
    }

    /// Refuses all flags but those of the command, and FUA where it is offered.
    fn allow(&self, offered: u16, known: u16) -> Result<(), WireError> {
        let mut known = known;
        if offered & flags::SEND_FUA != 0 {
            known |= command_flag::FUA;
        }
        if offered & flags::SEND_DF == 0 {
            known &= !command_flag::DF;
        }
        if self.flags & !known == 0 {
            Ok(())
        } else {
            Err(WireError::Invalid)
        }
    }

    fn writing(
        &self,
        export: &Export,
        offered: u16,
        needs: u16,
        known: u16,
    ) -> Result<(), WireError> {
        if export.read_only {
            return Err(WireError::NotPermitted);
        }
        if offered & needs != needs {
            return Err(WireError::Invalid);
        }
        self.allow(offered, known)
    }

    /// The range of a command that moves data.
    fn payload(&self, export: &Export, beyond: WireError) -> Result<Range, WireError> {
        if self.length > MAX_PAYLOAD_BYTES {
            return Err(WireError::Invalid);
        }
        self.range(export, beyond)
    }

    fn range(&self, export: &Export, beyond: WireError) -> Result<Range, WireError> {
        let block = u64::from(export.block_bytes);
        let length = u64::from(self.length);
        if length == 0 || !length.is_multiple_of(block) || !self.offset.is_multiple_of(block) {
            return Err(WireError::Invalid);
        }
        match self.offset.checked_add(length) {
            Some(end) if end <= export.size => Ok(Range {
                offset: self.offset,
                length: self.length,
            }),
            _ => Err(beyond),
        }
    }
}

/// A piece of the disk and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// How long it is, in bytes.
    pub length: u32,
    /// Nothing is stored there, and it reads as zeros.
    pub hole: bool,
}

/// The reply to everything that has no data, and to a READ without chunks, whose data follows.
pub fn simple_reply(cookie: u64, result: Result<(), WireError>) -> [u8; SIMPLE_REPLY_BYTES] {
    let error = result.err().map_or(0, |error| error as u32);
    let mut bytes = [0; SIMPLE_REPLY_BYTES];
    bytes[..4].copy_from_slice(&SIMPLE_REPLY_MAGIC.to_be_bytes());
    bytes[4..8].copy_from_slice(&error.to_be_bytes());
    bytes[8..].copy_from_slice(&cookie.to_be_bytes());
    bytes
}

/// What stands in front of the data of `range`.
pub fn data_chunk(cookie: u64, range: Range, last: bool) -> [u8; DATA_CHUNK_BYTES] {
    let mut bytes = [0; DATA_CHUNK_BYTES];
    bytes[..CHUNK_BYTES].copy_from_slice(&chunk_head(
        cookie,
        chunk::OFFSET_DATA,
        last,
        range.length + 8,
    ));
    bytes[CHUNK_BYTES..].copy_from_slice(&range.offset.to_be_bytes());
    bytes
}

/// The chunk that says that `range` reads as zeros, instead of data.
pub fn hole_chunk(cookie: u64, range: Range, last: bool) -> [u8; HOLE_CHUNK_BYTES] {
    let mut bytes = [0; HOLE_CHUNK_BYTES];
    bytes[..CHUNK_BYTES].copy_from_slice(&chunk_head(cookie, chunk::OFFSET_HOLE, last, 12));
    bytes[CHUNK_BYTES..][..8].copy_from_slice(&range.offset.to_be_bytes());
    bytes[CHUNK_BYTES + 8..].copy_from_slice(&range.length.to_be_bytes());
    bytes
}

/// The last chunk of a reply that failed; `offset` when it is known where.
pub fn error_chunk(cookie: u64, error: WireError, offset: Option<u64>) -> Vec<u8> {
    let (kind, length) = match offset {
        None => (chunk::ERROR, 6),
        Some(_) => (chunk::ERROR_OFFSET, 14),
    };
    let mut bytes = chunk_head(cookie, kind, true, length).to_vec();
    bytes.extend((error as u32).to_be_bytes());
    // The length of a message for people, which is left out.
    bytes.extend(0u16.to_be_bytes());
    bytes.extend(offset.map(u64::to_be_bytes).into_iter().flatten());
    bytes
}

/// The reply to BLOCK_STATUS, with at least one extent.
pub fn block_status(cookie: u64, extents: &[Extent]) -> Vec<u8> {
    // Two flags of base:allocation: a hole, and reads as zeros.
    const HOLE_AND_ZERO: u32 = 3;
    let length = u32::try_from(4 + 8 * extents.len()).unwrap_or(u32::MAX);
    let mut bytes = chunk_head(cookie, chunk::BLOCK_STATUS, true, length).to_vec();
    bytes.extend(ALLOCATION_ID.to_be_bytes());
    for extent in extents {
        bytes.extend(extent.length.to_be_bytes());
        bytes.extend(if extent.hole { HOLE_AND_ZERO } else { 0 }.to_be_bytes());
    }
    bytes
}

fn chunk_head(cookie: u64, kind: u16, last: bool, length: u32) -> [u8; CHUNK_BYTES] {
    let flags = if last { chunk::DONE } else { 0 };
    let mut bytes = [0; CHUNK_BYTES];
    bytes[..4].copy_from_slice(&CHUNK_MAGIC.to_be_bytes());
    bytes[4..6].copy_from_slice(&flags.to_be_bytes());
    bytes[6..8].copy_from_slice(&kind.to_be_bytes());
    bytes[8..16].copy_from_slice(&cookie.to_be_bytes());
    bytes[16..].copy_from_slice(&length.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests;
