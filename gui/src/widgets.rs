//! What the platform has no widget for, and how ours are filled. Each one shows
//! a part of a view, and does nothing if it shows that already.

mod cable;
mod countdown;
pub mod menu;
mod plot;
mod rows;
pub mod tight;

pub use cable::Cable;
pub use countdown::{Countdown, Ticking};
pub use plot::{Plot, Series};
pub use rows::{Line, Rows};

use crate::view::Button;
use gtk::glib::prelude::*;
use gtk::prelude::*;

/// Where our files are in the program.
const BASE: &str = "/org/stiefelsystem/Stiefelsystem/";
/// The domain of our translations.
pub const DOMAIN: &str = "stiefelsystem";

/// What one of our `.ui` files describes.
pub struct Built(gtk::Builder, &'static str);

impl Built {
    /// Reads the file of that name, without its ending.
    #[must_use]
    pub fn from(name: &'static str) -> Self {
        let builder = gtk::Builder::new();
        builder.set_translation_domain(Some(DOMAIN));
        if let Err(error) = builder.add_from_resource(&format!("{BASE}{name}.ui")) {
            gtk::glib::g_critical!("stiefelsystem", "{name}.ui: {error}");
        }
        Self(builder, name)
    }

    /// The object with that id.
    ///
    /// # Panics
    /// There is none: the file and the program do not belong together. A test
    /// builds all of them.
    #[must_use]
    pub fn get<T: IsA<gtk::glib::Object>>(&self, id: &str) -> T {
        match self.0.object(id) {
            Some(object) => object,
            None => panic!("{}.ui has no {id} of the type {}", self.1, T::static_type()),
        }
    }
}

/// Names a row that holds others: the platform names only the line that opens it.
pub fn name(row: &adw::ExpanderRow, text: &str) {
    let widget: &gtk::Widget = row.upcast_ref();
    widget.update_property(&[gtk::accessible::Property::Label(text)]);
}

/// Shows what there is to press; hidden if there is nothing.
pub fn show_button(widget: &gtk::Button, button: Option<&Button>) {
    widget.set_visible(button.is_some());
    let Some(button) = button else { return };
    widget.set_label(&button.label);
    widget.set_use_underline(true);
    // Rather two lines than a window that is wider than the screen.
    if let Some(label) = widget.child().and_downcast::<gtk::Label>() {
        label.set_wrap(true);
        label.set_justify(gtk::Justification::Center);
    }
    let target = button.target.as_ref().map(|target| target.to_variant());
    widget.set_action_target_value(target.as_ref());
    widget.set_action_name(Some(&format!("app.{}", button.action)));
}

/// Shows a text; hidden if there is none.
pub fn show_text(label: &gtk::Label, text: &str) {
    label.set_visible(!text.is_empty());
    if label.text() != text {
        label.set_text(text);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// Each object that a program asks of a file by its id is in that file.
    #[test]
    fn the_ui_files_have_what_the_program_asks_for() {
        let pairs = [
            (include_str!("window.rs"), include_str!("../ui/window.ui")),
            (
                include_str!("pages/message.rs"),
                include_str!("../ui/message.ui"),
            ),
            (
                include_str!("pages/setup.rs"),
                include_str!("../ui/setup.ui"),
            ),
            (include_str!("pages/home.rs"), include_str!("../ui/home.ui")),
            (
                include_str!("pages/announced.rs"),
                include_str!("../ui/announced.ui"),
            ),
            (
                include_str!("pages/handing_over.rs"),
                include_str!("../ui/handing-over.ui"),
            ),
            (include_str!("pages/lent.rs"), include_str!("../ui/lent.ui")),
            (
                include_str!("preferences.rs"),
                include_str!("../ui/preferences.ui"),
            ),
            (
                include_str!("assistant.rs"),
                include_str!("../ui/assistant.ui"),
            ),
        ];
        for (program, file) in pairs {
            let asked = program.split("get(\"").skip(1);
            let asked: BTreeSet<_> = asked.filter_map(|rest| rest.split('"').next()).collect();
            assert!(!asked.is_empty());
            for id in asked {
                assert!(file.contains(&format!("id=\"{id}\"")), "no {id}");
            }
        }
    }
}
