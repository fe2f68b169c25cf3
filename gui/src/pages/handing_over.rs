//! This machine is on its way out of its system.

use crate::view::HandingOver;
use crate::widgets::{Built, Cable, Rows, show_button, show_text};

/// The page.
pub struct HandingOverPage {
    /// What goes into the stack.
    pub widget: gtk::ScrolledWindow,
    cable: Cable,
    title: gtk::Label,
    steps: Rows,
    last_words: Rows,
    stop: gtk::Button,
}

impl HandingOverPage {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let built = Built::from("handing-over");
        Self {
            widget: built.get("page"),
            cable: Cable::within(built.get("scene")),
            title: built.get("title"),
            steps: Rows::new(built.get("steps"), Some(built.get("steps_group"))),
            last_words: Rows::new(built.get("last_words"), Some(built.get("last_words_group"))),
            stop: built.get("stop"),
        }
    }

    /// Shows this from now on.
    pub fn show(&self, view: &HandingOver) {
        self.cable.show(Some(&view.scene));
        show_text(&self.title, &view.title);
        self.steps.show(&view.steps);
        self.last_words.show(&view.last_words);
        show_button(&self.stop, view.stop.as_ref());
    }
}
