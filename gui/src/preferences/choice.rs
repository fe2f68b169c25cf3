//! A row with one word out of several.

use crate::view::Choice;
use adw::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;

/// Asks for what is chosen by hand.
pub struct ChoiceRow {
    /// The widget.
    pub row: adw::ComboRow,
    /// As it stands on the bus.
    shown: Rc<RefCell<Option<Choice>>>,
}

impl ChoiceRow {
    /// Calls `chosen` with the word.
    #[must_use]
    pub fn new(row: adw::ComboRow, chosen: impl Fn(&str) + 'static) -> Self {
        let shown: Rc<RefCell<Option<Choice>>> = Rc::default();
        let known = shown.clone();
        row.connect_selected_notify(move |row| {
            let at = row.selected() as usize;
            let word = match known.borrow_mut().as_mut() {
                // Whatever comes of it, the bus will say it.
                Some(choice) if choice.selected != at => {
                    choice.selected = at;
                    choice.words.get(at).cloned()
                }
                _ => None,
            };
            if let Some(word) = word {
                chosen(&word);
            }
        });
        Self { row, shown }
    }

    /// Shows this from now on.
    pub fn show(&self, choice: &Choice) {
        let before = self.shown.take();
        if before.as_ref() != Some(choice) {
            if before.is_none_or(|before| before.labels != choice.labels) {
                let labels: Vec<_> = choice.labels.iter().map(String::as_str).collect();
                self.row.set_model(Some(&gtk::StringList::new(&labels)));
            }
            self.row
                .set_selected(u32::try_from(choice.selected).unwrap_or(0));
        }
        self.shown.replace(Some(choice.clone()));
    }
}
