//! From the greeting to the first request: options and their answers.
//!
//! [`Negotiation::handle`] takes one option at a time and says what to do:
//!
//! ```text
//!            ┌─ Answer(bytes) ── send, read the next option
//! option ────┼─ Open(opening) ── ask the gate, then send `grant` or `deny`
//!            └─ Quit(bytes) ──── send what there is, hang up
//! ```

use super::{
    Agreed, Export, ExportName, Fields, MAX_PAYLOAD_BYTES, OutOfStep, PREFERRED_BLOCK_BYTES,
};

/// First word of the greeting, "NBDMAGIC".
pub const INIT_MAGIC: u64 = 0x4e42_444d_4147_4943;
/// In front of each option, "IHAVEOPT".
pub const OPTION_MAGIC: u64 = 0x4948_4156_454f_5054;
/// In front of each answer to an option.
pub const REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
/// Longest data of an option in bytes: a name of 4096 bytes, which is the longest
/// string that the protocol allows, and as many metadata queries behind it.
pub const MAX_OPTION_BYTES: u32 = 16 << 10;
/// Most options that a client may send; nbdkit allows 32, a person trying things
/// out in a shell sends some more.
pub const MAX_OPTIONS: u32 = 128;
/// Length of the client's flags in bytes.
pub const CLIENT_FLAGS_BYTES: usize = 4;
/// Length in bytes of what stands in front of an option's data.
pub const OPTION_HEADER_BYTES: usize = 16;

const FIXED_NEWSTYLE: u16 = 1;
const NO_ZEROES: u16 = 2;

/// Numbers of the options (`NBD_OPT_*`).
pub mod option {
    #![allow(missing_docs, reason = "the names are the protocol's own")]
    pub const EXPORT_NAME: u32 = 1;
    pub const ABORT: u32 = 2;
    pub const LIST: u32 = 3;
    pub const STARTTLS: u32 = 5;
    pub const INFO: u32 = 6;
    pub const GO: u32 = 7;
    pub const STRUCTURED_REPLY: u32 = 8;
    pub const LIST_META_CONTEXT: u32 = 9;
    pub const SET_META_CONTEXT: u32 = 10;
}

/// Kinds of answers (`NBD_REP_*`).
pub mod reply {
    #![allow(missing_docs, reason = "the names are the protocol's own")]
    pub const ACK: u32 = 1;
    pub const SERVER: u32 = 2;
    pub const INFO: u32 = 3;
    pub const META_CONTEXT: u32 = 4;
    pub const ERR_UNSUP: u32 = (1 << 31) + 1;
    pub const ERR_POLICY: u32 = (1 << 31) + 2;
    pub const ERR_INVALID: u32 = (1 << 31) + 3;
    pub const ERR_UNKNOWN: u32 = (1 << 31) + 6;
    pub const ERR_TOO_BIG: u32 = (1 << 31) + 9;
}

/// Kinds of information in an INFO answer (`NBD_INFO_*`).
pub mod info {
    #![allow(missing_docs, reason = "the names are the protocol's own")]
    pub const EXPORT: u16 = 0;
    pub const NAME: u16 = 1;
    pub const DESCRIPTION: u16 = 2;
    pub const BLOCK_SIZE: u16 = 3;
}

/// The one metadata context that is offered.
pub const ALLOCATION: &[u8] = b"base:allocation";
/// Its number in the answers to BLOCK_STATUS.
pub const ALLOCATION_ID: u32 = 1;

const DESCRIPTION: &[u8] = b"a disk served by Stiefelsystem";

/// What the server says first.
pub fn greeting() -> [u8; 18] {
    let mut bytes = [0; 18];
    bytes[..8].copy_from_slice(&INIT_MAGIC.to_be_bytes());
    bytes[8..16].copy_from_slice(&OPTION_MAGIC.to_be_bytes());
    bytes[16..].copy_from_slice(&(FIXED_NEWSTYLE | NO_ZEROES).to_be_bytes());
    bytes
}

/// What stands in front of an option's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionHeader {
    /// Which option, see [`option`].
    pub option: u32,
    /// Length of its data in bytes, not checked against [`MAX_OPTION_BYTES`].
    pub length: u32,
}

impl OptionHeader {
    /// Reads the header; an error is the end of the connection.
    pub fn parse(bytes: &[u8; OPTION_HEADER_BYTES]) -> Result<Self, OutOfStep> {
        let mut fields = Fields(bytes);
        if fields.u64() != Some(OPTION_MAGIC) {
            return Err(OutOfStep("an option without its magic number"));
        }
        match (fields.u32(), fields.u32()) {
            (Some(option), Some(length)) => Ok(Self { option, length }),
            _ => Err(OutOfStep("an option cut short")),
        }
    }
}

/// What to do after an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this and read the next option.
    Answer(Vec<u8>),
    /// The client wants to begin. Send [`Negotiation::grant`] or [`Negotiation::deny`].
    Open(Opening),
    /// Send this, which may be nothing, and hang up.
    Quit(Vec<u8>),
}

/// A client's wish to begin with requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// What it wants to open.
    pub export: ExportName,
    via: Via,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Via {
    Go(Wanted),
    ExportName,
}

/// The optional pieces of information that a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    name: bool,
    description: bool,
}

/// The state of one negotiation.
#[derive(Clone, Debug)]
pub struct Negotiation {
    no_zeroes: bool,
    structured: bool,
    /// For which export `base:allocation` has been agreed on.
    allocation: Option<ExportName>,
    options: u32,
}

impl Negotiation {
    /// Begins with the client's flags; unknown flags are the end of the connection.
    pub fn begin(client_flags: [u8; CLIENT_FLAGS_BYTES]) -> Result<Self, OutOfStep> {
        let flags = u32::from_be_bytes(client_flags);
        if flags & !u32::from(FIXED_NEWSTYLE | NO_ZEROES) != 0 {
            return Err(OutOfStep("unknown client flags"));
        }
        Ok(Self {
            no_zeroes: flags & u32::from(NO_ZEROES) != 0,
            structured: false,
            allocation: None,
            options: 0,
        })
    }

    /// Takes one option with its data.
    pub fn handle(&mut self, option: u32, data: &[u8], export: &Export) -> Step {
        self.options += 1;
        if self.options > MAX_OPTIONS {
            return Step::Quit(Vec::new());
        }
        match option {
            option::EXPORT_NAME => match ExportName::parse(data) {
                Some(export) => Step::Open(Opening {
                    export,
                    via: Via::ExportName,
                }),
                None => Step::Quit(Vec::new()),
            },
            option::ABORT => Step::Quit(answer(option, reply::ACK, &[])),
            option::LIST => self.list(data),
            option::STRUCTURED_REPLY => self.structured_reply(data),
            option::INFO | option::GO => self.info(option, data, export),
            option::LIST_META_CONTEXT | option::SET_META_CONTEXT => self.meta_context(option, data),
            _ => error(
                option,
                reply::ERR_UNSUP,
                "this server does not know that option",
            ),
        }
    }

    /// The answer to an option whose data is longer than [`MAX_OPTION_BYTES`]. The
    /// data is to be read and dropped.
    pub fn too_big(&mut self, option: u32) -> Step {
        self.options += 1;
        if self.options > MAX_OPTIONS || option == option::EXPORT_NAME {
            return Step::Quit(Vec::new());
        }
        error(
            option,
            reply::ERR_TOO_BIG,
            "an option may have 16 KiB of data",
        )
    }

    /// The bytes that open the transmission, and what holds during it.
    pub fn grant(&self, opening: &Opening, export: &Export) -> (Vec<u8>, Agreed) {
        let agreed = Agreed {
            structured: self.structured,
            allocation: self.structured && self.allocation == Some(opening.export),
        };
        let bytes = match &opening.via {
            Via::Go(wanted) => self.describe(option::GO, opening.export, *wanted, export),
            Via::ExportName => {
                let mut bytes = export_fields(export, self.structured).to_vec();
                if !self.no_zeroes {
                    bytes.resize(bytes.len() + 124, 0);
                }
                bytes
            }
        };
        (bytes, agreed)
    }

    /// The bytes for a client that may not open what it asked for. `None` when there
    /// is no way to say so but to hang up.
    pub fn deny(&self, opening: &Opening, why: &str) -> Option<Vec<u8>> {
        match opening.via {
            Via::Go(_) => Some(answer(option::GO, reply::ERR_POLICY, why.as_bytes())),
            Via::ExportName => None,
        }
    }

    fn list(&self, data: &[u8]) -> Step {
        let option = option::LIST;
        if !data.is_empty() {
            return error(option, reply::ERR_INVALID, "LIST takes no data");
        }
        let name = ExportName::Disk.to_string();
        let mut bytes = answer(
            option,
            reply::SERVER,
            &[&length(name.len()), name.as_bytes()].concat(),
        );
        bytes.extend(answer(option, reply::ACK, &[]));
        Step::Answer(bytes)
    }

    fn structured_reply(&mut self, data: &[u8]) -> Step {
        let option = option::STRUCTURED_REPLY;
        if !data.is_empty() {
            return error(option, reply::ERR_INVALID, "STRUCTURED_REPLY takes no data");
        }
        self.structured = true;
        Step::Answer(answer(option, reply::ACK, &[]))
    }

    fn info(&self, option: u32, data: &[u8], export: &Export) -> Step {
        let Some((name, wanted)) = parse_info(data) else {
            return error(
                option,
                reply::ERR_INVALID,
                "a name and a list of information types is expected",
            );
        };
        let Some(name) = ExportName::parse(name) else {
            return unknown_export(option);
        };
        if option == option::GO {
            return Step::Open(Opening {
                export: name,
                via: Via::Go(wanted),
            });
        }
        Step::Answer(self.describe(option, name, wanted, export))
    }

    fn describe(&self, option: u32, name: ExportName, wanted: Wanted, export: &Export) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut tell = |kind: u16, content: &[u8]| {
            bytes.extend(answer(
                option,
                reply::INFO,
                &[&kind.to_be_bytes(), content].concat(),
            ));
        };
        tell(info::EXPORT, &export_fields(export, self.structured));
        if wanted.name {
            tell(info::NAME, name.to_string().as_bytes());
        }
        if wanted.description {
            tell(info::DESCRIPTION, DESCRIPTION);
        }
        let sizes = [export.block_bytes, PREFERRED_BLOCK_BYTES, MAX_PAYLOAD_BYTES];
        tell(info::BLOCK_SIZE, &sizes.map(u32::to_be_bytes).concat());
        bytes.extend(answer(option, reply::ACK, &[]));
        bytes
    }

    fn meta_context(&mut self, option: u32, data: &[u8]) -> Step {
        let setting = option == option::SET_META_CONTEXT;
        if setting {
            self.allocation = None;
        }
        if !self.structured {
            return error(option, reply::ERR_INVALID, "ask for STRUCTURED_REPLY first");
        }
        let Some((name, queries)) = parse_meta_context(data) else {
            return error(
                option,
                reply::ERR_INVALID,
                "a name and a list of queries is expected",
            );
        };
        let Some(name) = ExportName::parse(name) else {
            return unknown_export(option);
        };
        let matches = queries.contains(&ALLOCATION)
            || (!setting && (queries.is_empty() || queries.contains(&b"base:".as_slice())));
        let mut bytes = Vec::new();
        if matches {
            let id = if setting { ALLOCATION_ID } else { 0 };
            bytes.extend(answer(
                option,
                reply::META_CONTEXT,
                &[&id.to_be_bytes(), ALLOCATION].concat(),
            ));
            if setting {
                self.allocation = Some(name);
            }
        }
        bytes.extend(answer(option, reply::ACK, &[]));
        Step::Answer(bytes)
    }
}

fn parse_info(data: &[u8]) -> Option<(&[u8], Wanted)> {
    let mut fields = Fields(data);
    let name = fields.string()?;
    let mut wanted = Wanted {
        name: false,
        description: false,
    };
    for _ in 0..fields.u16()? {
        match fields.u16()? {
            info::NAME => wanted.name = true,
            info::DESCRIPTION => wanted.description = true,
            // Told in any case, or not known here and to be ignored.
            _ => {}
        }
    }
    fields.end()?;
    Some((name, wanted))
}

fn parse_meta_context(data: &[u8]) -> Option<(&[u8], Vec<&[u8]>)> {
    let mut fields = Fields(data);
    let name = fields.string()?;
    let mut queries = Vec::new();
    for _ in 0..fields.u32()? {
        queries.push(fields.string()?);
    }
    fields.end()?;
    Some((name, queries))
}

/// Size and flags, as INFO and EXPORT_NAME tell them.
fn export_fields(export: &Export, structured: bool) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&export.size.to_be_bytes());
    bytes[8..].copy_from_slice(&export.flags(structured).to_be_bytes());
    bytes
}

fn answer(option: u32, kind: u32, data: &[u8]) -> Vec<u8> {
    let head = [option.to_be_bytes(), kind.to_be_bytes(), length(data.len())].concat();
    [&REPLY_MAGIC.to_be_bytes()[..], &head, data].concat()
}

fn error(option: u32, kind: u32, why: &str) -> Step {
    Step::Answer(answer(option, kind, why.as_bytes()))
}

fn unknown_export(option: u32) -> Step {
    error(
        option,
        reply::ERR_UNKNOWN,
        "no such export; there are disk and disk/0 to disk/15",
    )
}

/// The length of something of ours, which is always short.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests;
