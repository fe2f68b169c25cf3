//! NBD as the disk service speaks it: fixed newstyle, the server's side.
//!
//! ```text
//! greeting ─▶ client flags ─▶ option, option, … ─▶ GO or EXPORT_NAME ─▶ request, reply, …
//!            └────────── [`negotiation`] ───────────────────────────┘ └ [`transmission`] ┘
//! ```
//!
//! Everything here turns bytes into checked types and types into bytes. Sockets,
//! the disk and the fence between sessions are the server's.
//!
//! Source: `doc/proto.md` of the NetworkBlockDevice project. All numbers on the
//! wire are big-endian.

use std::fmt;

use strands::Strand;

pub mod negotiation;
pub mod strands;
pub mod transmission;

/// Preferred size of requests in bytes: the page of the lender's page cache.
pub const PREFERRED_BLOCK_BYTES: u32 = 4096;
/// Longest payload of a READ or WRITE in bytes: what the kernel's client may
/// send at most, and the most that a client may assume when nobody has told it.
pub const MAX_PAYLOAD_BYTES: u32 = 32 << 20;
/// Exports with a fence. The kernel's client uses one for each of its sockets, of
/// which it has four; sixteen leave room.
pub const SLOTS: u8 = 16;

/// One of the numbered exports `disk/0` to `disk/15`.
///
/// A slot has one session at a time. Whoever opens it anew takes it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u8);

impl Slot {
    /// The slot with this number, if there is one.
    pub const fn new(number: u8) -> Option<Self> {
        if number < SLOTS {
            Some(Self(number))
        } else {
            None
        }
    }

    /// 0 to 15.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// An export's name, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExportName {
    /// `disk`, or the empty name that means the default: any number of sessions.
    Disk,
    /// `disk/<slot>`: one session at a time.
    Slot(Slot),
    /// `disk/<slot>/<serial>`: likewise, and one of several by which one kernel uses the disk.
    Strand(Strand),
    /// `watch`: where that kernel's [roll](strands::Roll) is called.
    Watch,
}

impl ExportName {
    /// Reads a name as a client sends it. Numbers are written in decimal without
    /// leading zeros, so that each export has one name. `None` when there is no such
    /// export.
    pub fn parse(name: &[u8]) -> Option<Self> {
        if name.is_empty() {
            return Some(Self::Disk);
        }
        let name = str::from_utf8(name).ok()?;
        let mut parts = name.split('/');
        let export = match (parts.next()?, parts.next(), parts.next()) {
            ("disk", None, None) => Self::Disk,
            ("watch", None, None) => Self::Watch,
            ("disk", Some(slot), None) => Self::Slot(Slot::new(slot.parse().ok()?)?),
            ("disk", Some(slot), Some(serial)) => Self::Strand(Strand {
                slot: Slot::new(slot.parse().ok()?)?,
                serial: serial.parse().ok().filter(|serial| *serial > 0)?,
            }),
            _ => return None,
        };
        (export.to_string() == name).then_some(export)
    }

    /// The slot, when the name has one.
    pub const fn slot(self) -> Option<Slot> {
        match self {
            Self::Disk | Self::Watch => None,
            Self::Slot(slot) | Self::Strand(Strand { slot, .. }) => Some(slot),
        }
    }
}

impl fmt::Display for ExportName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk => f.write_str("disk"),
            Self::Slot(slot) => write!(f, "disk/{}", slot.0),
            Self::Strand(Strand { slot, serial }) => write!(f, "disk/{}/{serial}", slot.0),
            Self::Watch => f.write_str("watch"),
        }
    }
}

/// What a client is told about the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export {
    /// Size in bytes, a multiple of `block_bytes`.
    pub size: u64,
    /// The disk's logical block size in bytes, a power of two from 512 to 4096;
    /// requests that are not aligned to it are refused.
    pub block_bytes: u32,
    /// Writing is refused.
    pub read_only: bool,
    /// TRIM reaches the disk.
    pub trim: bool,
    /// The disk turns.
    pub rotational: bool,
}

impl Export {
    /// The transmission flags: what may be asked of this export. Several
    /// connections may share it: all of them read and write through one page
    /// cache, and a FLUSH on one covers the writes of all.
    pub fn flags(&self, structured: bool) -> u16 {
        use flags::*;
        let mut flags = HAS_FLAGS | SEND_FLUSH | CAN_MULTI_CONN | SEND_CACHE;
        if self.read_only {
            flags |= READ_ONLY;
        } else {
            flags |= SEND_FUA | SEND_WRITE_ZEROES | SEND_FAST_ZERO;
            if self.trim {
                flags |= SEND_TRIM;
            }
        }
        if self.rotational {
            flags |= ROTATIONAL;
        }
        if structured {
            flags |= SEND_DF;
        }
        flags
    }
}

/// Transmission flags (`NBD_FLAG_*`).
pub mod flags {
    #![allow(missing_docs, reason = "the names are the protocol's own")]
    pub const HAS_FLAGS: u16 = 1;
    pub const READ_ONLY: u16 = 1 << 1;
    pub const SEND_FLUSH: u16 = 1 << 2;
    pub const SEND_FUA: u16 = 1 << 3;
    pub const ROTATIONAL: u16 = 1 << 4;
    pub const SEND_TRIM: u16 = 1 << 5;
    pub const SEND_WRITE_ZEROES: u16 = 1 << 6;
    pub const SEND_DF: u16 = 1 << 7;
    pub const CAN_MULTI_CONN: u16 = 1 << 8;
    pub const SEND_CACHE: u16 = 1 << 10;
    pub const SEND_FAST_ZERO: u16 = 1 << 11;
}

/// What the two sides have agreed on before the first request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// Reads are answered in chunks.
    pub structured: bool,
    /// BLOCK_STATUS may be asked for `base:allocation`.
    pub allocation: bool,
}

/// The peer does not speak NBD, or no longer in step: hang up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client does not speak NBD's fixed newstyle as agreed ({0}); use a current NBD client")]
pub struct OutOfStep(pub &'static str);

/// Reads big-endian numbers and strings from the front of a message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A string with its length in front.
    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.bytes(usize::try_from(length).ok()?)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_export_has_one_name() {
        assert_eq!(ExportName::parse(b""), Some(ExportName::Disk));
        assert_eq!(ExportName::parse(b"disk"), Some(ExportName::Disk));
        assert_eq!(ExportName::parse(b"watch"), Some(ExportName::Watch));
        for number in 0..SLOTS {
            let slot = Slot::new(number).unwrap();
            let strands = [1, 10, u64::MAX].map(|serial| Strand { slot, serial });
            let mut names = vec![ExportName::Slot(slot)];
            names.extend(strands.map(ExportName::Strand));
            for name in names {
                assert_eq!(ExportName::parse(name.to_string().as_bytes()), Some(name));
                assert_eq!(name.slot(), Some(slot));
            }
        }
        for wrong in [
            "disk/",
            "disk/16",
            "disk/00",
            "disk/+1",
            "disk/1 ",
            "disk/-1",
            "Disk",
            "disk2",
            "/",
            "disk/256",
            "disk/0/0",
            "disk/0/01",
            "disk/0/",
            "disk/16/1",
            "disk/0/1/1",
            "disk//1",
            "disk/0/18446744073709551616",
            "watch/",
            "watch/0",
            "disk/0/-1",
        ] {
            assert_eq!(ExportName::parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(ExportName::parse(b"disk/\xff"), None);
    }

    #[test]
    fn a_read_only_export_offers_nothing_that_writes() {
        let export = Export {
            size: 512,
            block_bytes: 512,
            read_only: true,
            trim: true,
            rotational: false,
        };
        let offered = export.flags(true);
        for writing in [
            flags::SEND_FUA,
            flags::SEND_TRIM,
            flags::SEND_WRITE_ZEROES,
            flags::SEND_FAST_ZERO,
        ] {
            assert_eq!(offered & writing, 0);
        }
        assert_ne!(offered & flags::READ_ONLY, 0);
        assert_ne!(offered & flags::CAN_MULTI_CONN, 0);
    }

    #[test]
    fn chunks_are_offered_whole_only_once_agreed() {
        let export = Export {
            size: 512,
            block_bytes: 512,
            read_only: false,
            trim: false,
            rotational: true,
        };
        assert_eq!(export.flags(false) & flags::SEND_DF, 0);
        assert_ne!(export.flags(true) & flags::SEND_DF, 0);
        assert_eq!(export.flags(true) & flags::SEND_TRIM, 0);
        assert_ne!(export.flags(true) & flags::ROTATIONAL, 0);
    }
}
