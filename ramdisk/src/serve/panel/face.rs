//! What is on the lender's screen: a pure function of how things stand.

use std::time::{Duration, Instant};

use stiefel_core::battery::Level;
use stiefel_core::control::{DiskHealth, DiskStatus};
use stiefel_core::loan::Outcome;
use stiefel_linux::power::Power;
use stiefel_linux::terminal::Size;

use super::flow::Amounts;
use super::page::{CORE, HELP, KEY, Line, Page, RULE, STORY, TROUBLE, Tone};
use super::words::{amount, left, plain, span, speed};
use crate::serve::outlook::{Shown, Standing};

/// Widest text: a line that is longer is hard to read.
const WIDEST: usize = 76;
/// The battery's bar.
const BAR: usize = 20;

/// All that the screen depends on.
pub struct View<'a> {
    pub shown: &'a Shown,
    pub now: Instant,
    pub rates: Amounts,
    /// Interfaces with a cable.
    pub wires: &'a [Wire],
    /// What the disk says of itself.
    pub disk: Option<&'a DiskStatus>,
    /// The disk could not write everything.
    pub disk_failed: bool,
    /// There is a keyboard that we hear.
    pub keys: bool,
    /// The question is on the screen.
    pub asking: bool,
}

/// An interface with a cable in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    pub name: String,
    /// What it hangs on, for people: `USB`.
    pub bus: Option<&'static str>,
    /// Mbit/s, 0 if not known.
    pub mbps: u32,
}

/// What the question offers, and what is done when it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// To ask the borrower to give the disk back.
    AskBack,
    /// To let it keep it.
    CallOff,
    /// To go home without the borrower.
    TakeBack,
}

/// The one offer that makes sense as things stand.
pub fn offer(shown: &Shown) -> Option<Offer> {
    match (&shown.standing, shown.asked_back) {
        (Standing::Held { .. }, None) => Some(Offer::AskBack),
        (Standing::Held { .. }, Some(_)) => Some(Offer::CallOff),
        (
            Standing::Offered { .. }
            | Standing::Starting { .. }
            | Standing::Missing { .. }
            | Standing::Restarting { .. },
            _,
        ) => Some(Offer::TakeBack),
        (Standing::Ending | Standing::Over(_), _) => None,
    }
}

/// The rows of the whole screen, from its top; never more than it has, nor wider.
pub fn draw(view: &View, size: Size) -> Vec<Line> {
    let (columns, rows) = (usize::from(size.columns), usize::from(size.rows));
    let width = WIDEST.min(columns.saturating_sub(2)).max(1);
    let mut page = Page::new(width);
    header(&mut page, view);
    standing(&mut page, view);
    troubles(&mut page, view);
    facts(&mut page, view);
    help(&mut page, view);
    let page = page.fit(rows);
    let above = rows.saturating_sub(page.len()) / 3;
    let margin = " ".repeat(columns.saturating_sub(width) / 2);
    let mut screen = vec![vec![]; above];
    screen.extend(page.into_iter().map(|mut line: Line| {
        if !line.is_empty() {
            line.insert(0, (Tone::Plain, margin.clone()));
        }
        line
    }));
    screen
}

fn header(page: &mut Page, view: &View) {
    let name = plain(view.shown.lender.as_str());
    let left = format!("{name} lends its disk");
    let right = "Stiefelsystem";
    let gap = page
        .width
        .saturating_sub(left.chars().count() + right.len());
    page.line(
        RULE,
        vec![
            (Tone::Dim, left),
            (Tone::Dim, format!("{:gap$}{right}", "")),
        ],
    );
    page.rule();
    page.air();
}

fn standing(page: &mut Page, view: &View) {
    let until = |until: Instant| left(until.saturating_duration_since(view.now));
    let since = |since: Instant| span(view.now.saturating_duration_since(since));
    let (tone, title, text) = match &view.shown.standing {
        Standing::Offered { to, until: end } => (
            Tone::Strong,
            match to {
                Some(name) => format!("Waiting for {}", plain(name.as_str())),
                None => "Waiting for a borrower".into(),
            },
            format!(
                "If nobody comes, this machine starts its own system in {}.",
                until(*end)
            ),
        ),
        Standing::Starting { borrower } => (
            Tone::Strong,
            format!(
                "{} starts the system of this machine",
                plain(borrower.as_str())
            ),
            "It has fetched what it needs for that.".into(),
        ),
        Standing::Held {
            borrower,
            since: from,
        } => (
            Tone::Good,
            format!("{} has the disk of this machine", plain(borrower.as_str())),
            format!("For {}. Everything is as it should be.", since(*from)),
        ),
        Standing::Missing {
            borrower,
            since: from,
            until: end,
        } => (
            Tone::Alarm,
            format!("{} is missing", plain(borrower.as_str())),
            format!(
                "For {}. Is the cable in? It goes on where it stopped as soon as it is back. {}",
                since(*from),
                match end {
                    Some(end) => format!("This machine starts its own system in {}.", until(*end)),
                    None => "This machine waits for it, or for you.".into(),
                }
            ),
        ),
        Standing::Restarting {
            borrower,
            until: end,
        } => (
            Tone::Strong,
            format!("{} restarts", plain(borrower.as_str())),
            format!(
                "It fetches the system again. If not, this machine starts its own in {}.",
                until(*end)
            ),
        ),
        Standing::Ending => (
            Tone::Strong,
            "The loan ends".into(),
            "Writing what is left. Please leave this machine switched on.".into(),
        ),
        Standing::Over(outcome) => (Tone::Good, "The loan is over".into(), over(*outcome).into()),
    };
    // Not if there is something that is not as it should be.
    let text = match troubled(view) {
        true => text.replace(" Everything is as it should be.", ""),
        false => text,
    };
    page.text(CORE, tone, &title, 0);
    page.text(STORY, Tone::Plain, &text, 0);
    page.air();
}

fn over(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Returned => "The disk is back and complete.",
        Outcome::Recalled => "The disk was taken back.",
        Outcome::Lost => {
            "The borrower did not come back. File systems recover as after a power cut."
        }
        Outcome::Unused => "Nobody came for the disk.",
        Outcome::Exhausted => "The battery is empty. This machine switches itself off.",
    }
}

fn troubled(view: &View) -> bool {
    view.disk_failed
        || view.shown.asked_back.is_some()
        || view.shown.level != Level::Fine
        || view
            .disk
            .is_some_and(|disk| disk.health != DiskHealth::Good)
}

fn troubles(page: &mut Page, view: &View) {
    let before = page.len();
    let mut trouble = |tone, text: &str| page.text(TROUBLE, tone, &format!("! {text}"), 2);
    if view.disk_failed {
        trouble(
            Tone::Alarm,
            "The disk could not write everything. Save your work elsewhere.",
        );
    }
    match view.shown.level {
        Level::Fine => {}
        Level::Warn => trouble(Tone::Warning, "The battery gets low. Plug the charger in."),
        Level::Low => trouble(
            Tone::Warning,
            "The battery is low. Plug the charger in now.",
        ),
        Level::Critical => trouble(
            Tone::Alarm,
            "The battery is almost empty: the loan has to end.",
        ),
        Level::Action => trouble(
            Tone::Alarm,
            "The battery is empty: everything is shut down now.",
        ),
    }
    if let Some(disk) = view.disk {
        let tone = match disk.health {
            DiskHealth::Good => None,
            DiskHealth::Worn => Some(Tone::Warning),
            DiskHealth::Failing => Some(Tone::Alarm),
        };
        if let Some(tone) = tone {
            trouble(tone, &disk.detail);
        }
    }
    match view.shown.asked_back {
        None => {}
        Some(None) => trouble(
            Tone::Warning,
            "The borrower is asked to give the disk back.",
        ),
        Some(Some(until)) => {
            let text = match until.saturating_duration_since(view.now) {
                Duration::ZERO => "The borrower shuts down.".into(),
                time => format!(
                    "The borrower is asked to shut down. It does so in {}.",
                    left(time)
                ),
            };
            trouble(Tone::Warning, &text);
        }
    }
    if page.len() > before {
        page.air();
    }
}

fn facts(page: &mut Page, view: &View) {
    let shown = view.shown;
    page.fact("Power", power(&shown.power, shown.level));
    let degrees = |celsius: f64| format!("{celsius:.0} °C");
    if let Some(celsius) = shown.celsius {
        page.fact("Warmth", vec![(Tone::Plain, degrees(celsius))]);
    }
    page.fact("Link", vec![link(view)]);
    let mut disk = vec![(Tone::Plain, plain(&shown.disk))];
    if let Some(status) = view.disk {
        disk.push(match status.health {
            DiskHealth::Good => (Tone::Good, " · healthy".into()),
            DiskHealth::Worn => (Tone::Warning, " · worn".into()),
            DiskHealth::Failing => (Tone::Alarm, " · failing".into()),
        });
        if let Some(celsius) = status.celsius {
            disk.push((Tone::Plain, format!(" · {}", degrees(celsius))));
        }
    }
    page.fact("Disk", disk);
    let flow = |total, each_second: u64| {
        let rate = match each_second {
            0 => String::new(),
            rate => format!("{}/s", amount(rate)),
        };
        vec![(Tone::Plain, format!("{:<12}{rate}", amount(total)))]
    };
    page.fact("Read", flow(shown.read_bytes, view.rates.read));
    page.fact("Written", flow(shown.written_bytes, view.rates.written));
    page.air();
}

fn power(power: &Power, level: Level) -> Line {
    let source = match (power.on_mains, power.charging) {
        (true, true) => "on mains, charging",
        (true, false) => "on mains",
        (false, _) => "on battery",
    };
    let Some(percent) = power.battery_percent else {
        return vec![(Tone::Plain, source.into())];
    };
    let tone = match level {
        Level::Fine if power.on_mains => Tone::Good,
        Level::Fine => Tone::Plain,
        Level::Warn | Level::Low => Tone::Warning,
        Level::Critical | Level::Action => Tone::Alarm,
    };
    let full =
        ((percent / 100.0 * BAR as f64).round() as usize).clamp(usize::from(percent > 0.0), BAR);
    vec![
        (tone, "█".repeat(full)),
        (Tone::Dim, "░".repeat(BAR - full)),
        (Tone::Plain, format!("  {percent:.0} % {source}")),
    ]
}

fn link(view: &View) -> (Tone, String) {
    let said = |wire: &Wire| {
        let bus = wire.bus.map_or(String::new(), |bus| format!(" ({bus})"));
        format!("{}{bus}, {}", plain(&wire.name), speed(wire.mbps))
    };
    match view.wires {
        [] => (Tone::Warning, "no cable".into()),
        wires => (
            Tone::Plain,
            wires.iter().map(said).collect::<Vec<_>>().join("; "),
        ),
    }
}

fn help(page: &mut Page, view: &View) {
    let who = match &view.shown.standing {
        Standing::Starting { borrower }
        | Standing::Held { borrower, .. }
        | Standing::Missing { borrower, .. }
        | Standing::Restarting { borrower, .. } => plain(borrower.as_str()),
        Standing::Offered { .. } | Standing::Ending | Standing::Over(_) => "the borrower".into(),
    };
    let Some(offer) = offer(view.shown) else {
        return;
    };
    page.rule();
    if view.asking {
        let question = match offer {
            Offer::AskBack => format!("Ask {who} to give the disk back? People there are told."),
            Offer::CallOff => format!("Let {who} keep the disk?"),
            Offer::TakeBack if matches!(view.shown.standing, Standing::Offered { .. }) => {
                "Lend nothing, and start the system of this machine?".into()
            }
            Offer::TakeBack => {
                format!("Take the disk back now? What {who} has not written yet is lost.")
            }
        };
        page.text(CORE, Tone::Warning, &question, 0);
        page.key(CORE, "Enter", "yes");
        page.key(CORE, "any other key", "no");
        return;
    }
    let held = matches!(view.shown.standing, Standing::Held { .. });
    if held {
        let text = format!("To end the loan, shut {who} down. Or here:");
        page.text(HELP, Tone::Plain, &text, 0);
    }
    if view.keys {
        let what = match offer {
            Offer::AskBack => format!("asks {who} to give the disk back"),
            Offer::CallOff => format!("lets {who} keep the disk"),
            Offer::TakeBack => "starts the system of this machine".into(),
        };
        page.key(KEY, "Esc, then Enter", &what);
        if matches!(offer, Offer::AskBack) {
            page.key(HELP, "Power key", "asks it to shut down within a minute");
        }
    }
    let what = match held {
        true => "takes the disk back at once; unsaved work there is lost",
        false => "does so at once, without a question",
    };
    page.key(HELP, "Ctrl+Alt+Del", what);
    let text = "The lid may be closed. Alt+F2 shows the log, Alt+F1 this page.";
    page.text(HELP, Tone::Dim, text, 0);
}

#[cfg(test)]
#[path = "face_tests.rs"]
mod tests;
