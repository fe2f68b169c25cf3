//! What a person should be told of, if they do not look: a set of notices for
//! each [`Picture`].
//!
//! A notice says nothing that moves all the time, so that two equal ones need
//! not be sent twice, and one that has gone from the set is no longer true.

use crate::deeds::Deed;
use crate::picture::{Daemon, Job, Loan, Picture};
use crate::tray::borrower;
use crate::view::heard::heard;
use gettextrs::{gettext, ngettext};
use stiefel_dbus::words::{
    AtDeadline, BatteryWarning, Cable, DiskHealth, Ending, JobKind, JobState, LoanState, Reason,
    State,
};

/// A loan that is back for longer than this is nobody's news: it is told when
/// the desktop starts again, which is soon after.
const NEWS_USEC: u64 = 10 * 60 * 1_000_000;

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which one of them, for as long as it is true.
    pub id: String,
    /// What is the case.
    pub title: String,
    /// More of it; may be empty.
    pub body: String,
    /// How much it disturbs.
    pub weight: Weight,
    /// Whether it is news only if it was not so when we began to look.
    pub only_news: bool,
    /// What can be done about it. The window can always be opened.
    pub deeds: Vec<Deed>,
}

/// How much a notice disturbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It can wait.
    Normal,
    /// Somebody should look soon.
    High,
    /// It stays on the screen until somebody has looked.
    Urgent,
}

impl Notice {
    fn new(id: &str, weight: Weight, title: String, body: String) -> Self {
        Self {
            id: id.to_owned(),
            title,
            body,
            weight,
            only_news: false,
            deeds: vec![],
        }
    }

    fn news(self) -> Self {
        Self {
            only_news: true,
            ..self
        }
    }

    fn with(self, deeds: impl IntoIterator<Item = Deed>) -> Self {
        Self {
            deeds: deeds.into_iter().collect(),
            ..self
        }
    }
}

/// All that is worth telling now; `now_usec` is microseconds since the epoch.
#[must_use]
pub fn notices(picture: &Picture, now_usec: u64) -> Vec<Notice> {
    match picture.daemon {
        Daemon::Here | Daemon::Resting => {}
        // What was true may still be, but nothing can be done about it.
        Daemon::Asked | Daemon::Late | Daemon::Gone(_) => return vec![],
    }
    let jobs = picture.jobs.iter().filter_map(job);
    match &picture.loan {
        Some(loan) => of_loan(loan).into_iter().chain(jobs).collect(),
        None => {
            let handoff = asked(picture).or_else(|| failed(picture));
            let back = given_back(picture, now_usec);
            handoff.into_iter().chain(back).chain(jobs).collect()
        }
    }
}

fn asked(picture: &Picture) -> Option<Notice> {
    let handoff = &picture.handoff;
    if handoff.state != State::Announced {
        return None;
    }
    let title = match borrower(picture) {
        Some(name) => {
            gettext("{borrower} wants to boot from this computer").replace("{borrower}", name)
        }
        None => gettext("This computer is about to lend its disk"),
    };
    let blockers: Vec<String> = handoff.blockers.iter().map(|b| heard(&b.text)).collect();
    let body = match (&handoff.at_deadline, blockers.is_empty()) {
        (_, false) => blockers.join("\n"),
        (AtDeadline::CallOff, true) => gettext("Nothing happens unless you agree"),
        (AtDeadline::GoAhead | AtDeadline::None | AtDeadline::Unknown(_), true) => {
            gettext("This system shuts down by itself unless you say no. Save your work")
        }
    };
    let deeds = match blockers.is_empty() {
        true => vec![Deed::confirm(), Deed::decline()],
        false => vec![Deed::decline()],
    };
    Some(Notice::new("asked", Weight::Urgent, title, body).with(deeds))
}

/// A hand-off that came to nothing, and not because somebody wanted that.
fn failed(picture: &Picture) -> Option<Notice> {
    let handoff = &picture.handoff;
    if handoff.state != State::Idle {
        return None;
    }
    let title = match handoff.reason {
        Reason::None | Reason::Cancelled => return None,
        Reason::Expired => gettext("The disk was not lent, since nobody agreed"),
        Reason::Blocked => gettext("Something was in the way of lending the disk"),
        Reason::StepFailed | Reason::RebootRefused | Reason::Unknown(_) => {
            gettext("The disk could not be lent")
        }
    };
    let body = heard(&handoff.detail);
    Some(Notice::new("failed", Weight::High, title, body).news())
}

fn given_back(picture: &Picture, now_usec: u64) -> Option<Notice> {
    let last = picture.machine.last_loan.as_ref()?;
    let is_news = last.back_usec > 0 && now_usec.saturating_sub(last.back_usec) < NEWS_USEC;
    if !is_news || picture.handoff.state != State::Idle {
        return None;
    }
    let title = gettext("The disk is back");
    let body = duration(last.back_usec.saturating_sub(last.left_usec));
    let body = match picture.pairing(&last.borrower) {
        Some(pairing) => gettext("It was lent to {borrower} for {duration}")
            .replace("{duration}", &body)
            .replace("{borrower}", &pairing.name),
        None => gettext("It was lent for {duration}").replace("{duration}", &body),
    };
    Some(Notice::new("given-back", Weight::Normal, title, body))
}

fn of_loan(loan: &Loan) -> Vec<Notice> {
    let named = |text: String| text.replace("{lender}", &loan.lender);
    let tell = |id, weight, title, body| Notice::new(id, weight, named(title), named(body));
    match loan.state {
        LoanState::Frozen => {
            let body = match loan.cable {
                Cable::Unplugged => gettext("Plug the cable in again. Everything waits until then"),
                Cable::NoCard => {
                    gettext("Plug the network adapter in again. Everything waits until then")
                }
                Cable::Connected | Cable::Unknown(_) => {
                    gettext("See whether it is switched on. Everything waits until then")
                }
            };
            let title = gettext("{lender} cannot be reached");
            return vec![tell("frozen", Weight::Urgent, title, body)];
        }
        LoanState::Lost => {
            let title = gettext("{lender} has taken its disk back");
            let body = gettext("This computer cannot go on. Switch it off");
            return vec![tell("lost", Weight::Urgent, title, body)];
        }
        LoanState::Closing => return vec![],
        LoanState::Held | LoanState::Unknown(_) => {}
    }
    let mut notices = Vec::new();
    match loan.ending {
        Ending::None => {}
        Ending::LowPower => notices.push(tell(
            "ending",
            Weight::Urgent,
            gettext("The battery of {lender} is nearly empty"),
            gettext("This computer shuts down to give the disk back. Save your work"),
        )),
        Ending::Asked | Ending::Unknown(_) => notices.push(tell(
            "ending",
            Weight::Urgent,
            gettext("{lender} asks to have its disk back"),
            gettext("Save your work, and give it back"),
        )),
    }
    if notices.is_empty() {
        notices.extend(power(loan).map(|(weight, title, body)| tell("power", weight, title, body)));
    }
    for notice in &mut notices {
        notice.deeds = vec![Deed::give_back()];
    }
    if loan.disk_health == DiskHealth::Failing {
        let title = gettext("The lent disk is failing");
        let body = match loan.disk_detail.is_empty() {
            true => gettext("Save what is on it to another disk now"),
            false => heard(&loan.disk_detail),
        };
        notices.push(tell("disk", Weight::Urgent, title, body));
    }
    notices
}

fn power(loan: &Loan) -> Option<(Weight, String, String)> {
    if loan.on_ac || loan.battery.is_none() {
        return None;
    }
    let body = gettext("Connect its charger");
    Some(match loan.warning {
        BatteryWarning::None => (
            Weight::Normal,
            gettext("{lender} runs on its battery"),
            body,
        ),
        BatteryWarning::Low | BatteryWarning::Unknown(_) => (
            Weight::High,
            gettext("The battery of {lender} is low"),
            body,
        ),
        BatteryWarning::Critical | BatteryWarning::Action => (
            Weight::Urgent,
            gettext("The battery of {lender} is nearly empty"),
            body,
        ),
    })
}

/// The end of something that took its time.
fn job(job: &Job) -> Option<Notice> {
    let title = match (&job.kind, &job.state) {
        (JobKind::WriteStick, JobState::Done) => gettext("The boot stick is ready"),
        (JobKind::SaveStick, JobState::Done) => gettext("The image file is ready"),
        (JobKind::WriteStick, JobState::Failed) => gettext("The boot stick was not written"),
        (JobKind::SaveStick, JobState::Failed) => gettext("The image file was not written"),
        _ => return None,
    };
    let number = job.path.rsplit('/').next().unwrap_or_default();
    let id = format!("job-{number}");
    Some(Notice::new(&id, Weight::Normal, title, heard(&job.detail)).news())
}

/// In whole minutes, or in hours and minutes.
fn duration(usec: u64) -> String {
    let all = usec / 60_000_000;
    let (hours, minutes) = (all / 60, all % 60);
    let counted = |one: &str, many: &str, count: u64| {
        let plural = u32::try_from(count).unwrap_or(u32::MAX);
        ngettext(one, many, plural).replace("{n}", &count.to_string())
    };
    let minutes_text = counted("{n} minute", "{n} minutes", minutes);
    if hours == 0 {
        return minutes_text;
    }
    let hours_text = counted("{n} hour", "{n} hours", hours);
    if minutes == 0 {
        return hours_text;
    }
    gettext("{hours} and {minutes}")
        .replace("{hours}", &hours_text)
        .replace("{minutes}", &minutes_text)
}

#[cfg(test)]
mod tests;
