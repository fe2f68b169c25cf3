//! NetworkManager, kept off interfaces that it takes down again and again.
//!
//! On a bare cable nobody answers DHCP, so that it gives the connection up and takes all
//! addresses away, after a while once more. An interface that it has brought up as it wants it
//! is left alone: it may be the one that this very session goes over.

use std::collections::BTreeMap;
use zbus::zvariant::OwnedObjectPath;

/// `NM_DEVICE_STATE_UNAVAILABLE` and `NM_DEVICE_STATE_ACTIVATED`: between them it wants to do
/// something; below it does not manage the device (nm-dbus-interface.h).
const UNAVAILABLE: u32 = 20;
const ACTIVATED: u32 = 100;

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager",
    default_service = "org.freedesktop.NetworkManager",
    default_path = "/org/freedesktop/NetworkManager",
    gen_blocking = false
)]
trait NetworkManager {
    fn get_device_by_ip_iface(&self, interface: &str) -> zbus::Result<OwnedObjectPath>;
}

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager.Device",
    default_service = "org.freedesktop.NetworkManager",
    gen_blocking = false
)]
trait Device {
    #[zbus(property)]
    fn state(&self) -> zbus::Result<u32>;
    #[zbus(property)]
    fn set_managed(&self, managed: bool) -> zbus::Result<()>;
}

/// Interfaces that it was asked to leave alone.
pub struct Claim {
    manager: Option<NetworkManagerProxy<'static>>,
    held: BTreeMap<String, OwnedObjectPath>,
}

impl Claim {
    /// Nothing yet. Without a bus there is no NetworkManager either.
    pub async fn new() -> Self {
        let manager = async {
            let bus = zbus::Connection::system().await?;
            NetworkManagerProxy::new(&bus).await
        };
        Self {
            manager: manager.await.ok(),
            held: BTreeMap::new(),
        }
    }

    /// Asks it to leave those alone that it is busy with.
    pub async fn keep_off(&mut self, interfaces: impl Iterator<Item = String>) {
        for interface in interfaces {
            if !self.held.contains_key(&interface)
                && let Some(path) = self.ask(&interface).await
            {
                self.held.insert(interface, path);
            }
        }
    }

    /// `None` if it does not run, does not know the interface, or is content with it.
    async fn ask(&self, interface: &str) -> Option<OwnedObjectPath> {
        let manager = self.manager.as_ref()?;
        let path = manager.get_device_by_ip_iface(interface).await.ok()?;
        let device = device(manager, &path).await.ok()?;
        let state = device.state().await.ok()?;
        if !(UNAVAILABLE..ACTIVATED).contains(&state) {
            return None;
        }
        device.set_managed(false).await.ok()?;
        Some(path)
    }

    /// Gives all of them back; one that was unplugged is not there to be given back.
    pub async fn give_back(self) {
        let Some(manager) = &self.manager else { return };
        for path in self.held.values() {
            if let Ok(device) = device(manager, path).await {
                let _ = device.set_managed(true).await;
            }
        }
    }
}

async fn device(
    manager: &NetworkManagerProxy<'static>,
    path: &OwnedObjectPath,
) -> zbus::Result<DeviceProxy<'static>> {
    DeviceProxy::builder(manager.inner().connection())
        .path(path.clone())?
        .cache_properties(zbus::proxy::CacheProperties::No)
        .build()
        .await
}
