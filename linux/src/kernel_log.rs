//! The kernel's log, which also has what programs have written to it.
//!
//! Source: Documentation/ABI/testing/dev-kmsg.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;

use rustix::io::Errno;

use crate::error::{Result, Tried};

/// Longest record with its properties (PRINTK_MESSAGE_MAX in kernel/printk/internal.h, twice).
const RECORD_LIMIT: usize = 4096;
/// Most records that are read: more than the largest log of distributions holds (1 MiB).
const RECORDS_LIMIT: usize = 100_000;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How serious it is, from 0 to 7 (include/linux/kern_levels.h).
    pub level: u8,
    /// Whether the kernel itself says it.
    pub is_kernels: bool,
    /// When, microseconds since the kernel was started.
    pub usec: u64,
    /// The text.
    pub text: String,
}

/// All that the log has now, the oldest first.
///
/// # Errors
/// There is no log, or it is forbidden to read it.
pub fn lines() -> Result<Vec<Line>> {
    let tried = || "cannot read the kernel's log".to_owned();
    let mut log = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/kmsg")
        .tried(tried)?;
    let mut lines = Vec::new();
    let mut record = [0; RECORD_LIMIT];
    for _ in 0..RECORDS_LIMIT {
        match log.read(&mut record) {
            Ok(0) => break,
            // One record each time.
            Ok(length) => lines.extend(parse(&record[..length])),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The next one was overwritten; the one after that comes next.
            Err(error) if error.raw_os_error() == Some(Errno::PIPE.raw_os_error()) => {}
            Err(error) => return Err(error).tried(tried),
        }
    }
    Ok(lines)
}

/// `level and facility,number,microseconds,flags;text`, and lines of properties behind it.
fn parse(record: &[u8]) -> Option<Line> {
    let record = std::str::from_utf8(record).ok()?;
    let (head, text) = record.lines().next()?.split_once(';')?;
    let mut fields = head.split(',');
    let priority: u32 = fields.next()?.parse().ok()?;
    let usec = fields.nth(1)?.parse().ok()?;
    Some(Line {
        level: (priority & 7) as u8,
        is_kernels: priority >> 3 == 0,
        usec,
        text: unescaped(text),
    })
}

/// The kernel writes `\x1b` for what is not printable ASCII, and for the backslash.
fn unescaped(text: &str) -> String {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).map(|digits| u8::from_str_radix(digits, 16)) {
            Some(Ok(byte)) => {
                bytes.push(byte);
                bytes.extend(&part.as_bytes()[2..]);
            }
            _ => bytes.extend(part.as_bytes()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_taken_apart() {
        let record = b"13,512,2104000,-;stiefel: Searching b\\xc3\\xbcro.\n SUBSYSTEM=x\n";
        let line = parse(record).unwrap();
        assert_eq!(
            (line.level, line.is_kernels, line.usec),
            (5, false, 2_104_000)
        );
        assert_eq!(line.text, "stiefel: Searching büro.");
        let line = parse(b"3,9,1,-,caller=T1;e1000e: no; \\x5c\\xzz\n").unwrap();
        assert_eq!((line.level, line.is_kernels), (3, true));
        assert_eq!(line.text, "e1000e: no; \\zz");
        for broken in [&b""[..], b"1,2,3", b";x", b"a,1,2,-;x", b"\xff"] {
            assert_eq!(parse(broken), None);
        }
    }
}
