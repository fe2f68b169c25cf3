//! Several connections of one kernel, and how the server keeps its writes in order.
//!
//! The kernel's client gives up on a connection by itself, and sends what it had sent there
//! again on another one. The first copy may still be on its way. Two things tell the server
//! what has happened:
//!
//! - **The cookie** of a request has the number of the kernel's queue in it. A queue has its
//!   own connection, so a request that comes elsewhere was moved ([`Cookies`]).
//! - **The roll** of the connections that the kernel still uses, which a process beside the
//!   kernel answers on a connection of its own, the export `watch` ([`Roll`]). A request
//!   that lies in a connection which is used *after* it was received has no younger copy.
//!
//! ```text
//! server ── call (8 bytes: its number) ──▶ watch
//!        ◀── roll (144 bytes) ────────────  looks at its sockets after the call has come
//! ```
//!
//! Source of the cookie: `nbd_cmd_handle` in `drivers/block/nbd.c`. How it is used, and why
//! nothing less would do: `docs/decisions/0009-several-connections-by-roll-call.md`.

use super::{Fields, SLOTS, Slot};

/// One of several connections by which one kernel uses the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Strand {
    /// The kernel's queue that sends here in quiet times.
    pub slot: Slot,
    /// Counts the connections that the client has made, from 1 on.
    pub serial: u64,
}

/// Length of a call in bytes.
pub const CALL_BYTES: usize = 8;
/// Length of a roll in bytes.
pub const ROLL_BYTES: usize = 8 * (2 + SLOTS as usize);

/// Which strands the kernel still used at a moment after the call had come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    /// The call that is answered.
    pub call: u64,
    /// The youngest strand that was made before; nothing is said about younger ones.
    pub newest: u64,
    /// Their serials; at most [`SLOTS`].
    pub alive: Vec<u64>,
}

impl Roll {
    /// Three kinds of numbers of 8 bytes: the call, the newest, and the strands, zeros behind them.
    pub fn encode(&self) -> [u8; ROLL_BYTES] {
        let mut bytes = [0; ROLL_BYTES];
        let numbers = [self.call, self.newest];
        let numbers = numbers.iter().chain(&self.alive);
        for (place, number) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(numbers) {
            *place = number.to_be_bytes();
        }
        bytes
    }

    /// Reads what [`Roll::encode`] has written.
    pub fn parse(bytes: &[u8; ROLL_BYTES]) -> Self {
        let mut fields = Fields(bytes);
        let mut next = || fields.u64().unwrap_or_default();
        Self {
            call: next(),
            newest: next(),
            alive: (0..SLOTS)
                .map(|_| next())
                .filter(|serial| *serial > 0)
                .collect(),
        }
    }

    /// Whether the kernel has given up on a strand.
    pub fn lacks(&self, serial: u64) -> bool {
        serial <= self.newest && !self.alive.contains(&serial)
    }
}

/// In which byte order a kernel writes its cookies: a number of 64 bits with the queue in
/// bits 16 to 31, the tag below it, and above them how often this request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookies {
    /// As the protocol does; Linux 6.5 and later.
    BigEndian,
    /// As x86 and most others keep numbers in memory; older kernels.
    LittleEndian,
}

/// A kernel that has just connected has sent no request more often than this.
const FIRST_SENDS: u64 = 255;

impl Cookies {
    /// Recognizes a kernel by the cookie of one of its first requests; `None` when it is
    /// none that we know. One order cannot be taken for the other: what is a small count in
    /// one is a queue beyond all slots in the other.
    pub fn recognize(cookie: u64) -> Option<Self> {
        [Self::BigEndian, Self::LittleEndian]
            .into_iter()
            .find(|order| {
                (1..=FIRST_SENDS).contains(&(order.number(cookie) >> 32))
                    && order.queue(cookie) < u16::from(SLOTS)
            })
    }

    /// The queue that a request belongs to, wherever it is sent.
    pub fn queue(self, cookie: u64) -> u16 {
        // Cannot be cut off: 16 bits are left.
        (self.number(cookie) >> 16) as u16
    }

    fn number(self, cookie: u64) -> u64 {
        match self {
            Self::BigEndian => cookie,
            Self::LittleEndian => cookie.swap_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roll_comes_across() {
        let roll = Roll {
            call: 7,
            newest: 0x0102_0304_0506_0708,
            alive: vec![3, 9, u64::MAX],
        };
        assert_eq!(Roll::parse(&roll.encode()), roll);
        assert_eq!(
            roll.encode()[..16],
            [0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8]
        );
        let full = Roll {
            alive: (1..=u64::from(SLOTS)).collect(),
            ..roll
        };
        assert_eq!(Roll::parse(&full.encode()), full);
    }

    #[test]
    fn a_roll_says_nothing_about_younger_strands() {
        let roll = Roll {
            call: 1,
            newest: 6,
            alive: vec![3, 6],
        };
        let lacking: Vec<u64> = (1..9).filter(|serial| roll.lacks(*serial)).collect();
        assert_eq!(lacking, [1, 2, 4, 5]);
    }

    #[test]
    fn both_orders_of_the_first_requests_are_recognized_and_never_mistaken() {
        for sends in [1, 2, FIRST_SENDS] {
            for queue in 0..u64::from(SLOTS) {
                for tag in [0, 1, 17, 127, 0x1234, 0xffff] {
                    let number = sends << 32 | queue << 16 | tag;
                    for (order, cookie) in [
                        (Cookies::BigEndian, number),
                        (Cookies::LittleEndian, number.swap_bytes()),
                    ] {
                        assert_eq!(Cookies::recognize(cookie), Some(order), "{cookie:x}");
                        assert_eq!(u64::from(order.queue(cookie)), queue);
                    }
                }
            }
        }
    }

    #[test]
    fn other_cookies_are_not_recognized() {
        for cookie in [
            0,
            1,
            5 << 16,
            1 << 32 | 16 << 16,
            300 << 32,
            0xffff_9123_4567_89ab,
        ] {
            assert_eq!(Cookies::recognize(cookie), None, "{cookie:x}");
        }
    }
}
