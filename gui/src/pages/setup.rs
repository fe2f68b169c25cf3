//! What has to be done before this machine can lend.

use crate::view::{Button, Row, Setup};
use crate::widgets::{self, Built, Cable, Line, Rows, show_button, show_text};
use adw::prelude::*;
use gettextrs::gettext;
use std::cell::RefCell;

/// The page.
pub struct SetupPage {
    /// What goes into the stack.
    pub widget: gtk::ScrolledWindow,
    cable: Cable,
    title: gtk::Label,
    body: gtk::Label,
    open: Rows,
    good: adw::ExpanderRow,
    good_rows: RefCell<Vec<(Row, Line)>>,
}

impl SetupPage {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let built = Built::from("setup");
        let again = Button {
            label: gettext("_Check Again"),
            action: "refresh",
            target: None,
        };
        show_button(&built.get("again"), Some(&again));
        Self {
            widget: built.get("page"),
            cable: Cable::within(built.get("scene")),
            title: built.get("title"),
            body: built.get("body"),
            open: Rows::new(built.get("open"), Some(built.get("open_group"))),
            good: built.get("good"),
            good_rows: RefCell::default(),
        }
    }

    /// Shows this from now on.
    pub fn show(&self, view: &Setup) {
        self.cable.show(Some(&view.scene));
        show_text(&self.title, &view.title);
        show_text(&self.body, &view.body);
        self.open.show(&view.open);
        self.good.set_title(&view.good_title);
        widgets::name(&self.good, &view.good_title);
        self.good.set_visible(!view.good.is_empty());
        let mut rows = self.good_rows.borrow_mut();
        if rows.iter().map(|(row, _)| row).eq(&view.good) {
            return;
        }
        for (_, line) in rows.drain(..) {
            self.good.remove(&line.row);
        }
        for row in &view.good {
            let line = Line::new();
            line.show(row);
            self.good.add_row(&line.row);
            rows.push((row.clone(), line));
        }
    }
}
