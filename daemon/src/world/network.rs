//! NetworkManager and systemd-networkd: how each is told to leave an interface alone.
//!
//! Both are told by a file below `/run`, so that it also holds for an interface
//! that is plugged in again, for a service that starts anew, and no longer than
//! until the next boot. Both are told at the same time: one that hangs does not
//! keep the interface for the other.

use super::claims::Claims;
use super::paths::Paths;
use super::{Doing, NetworkService, Trouble};
use crate::hands::PATIENCE;
use futures_util::future::join_all;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// One of the services.
pub struct Service {
    kind: Kind,
    file: PathBuf,
    bus: Option<zbus::Connection>,
    /// The file is not as the service read it last.
    unread: bool,
}

/// Several services, told at the same time.
pub struct Together(pub Vec<Service>);

enum Kind {
    NetworkManager,
    Networkd,
}

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager",
    default_service = "org.freedesktop.NetworkManager",
    default_path = "/org/freedesktop/NetworkManager",
    gen_blocking = false
)]
trait NetworkManager {
    fn reload(&self, flags: u32) -> zbus::Result<()>;
}

#[zbus::proxy(
    interface = "org.freedesktop.network1.Manager",
    default_service = "org.freedesktop.network1",
    default_path = "/org/freedesktop/network1",
    gen_blocking = false
)]
trait Networkd {
    fn reload(&self) -> zbus::Result<()>;
}

/// `NM_MANAGER_RELOAD_FLAG_CONF`: the configuration files and nothing else.
const RELOAD_CONF: u32 = 1;

impl Service {
    /// NetworkManager; without a bus, only its file is written.
    #[must_use]
    pub fn network_manager(paths: &Paths, bus: Option<zbus::Connection>) -> Self {
        Self {
            kind: Kind::NetworkManager,
            file: paths.at("/run/NetworkManager/conf.d/90-stiefelsystem.conf"),
            bus,
            unread: false,
        }
    }

    /// systemd-networkd; without a bus, only its file is written.
    #[must_use]
    pub fn networkd(paths: &Paths, bus: Option<zbus::Connection>) -> Self {
        Self {
            kind: Kind::Networkd,
            // The first file that matches an interface wins, so this sorts before all others.
            file: paths.at("/run/systemd/network/00-stiefelsystem.network"),
            bus,
            unread: false,
        }
    }

    fn name(&self) -> &'static str {
        match self.kind {
            Kind::NetworkManager => "NetworkManager",
            Kind::Networkd => "systemd-networkd",
        }
    }

    fn bus_name(&self) -> &'static str {
        match self.kind {
            Kind::NetworkManager => "org.freedesktop.NetworkManager",
            Kind::Networkd => "org.freedesktop.network1",
        }
    }

    fn content(&self, claims: &Claims) -> String {
        let names: Vec<&str> = claims.keys().map(String::as_str).collect();
        match self.kind {
            Kind::NetworkManager => {
                let devices: Vec<String> = names
                    .iter()
                    .map(|name| format!("interface-name:{name}"))
                    .collect();
                format!(
                    "# Written by stiefeld; gone when the machine is disarmed.\n[keyfile]\nunmanaged-devices+={}\n",
                    devices.join(";")
                )
            }
            Kind::Networkd => format!(
                "# Written by stiefeld; gone when the machine is disarmed.\n[Match]\nName={}\n\n[Link]\nUnmanaged=yes\n",
                names.join(" ")
            ),
        }
    }

    /// Whether the file says something else than before.
    fn write(&self, claims: &Claims) -> Result<bool, Trouble> {
        let content = self.content(claims);
        if fs::read_to_string(&self.file).is_ok_and(|before| before == content) {
            return Ok(false);
        }
        let write = || -> std::io::Result<bool> {
            let folder = self.file.parent().filter(|folder| !folder.exists());
            if let Some(folder) = folder {
                fs::create_dir_all(folder)?;
                fs::set_permissions(folder, Permissions::from_mode(0o755))?;
            }
            fs::write(&self.file, content)?;
            // networkd is not root, and our own umask lets nobody else read.
            fs::set_permissions(&self.file, Permissions::from_mode(0o644))?;
            Ok(true)
        };
        write()
            .map_err(|error| Trouble::new(format!("cannot write {}", self.file.display()), error))
    }

    /// Whether there was a file to remove.
    fn remove(&self) -> Result<bool, Trouble> {
        match fs::remove_file(&self.file) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Trouble::new(
                format!("cannot remove {}", self.file.display()),
                error,
            )),
        }
    }

    /// Makes the service read its files again; a service that does not run reads
    /// them when it starts.
    async fn reload(&self) -> Result<(), Trouble> {
        let Some(bus) = &self.bus else { return Ok(()) };
        let tried = || format!("cannot make {} read its configuration again", self.name());
        let reload = async {
            let names = zbus::fdo::DBusProxy::new(bus).await?;
            if !names.name_has_owner(self.bus_name().try_into()?).await? {
                return Ok(());
            }
            match self.kind {
                Kind::NetworkManager => {
                    NetworkManagerProxy::new(bus)
                        .await?
                        .reload(RELOAD_CONF)
                        .await
                }
                Kind::Networkd => NetworkdProxy::new(bus).await?.reload().await,
            }
        };
        match tokio::time::timeout(PATIENCE, reload).await {
            Ok(told) => told.map_err(|error| Trouble::new(tried(), error)),
            Err(_) => Err(Trouble(format!(
                "{}: it has not answered for {} seconds",
                tried(),
                PATIENCE.as_secs()
            ))),
        }
    }

    /// What was not read is not in force: it stays to be read, by a service that starts
    /// anew or at the next try.
    async fn tell(&mut self, changed: bool) -> Result<(), Trouble> {
        self.unread |= changed;
        if self.unread {
            self.reload().await?;
        }
        self.unread = false;
        Ok(())
    }
}

impl NetworkService for Service {
    fn claim<'a>(&'a mut self, claims: &'a Claims) -> Doing<'a, ()> {
        Box::pin(async move {
            let changed = self.write(claims)?;
            self.tell(changed).await
        })
    }

    fn release(&mut self) -> Doing<'_, ()> {
        Box::pin(async move {
            let changed = self.remove()?;
            self.tell(changed).await
        })
    }
}

impl NetworkService for Together {
    fn claim<'a>(&'a mut self, claims: &'a Claims) -> Doing<'a, ()> {
        let told = self.0.iter_mut().map(|service| service.claim(claims));
        Box::pin(all(told.collect()))
    }

    fn release(&mut self) -> Doing<'_, ()> {
        let told = self.0.iter_mut().map(Service::release);
        Box::pin(all(told.collect()))
    }
}

/// Waits for all of them, also after an error, and reports all errors.
async fn all(doings: Vec<Doing<'_, ()>>) -> Result<(), Trouble> {
    let done = join_all(doings).await.into_iter();
    let complaints: Vec<String> = done
        .filter_map(|done| done.err().map(|Trouble(text)| text))
        .collect();
    match complaints.is_empty() {
        true => Ok(()),
        false => Err(Trouble(complaints.join("; "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_claim_is_taken_back_without_a_trace() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::below(root.path());
        for mut service in [
            Service::network_manager(&paths, None),
            Service::networkd(&paths, None),
        ] {
            let both = [("lan0".to_owned(), Some(2)), ("lan1".to_owned(), None)];
            service.claim(&both.into()).await.unwrap();
            let text = fs::read_to_string(&service.file).unwrap();
            assert!(text.contains("lan0") && text.contains("lan1"), "{text}");
            service.release().await.unwrap();
            assert!(!service.file.exists());
            service.release().await.unwrap();
        }
    }
}
