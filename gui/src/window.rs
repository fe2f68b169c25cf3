//! The window: a bar, maybe a line about something, and a page.

use crate::pages::Pages;
use crate::view::{Notice, View, spoken};
use crate::widgets::{Built, menu, tight};
use adw::prelude::*;
use gettextrs::gettext;
use gtk::{gio, glib};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Shows a [`View`]; equal ones are not shown again.
#[derive(Clone)]
pub struct Window(Rc<Inner>);

struct Inner {
    window: adw::ApplicationWindow,
    toasts: adw::ToastOverlay,
    banner: adw::Banner,
    pages: Pages,
    shown: RefCell<Option<View>>,
    /// What somebody has read and does not want to see again.
    dismissed: RefCell<Option<String>>,
    /// Runs while something moves with the time.
    timer: RefCell<Option<glib::SourceId>>,
}

impl Window {
    /// A window of `app` that shows nothing yet.
    #[must_use]
    pub fn new(app: &adw::Application) -> Self {
        let built = Built::from("window");
        let window: adw::ApplicationWindow = built.get("window");
        window.set_application(Some(app));
        tight::declare(&window, &built.get("tight"));
        let inner = Rc::new(Inner {
            window,
            toasts: built.get("toasts"),
            banner: built.get("banner"),
            pages: Pages::within(built.get("stack")),
            shown: RefCell::default(),
            dismissed: RefCell::default(),
            timer: RefCell::default(),
        });
        let that = Rc::downgrade(&inner);
        inner.banner.connect_button_clicked(move |banner| {
            hide(banner);
            if let Some(inner) = that.upgrade() {
                let notice = inner.shown.borrow().as_ref().and_then(|v| v.notice.clone());
                inner.dismissed.replace(notice.and_then(|it| it.dismiss));
            }
        });
        let (button, entries) = (built.get("menu_button"), built.get("menu"));
        glib::idle_add_local_full(glib::Priority::LOW, move || furnish(&button, &entries));
        Self(inner)
    }

    /// The window itself.
    #[must_use]
    pub fn widget(&self) -> &adw::ApplicationWindow {
        &self.0.window
    }

    /// Whether a person may be looking at it.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        self.0.window.is_mapped() && !self.0.window.is_suspended()
    }

    /// Shows this from now on.
    pub fn show(&self, view: &View) {
        let mut shown = self.0.shown.borrow_mut();
        if shown.as_ref() == Some(view) {
            return;
        }
        self.show_notice(view.notice.as_ref());
        self.0.pages.show(&view.page);
        if let Some(before) = shown.as_ref() {
            for news in spoken::news(before, view) {
                self.0.pages.read_out(news);
            }
        }
        *shown = Some(view.clone());
    }

    /// Shows it once more, although nothing has changed: somebody may have
    /// switched a switch, and was refused.
    pub fn show_again(&self) {
        let view = self.0.shown.take();
        if let Some(view) = view {
            self.show(&view);
        }
    }

    /// Draws what moves with the time once a second, as long as it `moves`.
    pub fn tick(&self, moves: bool) {
        let mut timer = self.0.timer.borrow_mut();
        match (moves, timer.take()) {
            (true, None) => {
                let that = Rc::downgrade(&self.0);
                let tick = move || match that.upgrade() {
                    Some(inner) => {
                        inner.pages.tick();
                        glib::ControlFlow::Continue
                    }
                    None => glib::ControlFlow::Break,
                };
                *timer = Some(glib::timeout_add_local(Duration::from_secs(1), tick));
            }
            (true, running) => *timer = running,
            (false, Some(running)) => running.remove(),
            (false, None) => {}
        }
    }

    /// The next loan is another one.
    pub fn forget_loan(&self) {
        self.0.pages.forget_loan();
    }

    /// Says something in passing.
    pub fn toast(&self, text: &str) {
        let toast = adw::Toast::builder().title(text).use_markup(false).build();
        // A dialog of preferences is in front of what is said behind it.
        let dialog = self.0.window.visible_dialog();
        match dialog.and_downcast::<adw::PreferencesDialog>() {
            Some(dialog) => dialog.add_toast(toast),
            None => self.0.toasts.add_toast(toast),
        }
    }

    fn show_notice(&self, notice: Option<&Notice>) {
        let banner = &self.0.banner;
        let Some(notice) = notice else {
            // What happens twice is told twice.
            self.0.dismissed.replace(None);
            hide(banner);
            return;
        };
        banner.set_use_markup(false);
        banner.set_title(&notice.text);
        let close = gettext("_Dismiss");
        banner.set_button_label(notice.dismiss.as_ref().map(|_| close.as_str()));
        let read = notice.dismiss.is_some() && *self.0.dismissed.borrow() == notice.dismiss;
        match read {
            true => hide(banner),
            false => {
                banner.set_visible(true);
                banner.set_revealed(true);
            }
        }
    }
}

/// What nobody misses in the first frame, and would make it later.
fn furnish(button: &gtk::MenuButton, entries: &gio::MenuModel) -> glib::ControlFlow {
    button.set_menu_model(Some(entries));
    if let Some(popover) = button.popover() {
        menu::name_entries(popover.upcast_ref());
    }
    gtk::Window::set_default_icon_name(crate::app::ID);
    glib::ControlFlow::Break
}

/// Also from who cannot see it: one that is only not revealed would be read to them.
fn hide(banner: &adw::Banner) {
    banner.set_revealed(false);
    banner.set_visible(false);
}
