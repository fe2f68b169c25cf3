//! A few plain lines for the person in front of the machine.
//!
//! They go into the kernel's log, which shows them on all consoles (screen and serial line)
//! and keeps them for the system that starts later. `/dev/console` would be the last
//! console of the command line only.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use stiefel_linux::sysctl;

/// Longest line that the kernel takes in one piece, with its prefix (LOG_LINE_MAX).
const LINE_LIMIT: usize = 900;

/// The kernel's log levels (include/linux/kern_levels.h). A console shows what is below its
/// own level: normally 7, with `quiet` 4.
const ERROR: u8 = 3;
const NOTICE: u8 = 5;

/// The consoles of this machine.
pub struct Console {
    /// `None` before `/dev` is mounted, or without a kernel log: lines go to standard error.
    log: Option<File>,
}

impl Console {
    /// Opens the consoles; works at any time, best with `/dev` mounted. The console stays
    /// usable when `/dev` is gone later.
    pub fn open() -> Self {
        Self::at(Path::new("/dev/kmsg"))
    }

    fn at(path: &Path) -> Self {
        Self { log: OpenOptions::new().write(true).open(path).ok() }
    }

    /// Says what goes on.
    pub fn say(&self, text: impl Display) {
        self.write(NOTICE, &text.to_string());
    }

    /// Says what is wrong and what to do; also seen on consoles that were told to be quiet.
    pub fn warn(&self, text: impl Display) {
        self.write(ERROR, &text.to_string());
    }

    fn write(&self, level: u8, text: &str) {
        for line in text.lines() {
            let end = line.floor_char_boundary(LINE_LIMIT);
            let line = line[..end].replace(char::is_control, " ");
            // A line that cannot be shown is no reason to stop.
            let _ = match &self.log {
                // The kernel wants each line in one write.
                Some(mut log) => log.write_all(format!("<{level}>stiefel: {line}\n").as_bytes()),
                None => writeln!(std::io::stderr(), "stiefel: {line}"),
            };
        }
    }
}

/// Lets our lines through while this program has the machine to itself, and puts the level
/// that was asked for on the command line back when it is dropped.
pub struct Loud {
    before: Option<String>,
}

impl Loud {
    /// Raises the consoles to show notices, unless they show more already; also lets us write
    /// to the log without a limit on the rate.
    pub fn new() -> Self {
        // Without these settings the lines are fewer, that is all.
        let _ = sysctl::set("kernel/printk_devkmsg", "on");
        let before = sysctl::get("kernel/printk").ok();
        let level = before.as_deref().and_then(level);
        if level.is_some_and(|level| level <= NOTICE) {
            let _ = sysctl::set("kernel/printk", &(NOTICE + 1).to_string());
        }
        Self { before }
    }
}

impl Default for Loud {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Loud {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = sysctl::set("kernel/printk", before);
        }
    }
}

/// The first of the four numbers in `kernel.printk`.
fn level(printk: &str) -> Option<u8> {
    printk.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_one_record_without_control_characters() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let console = Console::at(file.path());
        console.say("one\ntwo \x1b[31mred");
        console.warn("x".repeat(2000));
        let text = std::fs::read_to_string(file.path()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[..2], ["<5>stiefel: one", "<5>stiefel: two  [31mred"]);
        assert_eq!(lines[2], format!("<3>stiefel: {}", "x".repeat(LINE_LIMIT)));
    }

    #[test]
    fn the_console_level_is_the_first_number() {
        assert_eq!(level("4\t4\t1\t7"), Some(4));
        assert_eq!(level(""), None);
    }
}
