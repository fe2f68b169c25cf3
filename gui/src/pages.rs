//! The pages of the window, one for each kind of [`crate::view::Page`]. Each is
//! made when it is shown for the first time.

mod announced;
mod handing_over;
mod home;
mod lent;
mod message;
mod setup;

use crate::view::Page;
use gtk::prelude::*;
use std::cell::OnceCell;

/// All pages, in a stack.
pub struct Pages {
    stack: gtk::Stack,
    message: OnceCell<message::MessagePage>,
    setup: OnceCell<setup::SetupPage>,
    home: OnceCell<home::HomePage>,
    announced: OnceCell<announced::AnnouncedPage>,
    handing_over: OnceCell<handing_over::HandingOverPage>,
    lent: OnceCell<lent::LentPage>,
}

impl Pages {
    /// In this stack.
    #[must_use]
    pub fn within(stack: gtk::Stack) -> Self {
        Self {
            stack,
            message: OnceCell::new(),
            setup: OnceCell::new(),
            home: OnceCell::new(),
            announced: OnceCell::new(),
            handing_over: OnceCell::new(),
            lent: OnceCell::new(),
        }
    }

    /// Shows this one from now on.
    pub fn show(&self, page: &Page) {
        let widget = match page {
            Page::Message(view) => {
                let page = self.message.get_or_init(message::MessagePage::new);
                page.show(view);
                &page.widget
            }
            Page::Setup(view) => {
                let page = self.setup.get_or_init(setup::SetupPage::new);
                page.show(view);
                &page.widget
            }
            Page::Home(view) => {
                let page = self.home.get_or_init(home::HomePage::new);
                page.show(view);
                &page.widget
            }
            Page::Announced(view) => {
                let page = self.announced.get_or_init(announced::AnnouncedPage::new);
                page.show(view);
                &page.widget
            }
            Page::HandingOver(view) => {
                let page = self
                    .handing_over
                    .get_or_init(handing_over::HandingOverPage::new);
                page.show(view);
                &page.widget
            }
            Page::Lent(view) => {
                let page = self.lent.get_or_init(lent::LentPage::new);
                page.show(view);
                &page.widget
            }
        };
        if let (Some(announced), false) = (self.announced.get(), is_announced(page)) {
            announced.stop();
        }
        if widget.parent().is_none() {
            self.stack.add_child(widget);
        }
        self.stack.set_visible_child(widget);
    }

    /// Has a text read out to who cannot see the page.
    pub fn read_out(&self, text: &str) {
        let priority = gtk::AccessibleAnnouncementPriority::Medium;
        self.stack.announce(text, priority);
    }

    /// Draws once more what moves with the time.
    pub fn tick(&self) {
        if let Some(lent) = self.lent.get() {
            lent.tick();
        }
    }

    /// Forgets what was drawn: it was another loan.
    pub fn forget_loan(&self) {
        if let Some(lent) = self.lent.get() {
            lent.forget();
        }
    }
}

fn is_announced(page: &Page) -> bool {
    matches!(page, Page::Announced(_))
}
