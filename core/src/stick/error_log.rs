//! What a stick remembers of starts that went wrong: a text file of fixed length, which the
//! ramdisk writes in place.
//!
//! ```text
//! Stiefelsystem error log 1A2B-3C4D          the same serial number as the volume's
//! a sentence for whoever opens it
//!
//! === 2026-11-30 22:07:29 UTC, Some Desktop  the newest; others follow, up to RECORDS
//! Error: ...
//! Kernel: ...
//! Network: enp1s0 (e1000e), a cable is in
//! Said:
//!   [    2.104] Searching laptop on all wired interfaces. ...
//!
//! lines of blanks                            up to LEN
//! ```
//!
//! No secret is in it, and no character that controls how others are shown.

use super::Serial;
use crate::pairing::controls;

/// Where it is on the stick's volume.
pub const PATH: &str = "stiefel/errors.txt";
/// Its length in bytes, always: the records below, and what is around them.
pub const LEN: usize = 32 << 10;
/// Records that are kept: the last starts, and nobody reads more.
const RECORDS: usize = 8;
/// Longest record in bytes: thirty full lines.
const RECORD_LEN: usize = 3 << 10;
/// Longest line in bytes: an error with its causes, or what the kernel says of one.
const LINE_LEN: usize = 300;
/// Most interfaces that are told of; desktops have one or two.
const INTERFACES: usize = 4;
/// What a record begins with. No other line of one does: each has its word or its blanks.
const MARK: &str = "=== ";
/// Bytes of a line that only fills: short enough for an editor, and few of them.
const FILLING_LEN: usize = 128;
const HINT: &str = "The last starts from this stick that went wrong, the newest first. Only starts write to this \
     file, and only here: do not change or move it. It holds no secret.";

// All records have room, and the lines before them, too.
const _: () = assert!(1024 + RECORDS * (RECORD_LEN + 2) <= LEN);

/// One start that went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When, seconds since 1970 by the machine's own clock.
    pub unix_secs: u64,
    /// What its maker calls the machine.
    pub machine: String,
    /// Release of the stick's kernel.
    pub kernel: String,
    /// What went wrong.
    pub error: String,
    /// The wired interfaces that there were, one a line.
    pub interfaces: Vec<String>,
    /// The last lines that were said, the oldest first.
    pub said: Vec<String>,
}

/// What lies there is not the log of this stick, or has been changed by somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// It does not begin as it should.
    #[error("it does not begin with this stick's own first line")]
    Head,
    /// It has another length, or no text in it.
    #[error("it holds something else than text of ours")]
    Content,
}

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorLog {
    serial: Serial,
    /// As text, the newest first.
    records: Vec<String>,
}

impl ErrorLog {
    /// One without records, for the volume with this serial number.
    #[must_use]
    pub fn empty(serial: Serial) -> Self {
        Self {
            serial,
            records: Vec::new(),
        }
    }

    /// Reads what [`ErrorLog::to_bytes`] wrote for the volume with this serial number.
    ///
    /// # Errors
    /// See [`NotOurs`]; nothing may be written there then.
    pub fn parse(bytes: &[u8], serial: Serial) -> Result<Self, NotOurs> {
        let text = std::str::from_utf8(bytes).map_err(|_| NotOurs::Content)?;
        let mut lines = text.lines();
        if lines.next() != Some(head(serial).as_str()) {
            return Err(NotOurs::Head);
        }
        if bytes.len() != LEN || lines.clone().any(|line| line.chars().any(controls)) {
            return Err(NotOurs::Content);
        }
        let mut log = Self::empty(serial);
        for line in lines {
            match log.records.last_mut() {
                _ if begins_record(line) => log.records.push(line.to_owned()),
                None => {}
                Some(record) => {
                    record.push('\n');
                    record.push_str(line);
                }
            }
        }
        log.records.truncate(RECORDS);
        for record in &mut log.records {
            let end = record.floor_char_boundary(RECORD_LEN);
            record.truncate(end);
            record.truncate(record.trim_end().len());
        }
        Ok(log)
    }

    /// The same for a stick that is written anew, and so has another serial number.
    #[must_use]
    pub fn moved_to(self, serial: Serial) -> Self {
        Self { serial, ..self }
    }

    /// Adds a record; the oldest drops out.
    pub fn add(&mut self, record: &Record) {
        self.records.insert(0, record.to_text());
        self.records.truncate(RECORDS);
    }

    /// Takes the newest record out, for one that says more of the same start.
    pub fn take_newest(&mut self) {
        self.records.drain(..1.min(self.records.len()));
    }

    /// The records as text, the newest first.
    #[must_use]
    pub fn records(&self) -> &[String] {
        &self.records
    }

    /// The file: exactly [`LEN`] bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\n{HINT}\n", head(self.serial));
        for record in &self.records {
            text.push('\n');
            text.push_str(record);
            text.push('\n');
        }
        let mut bytes = text.into_bytes();
        while bytes.len() < LEN {
            let end = LEN.min(bytes.len() + FILLING_LEN);
            bytes.resize(end - 1, b' ');
            bytes.push(b'\n');
        }
        bytes
    }
}

/// A mark alone says nothing, and would be none once the blanks at its end are cut off.
fn begins_record(line: &str) -> bool {
    line.strip_prefix(MARK)
        .is_some_and(|title| !title.trim().is_empty())
}

fn head(serial: Serial) -> String {
    format!("Stiefelsystem error log {serial}")
}

impl Record {
    /// No longer than [`RECORD_LEN`]: the first of what was said goes first.
    fn to_text(&self) -> String {
        let mut text = format!("{MARK}{}, {}", date(self.unix_secs), clean(&self.machine));
        let mut tell = |what: &str, line: &str| {
            text.push_str(&format!("\n{what}: {}", clean(line)));
        };
        tell("Error", &self.error);
        tell("Kernel", &self.kernel);
        for interface in self.interfaces.iter().take(INTERFACES) {
            tell("Network", interface);
        }
        let left = RECORD_LEN.saturating_sub(text.len() + "\nSaid:".len());
        let mut said = Vec::new();
        let mut len = 0;
        for line in self.said.iter().rev() {
            let line = format!("\n  {}", clean(line));
            len += line.len();
            if len > left {
                break;
            }
            said.push(line);
        }
        if !said.is_empty() {
            text.push_str("\nSaid:");
            said.reverse();
            text.push_str(&said.concat());
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// One line, whose characters show what they are and nothing else.
fn clean(text: &str) -> String {
    let end = text.floor_char_boundary(LINE_LEN);
    text[..end].replace(controls, "?").trim().to_owned()
}

/// `2026-11-30 22:07:29 UTC`. By "chrono-Compatible Low-Level Date Algorithms" (Howard Hinnant),
/// `civil_from_days`: years begin in March, so that the leap day is the last.
fn date(unix_secs: u64) -> String {
    let (days, secs) = (unix_secs / 86_400, unix_secs % 86_400);
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leaps = day_of_era / 1_460 + day_of_era / 146_096;
    let year_of_era = (day_of_era + day_of_era / 36_524 - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (secs / 3_600, secs / 60 % 60, secs % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERIAL: Serial = Serial(0x1a2b_3c4d);

    fn record(error: &str) -> Record {
        Record {
            unix_secs: 1_796_076_449,
            machine: "Maker Desktop".into(),
            kernel: "6.12".into(),
            error: error.into(),
            interfaces: vec!["eth0 (e1000e), a cable is in".into()],
            said: vec!["[    2.104] Searching laptop.".into()],
        }
    }

    fn again(log: &ErrorLog) -> ErrorLog {
        ErrorLog::parse(&log.to_bytes(), SERIAL).unwrap()
    }

    #[test]
    fn a_record_reads_well() {
        let mut log = ErrorLog::empty(SERIAL);
        assert_eq!(again(&log), log);
        log.add(&record("no network"));
        assert_eq!(
            log.records(),
            [
                "=== 2026-11-30 22:07:29 UTC, Maker Desktop\nError: no network\nKernel: 6.12\n\
              Network: eth0 (e1000e), a cable is in\nSaid:\n  [    2.104] Searching laptop."
            ]
        );
        assert_eq!(again(&log), log);
    }

    #[test]
    fn a_mark_alone_begins_nothing() {
        let mut log = ErrorLog::empty(SERIAL);
        let mut one_more = record("");
        one_more.said.clear();
        log.add(&one_more);
        let text = String::from_utf8(log.to_bytes()).unwrap();
        let marked = text.replacen("\n    ", "\n=== ", 1);
        let read = ErrorLog::parse(marked.as_bytes(), SERIAL).unwrap();
        assert_eq!(read.records().len(), 1);
        assert_eq!(again(&read), read);
    }

    #[test]
    fn it_never_grows_and_the_oldest_drops_out() {
        let mut log = ErrorLog::empty(SERIAL);
        for number in 0..20 {
            log.add(&record(&format!("error {number} {}", "ü".repeat(9_000))));
            assert_eq!(log.to_bytes().len(), LEN);
            log = again(&log);
        }
        assert_eq!(log.records().len(), RECORDS);
        assert!(log.records()[0].contains("error 19 "));
        assert!(log.records()[7].contains("error 12 "));
    }

    #[test]
    fn all_that_is_allowed_at_once_fits() {
        let mut log = ErrorLog::empty(SERIAL);
        let line = "ü".repeat(LINE_LEN);
        let full = Record {
            unix_secs: 0,
            machine: line.clone(),
            kernel: line.clone(),
            error: line.clone(),
            interfaces: vec![line.clone(); 100],
            said: vec![line; 100],
        };
        for _ in 0..RECORDS {
            log.add(&full);
        }
        let text = String::from_utf8(log.to_bytes()).unwrap();
        assert_eq!(text.matches(MARK).count(), RECORDS);
        assert!(text.ends_with(" \n"), "there is room behind them");
    }

    #[test]
    fn of_what_was_said_the_last_is_kept() {
        let mut long = record("late");
        long.said = (0..400).map(|number| format!("line {number}")).collect();
        let text = long.to_text();
        assert!(text.len() <= RECORD_LEN && text.ends_with("\n  line 399"));
        assert!(!text.contains("line 0\n"));
    }

    #[test]
    fn nobody_else_forges_a_record_or_moves_a_cursor() {
        let mut log = ErrorLog::empty(SERIAL);
        log.add(&record(
            "a\u{1b}[2J\n=== 2000-01-01 00:00:00 UTC\u{202e}\0\r",
        ));
        let text = String::from_utf8(log.to_bytes()).unwrap();
        assert!(text.contains("Error: a?[2J?=== 2000-01-01 00:00:00 UTC???\n"));
        assert_eq!(again(&log).records().len(), 1);
    }

    #[test]
    fn one_start_has_one_record() {
        let mut log = ErrorLog::empty(SERIAL);
        log.take_newest();
        log.add(&record("before"));
        log.add(&record("now"));
        log.take_newest();
        log.add(&record("now, and more"));
        assert_eq!(log.records().len(), 2);
        assert!(log.records()[0].contains("and more"));
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let log = ErrorLog::empty(SERIAL);
        let bytes = log.to_bytes();
        let other = Serial(1);
        assert_eq!(ErrorLog::parse(&bytes, other), Err(NotOurs::Head));
        let moved = log.moved_to(other).to_bytes();
        assert!(ErrorLog::parse(&moved, other).is_ok());
        let mut damaged = bytes.clone();
        damaged[3] ^= 1;
        assert_eq!(ErrorLog::parse(&damaged, SERIAL), Err(NotOurs::Head));
        for (at, byte) in [(LEN - 1, 0), (20_000, 0x1b), (20_000, 0xff), (9_000, b'\r')] {
            let mut damaged = bytes.clone();
            damaged[at] = byte;
            let found = ErrorLog::parse(&damaged, SERIAL);
            assert_eq!(found, Err(NotOurs::Content), "byte {at}: {byte}");
        }
        assert_eq!(ErrorLog::parse(&bytes[1..], SERIAL), Err(NotOurs::Head));
        assert_eq!(
            ErrorLog::parse(&bytes[..LEN - 1], SERIAL),
            Err(NotOurs::Content)
        );
        assert_eq!(ErrorLog::parse(b"", SERIAL), Err(NotOurs::Head));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (secs, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(date(secs), text);
        }
    }
}
