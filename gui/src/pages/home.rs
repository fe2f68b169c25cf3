//! Ready, or waiting.

use crate::view::Home;
use crate::widgets::{Built, Cable, Rows, show_button, show_text};
use gtk::prelude::*;

/// The page.
pub struct HomePage {
    /// What goes into the stack.
    pub widget: gtk::ScrolledWindow,
    cable: Cable,
    title: gtk::Label,
    body: gtk::Label,
    button: gtk::Button,
    other: gtk::Button,
    remarks: Rows,
    pairings: Rows,
    machine: Rows,
}

impl HomePage {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let built = Built::from("home");
        Self {
            widget: built.get("page"),
            cable: Cable::within(built.get("scene")),
            title: built.get("title"),
            body: built.get("body"),
            button: built.get("button"),
            other: built.get("other"),
            remarks: Rows::new(built.get("remarks"), Some(built.get("remarks_group"))),
            pairings: Rows::new(built.get("pairings"), None),
            machine: Rows::new(built.get("machine"), Some(built.get("machine_group"))),
        }
    }

    /// Shows this from now on.
    pub fn show(&self, view: &Home) {
        self.cable.show(Some(&view.scene));
        show_text(&self.title, &view.title);
        show_text(&self.body, &view.body);
        show_button(&self.button, Some(&view.button));
        match view.waiting {
            true => self.button.remove_css_class("suggested-action"),
            false => self.button.add_css_class("suggested-action"),
        }
        show_button(&self.other, view.other.as_ref());
        self.remarks.show(&view.remarks);
        self.pairings.show(&view.pairings);
        self.machine.show(&view.machine);
    }
}
