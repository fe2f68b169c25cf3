//! What people and scripts see: lines, colours, tables, JSON.
//!
//! Colours are for terminals only, and for nobody who has set `NO_COLOR`.

use anstyle::{AnsiColor, Style};
use clap::Args;
use serde::Serialize;
use std::fmt;
use std::io::{self, Write};

/// As it should be.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Worth a look.
pub const CARE: Style = AnsiColor::Yellow.on_default();
/// In the way.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What a line or a column is about.
pub const HEAD: Style = Style::new().bold();
/// What may be skipped.
pub const FAINT: Style = Style::new().dimmed();
/// What there is nothing to say about.
pub const PLAIN: Style = Style::new();

/// How to print.
#[derive(Args, Clone, Copy)]
pub struct Output {
    /// Print JSON for other programs
    #[arg(long)]
    pub json: bool,
}

/// Nobody reads on, e.g. behind `| head`: there is nothing more to do, and nothing to complain of.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
pub struct ReaderGone;

/// Prints a line, and leaves the function if that cannot be done.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::line(format_args!($($text)*))?
    };
}
pub(crate) use say;

/// Prints a line beside the work; that nobody reads it is no reason to stop.
macro_rules! mention {
    ($($text:tt)*) => {
        drop($crate::output::line(format_args!($($text)*)))
    };
}
pub(crate) use mention;

/// Prints a line for people.
///
/// # Errors
/// [`ReaderGone`], or the output is on a disk that is full.
pub fn line(text: fmt::Arguments<'_>) -> anyhow::Result<()> {
    written(writeln!(anstream::stdout(), "{text}"))
}

/// Prints several lines of JSON.
///
/// # Errors
/// As [`line()`].
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    written(writeln!(io::stdout(), "{text}"))
}

/// Prints a single line of JSON, one of many.
///
/// # Errors
/// As [`line()`].
pub fn json_line(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string(value)?;
    written(writeln!(io::stdout(), "{text}"))
}

fn written(done: io::Result<()>) -> anyhow::Result<()> {
    done.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => ReaderGone.into(),
        _ => anyhow::Error::new(error).context("cannot write the output"),
    })
}

/// Text from elsewhere without what would move the cursor or change colours.
pub fn clean(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Part of a line.
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A part that stands out, or not.
    pub fn new(text: impl AsRef<str>, style: Style) -> Self {
        Self {
            text: clean(text.as_ref()),
            style,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, PLAIN)
    }
}

/// Lines whose parts are below each other.
pub struct Table {
    rows: Vec<Vec<Cell>>,
    indent: usize,
}

impl Table {
    /// An empty one, with a head.
    pub fn new(heads: &[&str]) -> Self {
        let head = heads.iter().map(|head| Cell::new(head, HEAD)).collect();
        Self {
            rows: vec![head],
            indent: 0,
        }
    }

    /// An empty one without a head, so many columns from the left.
    pub fn headless(indent: usize) -> Self {
        Self {
            rows: vec![],
            indent,
        }
    }

    /// One more line.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Prints it.
    ///
    /// # Errors
    /// As [`line()`].
    pub fn print(&self) -> anyhow::Result<()> {
        self.lines()
            .try_for_each(|text| line(format_args!("{text}")))
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let wide = |cell: &Cell| cell.text.chars().count();
        let widths: Vec<usize> = (0..columns)
            .map(|at| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(at))
                    .map(wide)
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        self.rows.iter().map(move |row| {
            let mut text = " ".repeat(self.indent);
            for (at, cell) in row.iter().enumerate() {
                let style = cell.style;
                text += &format!("{style}{}{style:#}", cell.text);
                // Nothing ends with blanks.
                if row[at + 1..].iter().any(|next| !next.text.is_empty()) {
                    text += &" ".repeat(widths[at] - wide(cell) + 2);
                }
            }
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_below_each_other_and_nothing_ends_with_blanks() {
        let mut table = Table::new(&["NAME", "POLICY"]);
        table.row(vec!["Bürotisch".into(), Cell::new("ask", GOOD)]);
        table.row(vec!["a".into(), "".into()]);
        let plain: Vec<String> = table
            .lines()
            .map(|line| anstream::adapter::strip_str(&line).to_string())
            .collect();
        assert_eq!(plain, ["NAME       POLICY", "Bürotisch  ask", "a"]);
    }

    #[test]
    fn nobody_elses_text_reaches_the_terminal_as_a_command() {
        assert_eq!(
            clean("a\u{1b}[2Jb\nc\u{9b}"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}"
        );
    }
}
