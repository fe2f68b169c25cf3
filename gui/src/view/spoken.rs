//! What is said to who cannot see the window: of what has changed, and of what
//! is drawn.

use super::words::fill;
use super::{Page, View, units};
use gettextrs::gettext;

/// What is read out when this view follows that one.
#[must_use]
pub fn news<'a>(before: &View, now: &'a View) -> Vec<&'a str> {
    let known = headlines(before);
    let mut news = headlines(now);
    news.retain(|text| !text.is_empty() && !known.contains(text));
    news
}

/// What somebody should hear of a view, the most important first.
fn headlines(view: &View) -> Vec<&str> {
    let (title, rows) = match &view.page {
        Page::Message(page) => (&page.title, None),
        Page::Setup(page) => (&page.title, None),
        Page::Home(page) => (&page.title, Some(&page.remarks)),
        Page::Announced(page) => (&page.title, Some(&page.remarks)),
        Page::HandingOver(page) => (&page.title, None),
        Page::Lent(page) => (&page.title, Some(&page.warnings)),
    };
    let mut texts = vec![title.as_str()];
    if let Page::Lent(page) = &view.page
        && let Some(ending) = &page.ending
    {
        texts.extend([ending.title.as_str(), ending.text.as_str()]);
    }
    texts.extend(view.notice.iter().map(|notice| notice.text.as_str()));
    texts.extend(rows.into_iter().flatten().map(|row| row.title.as_str()));
    texts
}

/// The plot of what is read and written, each in bytes a second: now, and at most.
#[must_use]
pub fn rates((read, most_read): (u64, u64), (written, most_written): (u64, u64)) -> String {
    let text = gettext(
        "Reading {read}, in the last two minutes at most {most_read}. Writing {written}, at most {most_written}.",
    );
    let text = fill(&text, "read", &units::rate(read));
    let text = fill(&text, "most_read", &units::rate(most_read));
    let text = fill(&text, "written", &units::rate(written));
    fill(&text, "most_written", &units::rate(most_written))
}

/// The plot of how long the disk takes to answer, in microseconds: now, and at most.
#[must_use]
pub fn latency((now, most): (u64, u64)) -> String {
    let text = gettext("{now}, in the last two minutes at most {most}");
    let text = fill(&text, "now", &units::latency(now));
    fill(&text, "most", &units::latency(most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use crate::view::Now;
    use stiefel_dbus::words::{Ending, Reason};

    fn view(picture: &crate::picture::Picture) -> View {
        View::of(picture, &Now::default())
    }

    #[test]
    fn a_new_page_is_read_out_once() {
        let (ready, armed) = (view(&samples::ready()), view(&samples::armed()));
        assert_eq!(news(&ready, &armed), ["Waiting for Workstation"]);
        assert!(news(&armed, &armed).is_empty());
    }

    #[test]
    fn what_happens_on_a_page_is_read_out_too() {
        let mut ending = samples::held();
        ending.loan.as_mut().unwrap().ending = Ending::Asked;
        let (held, ending) = (view(&samples::held()), view(&ending));
        assert_eq!(news(&held, &ending)[0], "Laptop Wants Its Disk Back");
        assert!(news(&ending, &held).is_empty());

        let failed = view(&samples::ended(Reason::RebootRefused, ""));
        let said = news(&view(&samples::armed()), &failed);
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!(
            Some(said[0]),
            failed.notice.as_ref().map(|n| n.text.as_str())
        );
    }

    #[test]
    fn plots_are_told_in_words() {
        let text = rates((95_000_000, 120_000_000), (0, 3_000_000));
        assert!(text.contains("95\u{a0}MB/s"), "{text}");
        assert!(text.contains("120\u{a0}MB/s"), "{text}");
        assert!(!text.contains('{'), "{text}");
        let text = latency((335, 1200));
        assert!(text.contains("335\u{a0}µs"), "{text}");
        assert!(text.contains("1.2\u{a0}ms"), "{text}");
    }
}
