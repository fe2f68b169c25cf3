//! The lists of paired computers and of network connections.

use super::Asker;
use super::choice::ChoiceRow;
use crate::app::App;
use crate::assistant::Assistant;
use crate::bus::Ask;
use crate::view::{LinkChoice, PairingChoice};
use crate::widgets;
use adw::prelude::*;
use gettextrs::gettext;
use gtk::glib;
use std::cell::RefCell;
use std::rc::Rc;

/// All paired computers.
pub struct PairingList {
    app: Rc<App>,
    ask: Asker,
    group: adw::PreferencesGroup,
    rows: RefCell<Vec<PairingRow>>,
    /// Shown instead of nothing.
    nobody: adw::ActionRow,
}

struct PairingRow {
    path: String,
    row: adw::ExpanderRow,
    name: adw::EntryRow,
    policy: ChoiceRow,
}

impl PairingList {
    /// In this group.
    #[must_use]
    pub fn new(app: &Rc<App>, ask: Asker, group: adw::PreferencesGroup) -> Self {
        let nobody = adw::ActionRow::builder()
            .title(gettext("No computer is paired"))
            .css_classes(["dim-label"])
            .build();
        group.add(&nobody);
        Self {
            app: app.clone(),
            ask,
            group,
            rows: RefCell::default(),
            nobody,
        }
    }

    /// Shows these from now on; nothing can be changed unless `sensitive`.
    pub fn show(&self, pairings: &[PairingChoice], sensitive: bool) {
        self.group.set_sensitive(sensitive);
        self.nobody.set_visible(pairings.is_empty());
        let mut rows = self.rows.borrow_mut();
        let wanted = |row: &PairingRow| pairings.iter().any(|pairing| pairing.path == row.path);
        for row in rows.extract_if(.., |row| !wanted(row)) {
            self.group.remove(&row.row);
        }
        for pairing in pairings {
            let at = rows.iter().position(|row| row.path == pairing.path);
            let at = at.unwrap_or_else(|| {
                rows.push(self.add(pairing));
                rows.len() - 1
            });
            rows[at].show(pairing);
        }
    }

    fn add(&self, pairing: &PairingChoice) -> PairingRow {
        let (ask, path) = (&self.ask, &pairing.path);
        let row = adw::ExpanderRow::builder().use_markup(false).build();
        let name = adw::EntryRow::builder()
            .title(gettext("Name"))
            .show_apply_button(true)
            .build();
        let (that, about) = (ask.clone(), path.clone());
        name.connect_apply(move |name| {
            that(Ask::Rename(about.clone(), name.text().trim().to_owned()));
        });
        let combo = adw::ComboRow::builder()
            .title(gettext("When It Asks for the Disk"))
            .use_subtitle(true)
            .build();
        let (that, about) = (ask.clone(), path.clone());
        let policy = ChoiceRow::new(combo, move |word| {
            that(Ask::SetPairingPolicy(about.clone(), word.to_owned()));
        });
        row.add_row(&name);
        row.add_row(&policy.row);
        row.add_row(&self.stick_row(path));
        row.add_row(&self.forget_row(pairing));
        self.group.add(&row);
        PairingRow {
            path: path.clone(),
            row,
            name,
            policy,
        }
    }

    fn stick_row(&self, path: &str) -> adw::ActionRow {
        let row = adw::ActionRow::builder()
            .title(gettext("Another Stick"))
            .subtitle(gettext("It works beside those that there are"))
            .build();
        let button = gtk::Button::builder()
            .label(gettext("_Make Stick…"))
            .use_underline(true)
            .valign(gtk::Align::Center)
            .build();
        let (app, path) = (self.app.clone(), path.to_owned());
        button.connect_clicked(move |button| {
            close_dialog_of(button);
            Assistant::write(&app, &path);
        });
        row.add_suffix(&button);
        row
    }

    fn forget_row(&self, pairing: &PairingChoice) -> adw::ActionRow {
        let row = adw::ActionRow::builder()
            .title(gettext("End the Pairing"))
            .subtitle(gettext("Its sticks find nobody any more"))
            .build();
        let button = gtk::Button::builder()
            .label(gettext("_Forget…"))
            .use_underline(true)
            .valign(gtk::Align::Center)
            .css_classes(["destructive-action"])
            .build();
        let (ask, path, name) = (self.ask.clone(), pairing.path.clone(), pairing.name.clone());
        button.connect_clicked(move |button| {
            let (ask, path, button) = (ask.clone(), path.clone(), button.clone());
            let title = gettext("Forget {name}?").replace("{name}", &name);
            glib::spawn_future_local(async move {
                let body = gettext("Its sticks become useless, and cannot be made valid again.");
                let dialog = adw::AlertDialog::new(Some(&title), Some(&body));
                dialog.add_response("no", &gettext("_Cancel"));
                dialog.add_response("yes", &gettext("_Forget"));
                dialog.set_response_appearance("yes", adw::ResponseAppearance::Destructive);
                dialog.set_close_response("no");
                if dialog.choose_future(Some(&button)).await == "yes" {
                    ask(Ask::Forget(path));
                }
            });
        });
        row.add_suffix(&button);
        row
    }
}

impl PairingRow {
    fn show(&self, pairing: &PairingChoice) {
        self.row.set_title(&pairing.name);
        widgets::name(&self.row, &pairing.name);
        self.row.set_subtitle(&pairing.text);
        // What is being typed is not taken away.
        if !self.name.is_focus() && self.name.text() != pairing.name {
            self.name.set_text(&pairing.name);
        }
        self.policy.show(&pairing.policy);
    }
}

/// The dialog around a widget gives way to another one.
fn close_dialog_of(widget: &gtk::Button) {
    let dialog = widget.ancestor(adw::Dialog::static_type());
    if let Some(dialog) = dialog.and_downcast::<adw::Dialog>() {
        dialog.close();
    }
}

struct LinkRow {
    path: String,
    policy: ChoiceRow,
    icon: gtk::Image,
    state: gtk::Label,
}

/// All network connections.
pub struct LinkList {
    ask: Asker,
    group: adw::PreferencesGroup,
    rows: RefCell<Vec<LinkRow>>,
}

impl LinkList {
    /// In this group.
    #[must_use]
    pub fn new(ask: Asker, group: adw::PreferencesGroup) -> Self {
        Self {
            ask,
            group,
            rows: RefCell::default(),
        }
    }

    /// Shows these from now on.
    pub fn show(&self, links: &[LinkChoice]) {
        self.group.set_visible(!links.is_empty());
        let mut rows = self.rows.borrow_mut();
        let wanted = |path: &String| links.iter().any(|link| link.path == *path);
        for row in rows.extract_if(.., |row| !wanted(&row.path)) {
            self.group.remove(&row.policy.row);
        }
        for link in links {
            let at = rows.iter().position(|row| row.path == link.path);
            let at = at.unwrap_or_else(|| {
                rows.push(self.add(&link.path));
                rows.len() - 1
            });
            let row = &rows[at];
            row.policy.row.set_title(&link.title);
            row.icon.set_icon_name(Some(match link.connected {
                true => "network-wired-symbolic",
                false => "network-wired-disconnected-symbolic",
            }));
            row.state.set_text(&link.state);
            row.policy.show(&link.policy);
        }
    }

    fn add(&self, path: &str) -> LinkRow {
        let combo = adw::ComboRow::builder()
            .use_markup(false)
            .use_subtitle(true)
            .build();
        let icon = gtk::Image::new();
        icon.set_accessible_role(gtk::AccessibleRole::Presentation);
        combo.add_prefix(&icon);
        let state = gtk::Label::builder()
            .css_classes(["dim-label", "numeric"])
            .build();
        combo.add_suffix(&state);
        let (ask, about) = (self.ask.clone(), path.to_owned());
        let policy = ChoiceRow::new(combo, move |word| {
            ask(Ask::SetLinkPolicy(about.clone(), word.to_owned()));
        });
        self.group.add(&policy.row);
        LinkRow {
            path: path.to_owned(),
            policy,
            icon,
            state,
        }
    }
}
