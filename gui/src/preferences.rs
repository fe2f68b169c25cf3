//! The dialog of what people prefer. What is shown comes from the bus, and what
//! is changed goes there; nothing is kept here.

mod choice;
mod lists;

use crate::app::App;
use crate::autostart::Autostart;
use crate::bus::{Ask, Setting};
use crate::picture::Picture;
use crate::view::{Preferences, View};
use crate::widgets::Built;
use adw::prelude::*;
use choice::ChoiceRow;
use gtk::glib;
use lists::{LinkList, PairingList};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// Asks the daemon; what it refuses is shown as it was.
type Asker = Rc<dyn Fn(Ask)>;

/// The dialog; it lives as long as it is open.
pub struct PreferencesDialog {
    app: Rc<App>,
    dialog: adw::PreferencesDialog,
    shown: RefCell<Option<Preferences>>,
    choices: [ChoiceRow; 4],
    numbers: [NumberRow; 5],
    groups: [gtk::Widget; 3],
    pairings: PairingList,
    links: LinkList,
}

impl PreferencesDialog {
    /// Opens it over the window, at one of its pages or at the first.
    pub fn present(app: &Rc<App>, page: Option<&str>) {
        let Some(window) = app.window() else { return };
        let built = Built::from("preferences");
        let this = Rc::new_cyclic(|this: &Weak<Self>| Self::build(app, &built, asker(app, this)));
        autostart(app, &built.get("autostart"));
        let reset: gtk::Button = built.get("reset");
        let ask = asker(app, &Rc::downgrade(&this));
        reset.connect_clicked(move |_| ask(Ask::Reset));
        let pair: gtk::Button = built.get("pair");
        let (that, dialog) = (app.clone(), this.dialog.clone());
        pair.connect_clicked(move |_| {
            dialog.close();
            crate::assistant::Assistant::pair(&that);
        });
        this.show(&app.picture());
        if let Some(page) = page {
            this.dialog.set_visible_page_name(page);
        }
        this.dialog.present(Some(window.widget()));
        glib::spawn_future_local(follow(Rc::downgrade(&this), app.bus().pictures()));
        // The dialog keeps what belongs to it.
        let keep = RefCell::new(Some(this.clone()));
        this.dialog.connect_closed(move |_| drop(keep.take()));
    }

    fn build(app: &Rc<App>, built: &Built, ask: Asker) -> Self {
        let choice = |id: &str, setting: &'static str| {
            let ask = ask.clone();
            ChoiceRow::new(built.get(id), move |word| {
                ask(Ask::Set(setting, Setting::Word(word.to_owned())));
            })
        };
        let number = |id: &str, setting: &'static str, unit: u32| {
            NumberRow::new(ask.clone(), built.get(id), setting, unit)
        };
        Self {
            app: app.clone(),
            dialog: built.get("dialog"),
            shown: RefCell::default(),
            choices: [
                choice("on_battery", "OnBattery"),
                choice("on_ac_loss", "OnAcLoss"),
                choice("on_low_power", "OnLowPower"),
                choice("on_plug", "OnPlug"),
            ],
            numbers: [
                number("battery_percent", "BatteryPercent", 1),
                number("countdown_secs", "CountdownSecs", 1),
                number("confirm_secs", "ConfirmSecs", 1),
                number("offer_minutes", "OfferSecs", 60),
                number("patience_minutes", "PatienceSecs", 60),
            ],
            groups: ["power_group", "time_group", "reset_group"].map(|id| built.get(id)),
            pairings: PairingList::new(app, ask.clone(), built.get("pairings")),
            links: LinkList::new(ask.clone(), built.get("links")),
        }
    }

    /// Shows once more what is the case.
    fn show_again(&self) {
        self.shown.take();
        self.show(&self.app.picture());
    }

    fn show(&self, picture: &Picture) {
        let view = Preferences::of(picture);
        if self.shown.borrow().as_ref() == Some(&view) {
            return;
        }
        let may = View::of(picture, &crate::view::Now::default()).may;
        for group in &self.groups {
            group.set_visible(view.lending.is_some());
        }
        self.choices[3].row.set_visible(view.lending.is_some());
        if let Some(lending) = &view.lending {
            for (row, choice) in self.choices.iter().zip([
                &lending.on_battery,
                &lending.on_ac_loss,
                &lending.on_low_power,
                &lending.on_plug,
            ]) {
                row.show(choice);
            }
            for (row, number) in self.numbers.iter().zip([
                lending.battery_percent,
                lending.countdown_secs,
                lending.confirm_secs,
                lending.offer_minutes,
                lending.patience_minutes,
            ]) {
                row.show(number);
            }
            self.numbers[0].row.set_sensitive(lending.battery_matters);
        }
        self.pairings.show(&view.pairings, may.pair);
        self.links.show(&view.links);
        self.shown.replace(Some(view));
    }
}

fn asker(app: &Rc<App>, dialog: &Weak<PreferencesDialog>) -> Asker {
    let (app, dialog) = (app.clone(), dialog.clone());
    Rc::new(move |ask| {
        let (app, dialog) = (app.clone(), dialog.clone());
        glib::spawn_future_local(async move {
            if let Err(refusal) = app.bus().ask(ask).await {
                app.refused(&refusal);
                if let Some(dialog) = dialog.upgrade() {
                    dialog.show_again();
                }
            }
        });
    })
}

async fn follow(
    this: Weak<PreferencesDialog>,
    mut pictures: tokio::sync::watch::Receiver<Picture>,
) {
    while pictures.changed().await.is_ok() {
        let Some(this) = this.upgrade() else { return };
        let picture = pictures.borrow_and_update().clone();
        this.show(&picture);
    }
}

fn autostart(app: &Rc<App>, row: &adw::SwitchRow) {
    row.set_active(Autostart::default().is_on());
    let app = app.clone();
    row.connect_active_notify(move |row| {
        let on = row.is_active();
        if let Err(error) = Autostart::default().set(on) {
            if let Some(window) = app.window() {
                window.toast(&error.to_string());
            }
            return;
        }
        match on {
            true => app.stay(),
            false => app.leave(),
        }
    });
}

/// A number that is asked for when it was changed by hand.
struct NumberRow {
    row: adw::SpinRow,
    /// As it stands on the bus.
    known: Rc<Cell<Option<u32>>>,
}

impl NumberRow {
    fn new(ask: Asker, row: adw::SpinRow, setting: &'static str, unit: u32) -> Self {
        let known = Rc::new(Cell::new(None));
        let asked = known.clone();
        row.connect_value_notify(move |row| {
            let value = row.value().round().clamp(0.0, f64::from(u32::MAX)) as u32;
            // Without a known value it is being shown, maybe as the nearest that fits.
            if asked.get().is_some() && asked.replace(Some(value)) != Some(value) {
                ask(Ask::Set(setting, Setting::Number(value * unit)));
            }
        });
        Self { row, known }
    }

    fn show(&self, value: u32) {
        self.known.set(None);
        self.row.set_value(f64::from(value));
        self.known.set(Some(value));
    }
}
