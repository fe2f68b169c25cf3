//! The command line, and what a second call asks of the first.

use super::App;
use adw::prelude::*;
use gettextrs::gettext;
use gtk::{gio, glib};
use std::rc::Rc;

/// Tells GLib of our options.
pub(super) fn declare(app: &adw::Application) {
    let flag = |name: &str, about: String| {
        app.add_main_option(
            name,
            0.into(),
            glib::OptionFlags::NONE,
            glib::OptionArg::None,
            &about,
            None,
        );
    };
    flag(
        "background",
        gettext("Start without a window, and tell when somebody asks"),
    );
    flag("lend", gettext("Wait for a paired computer"));
    flag("disarm", gettext("Stop waiting"));
    flag("quit", gettext("End the application that runs"));
}

/// Does what the command line says, in the process that runs already.
pub(super) fn obey(app: &Rc<App>, line: &gio::ApplicationCommandLine) {
    let options = line.options_dict();
    for action in ["lend", "disarm", "quit"] {
        if options.contains(action) {
            app.app.activate_action(action, None);
        }
    }
    if options.contains("quit") {
        return;
    }
    match options.contains("background") {
        true => app.stay(),
        false => app.present(),
    }
}
