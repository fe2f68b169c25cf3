//! Somebody wants the disk, and there is time to say no.

use crate::view::Announced;
use crate::widgets::{Built, Countdown, Rows, show_button, show_text};
use adw::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;

/// The page.
pub struct AnnouncedPage {
    /// What goes into the stack.
    pub widget: gtk::ScrolledWindow,
    countdown: Countdown,
    title: gtk::Label,
    body: gtk::Label,
    at_deadline: gtk::Label,
    yes: gtk::Button,
    no: gtk::Button,
    remarks: Rows,
    always_list: gtk::ListBox,
    always: adw::SwitchRow,
    /// The pairing that the switch is about, and how it stands on the bus.
    about: Rc<RefCell<(String, bool)>>,
}

impl AnnouncedPage {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let built = Built::from("announced");
        let always: adw::SwitchRow = built.get("always");
        let about: Rc<RefCell<(String, bool)>> = Rc::default();
        let asked = about.clone();
        always.connect_active_notify(move |row| {
            let (pairing, active) = asked.borrow().clone();
            if row.is_active() != active {
                let action = match row.is_active() {
                    true => "app.always-allow",
                    false => "app.always-ask",
                };
                // Without an action there is nobody who could be asked.
                let _ = row.activate_action(action, Some(&pairing.to_variant()));
            }
        });
        Self {
            widget: built.get("page"),
            countdown: Countdown::within(&built.get("countdown")),
            title: built.get("title"),
            body: built.get("body"),
            at_deadline: built.get("at_deadline"),
            yes: built.get("yes"),
            no: built.get("no"),
            remarks: Rows::new(built.get("remarks"), Some(built.get("remarks_group"))),
            always_list: built.get("always_list"),
            always,
            about,
        }
    }

    /// Shows this from now on.
    pub fn show(&self, view: &Announced) {
        self.countdown
            .show(view.deadline_usec, view.countdown_usec, view.goes_ahead);
        show_text(&self.title, &view.title);
        show_text(&self.body, &view.body);
        show_text(&self.at_deadline, &view.at_deadline);
        show_button(&self.yes, Some(&view.yes));
        show_button(&self.no, Some(&view.no));
        self.remarks.show(&view.remarks);
        self.always_list.set_visible(view.always.is_some());
        if let Some(always) = &view.always {
            self.about.replace((always.pairing.clone(), always.active));
            self.always.set_title(&always.title);
            self.always.set_subtitle(&always.text);
            self.always.set_active(always.active);
        }
    }

    /// Ends to count.
    pub fn stop(&self) {
        self.countdown.stop();
    }
}
