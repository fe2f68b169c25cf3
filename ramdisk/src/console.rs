//! A few plain lines for the person in front of the machine.
//!
//! They go into the kernel's log, which shows them on all consoles (screen and serial line)
//! and keeps them for the system that starts later. `/dev/console` would be the last
//! console of the command line only.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::OnceLock;

use stiefel_linux::sysctl;

/// Longest line that the kernel takes in one piece, with its prefix (LOG_LINE_MAX).
const LINE_LIMIT: usize = 900;

/// The kernel's log levels (include/linux/kern_levels.h). A console shows what is below its
/// own level: normally 7, with `quiet` 4.
const ERROR: u8 = 3;
pub const NOTICE: u8 = 5;
const DEBUG: u8 = 7;

/// What our lines begin with.
pub const PREFIX: &str = "stiefel: ";

/// Opened once, so that it is usable when `/dev` is gone later.
static LOG: OnceLock<File> = OnceLock::new();
/// What `kernel.printk` was before [`open`].
static LEVELS: OnceLock<String> = OnceLock::new();

/// Opens the consoles and lets our lines through, also with `quiet`, until [`quiet_again`].
/// Needs `/dev` and `/proc`. Without it lines go to standard error.
pub fn open() {
    // Whatever fails here: there are fewer lines to see, that is all.
    // Without it the kernel drops what comes after ten lines in five seconds. It wants the line's
    // end, too (`devkmsg_sysctl_set_loglvl` in kernel/printk/printk.c).
    let _ = sysctl::set("kernel/printk_devkmsg", "on\n");
    if let Ok(levels) = sysctl::get("kernel/printk") {
        if console_level(&levels).is_some_and(|level| level <= NOTICE) {
            let _ = sysctl::set("kernel/printk", &(NOTICE + 1).to_string());
        }
        let _ = LEVELS.set(levels);
    }
    if let Ok(log) = OpenOptions::new().write(true).open("/dev/kmsg") {
        let _ = LOG.set(log);
    }
}

/// Gives the consoles back the level that the command line asked for. Needs `/proc`.
pub fn quiet_again() {
    if let Some(levels) = LEVELS.get() {
        let _ = sysctl::set("kernel/printk", levels);
    }
}

/// Says what goes on.
pub fn say(text: &str) {
    write(LOG.get(), NOTICE, text);
}

/// Notes a step in the kernel's log only, for whoever looks for lost time.
pub fn note(text: &str) {
    write(LOG.get(), DEBUG, text);
}

/// Says what is wrong and what to do, or that it is right again; also seen on consoles that
/// were told to be quiet.
pub fn warn(text: &str) {
    write(LOG.get(), ERROR, text);
}

fn write(log: Option<&File>, level: u8, text: &str) {
    for line in text.lines() {
        let end = line.floor_char_boundary(LINE_LIMIT);
        let line = line[..end].replace(char::is_control, " ");
        // A line that cannot be shown is no reason to stop.
        let _ = match log {
            // The kernel wants each line in one write.
            Some(mut log) => log.write_all(format!("<{level}>{PREFIX}{line}\n").as_bytes()),
            None => writeln!(std::io::stderr(), "{PREFIX}{line}"),
        };
    }
}

/// The first of the four numbers in `kernel.printk`.
fn console_level(levels: &str) -> Option<u8> {
    levels.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_one_record_without_control_characters() {
        let file = tempfile::tempfile().unwrap();
        write(Some(&file), NOTICE, "one\ntwo \x1b[31mred");
        write(Some(&file), ERROR, &"x".repeat(2000));
        let text = std::io::read_to_string(rewound(file)).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[..2], ["<5>stiefel: one", "<5>stiefel: two  [31mred"]);
        assert_eq!(lines[2], format!("<3>stiefel: {}", "x".repeat(LINE_LIMIT)));
    }

    fn rewound(mut file: File) -> File {
        std::io::Seek::rewind(&mut file).unwrap();
        file
    }

    #[test]
    fn the_console_level_is_the_first_number() {
        assert_eq!(console_level("4\t4\t1\t7"), Some(4));
        assert_eq!(console_level(""), None);
    }
}
