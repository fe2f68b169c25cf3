//! Something to read, and to wait for.

use crate::view::{Drawing, Message};
use crate::widgets::{Built, Cable, Rows, Ticking, show_button, show_text};
use gtk::prelude::*;

/// The page.
pub struct MessagePage {
    /// What goes into the stack.
    pub widget: gtk::ScrolledWindow,
    cable: Cable,
    spinner: gtk::Spinner,
    icon: gtk::Image,
    title: gtk::Label,
    body: gtk::Label,
    points: Rows,
    until: Ticking,
    button: gtk::Button,
}

impl MessagePage {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let built = Built::from("message");
        Self {
            widget: built.get("page"),
            cable: Cable::within(built.get("scene")),
            spinner: built.get("spinner"),
            icon: built.get("icon"),
            title: built.get("title"),
            body: built.get("body"),
            points: Rows::new(built.get("points"), Some(built.get("points_group"))),
            until: Ticking::of(built.get("until")),
            button: built.get("button"),
        }
    }

    /// Shows this from now on.
    pub fn show(&self, view: &Message) {
        let (turning, icon, scene) = match &view.picture {
            Drawing::Turning => (true, None, None),
            Drawing::Icon(name) => (false, Some(*name), None),
            Drawing::Scene(scene) => (false, None, Some(scene)),
        };
        self.spinner.set_visible(turning);
        self.spinner.set_spinning(turning);
        self.icon.set_visible(icon.is_some());
        self.icon.set_icon_name(icon);
        self.cable.show(scene);
        show_text(&self.title, &view.title);
        show_text(&self.body, &view.body);
        self.points.show(&view.points);
        self.until.show(view.until.as_ref());
        show_button(&self.button, view.button.as_ref());
    }
}
