//! A list of lines.

use super::{show_button, tight};
use crate::view::{Mark, Row};
use adw::prelude::*;
use gettextrs::gettext;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Fills a list box with [`Row`]s; a line that is there already is changed.
pub struct Rows {
    list: gtk::ListBox,
    /// Hidden together with the list, when there is nothing in it.
    around: Option<gtk::Widget>,
    lines: Rc<RefCell<Vec<(Row, Line)>>>,
    is_tight: Rc<Cell<bool>>,
}

impl Rows {
    /// Of a list, and what is hidden with it.
    #[must_use]
    pub fn new(list: gtk::ListBox, around: Option<gtk::Widget>) -> Self {
        let lines: Rc<RefCell<Vec<(Row, Line)>>> = Rc::default();
        let is_tight: Rc<Cell<bool>> = Rc::default();
        let (all, known) = (lines.clone(), is_tight.clone());
        tight::follow(&list, move |now| {
            known.set(now);
            for (_, line) in all.borrow().iter() {
                line.tighten(now);
            }
        });
        Self {
            list,
            around,
            lines,
            is_tight,
        }
    }

    /// Shows these from now on.
    pub fn show(&self, rows: &[Row]) {
        if let Some(around) = &self.around {
            around.set_visible(!rows.is_empty());
        }
        let mut lines = self.lines.borrow_mut();
        let same = lines.len() == rows.len()
            && lines
                .iter()
                .zip(rows)
                .all(|((old, _), new)| old.key == new.key);
        if !same {
            let mut before = std::mem::take(&mut *lines);
            self.list.remove_all();
            for row in rows {
                let at = before.iter().position(|(old, _)| old.key == row.key);
                let (shown, line) = match at {
                    Some(at) => before.swap_remove(at),
                    None => (Row::default(), Line::new()),
                };
                self.list.append(&line.row);
                lines.push((shown, line));
            }
        }
        for ((shown, line), row) in lines.iter_mut().zip(rows) {
            if shown != row {
                line.show(row);
                line.tighten(self.is_tight.get());
                *shown = row.clone();
            }
        }
    }
}

/// The widgets of a line.
pub struct Line {
    /// What goes into a list.
    pub row: adw::ActionRow,
    /// It says something.
    image: gtk::Image,
    /// It says nothing that the title does not say.
    picture: gtk::Image,
    spinner: gtk::Spinner,
    value: gtk::Label,
    button: gtk::Button,
}

const COLOURS: [&str; 4] = ["success", "warning", "error", "dim-label"];

impl Line {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let row = adw::ActionRow::builder()
            .activatable(false)
            .use_markup(false)
            .build();
        let image = gtk::Image::builder()
            .accessible_role(gtk::AccessibleRole::Img)
            .build();
        let picture = gtk::Image::builder()
            .accessible_role(gtk::AccessibleRole::Presentation)
            .build();
        let spinner = gtk::Spinner::new();
        row.add_prefix(&image);
        row.add_prefix(&picture);
        row.add_prefix(&spinner);
        let value = gtk::Label::builder()
            .css_classes(["dim-label", "numeric"])
            .justify(gtk::Justification::Right)
            .xalign(1.0)
            .build();
        let button = gtk::Button::builder()
            .valign(gtk::Align::Center)
            .margin_top(6)
            .margin_bottom(6)
            .build();
        row.add_suffix(&value);
        row.add_suffix(&button);
        Self {
            row,
            image,
            picture,
            spinner,
            value,
            button,
        }
    }

    /// Shows this from now on.
    pub fn show(&self, row: &Row) {
        self.row.set_title(&row.title);
        self.row.set_subtitle(&row.text);
        self.row.set_subtitle_lines(0);
        super::show_text(&self.value, &row.value);
        show_button(&self.button, row.button.as_ref());
        self.show_mark(row.mark);
    }

    /// Leaves room to the title by a value and a button with more lines, or not.
    fn tighten(&self, is_tight: bool) {
        let button = self.button.child().and_downcast::<gtk::Label>();
        for label in button.iter().chain([&self.value]) {
            // A number stays with its unit.
            let wraps = is_tight && label.text().contains(' ');
            label.set_wrap(wraps);
            label.set_max_width_chars(if wraps { 1 } else { -1 });
        }
    }

    fn show_mark(&self, mark: Mark) {
        let (icon, colour, word) = match mark {
            Mark::None | Mark::Busy => (None, None, gettext("Being done")),
            Mark::Icon(_) => (None, None, String::new()),
            Mark::Good => (
                Some("object-select-symbolic"),
                Some("success"),
                gettext("Good"),
            ),
            Mark::Careful => (
                Some("dialog-warning-symbolic"),
                Some("warning"),
                gettext("Worth a look"),
            ),
            Mark::Bad => (
                Some("dialog-error-symbolic"),
                Some("error"),
                gettext("In the way"),
            ),
            Mark::Later => (
                Some("content-loading-symbolic"),
                Some("dim-label"),
                gettext("Still to be done"),
            ),
        };
        self.spinner.set_visible(mark == Mark::Busy);
        self.spinner.set_spinning(mark == Mark::Busy);
        let picture = match mark {
            Mark::Icon(name) => Some(name),
            Mark::None | Mark::Good | Mark::Careful | Mark::Bad | Mark::Busy | Mark::Later => None,
        };
        self.picture.set_visible(picture.is_some());
        self.picture.set_icon_name(picture);
        self.image.set_visible(icon.is_some());
        self.image.set_icon_name(icon);
        for class in COLOURS {
            self.image.remove_css_class(class);
        }
        if let Some(class) = colour {
            self.image.add_css_class(class);
        }
        self.image
            .update_property(&[gtk::accessible::Property::Label(&word)]);
        self.spinner
            .update_property(&[gtk::accessible::Property::Label(&word)]);
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}
