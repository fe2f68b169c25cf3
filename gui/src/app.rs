//! The application: one process for each person, with a window, a tray icon,
//! notifications, and the actions that all of them use.

mod actions;
mod options;

use crate::autostart::Autostart;
use crate::bus::{Ask, Bus, Refusal};
use crate::notifications::Notifications;
use crate::picture::{Daemon, Picture};
use crate::search_provider::SearchProvider;
use crate::tray::Tray;
use crate::view::{May, Now, Page, View};
use crate::widgets::DOMAIN;
use crate::window::Window;
use adw::prelude::*;
use gettextrs::{LocaleCategory, gettext};
use gtk::{gio, glib};
use std::cell::{Cell, OnceCell, RefCell};
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// The application's id, its name on the session bus, and of its icon.
pub const ID: &str = "org.stiefelsystem.Stiefelsystem";
/// Where translations are installed, if no data folder of the session has any.
const LOCALE_DIR: &str = match option_env!("STIEFEL_LOCALEDIR") {
    Some(dir) => dir,
    None => "/usr/share/locale",
};
/// A daemon that is there answers sooner; until then an empty window is shown
/// rather than one that says for an instant that it waits.
const PATIENCE: Duration = Duration::from_millis(400);

/// Everything of this process.
pub struct App {
    app: adw::Application,
    bus: Bus,
    window: RefCell<Option<Window>>,
    tray: RefCell<Option<Tray>>,
    notifications: Notifications,
    search: SearchProvider,
    /// It was asked to run without a window.
    background: Cell<bool>,
    /// Keeps it running without a window.
    hold: RefCell<Option<gio::ApplicationHoldGuard>>,
    picture: RefCell<Picture>,
    may: Cell<May>,
    /// What moves all the time is measured for us.
    watching: Cell<bool>,
}

/// Runs the application.
#[must_use]
pub fn run() -> glib::ExitCode {
    translate();
    if let Err(error) = gio::resources_register_include!("stiefelsystem.gresource") {
        glib::g_critical!("stiefelsystem", "resources: {error}");
    }
    glib::set_application_name(&gettext("Lend My Disk"));
    let app = adw::Application::builder()
        .application_id(ID)
        .flags(gio::ApplicationFlags::HANDLES_COMMAND_LINE)
        .resource_base_path("/org/stiefelsystem/Stiefelsystem")
        .build();
    options::declare(&app);
    let search = SearchProvider::default();
    let this: Rc<OnceCell<Rc<App>>> = Rc::default();
    app.connect_startup({
        let (this, search) = (this.clone(), search.clone());
        move |app| match App::start(app, search.clone()) {
            Ok(started) => _ = this.set(started),
            Err(error) => {
                glib::g_critical!("stiefelsystem", "cannot start: {error}");
                app.quit();
            }
        }
    });
    app.connect_activate({
        let this = this.clone();
        move |_| {
            if let Some(this) = this.get() {
                this.present();
            }
        }
    });
    app.connect_command_line({
        let this = this.clone();
        move |_, line| {
            if let Some(this) = this.get() {
                options::obey(this, line);
            }
            glib::ExitCode::SUCCESS
        }
    });
    app.connect_shutdown(move |app| {
        if let Some(this) = this.get() {
            this.notifications.clear();
            if let Some(connection) = app.dbus_connection() {
                this.search.unexport(&connection);
            }
        }
    });
    // The shell may ask as soon as the name is ours, so this comes first. The
    // connection is kept until the application has it too.
    let connection = gio::bus_get_sync(gio::BusType::Session, gio::Cancellable::NONE);
    if let Ok(connection) = &connection
        && let Err(error) = search.export(&app, connection)
    {
        glib::g_warning!("stiefelsystem", "search: {error}");
    }
    app.run()
}

fn translate() {
    // Without a locale or without translations, everything is in English.
    gettextrs::setlocale(LocaleCategory::LcAll, "");
    let _ = gettextrs::bindtextdomain(DOMAIN, translations());
    let _ = gettextrs::bind_textdomain_codeset(DOMAIN, "UTF-8");
    let _ = gettextrs::textdomain(DOMAIN);
}

/// The first data folder that speaks a language of this person.
fn translations() -> PathBuf {
    let languages = glib::language_names();
    let speaks = |folder: &PathBuf| {
        let mut languages = languages
            .iter()
            .map(|language| folder.join(language.as_str()));
        languages.any(|language| {
            let file = language.join("LC_MESSAGES").join(DOMAIN);
            file.with_extension("mo").exists()
        })
    };
    let folders = glib::system_data_dirs().into_iter();
    let mut folders = folders.map(|folder| folder.join("locale"));
    folders.find(speaks).unwrap_or_else(|| LOCALE_DIR.into())
}

impl App {
    fn start(app: &adw::Application, search: SearchProvider) -> std::io::Result<Rc<Self>> {
        let bus = Bus::start(std::env::var("STIEFEL_BUS").ok())?;
        let this = Rc::new(Self {
            app: app.clone(),
            bus,
            window: RefCell::default(),
            tray: RefCell::default(),
            notifications: Notifications::new(app),
            search,
            background: Cell::default(),
            hold: RefCell::default(),
            picture: RefCell::default(),
            may: Cell::default(),
            watching: Cell::default(),
        });
        actions::declare(&this);
        if Autostart::default().is_on() {
            this.stay();
        }
        glib::spawn_future_local(follow(Rc::downgrade(&this)));
        Ok(this)
    }

    /// Runs without a window from now on.
    pub fn stay(&self) {
        self.background.set(true);
        self.keep();
    }

    /// Ends with the last window, as soon as there is nothing to tell of.
    pub fn leave(&self) {
        self.background.set(false);
        self.keep();
    }

    /// Goes on without a window, with an icon in the tray, if it was asked to or
    /// if something goes on of which a person will want to hear.
    fn keep(&self) {
        let picture = self.picture.borrow();
        if !self.background.get() && !picture.goes_on() {
            self.tray.replace(None);
            self.hold.replace(None);
            return;
        }
        if self.hold.borrow().is_none() {
            self.hold.replace(Some(self.app.hold()));
        }
        let mut tray = self.tray.borrow_mut();
        // A host that reads the menu while it changes may keep what it has read: no icon
        // before there is something to say.
        if tray.is_none() && matches!(picture.daemon, Daemon::Asked) {
            return;
        }
        tray.get_or_insert_with(|| Tray::start(&self.app, &self.bus.runtime()))
            .show(&picture);
    }

    /// Shows the window.
    pub fn present(self: &Rc<Self>) {
        let window = self.window.borrow().clone();
        let window = window.unwrap_or_else(|| self.open());
        window.widget().present();
    }

    /// The window, if there is one.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        self.window.borrow().clone()
    }

    /// What is known.
    #[must_use]
    pub fn picture(&self) -> Picture {
        self.picture.borrow().clone()
    }

    /// The daemon.
    #[must_use]
    pub fn bus(&self) -> Bus {
        self.bus.clone()
    }

    /// Asks the daemon, and shows its refusal.
    pub fn ask(self: &Rc<Self>, ask: Ask) {
        let this = self.clone();
        glib::spawn_future_local(async move {
            if let Err(refusal) = this.bus.ask(ask).await {
                this.refused(&refusal);
            }
        });
    }

    /// Tells why something was not done, where it can be seen.
    pub fn refused(&self, refusal: &Refusal) {
        match self.window() {
            Some(window) if window.is_seen() => {
                window.show_again();
                window.toast(&refusal.text());
            }
            _ => {
                let told = gio::Notification::new(&refusal.text());
                self.app.send_notification(Some("refused"), &told);
            }
        }
    }

    fn open(self: &Rc<Self>) -> Window {
        let window = Window::new(&self.app);
        let widget = window.widget();
        let that = Rc::downgrade(self);
        widget.connect_close_request(move |_| {
            if let Some(this) = that.upgrade() {
                this.window.replace(None);
                this.watch();
            }
            glib::Propagation::Proceed
        });
        // A daemon at rest is started again for who looks; what is on the
        // screen may be from before.
        let that = Rc::downgrade(self);
        widget.connect_is_active_notify(move |widget| {
            let Some(this) = that.upgrade() else { return };
            this.tell();
            if widget.is_active() {
                this.look();
            }
        });
        let that = Rc::downgrade(self);
        widget.connect_suspended_notify(move |_| {
            if let Some(this) = that.upgrade() {
                this.watch();
            }
        });
        self.window.replace(Some(window.clone()));
        if self.picture.borrow().daemon != Daemon::Asked {
            self.show();
        }
        window
    }

    fn look(self: &Rc<Self>) {
        self.show();
        let resting = !matches!(self.picture.borrow().daemon, Daemon::Here | Daemon::Asked);
        if resting {
            let bus = self.bus();
            glib::spawn_future_local(async move { bus.ask(Ask::Look).await });
        }
    }

    /// Shows what is known.
    fn show(self: &Rc<Self>) {
        let picture = self.picture.borrow();
        let view = View::of(&picture, &now());
        if let Some(window) = self.window() {
            if picture.loan.is_none() {
                window.forget_loan();
            }
            window.show(&view);
        }
        if self.may.replace(view.may) != view.may {
            actions::permit(&self.app, view.may);
        }
        self.search.show(&picture);
        drop(picture);
        self.tell();
        // Afterwards, because it may be the end.
        self.keep();
        self.watch();
    }

    /// Tells who does not look at one of our windows of what matters.
    fn tell(&self) {
        let mut windows = self.app.windows().into_iter();
        let looked_at = windows.any(|window| window.is_active());
        self.notifications.show(&self.picture.borrow(), looked_at);
    }

    /// Has measured what moves while it is seen, and only then.
    fn watch(self: &Rc<Self>) {
        let window = self.window();
        let lent = {
            let picture = self.picture.borrow();
            picture.daemon == Daemon::Here
                && matches!(View::of(&picture, &now()).page, Page::Lent(_))
        };
        let watching = lent && window.as_ref().is_some_and(Window::is_seen);
        if let Some(window) = &window {
            window.tick(watching);
        }
        if self.watching.replace(watching) != watching {
            let bus = self.bus();
            // If it is refused, what moves is shown once a minute.
            glib::spawn_future_local(async move { bus.ask(Ask::Watch(watching)).await });
        }
    }
}

/// Shows each picture, until the application is gone.
async fn follow(app: Weak<App>) {
    let Some(mut pictures) = app.upgrade().map(|app| app.bus.pictures()) else {
        return;
    };
    // Tokio's clock runs in the bus' thread only.
    let first = pictures.changed();
    let _ = glib::future_with_timeout(PATIENCE, first).await;
    loop {
        let picture = pictures.borrow_and_update().clone();
        let Some(this) = app.upgrade() else { return };
        this.picture.replace(picture);
        this.show();
        drop(this);
        if pictures.changed().await.is_err() {
            return;
        }
    }
}

/// What the clocks say.
fn now() -> Now {
    let local = glib::DateTime::now_local();
    Now {
        monotonic_usec: u64::try_from(glib::monotonic_time()).unwrap_or(0),
        epoch_usec: u64::try_from(glib::real_time()).unwrap_or(0),
        offset_secs: local.map_or(0, |local| local.utc_offset().as_seconds()),
    }
}
