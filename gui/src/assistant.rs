//! The assistant that pairs a computer and makes its stick:
//! a name, a drive, a last warning, and then the progress of the job.

mod drives;

use crate::app::App;
use crate::bus::{Answer, Ask, Medium, Refusal};
use crate::picture::{Daemon, Picture};
use crate::view::{DriveRow, NameTrouble, StickEnd, Writing, drives as drives_of, name_trouble};
use crate::widgets::{Built, show_text};
use adw::prelude::*;
use drives::Drives;
use gettextrs::gettext;
use gtk::{gio, glib};
use std::cell::RefCell;
use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::rc::{Rc, Weak};

/// The dialog; it lives as long as it is open.
pub struct Assistant {
    app: Rc<App>,
    dialog: adw::Dialog,
    toasts: adw::ToastOverlay,
    pages: adw::NavigationView,
    name: adw::EntryRow,
    trouble: gtk::Label,
    named: gtk::Button,
    no_drives: gtk::Widget,
    some_drives: gtk::Widget,
    drives: Drives,
    confirm_title: gtk::Label,
    confirm_text: gtk::Label,
    another: gtk::Button,
    work: Work,
    state: RefCell<State>,
}

/// What has been decided up to now.
#[derive(Default)]
struct State {
    /// The pairing's object, as soon as there is one.
    pairing: Option<String>,
    name: String,
    drive: Option<DriveRow>,
    /// Made for the image, which has not begun to be written.
    file: Option<gio::File>,
    job: Option<String>,
    /// The job was seen.
    begun: bool,
    shown: Option<Writing>,
}

/// The widgets of the last page.
struct Work {
    page: adw::NavigationPage,
    icon: gtk::Image,
    title: gtk::Label,
    progress: gtk::ProgressBar,
    text: gtk::Label,
    stop: gtk::Button,
    again: gtk::Button,
    done: gtk::Button,
}

impl Assistant {
    /// Begins with the name of a new computer.
    pub fn pair(app: &Rc<App>) {
        if let Some(this) = Self::open(app) {
            this.name.grab_focus();
        }
    }

    /// Begins with the stick of one that is paired already.
    pub fn write(app: &Rc<App>, pairing: &str) {
        let picture = app.picture();
        let (Some(pairing), Some(this)) = (picture.pairing(pairing), Self::open(app)) else {
            return;
        };
        let mut state = this.state.borrow_mut();
        state.pairing = Some(pairing.path.clone());
        state.name = pairing.name.clone();
        // One that is being made already is shown.
        state.job = picture.stick_job(&pairing.path).map(|job| job.path.clone());
        let page = if state.job.is_some() { "work" } else { "drive" };
        drop(state);
        this.pages.replace_with_tags(&[page]);
        this.show(&picture);
    }

    fn open(app: &Rc<App>) -> Option<Rc<Self>> {
        let window = app.window()?;
        let built = Built::from("assistant");
        let this = Rc::new_cyclic(|this: &Weak<Self>| Self {
            app: app.clone(),
            dialog: built.get("dialog"),
            toasts: built.get("toasts"),
            pages: built.get("pages"),
            name: built.get("name"),
            trouble: built.get("trouble"),
            named: built.get("named"),
            no_drives: built.get("no_drives"),
            some_drives: built.get("some_drives"),
            drives: Drives::new(built.get("drives"), {
                let this = this.clone();
                move |drive| {
                    if let Some(this) = this.upgrade() {
                        this.chose(drive);
                    }
                }
            }),
            confirm_title: built.get("confirm_title"),
            confirm_text: built.get("confirm_text"),
            another: built.get("another"),
            work: Work {
                page: built.get("work_page"),
                icon: built.get("work_icon"),
                title: built.get("work_title"),
                progress: built.get("progress"),
                text: built.get("work_text"),
                stop: built.get("stop"),
                again: built.get("again"),
                done: built.get("done"),
            },
            state: RefCell::default(),
        });
        this.connect(&built);
        this.show(&app.picture());
        this.dialog.present(Some(window.widget()));
        glib::spawn_future_local(follow(Rc::downgrade(&this), app.bus().pictures()));
        // The dialog keeps what belongs to it.
        let keep = RefCell::new(Some(this.clone()));
        this.dialog.connect_closed(move |_| drop(keep.take()));
        Some(this)
    }

    fn connect(self: &Rc<Self>, built: &Built) {
        let on = |button: &gtk::Button, act: fn(&Rc<Self>)| {
            let that = Rc::downgrade(self);
            button.connect_clicked(move |_| {
                if let Some(this) = that.upgrade() {
                    act(&this);
                }
            });
        };
        on(&self.named, Self::was_named);
        on(&built.get("erase"), Self::erase);
        on(&self.another, |this| _ = this.pages.pop());
        on(&built.get("to_file"), Self::save);
        on(&self.work.stop, |this| {
            let job = this.state.borrow().job.clone();
            if let Some(job) = job {
                this.app.ask(Ask::CancelJob(job));
            }
        });
        on(&self.work.again, |this| {
            let mut state = this.state.borrow_mut();
            (state.job, state.begun) = (None, false);
            drop(state);
            this.pages.replace_with_tags(&["drive"]);
        });
        on(&self.work.done, |this| _ = this.dialog.close());
        self.dialog.set_default_widget(Some(&self.named));
        let that = Rc::downgrade(self);
        self.name.connect_changed(move |_| {
            if let Some(this) = that.upgrade() {
                this.check_name();
            }
        });
        let that = Rc::downgrade(self);
        self.name.connect_entry_activated(move |_| {
            if let Some(this) = that.upgrade().filter(|this| this.named.is_sensitive()) {
                this.was_named();
            }
        });
    }

    fn check_name(&self) {
        let trouble = name_trouble(&self.name.text(), &self.app.picture().pairings);
        self.named.set_sensitive(trouble.is_none());
        show_text(
            &self.trouble,
            &trouble.map_or_else(String::new, NameTrouble::text),
        );
    }

    fn was_named(self: &Rc<Self>) {
        self.state.borrow_mut().name = self.name.text().trim().to_owned();
        self.pages.push_by_tag("drive");
    }

    fn chose(&self, drive: DriveRow) {
        let title = gettext("Erase {drive}?").replace("{drive}", &drive.title);
        show_text(&self.confirm_title, &title);
        show_text(&self.confirm_text, &drive.warning);
        self.state.borrow_mut().drive = Some(drive);
        self.pages.push_by_tag("confirm");
        // Whoever presses Enter once too often erases nothing.
        self.another.grab_focus();
    }

    fn erase(self: &Rc<Self>) {
        let drive = self.state.borrow().drive.clone();
        if let Some(drive) = drive {
            self.make(Medium::Drive(drive.path, drive.mounted));
        }
    }

    fn save(self: &Rc<Self>) {
        let name = format!("{}.img", self.state.borrow().name.replace('/', "-"));
        let dialog = gtk::FileDialog::builder()
            .title(gettext("Save as Image File"))
            .initial_name(name)
            .build();
        let this = self.clone();
        let window = self.app.window();
        glib::spawn_future_local(async move {
            let parent = window.as_ref().map(|window| window.widget());
            // Nothing was chosen, or it was thought better of.
            let Ok(file) = dialog.save_future(parent).await else {
                return;
            };
            match create(&file) {
                Ok(open) => {
                    this.state.borrow_mut().file = Some(file);
                    this.make(Medium::File(open.into()));
                }
                Err(error) => this.toast(&not_saved(&error)),
            }
        });
    }

    /// Pairs if that has not been done, and makes the medium.
    fn make(self: &Rc<Self>, medium: Medium) {
        self.show_work(&Writing::asked_for(matches!(medium, Medium::File(_))));
        self.pages.push_by_tag("work");
        let this = self.clone();
        glib::spawn_future_local(async move {
            let made = this.try_make(medium).await;
            let file = this.state.borrow_mut().file.take();
            if let Err(refusal) = made {
                // An empty file would look like an image.
                let _ = file.map(|file| file.delete(gio::Cancellable::NONE));
                this.toast(&refusal.text());
                let named = this.state.borrow().pairing.is_some();
                let taken = matches!(&refusal, Refusal::Said(word, _) if word == "NameTaken");
                match named || !taken {
                    true if named => this.pages.replace_with_tags(&["drive"]),
                    true => this.pages.replace_with_tags(&["name", "drive"]),
                    false => this.pages.replace_with_tags(&["name"]),
                }
            }
        });
    }

    async fn try_make(&self, medium: Medium) -> Result<(), Refusal> {
        let bus = self.app.bus();
        let known = self.state.borrow().pairing.clone();
        let pairing = match known {
            Some(pairing) => pairing,
            None => {
                let name = self.state.borrow().name.clone();
                let Answer::Object(pairing) = bus.ask(Ask::Pair(name)).await? else {
                    return Ok(());
                };
                self.state.borrow_mut().pairing = Some(pairing.clone());
                pairing
            }
        };
        if let Answer::Object(job) = bus.ask(Ask::WriteStick(pairing, medium)).await? {
            self.state.borrow_mut().job = Some(job);
            self.show(&self.app.picture());
        }
        Ok(())
    }

    fn show(&self, picture: &Picture) {
        let rows = drives_of(&picture.drives);
        self.no_drives.set_visible(rows.is_empty());
        self.some_drives.set_visible(!rows.is_empty());
        self.forget_pulled(&rows);
        self.drives.show(rows);
        let mut state = self.state.borrow_mut();
        let writing = state.job.clone().map(|path| match picture.job(&path) {
            None if state.begun && picture.daemon == Daemon::Here => Writing::forgotten(),
            job => {
                state.begun |= job.is_some();
                Writing::of(job, &state.name)
            }
        });
        drop(state);
        if let Some(writing) = writing {
            self.show_work(&writing);
        }
    }

    /// A drive that is not there any more cannot be erased.
    fn forget_pulled(&self, rows: &[DriveRow]) {
        let mut state = self.state.borrow_mut();
        let there = |drive: &DriveRow| rows.iter().any(|row| row.path == drive.path && row.usable);
        if state.drive.as_ref().is_some_and(|drive| !there(drive)) {
            state.drive = None;
            drop(state);
            let at = self.pages.visible_page().and_then(|page| page.tag());
            if at.as_deref() == Some("confirm") {
                self.pages.pop();
                self.toast(&gettext("The drive is not there any more"));
            }
        }
    }

    fn show_work(&self, writing: &Writing) {
        if self.state.borrow().shown.as_ref() == Some(writing) {
            return;
        }
        let work = &self.work;
        work.page.set_title(&writing.heading);
        work.icon.set_icon_name(Some(writing.icon));
        work.icon.set_css_classes(&[match writing.end {
            None => "dim-label",
            Some(StickEnd::Done) => "success",
            Some(StickEnd::Failed) => "error",
            Some(StickEnd::Cancelled) => "warning",
        }]);
        if work.title.text() != writing.title {
            let priority = gtk::AccessibleAnnouncementPriority::Medium;
            work.title.announce(&writing.title, priority);
        }
        show_text(&work.title, &writing.title);
        show_text(&work.text, &writing.text);
        let running = writing.end.is_none();
        work.progress.set_visible(running);
        match writing.progress {
            Some(progress) => work.progress.set_fraction(progress),
            None => work.progress.set_fraction(0.0),
        }
        work.stop.set_visible(running);
        work.stop.set_sensitive(self.state.borrow().job.is_some());
        let done = writing.end == Some(StickEnd::Done);
        work.again.set_visible(!running && !done);
        work.done.set_visible(done);
        self.state.borrow_mut().shown = Some(writing.clone());
    }

    fn toast(&self, text: &str) {
        let toast = adw::Toast::builder().title(text).use_markup(false);
        self.toasts.add_toast(toast.build());
    }
}

async fn follow(this: Weak<Assistant>, mut pictures: tokio::sync::watch::Receiver<Picture>) {
    while pictures.changed().await.is_ok() {
        let Some(this) = this.upgrade() else { return };
        let picture = pictures.borrow_and_update().clone();
        this.show(&picture);
    }
}

/// Why there is no image, for people.
fn not_saved(error: &io::Error) -> String {
    gettext("The image cannot be saved there: {why}").replace("{why}", &error.to_string())
}

/// An empty file that only its owner can read: a secret goes into it.
fn create(file: &gio::File) -> io::Result<File> {
    let path = file.path();
    let path: &Path = path
        .as_deref()
        .ok_or_else(|| io::Error::other(gettext("it has to be on this computer")))?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    // It may have been there before, with the rights of then.
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}
