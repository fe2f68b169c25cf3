//! Offers what can be asked for right now in the search of GNOME Shell, by its
//! interface `org.gnome.Shell.SearchProvider2`.

mod answers;

use crate::deeds::{Deed, deeds};
use crate::picture::{Daemon, Picture};
use adw::prelude::*;
use gtk::{gio, glib};
use std::cell::RefCell;
use std::rc::Rc;

/// Where the shell looks for us, as the search provider's file says.
const PATH: &str = "/org/stiefelsystem/Stiefelsystem/SearchProvider";
/// gnome-shell, `data/dbus-interfaces/org.gnome.ShellSearchProvider2.xml`
const INTERFACE: &str = r#"
<node>
  <interface name="org.gnome.Shell.SearchProvider2">
    <method name="GetInitialResultSet">
      <arg type="as" direction="in"/>
      <arg type="as" direction="out"/>
    </method>
    <method name="GetSubsearchResultSet">
      <arg type="as" direction="in"/>
      <arg type="as" direction="in"/>
      <arg type="as" direction="out"/>
    </method>
    <method name="GetResultMetas">
      <arg type="as" direction="in"/>
      <arg type="aa{sv}" direction="out"/>
    </method>
    <method name="ActivateResult">
      <arg type="s" direction="in"/>
      <arg type="as" direction="in"/>
      <arg type="u" direction="in"/>
    </method>
    <method name="LaunchSearch">
      <arg type="as" direction="in"/>
      <arg type="u" direction="in"/>
    </method>
  </interface>
</node>"#;
/// Searches that wait until we know anything. The shell forgets the older ones
/// itself, one for each key that is pressed.
const WAITING: usize = 8;

/// Answers the shell from the last picture.
#[derive(Clone, Default)]
pub struct SearchProvider(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    /// None until the daemon has said anything, or that it will not.
    deeds: Option<Vec<Deed>>,
    waiting: Vec<(Vec<String>, gio::DBusMethodInvocation)>,
    registration: Option<gio::RegistrationId>,
}

impl SearchProvider {
    /// Answers on this connection from now on. To be called before the
    /// application owns its name, since the shell starts it by asking.
    ///
    /// # Errors
    /// Somebody in this process already answers there.
    pub fn export(
        &self,
        app: &adw::Application,
        connection: &gio::DBusConnection,
    ) -> Result<(), glib::Error> {
        let node = gio::DBusNodeInfo::for_xml(INTERFACE)?;
        let Some(interface) = node.interfaces().first().cloned() else {
            return Ok(());
        };
        let (this, app) = (self.clone(), app.downgrade());
        let registration = connection
            .register_object(PATH, &interface)
            .method_call(move |_, _, _, _, method, arguments, invocation| {
                this.call(app.upgrade(), method, &arguments, invocation);
            })
            .build()?;
        self.0.borrow_mut().registration = Some(registration);
        Ok(())
    }

    /// Ends to answer there.
    pub fn unexport(&self, connection: &gio::DBusConnection) {
        if let Some(registration) = self.0.borrow_mut().registration.take() {
            // It is gone when the connection is.
            let _ = connection.unregister_object(registration);
        }
    }

    /// Answers from this picture from now on.
    pub fn show(&self, picture: &Picture) {
        if picture.daemon == Daemon::Asked {
            return;
        }
        let deeds = deeds(picture);
        let waiting = {
            let mut state = self.0.borrow_mut();
            state.deeds = Some(deeds.clone());
            std::mem::take(&mut state.waiting)
        };
        for (terms, invocation) in waiting {
            answer_search(&deeds, &terms, invocation);
        }
    }

    fn call(
        &self,
        app: Option<adw::Application>,
        method: &str,
        arguments: &glib::Variant,
        invocation: gio::DBusMethodInvocation,
    ) {
        match method {
            "GetInitialResultSet" => {
                let (terms,) = arguments.get().unwrap_or_default();
                self.search(terms, invocation);
            }
            "GetSubsearchResultSet" => {
                let (_, terms): (Vec<String>, _) = arguments.get().unwrap_or_default();
                self.search(terms, invocation);
            }
            "GetResultMetas" => {
                let (ids,): (Vec<String>,) = arguments.get().unwrap_or_default();
                let state = self.0.borrow();
                let known = state.deeds.as_deref().unwrap_or_default();
                let metas: Vec<_> = answers::chosen(known, &ids).into_iter().map(meta).collect();
                invocation.return_value(Some(&(metas,).to_variant()));
            }
            "ActivateResult" => {
                let (id, _, _): (String, Vec<String>, u32) = arguments.get().unwrap_or_default();
                let known = self.0.borrow().deeds.clone().unwrap_or_default();
                if let (Some(app), [deed]) = (app, answers::chosen(&known, &[id]).as_slice()) {
                    let target = deed.target.as_ref().map(|target| target.to_variant());
                    app.activate_action(deed.action, target.as_ref());
                }
                invocation.return_value(None);
            }
            "LaunchSearch" => {
                if let Some(app) = app {
                    app.activate_action(Deed::open().action, None);
                }
                invocation.return_value(None);
            }
            _ => invocation.return_dbus_error(
                "org.freedesktop.DBus.Error.UnknownMethod",
                "A search provider has no such method",
            ),
        }
    }

    fn search(&self, terms: Vec<String>, invocation: gio::DBusMethodInvocation) {
        let mut state = self.0.borrow_mut();
        if let Some(deeds) = &state.deeds {
            answer_search(deeds, &terms, invocation);
            return;
        }
        if state.waiting.len() == WAITING {
            let (_, oldest) = state.waiting.remove(0);
            answer_search(&[], &[], oldest);
        }
        state.waiting.push((terms, invocation));
    }
}

fn answer_search(deeds: &[Deed], terms: &[String], invocation: gio::DBusMethodInvocation) {
    let found = answers::found(deeds, terms);
    invocation.return_value(Some(&(found,).to_variant()));
}

fn meta(deed: &Deed) -> glib::VariantDict {
    let meta = glib::VariantDict::new(None);
    meta.insert("id", answers::id(deed));
    meta.insert("name", &deed.label);
    meta.insert("description", &deed.about);
    if let Some(icon) = gio::ThemedIcon::new(crate::deeds::APP_ICON).serialize() {
        meta.insert_value("icon", &icon);
    }
    meta
}
