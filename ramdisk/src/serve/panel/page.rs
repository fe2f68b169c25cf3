//! Rows of text, and which of them a small screen does without.
//!
//! Rows have a weight. On a small screen the lightest go first: air, then help, then facts;
//! who has the disk and what is wrong stay.

/// Where values begin, and where keys are explained.
const LABEL: usize = 12;
const KEYS: usize = 17;
/// How important a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Dim,
    Strong,
    Good,
    Warning,
    Alarm,
}

/// A row: texts, one behind the other.
pub type Line = Vec<(Tone, String)>;

/// Weights: what goes last.
pub const CORE: u8 = 0;
pub const STORY: u8 = 1;
pub const TROUBLE: u8 = 2;
pub const KEY: u8 = 3;
const FACT: u8 = 4;
pub const HELP: u8 = 5;
pub const RULE: u8 = 6;
const AIR: u8 = 7;

/// Rows that are still to find their place.
pub struct Page {
    pub width: usize,
    rows: Vec<(u8, Line)>,
}

impl Page {
    pub fn new(width: usize) -> Self {
        Self {
            width,
            rows: vec![],
        }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn air(&mut self) {
        self.rows.push((AIR, vec![]));
    }

    pub fn rule(&mut self) {
        self.rows
            .push((RULE, vec![(Tone::Dim, "─".repeat(self.width))]));
    }

    pub fn line(&mut self, weight: u8, line: Line) {
        self.rows.push((weight, clipped(line, self.width)));
    }

    /// A text of several words, in as many rows as it needs; all but the first begin at `indent`.
    pub fn text(&mut self, weight: u8, tone: Tone, text: &str, indent: usize) {
        for (at, row) in wrapped(text, self.width, indent).into_iter().enumerate() {
            let margin = if at == 0 { 0 } else { indent };
            self.line(weight, vec![(tone, format!("{:margin$}{row}", ""))]);
        }
    }

    pub fn fact(&mut self, label: &str, value: Line) {
        let mut line = vec![(Tone::Dim, format!("{label:LABEL$}"))];
        line.extend(value);
        self.line(FACT, line);
    }

    pub fn key(&mut self, weight: u8, key: &str, what: &str) {
        let first = format!("{key:KEYS$}");
        let rows = wrapped(what, self.width.saturating_sub(KEYS).max(1), 0);
        for (at, row) in rows.into_iter().enumerate() {
            let key = if at == 0 {
                first.clone()
            } else {
                " ".repeat(KEYS)
            };
            self.line(weight, vec![(Tone::Strong, key), (Tone::Plain, row)]);
        }
    }

    /// The heaviest rows, as many as there is room for.
    pub fn fit(mut self, rows: usize) -> Vec<Line> {
        while self.rows.len() > rows {
            let lightest = self.rows.iter().map(|(weight, _)| *weight).max();
            match self
                .rows
                .iter()
                .rposition(|(weight, _)| Some(*weight) == lightest)
            {
                Some(at) => drop(self.rows.remove(at)),
                None => break,
            }
        }
        self.rows.into_iter().map(|(_, line)| line).collect()
    }
}

fn wrapped(text: &str, width: usize, indent: usize) -> Vec<String> {
    let mut rows: Vec<String> = vec![];
    for word in text.split_whitespace() {
        let room = width.saturating_sub(if rows.len() > 1 { indent } else { 0 });
        match rows.last_mut() {
            Some(row) if row.chars().count() + 1 + word.chars().count() <= room => {
                row.push(' ');
                row.push_str(word);
            }
            _ => rows.push(word.to_owned()),
        }
    }
    rows
}

fn clipped(line: Line, width: usize) -> Line {
    let mut room = width;
    let mut clipped = vec![];
    for (tone, text) in line {
        let text: String = text.chars().take(room).collect();
        room -= text.chars().count();
        clipped.push((tone, text));
    }
    clipped
}
