//! Large text in a narrow window: what stands side by side elsewhere then
//! stands one below the other. A breakpoint in `window.ui` decides; the window
//! has a class while it is the case, for `style.css` and for who follows it.

use gtk::glib;
use gtk::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;

/// The window's class.
const CLASS: &str = "tight";

/// Gives `window` its class as long as `breakpoint` holds.
pub fn declare(window: &adw::ApplicationWindow, breakpoint: &adw::Breakpoint) {
    let tight = window.downgrade();
    breakpoint.connect_apply(move |_| {
        if let Some(window) = tight.upgrade() {
            window.add_css_class(CLASS);
        }
    });
    let roomy = window.downgrade();
    breakpoint.connect_unapply(move |_| {
        if let Some(window) = roomy.upgrade() {
            window.remove_css_class(CLASS);
        }
    });
}

/// Calls `act` with whether it is tight around `widget`, when it gets into a
/// window and whenever that changes there.
pub fn follow(widget: &impl IsA<gtk::Widget>, act: impl Fn(bool) + 'static) {
    let act = Rc::new(act);
    let followed: RefCell<Option<(gtk::Root, glib::SignalHandlerId)>> = RefCell::default();
    widget.connect_root_notify(move |widget| {
        if let Some((root, handler)) = followed.take() {
            root.disconnect(handler);
        }
        let Some(root) = widget.root() else { return };
        act(root.has_css_class(CLASS));
        let then = act.clone();
        let handler = root.connect_css_classes_notify(move |root| then(root.has_css_class(CLASS)));
        followed.replace(Some((root, handler)));
    });
}
