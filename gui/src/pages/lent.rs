//! This system runs from a lent disk.

use crate::history::History;
use crate::picture::Moving;
use crate::view::{Lent, Meter, spoken, units};
use crate::widgets::{Built, Cable, Plot, Rows, Series, Ticking, show_button, show_text, tight};
use gettextrs::gettext;
use gtk::glib;
use gtk::prelude::*;
use std::cell::RefCell;

/// Scales do not shrink below these, or noise would look like work.
const LEAST_RATE: u64 = 1_000_000;
const LEAST_LATENCY_USEC: u64 = 1000;

/// The page.
pub struct LentPage {
    /// What goes into the stack.
    pub widget: gtk::ScrolledWindow,
    cable: Cable,
    title: gtk::Label,
    body: gtk::Label,
    ending: gtk::Widget,
    ending_title: gtk::Label,
    ending_text: gtk::Label,
    ending_until: Ticking,
    ending_button: gtk::Button,
    warnings: Rows,
    meters: [[gtk::Label; 3]; 3],
    rates: Plot,
    latency: Plot,
    lender: Rows,
    give_back: gtk::Button,
    history: RefCell<History>,
}

impl LentPage {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let built = Built::from("lent");
        let meter = |name: &str| {
            ["name", "value", "total"].map(|part| built.get(&format!("{name}_{part}")))
        };
        let plots: gtk::Box = built.get("plots");
        let meters: gtk::Box = built.get("meters");
        let whole = meters.downgrade();
        tight::follow(&meters, move |is_tight| {
            if let Some(meters) = whole.upgrade() {
                meters.set_orientation(match is_tight {
                    true => gtk::Orientation::Vertical,
                    false => gtk::Orientation::Horizontal,
                });
            }
        });
        let rates = gettext("Reading (filled) and writing (dashed)");
        Self {
            widget: built.get("page"),
            cable: Cable::within(built.get("scene")),
            title: built.get("title"),
            body: built.get("body"),
            ending: built.get("ending"),
            ending_title: built.get("ending_title"),
            ending_text: built.get("ending_text"),
            ending_until: Ticking::of(built.get("ending_until")),
            ending_button: built.get("ending_button"),
            warnings: Rows::new(built.get("warnings"), Some(built.get("warnings_group"))),
            meters: ["read", "written", "latency"].map(meter),
            rates: Plot::within(&plots, 96, "first", &rates),
            latency: Plot::within(&plots, 40, "second", &gettext("Latency")),
            lender: Rows::new(built.get("lender"), Some(built.get("lender_group"))),
            give_back: built.get("give_back"),
            history: RefCell::default(),
        }
    }

    /// Shows this from now on.
    pub fn show(&self, view: &Lent) {
        self.cable.show(Some(&view.scene));
        show_text(&self.title, &view.title);
        show_text(&self.body, &view.body);
        self.ending.set_visible(view.ending.is_some());
        if let Some(ending) = &view.ending {
            show_text(&self.ending_title, &ending.title);
            show_text(&self.ending_text, &ending.text);
        }
        let until = view
            .ending
            .as_ref()
            .and_then(|ending| ending.until.as_ref());
        self.ending_until.show(until);
        self.warnings.show(&view.warnings);
        for (labels, meter) in self
            .meters
            .iter()
            .zip([&view.read, &view.written, &view.latency])
        {
            show_meter(labels, meter);
        }
        self.lender.show(&view.lender);
        // It stands where it is wanted, and once only.
        let (above, below) = match view.ending {
            Some(_) => (Some(&view.give_back), None),
            None => (None, Some(&view.give_back)),
        };
        show_button(&self.ending_button, above);
        show_button(&self.give_back, below);
        self.history.borrow_mut().push(now_usec(), view.moving);
        self.tick();
    }

    /// Draws what is known up to now.
    pub fn tick(&self) {
        let (history, now) = (self.history.borrow(), now_usec());
        let read: fn(&Moving) -> u64 = |moving| moving.read;
        let written: fn(&Moving) -> u64 = |moving| moving.written;
        let latency: fn(&Moving) -> u64 = |moving| moving.latency_usec;
        let most = history
            .ceiling(read, LEAST_RATE)
            .max(history.ceiling(written, LEAST_RATE));
        self.rates.describe(&spoken::rates(
            (history.last(read), history.highest(read)),
            (history.last(written), history.highest(written)),
        ));
        self.rates.show(
            &units::rate(most),
            vec![
                (Series::Filled, history.line(now, read, most)),
                (Series::Dashed, history.line(now, written, most)),
            ],
        );
        let most = history.ceiling(latency, LEAST_LATENCY_USEC);
        let line = history.line(now, latency, most);
        let spoken = spoken::latency((history.last(latency), history.highest(latency)));
        self.latency.describe(&spoken);
        self.latency
            .show(&units::latency(most), vec![(Series::Filled, line)]);
    }

    /// Another loan begins with an empty plot.
    pub fn forget(&self) {
        self.history.borrow_mut().clear();
    }
}

fn show_meter([name, value, total]: &[gtk::Label; 3], meter: &Meter) {
    show_text(name, &meter.name);
    show_text(value, &meter.value);
    show_text(total, &meter.total);
}

fn now_usec() -> u64 {
    u64::try_from(glib::monotonic_time()).unwrap_or(0)
}
