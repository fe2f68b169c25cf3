//! A small icon in the panel, where the desktop has a place for it. Everything
//! it offers is in the window too.
//!
//! It is there while a StatusNotifier host is: the host's name on the session
//! bus is watched, and without one there is no connection and no object.
//!
//! ```text
//!   GTK's thread   show(picture) ─▶ Face ─▶ watch ─┐
//!                  host comes, goes ───────▶ watch ─┤
//!   the bus' thread                                 └▶ serve: one icon per host ─▶ D-Bus
//!   GTK's thread   activate_action ◀─ channel ◀──────── a click
//! ```

mod face;

pub use face::borrower;

use crate::deeds::Deed;
use crate::picture::Picture;
use adw::prelude::*;
use face::{Entry, Face};
use gtk::{gio, glib};
use ksni::menu::StandardItem;
use ksni::{Category, MenuItem, OfflineReason, Status, TextDirection, TrayMethods};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

/// Who shows icons; hosts own this name, or stand behind who owns it.
const WATCHER: &str = "org.kde.StatusNotifierWatcher";
/// Clicks that wait for GTK's thread; people click one by one.
const WAITING: usize = 8;

/// The icon, whether it can be seen or not.
pub struct Tray {
    face: watch::Sender<Face>,
    /// Ends to watch for hosts.
    unwatch: Option<Box<dyn FnOnce()>>,
}

impl Tray {
    /// Shows an icon whenever somebody shows icons, and does what is asked
    /// there by the actions of `app`.
    #[must_use]
    pub fn start(app: &adw::Application, runtime: &Handle) -> Self {
        let (face, faces) = watch::channel(Face::default());
        let (clicked, mut clicks) = mpsc::channel::<Deed>(WAITING);
        let (host, hosts) = watch::channel(Host::default());
        let gone = host.clone();
        let watcher = gio::bus_watch_name(
            gio::BusType::Session,
            WATCHER,
            gio::BusNameWatcherFlags::NONE,
            move |_, _, _| {
                host.send_modify(|host| {
                    host.number += 1;
                    host.is_there = true;
                });
            },
            move |_, _| gone.send_modify(|host| host.is_there = false),
        );
        let direction = match gtk::Widget::default_direction() {
            gtk::TextDirection::Rtl => TextDirection::RightToLeft,
            _ => TextDirection::LeftToRight,
        };
        runtime.spawn(serve(faces, hosts, clicked, direction));
        let app = app.downgrade();
        glib::spawn_future_local(async move {
            while let Some(deed) = clicks.recv().await {
                let Some(app) = app.upgrade() else { return };
                let target = deed.target.map(|target| target.to_variant());
                app.activate_action(deed.action, target.as_ref());
            }
        });
        Self {
            face,
            unwatch: Some(Box::new(move || gio::bus_unwatch_name(watcher))),
        }
    }

    /// Shows this from now on. The host is told only of what has changed.
    pub fn show(&self, picture: &Picture) {
        let now = Face::of(picture);
        self.face.send_if_modified(|face| {
            let is_new = *face != now;
            *face = now;
            is_new
        });
    }
}

impl Drop for Tray {
    fn drop(&mut self) {
        if let Some(unwatch) = self.unwatch.take() {
            unwatch();
        }
    }
}

/// Which host there is. One that goes is not the one that comes next, even if
/// nobody has noticed that it was away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Host {
    number: u32,
    is_there: bool,
}

/// An icon for each host, until the [`Tray`] is gone.
async fn serve(
    mut faces: watch::Receiver<Face>,
    mut hosts: watch::Receiver<Host>,
    clicked: mpsc::Sender<Deed>,
    direction: TextDirection,
) {
    let mut last = 0;
    loop {
        let is_next = |host: &Host| host.is_there && host.number != last;
        let Some(host) = wait(&mut hosts, is_next).await else {
            return;
        };
        last = host.number;
        let icon = Icon {
            face: faces.borrow_and_update().clone(),
            clicked: clicked.clone(),
            direction,
        };
        // A host that refuses, or is gone again, is no reason to trouble
        // anybody: the next one is asked anew.
        if let Ok(handle) = icon.spawn().await {
            keep_up(&handle, &mut faces, &mut hosts, host).await;
            handle.shutdown().await;
        }
    }
}

/// Shows each face, until it is another host or none.
async fn keep_up(
    handle: &ksni::Handle<Icon>,
    faces: &mut watch::Receiver<Face>,
    hosts: &mut watch::Receiver<Host>,
    host: Host,
) {
    loop {
        tokio::select! {
            _ = wait(hosts, |now| *now != host) => return,
            changed = faces.changed() => {
                let face = faces.borrow_and_update().clone();
                let shown = handle.update(|icon| icon.face = face).await;
                if changed.is_err() || shown.is_none() {
                    return;
                }
            }
        }
    }
}

/// The host of which that is true; none when nobody watches any more.
async fn wait(hosts: &mut watch::Receiver<Host>, is_it: impl FnMut(&Host) -> bool) -> Option<Host> {
    hosts.wait_for(is_it).await.ok().map(|host| *host)
}

/// What the host sees.
struct Icon {
    face: Face,
    clicked: mpsc::Sender<Deed>,
    direction: TextDirection,
}

impl Icon {
    fn click(&self, deed: &Deed) {
        // When nobody takes clicks, the application hangs or ends: nothing to do.
        let _ = self.clicked.try_send(deed.clone());
    }
}

impl ksni::Tray for Icon {
    fn id(&self) -> String {
        "org.stiefelsystem.Stiefelsystem".into()
    }

    fn category(&self) -> Category {
        Category::Hardware
    }

    fn title(&self) -> String {
        self.face.title.clone()
    }

    fn status(&self) -> Status {
        if self.face.urgent {
            Status::NeedsAttention
        } else {
            Status::Active
        }
    }

    fn icon_name(&self) -> String {
        self.face.icon.into()
    }

    fn attention_icon_name(&self) -> String {
        self.face.icon.into()
    }

    fn tool_tip(&self) -> ksni::ToolTip {
        ksni::ToolTip {
            title: self.face.title.clone(),
            ..ksni::ToolTip::default()
        }
    }

    fn text_direction(&self) -> TextDirection {
        self.direction
    }

    fn activate(&mut self, _x: i32, _y: i32) {
        self.click(&Deed::open());
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        self.face.menu.iter().map(item).collect()
    }

    /// The next host has an icon of its own.
    fn watcher_offline(&self, _: OfflineReason) -> bool {
        false
    }
}

fn item(entry: &Entry) -> MenuItem<Icon> {
    // A single underscore would mark the access key.
    let plain = |label: &str| label.replace('_', "__");
    match entry {
        Entry::Line => MenuItem::Separator,
        Entry::Text(text) => StandardItem {
            label: plain(text),
            enabled: false,
            ..StandardItem::default()
        }
        .into(),
        Entry::Deed(deed) => {
            let deed = deed.clone();
            StandardItem {
                label: plain(&deed.label),
                activate: Box::new(move |icon: &mut Icon| icon.click(&deed)),
                ..StandardItem::default()
            }
            .into()
        }
    }
}
