//! The list of drives, as they come and go.

use crate::view::DriveRow;
use adw::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;

/// A list with a line for each drive; those that can be chosen can be pressed.
pub struct Drives {
    list: gtk::ListBox,
    shown: RefCell<Vec<DriveRow>>,
    chosen: Rc<dyn Fn(DriveRow)>,
}

impl Drives {
    /// Calls `chosen` with the drive that was pressed.
    #[must_use]
    pub fn new(list: gtk::ListBox, chosen: impl Fn(DriveRow) + 'static) -> Self {
        Self {
            list,
            shown: RefCell::default(),
            chosen: Rc::new(chosen),
        }
    }

    /// Shows these from now on.
    pub fn show(&self, drives: Vec<DriveRow>) {
        if *self.shown.borrow() == drives {
            return;
        }
        self.list.remove_all();
        for drive in &drives {
            self.list.append(&self.row(drive));
        }
        self.shown.replace(drives);
    }

    fn row(&self, drive: &DriveRow) -> adw::ActionRow {
        let row = adw::ActionRow::builder()
            .use_markup(false)
            .title(&drive.title)
            .subtitle(&drive.text)
            .activatable(drive.usable)
            .sensitive(drive.usable)
            .build();
        let icon = gtk::Image::from_icon_name("media-removable-symbolic");
        icon.set_accessible_role(gtk::AccessibleRole::Presentation);
        row.add_prefix(&icon);
        let size = gtk::Label::builder()
            .label(&drive.size)
            .css_classes(["dim-label", "numeric"])
            .build();
        row.add_suffix(&size);
        if drive.usable {
            let next = gtk::Image::from_icon_name("go-next-symbolic");
            next.set_accessible_role(gtk::AccessibleRole::Presentation);
            row.add_suffix(&next);
            let (chosen, drive) = (self.chosen.clone(), drive.clone());
            row.connect_activated(move |_| chosen(drive.clone()));
        }
        row
    }
}
