//! Tells a person who does not look at the window of what matters, and takes it
//! back when it is no longer true.

mod notice;

use crate::deeds::Deed;
use crate::picture::{Daemon, Picture};
use adw::prelude::*;
use gtk::gio;
use notice::{Notice, Weight, notices};
use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

/// What was told and is still to be seen.
pub struct Notifications {
    app: adw::Application,
    book: RefCell<Book>,
}

impl Notifications {
    /// Tells by way of `app`; nothing is told yet.
    #[must_use]
    pub fn new(app: &adw::Application) -> Self {
        Self {
            app: app.clone(),
            book: RefCell::default(),
        }
    }

    /// Tells what is new in the picture and takes back what is no longer true;
    /// everything, while a person looks at the window, which says the same.
    pub fn show(&self, picture: &Picture, looked_at: bool) {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let now_usec = since_epoch.map_or(0, |time| {
            u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
        });
        let now = notices(picture, now_usec);
        let knows = picture.daemon != Daemon::Asked;
        let (send, withdraw) = self.book.borrow_mut().turn(now, knows, looked_at);
        for id in withdraw {
            self.app.withdraw_notification(&id);
        }
        for notice in send {
            self.app
                .send_notification(Some(&notice.id), &notification(&notice));
        }
    }

    /// Takes back what would be true no longer, as the application ends.
    pub fn clear(&self) {
        for id in self.book.borrow_mut().clear() {
            self.app.withdraw_notification(&id);
        }
    }
}

/// What is on the screen, and what is no news any more.
#[derive(Debug, Default)]
struct Book {
    shown: Vec<Notice>,
    /// Ids of news that were true when we began, or have been seen.
    known: Vec<String>,
    began: bool,
}

impl Book {
    /// What to send, and the ids of what to withdraw. `knows` is whether the
    /// daemon has said anything yet.
    fn turn(
        &mut self,
        mut now: Vec<Notice>,
        knows: bool,
        looked_at: bool,
    ) -> (Vec<Notice>, Vec<String>) {
        if knows && (!self.began || looked_at) {
            self.began = true;
            let news = now.iter().filter(|notice| notice.only_news);
            self.known = news.map(|notice| notice.id.clone()).collect();
        } else {
            let is_true = |id: &String| now.iter().any(|notice| notice.id == *id);
            self.known.retain(is_true);
        }
        now.retain(|notice| !looked_at && !self.known.contains(&notice.id));
        let send = now
            .iter()
            .filter(|notice| !self.shown.contains(notice))
            .cloned()
            .collect();
        let withdraw = self
            .shown
            .iter()
            .filter(|shown| now.iter().all(|notice| notice.id != shown.id))
            .map(|shown| shown.id.clone())
            .collect();
        self.shown = now;
        (send, withdraw)
    }

    /// News stay true, and what they offer starts the application again.
    fn clear(&mut self) -> Vec<String> {
        let shown = std::mem::take(&mut self.shown).into_iter();
        let passing = shown.filter(|notice| !notice.only_news);
        passing.map(|notice| notice.id).collect()
    }
}

fn notification(notice: &Notice) -> gio::Notification {
    let notification = gio::Notification::new(&notice.title);
    if !notice.body.is_empty() {
        notification.set_body(Some(&notice.body));
    }
    notification.set_priority(match notice.weight {
        Weight::Normal => gio::NotificationPriority::Normal,
        Weight::High => gio::NotificationPriority::High,
        Weight::Urgent => gio::NotificationPriority::Urgent,
    });
    notification.set_default_action(&name(&Deed::open()));
    for deed in &notice.deeds {
        let target = deed.target.as_ref().map(|target| target.to_variant());
        notification.add_button_with_target_value(&deed.label, &name(deed), target.as_ref());
    }
    notification
}

fn name(deed: &Deed) -> String {
    format!("app.{}", deed.action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{self, NOW_USEC};
    use stiefel_dbus::words::{BatteryWarning, Reason};

    /// Ids that are sent, and withdrawn, one after the other.
    fn turn(book: &mut Book, picture: &Picture, looked_at: bool) -> (Vec<String>, Vec<String>) {
        let knows = picture.daemon != Daemon::Asked;
        let (send, withdraw) = book.turn(notices(picture, NOW_USEC), knows, looked_at);
        (send.into_iter().map(|notice| notice.id).collect(), withdraw)
    }

    fn ids(send: &[&str], withdraw: &[&str]) -> (Vec<String>, Vec<String>) {
        let owned = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
        (owned(send), owned(withdraw))
    }

    #[test]
    fn equal_notices_are_not_sent_twice_and_old_ones_go() {
        let mut book = Book::default();
        assert_eq!(turn(&mut book, &samples::armed(), false), ids(&[], &[]));
        let asked = samples::announced();
        assert_eq!(turn(&mut book, &asked, false), ids(&["asked"], &[]));
        assert_eq!(turn(&mut book, &asked, false), ids(&[], &[]));
        let other = samples::in_the_way();
        assert_eq!(turn(&mut book, &other, false), ids(&["asked"], &[]));
        let gone = samples::preparing();
        assert_eq!(turn(&mut book, &gone, false), ids(&[], &["asked"]));
    }

    #[test]
    fn who_looks_is_not_told() {
        let mut book = Book::default();
        let low = samples::on_battery(9.0, BatteryWarning::Low);
        assert_eq!(turn(&mut book, &low, true), ids(&[], &[]));
        assert_eq!(turn(&mut book, &low, false), ids(&["power"], &[]));
        assert_eq!(turn(&mut book, &low, true), ids(&[], &["power"]));
    }

    #[test]
    fn an_old_failure_is_no_news_and_a_new_one_is() {
        let mut book = Book::default();
        let failed = samples::ended(Reason::StepFailed, "no kernel");
        assert_eq!(turn(&mut book, &Picture::default(), false), ids(&[], &[]));
        assert_eq!(turn(&mut book, &failed, false), ids(&[], &[]));
        assert_eq!(
            turn(&mut book, &samples::announced(), false),
            ids(&["asked"], &[])
        );
        assert_eq!(
            turn(&mut book, &failed, false),
            ids(&["failed"], &["asked"])
        );
        // Somebody has looked at it, and away again.
        assert_eq!(turn(&mut book, &failed, true), ids(&[], &["failed"]));
        assert_eq!(turn(&mut book, &failed, false), ids(&[], &[]));
    }

    #[test]
    fn what_is_true_from_the_start_is_told_if_it_matters() {
        let mut book = Book::default();
        let back = samples::given_back();
        assert_eq!(turn(&mut book, &back, false), ids(&["given-back"], &[]));
        assert_eq!(book.clear(), ["given-back"]);
        assert!(book.clear().is_empty());
    }

    #[test]
    fn news_outlive_the_application() {
        let mut book = Book::default();
        turn(&mut book, &samples::announced(), false);
        let failed = samples::ended(Reason::StepFailed, "no kernel");
        assert_eq!(turn(&mut book, &failed, false).0, ["failed"]);
        assert!(book.clear().is_empty());
    }
}
