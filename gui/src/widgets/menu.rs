//! Names for the entries of menus. GTK 4.18 says that an entry is labelled by
//! its label, and hides that label from who cannot see it.

use gtk::prelude::*;

/// Gives each entry of a popover the name that is written on it.
pub fn name_entries(widget: &gtk::Widget) {
    if widget.type_().name() == "GtkModelButton" {
        let text: Option<String> = widget.property("text");
        let text = text.unwrap_or_default().replace('_', "");
        widget.reset_relation(gtk::AccessibleRelation::LabelledBy);
        widget.update_property(&[gtk::accessible::Property::Label(&text)]);
    }
    let mut child = widget.first_child();
    while let Some(one) = child {
        name_entries(&one);
        child = one.next_sibling();
    }
}
