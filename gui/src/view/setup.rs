//! What has to be done before this machine can lend its disk.

use super::heard::heard;
use super::scene::{self, Look, Scene};
use super::words;
use super::{Button, Mark, Row, units};
use crate::picture::{Check, Picture};
use gettextrs::{gettext, ngettext};
use stiefel_dbus::words::{JobKind, JobState, Remedy, Verdict};

/// The page.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    pub scene: Scene,
    pub title: String,
    pub body: String,
    /// What is in the way, worst first, then what is worth a look.
    pub open: Vec<Row>,
    /// What is as it should be.
    pub good: Vec<Row>,
    /// How the list of those is called.
    pub good_title: String,
}

/// What comes and goes, and is shown where the disk is lent, not here.
const PASSING: [&str; 4] = ["link", "power", "session", "inhibitor"];

/// Whether something is in the way that does not go away by itself.
#[must_use]
pub fn is_needed(picture: &Picture) -> bool {
    picture.machine.checks.iter().any(blocks_for_long)
}

fn blocks_for_long(check: &Check) -> bool {
    check.verdict == Verdict::Block && !PASSING.contains(&check.subject.as_str())
}

pub(super) fn page(picture: &Picture) -> Setup {
    let checks = &picture.machine.checks;
    let of = |wanted: Mark| {
        let checks = checks.iter().enumerate();
        checks.filter(move |(_, check)| words::verdict(&check.verdict) == wanted)
    };
    let open = of(Mark::Bad).chain(of(Mark::Careful));
    let good: Vec<_> = of(Mark::Good)
        .map(|(at, check)| row(at, check, picture))
        .collect();
    let blocking = checks.iter().filter(|check| blocks_for_long(check)).count() as u64;
    let good_title = ngettext(
        "{n} thing is as it should be",
        "{n} things are as they should be",
        units::plural(good.len() as u64),
    );
    Setup {
        scene: scene::of_lender(picture, Look::Apart),
        title: gettext("Almost Ready to Lend"),
        body: words::fill(
            &ngettext(
                "One thing is in the way of lending the disk of this computer.",
                "{n} things are in the way of lending the disk of this computer.",
                units::plural(blocking),
            ),
            "n",
            &blocking.to_string(),
        ),
        open: open.map(|(at, check)| row(at, check, picture)).collect(),
        good_title: words::fill(&good_title, "n", &good.len().to_string()),
        good,
    }
}

/// A check as a line; `at` tells it from others of its subject.
pub(super) fn row(at: usize, check: &Check, picture: &Picture) -> Row {
    let mut row = Row {
        key: format!("{}-{at}", check.subject),
        mark: words::verdict(&check.verdict),
        title: words::subject(&check.subject),
        text: heard(&check.text),
        ..Row::default()
    };
    if row.mark == Mark::Good {
        return row;
    }
    let image_job = picture
        .jobs
        .iter()
        .rfind(|job| job.kind == JobKind::UpdateImage);
    if let ("image", Some(job)) = (check.subject.as_str(), image_job) {
        if job.state == JobState::Running {
            row.mark = Mark::Busy;
            row.text = gettext("It is being made…");
            row.value = units::percent(job.progress.clamp(0.0, 1.0) * 100.0);
            return row;
        }
        if job.state == JobState::Failed {
            row.text = format!("{}\n{}", row.text, heard(&job.detail));
        }
    }
    match (words::remedy(&check.remedy), &check.remedy) {
        (Some(label), Remedy::UpdateImage) => {
            row.button = Some(Button::new(label, "update-image"));
        }
        (Some(label), _) => row.button = Some(Button::new(label, "new-pairing")),
        (None, _) if !check.hint.is_empty() => {
            row.text = format!("{}\n{}", row.text, heard(&check.hint));
        }
        (None, _) => {}
    }
    row
}
