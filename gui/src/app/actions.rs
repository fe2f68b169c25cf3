//! What can be asked of the application: by buttons, menus, keys, the tray,
//! notifications, the launcher, and over the bus.

use super::{App, ID};
use crate::assistant::Assistant;
use crate::bus::{Ask, Refusal};
use crate::preferences::PreferencesDialog;
use crate::view::May;
use crate::widgets::Built;
use adw::prelude::*;
use gettextrs::gettext;
use gtk::{gio, glib};
use std::rc::Rc;

/// Declares all actions and their keys.
pub(super) fn declare(this: &Rc<App>) {
    plain(this, "show", App::present);
    plain(this, "look", |this| this.ask(Ask::Look));
    plain(this, "lend", |this| this.ask(Ask::Arm));
    plain(this, "arm", |this| this.ask(Ask::Arm));
    plain(this, "disarm", |this| this.ask(Ask::Disarm));
    plain(this, "confirm", |this| this.ask(Ask::Confirm));
    plain(this, "cancel", |this| this.ask(Ask::Cancel));
    plain(this, "update-image", |this| this.ask(Ask::UpdateImage));
    plain(this, "refresh", |this| this.ask(Ask::Refresh));
    plain(this, "give-back", give_back);
    plain(this, "new-pairing", |this| {
        this.present();
        Assistant::pair(this);
    });
    plain(this, "preferences", |this| {
        this.present();
        PreferencesDialog::present(this, None);
    });
    plain(this, "about", about);
    plain(this, "help", help);
    plain(this, "shortcuts", |this| {
        this.present();
        if let Some(window) = this.window() {
            // The window has it from our resources.
            let _ = WidgetExt::activate_action(window.widget(), "win.show-help-overlay", None);
        }
    });
    plain(this, "quit", |this| this.app.quit());
    about_one(this, "lend-to", |this, pairing| {
        this.ask(Ask::Begin(pairing))
    });
    about_one(this, "always-allow", |this, pairing| {
        this.ask(Ask::SetPairingPolicy(pairing, "automatic".into()));
    });
    about_one(this, "always-ask", |this, pairing| {
        this.ask(Ask::SetPairingPolicy(pairing, "ask".into()));
    });
    about_one(this, "preferences-at", |this, page| {
        this.present();
        PreferencesDialog::present(this, Some(&page));
    });
    about_one(this, "write-stick", |this, pairing| {
        this.present();
        Assistant::write(this, &pairing);
    });
    for (action, keys) in [
        ("app.preferences", "<Control>comma"),
        ("app.new-pairing", "<Control>n"),
        ("app.refresh", "<Control>r"),
        ("app.help", "F1"),
        ("app.quit", "<Control>q"),
        ("window.close", "<Control>w"),
    ] {
        this.app.set_accels_for_action(action, &[keys]);
    }
}

/// Lets be asked only what makes sense now.
pub(super) fn permit(app: &adw::Application, may: May) {
    for (name, sensible) in [
        ("lend", may.lend),
        ("arm", may.lend),
        ("disarm", may.disarm),
        ("lend-to", may.hand_over),
        ("confirm", may.confirm),
        ("cancel", may.cancel),
        ("give-back", may.give_back),
        ("update-image", may.update_image),
        ("new-pairing", may.pair),
        ("write-stick", may.pair),
        ("refresh", may.refresh),
    ] {
        let action = app.lookup_action(name);
        if let Some(action) = action.and_downcast::<gio::SimpleAction>() {
            action.set_enabled(sensible);
        }
    }
}

fn plain(this: &Rc<App>, name: &str, act: impl Fn(&Rc<App>) + 'static) {
    add(this, gio::SimpleAction::new(name, None), move |this, _| {
        act(this)
    });
}

/// An action about one object.
fn about_one(this: &Rc<App>, name: &str, act: impl Fn(&Rc<App>, String) + 'static) {
    let action = gio::SimpleAction::new(name, Some(glib::VariantTy::STRING));
    add(this, action, move |this, target| {
        if let Some(path) = target.and_then(|target| target.get()) {
            act(this, path);
        }
    });
}

fn add(
    this: &Rc<App>,
    action: gio::SimpleAction,
    act: impl Fn(&Rc<App>, Option<&glib::Variant>) + 'static,
) {
    let that = Rc::downgrade(this);
    action.connect_activate(move |_, target| {
        if let Some(this) = that.upgrade() {
            act(&this, target);
        }
    });
    this.app.add_action(&action);
}

/// Asks first: this machine is switched off.
fn give_back(this: &Rc<App>) {
    this.present();
    let lender = this.picture().loan.map(|loan| loan.lender);
    let body = gettext(
        "Save your work first: all programs are closed, and this computer is switched off. Then {name} starts your system again by itself.",
    );
    let body = body.replace("{name}", &lender.unwrap_or_default());
    let this = this.clone();
    glib::spawn_future_local(async move {
        let title = gettext("Give the Disk Back?");
        if !agreed(&this, &title, &body, &gettext("_Give Back")).await {
            return;
        }
        let Err(refusal) = this.bus.ask(Ask::GiveBack(false)).await else {
            return;
        };
        let blocked = matches!(&refusal, Refusal::Said(word, _) if word == "Blocked");
        let title = gettext("Give Back All the Same?");
        let force = gettext("_Give Back Now");
        if !blocked {
            this.refused(&refusal);
        } else if agreed(&this, &title, &refusal.text(), &force).await {
            this.ask(Ask::GiveBack(true));
        }
    });
}

/// Whether a person agrees to something that cannot be undone.
async fn agreed(this: &Rc<App>, title: &str, body: &str, yes: &str) -> bool {
    let Some(window) = this.window() else {
        return false;
    };
    let dialog = adw::AlertDialog::new(Some(title), Some(body));
    dialog.add_response("no", &gettext("_Cancel"));
    dialog.add_response("yes", yes);
    dialog.set_response_appearance("yes", adw::ResponseAppearance::Destructive);
    dialog.set_close_response("no");
    dialog.choose_future(Some(window.widget())).await == "yes"
}

fn about(this: &Rc<App>) {
    this.present();
    let version = this.picture().machine.version;
    let about = adw::AboutDialog::builder()
        .application_name(gettext("Lend My Disk"))
        .application_icon(ID)
        .version(env!("CARGO_PKG_VERSION"))
        .developer_name(gettext("The Stiefelsystem contributors"))
        .license_type(gtk::License::Gpl30)
        .comments(gettext(
            "Lends this computer’s disk to another one, over a cable.",
        ))
        // Translators: your names, one on each line
        .translator_credits(gettext("translator-credits"))
        .debug_info(format!("service: {version}\n"))
        .build();
    if about.translator_credits() == "translator-credits" {
        about.set_translator_credits("");
    }
    about.present(this.window().as_ref().map(|window| window.widget()));
}

fn help(this: &Rc<App>) {
    this.present();
    let dialog: adw::Dialog = Built::from("help").get("dialog");
    dialog.present(this.window().as_ref().map(|window| window.widget()));
}
