//! Rows as the bytes that a Linux console shows them by.
//!
//! Source: console_codes(4).

use std::fmt::Write;

use super::page::{Line, Tone};

/// Colours off, no cursor, nothing jumps to the next row, the kernel does not make it dark, an
/// empty screen.
pub const BEGIN: &str = "\x1b[0m\x1b[?25l\x1b[?7l\x1b[9;0]\x1b[2J";
/// As it is for everybody else.
pub const END: &str = "\x1b[0m\x1b[?25h\x1b[?7h\x1b[2J\x1b[H";

/// The whole screen, over what was there before, without a moment of emptiness.
pub fn paint(lines: &[Line]) -> String {
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(text, "\x1b[{};1H", at + 1);
        for (tone, words) in line {
            let _ = write!(text, "\x1b[{}m{words}", colour(*tone));
        }
        text.push_str("\x1b[0m\x1b[K");
    }
    text.push_str("\x1b[J");
    text
}

/// Those that are legible on black, also where brightness is all that a screen has.
fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "0",
        Tone::Dim => "0;36",
        Tone::Strong => "0;1;37",
        Tone::Good => "0;1;32",
        Tone::Warning => "0;1;33",
        Tone::Alarm => "0;1;31",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_put_where_it_belongs() {
        let lines = vec![vec![], vec![(Tone::Good, "well".to_owned())]];
        let text = paint(&lines);
        assert_eq!(
            text,
            "\x1b[1;1H\x1b[0m\x1b[K\x1b[2;1H\x1b[0;1;32mwell\x1b[0m\x1b[K\x1b[J"
        );
    }
}
