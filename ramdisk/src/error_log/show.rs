//! Shows the stick's errors to the person who has chosen that in its menu.

use super::Stick;
use crate::hardware::Hardware;
use crate::{console, home};
use anyhow::Context;
use std::convert::Infallible;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use stiefel_core::modules::Purpose;
use stiefel_linux::uevent::Uevents;

/// Keyboards, and what they hang on.
const KEYBOARDS: &[Purpose] = &[Purpose::Bus, Purpose::UsbHost, Purpose::Hid];
/// Lines that are shown at once: with the kernel's time before each, the longest take two rows or three of
/// the twenty-five that every screen has.
const PAGE: usize = 10;

/// Shows them, page after page, then restarts the machine.
///
/// # Errors
/// There is no stick to read from, or no keyboard to hear.
pub fn show(stick: Option<Stick>) -> anyhow::Result<Infallible> {
    let stick = stick.context("this was started without a stick, so no errors are remembered")?;
    let uevents = Uevents::open()?;
    Hardware::open()?.keep_driven(uevents, KEYBOARDS, &[])?;
    console::say("Reading the errors of this stick.");
    let log = stick
        .read()
        .context("cannot read the errors of this stick")?;
    // Of several consoles, the one that was named last.
    let mut person = BufReader::new(
        File::options()
            .read(true)
            .custom_flags(libc::O_NOCTTY)
            .open("/dev/console")?,
    );
    let pages = pages(log.records());
    if pages.is_empty() {
        console::say("This stick remembers no errors.");
    }
    for page in pages {
        console::say(&page);
        console::say("Press Enter to go on.");
        person.read_line(&mut String::new())?;
    }
    console::say("That was all. Press Enter to restart this machine.");
    person.read_line(&mut String::new())?;
    home::now()
}

/// A record begins with a page.
fn pages(records: &[String]) -> Vec<String> {
    let of_record = |record: &String| {
        let lines: Vec<&str> = record.lines().collect();
        let pages: Vec<String> = lines.chunks(PAGE).map(|page| page.join("\n")).collect();
        pages
    };
    records.iter().flat_map(of_record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_lines_of_one_record_only() {
        let long = (0..15).map(|number| format!("a{number}\n")).collect();
        let found = pages(&[long, "b0\nb1".to_owned()]);
        assert_eq!(found.len(), 3);
        assert!(found[0].ends_with("a9") && found[1].ends_with("a14"));
        assert_eq!(found[2], "b0\nb1");
        assert!(pages(&[]).is_empty());
    }
}
