//! The daemon, as its clients see it.

use crate::ending::{complain, explain};
use crate::facts::{Drive, Job, Link, Pairing, Properties};
use anyhow::bail;
use stiefel_dbus::proxy::{HandOffProxy, JobProxy, ManagerProxy, PairingProxy};
use stiefel_dbus::{names, words};
use zbus::fdo;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, Value};

/// A connection with the daemon; the daemon is started by the first call.
pub struct Client {
    /// The bus.
    pub bus: zbus::Connection,
    /// The machine as a whole.
    pub manager: ManagerProxy<'static>,
    /// The hand-off.
    pub handoff: HandOffProxy<'static>,
}

impl Client {
    /// Connects with the bus.
    pub async fn connect(address: Option<&str>) -> anyhow::Result<Self> {
        let bus = connect(address).await?;
        // Each command reads a property at most once: no cache, no second message.
        let uncached = zbus::proxy::CacheProperties::No;
        let manager = ManagerProxy::builder(&bus).cache_properties(uncached);
        let uncached = zbus::proxy::CacheProperties::No;
        let handoff = HandOffProxy::builder(&bus).cache_properties(uncached);
        Ok(Self {
            manager: manager.build().await?,
            handoff: handoff.build().await?,
            bus,
        })
    }

    /// All properties of one interface of the root object.
    pub async fn properties(&self, interface: &'static str) -> anyhow::Result<Properties> {
        let properties = fdo::PropertiesProxy::builder(&self.bus)
            .destination(names::SERVICE)?
            .path(names::ROOT)?
            .build()
            .await?;
        let all = properties.get_all(interface.try_into()?).await?;
        Ok(Properties(all))
    }

    /// Sets a property; whoever may not is asked for a password where that is possible.
    pub async fn set(
        &self,
        path: &ObjectPath<'_>,
        interface: &str,
        property: &str,
        value: impl Into<Value<'_>>,
    ) -> anyhow::Result<()> {
        let properties = "org.freedesktop.DBus.Properties";
        let object = zbus::Proxy::new(&self.bus, names::SERVICE, path, properties).await?;
        let ask = zbus::proxy::MethodFlags::AllowInteractiveAuth.into();
        let body = (interface, property, value.into());
        let _: Option<()> = object.call_with_flags("Set", ask, &body).await?;
        Ok(())
    }

    /// All objects below the root.
    pub async fn objects(&self) -> anyhow::Result<Objects> {
        let manager = fdo::ObjectManagerProxy::builder(&self.bus)
            .destination(names::SERVICE)?
            .path(names::ROOT)?
            .build()
            .await?;
        let mut objects = Vec::new();
        for (path, interfaces) in manager.get_managed_objects().await? {
            for (interface, properties) in interfaces {
                objects.push((path.clone(), interface.to_string(), Properties(properties)));
            }
        }
        Ok(Objects(objects))
    }

    /// The pairing that a person means by its name or its id.
    pub async fn find(&self, name: &str) -> anyhow::Result<Pairing> {
        let all = self.objects().await?.pairings();
        match all.iter().find(|p| p.name == name || p.id == name) {
            Some(pairing) => Ok(pairing.clone()),
            None if all.is_empty() => {
                bail!("no machine is paired yet; make a pairing with: stiefelctl pair NAME")
            }
            None => {
                let known: Vec<_> = all.iter().map(|pairing| pairing.name.as_str()).collect();
                bail!(
                    "no pairing is called {name}; there are: {}",
                    known.join(", ")
                )
            }
        }
    }

    /// The proxy of a pairing.
    pub async fn pairing(&self, path: &OwnedObjectPath) -> zbus::Result<PairingProxy<'static>> {
        PairingProxy::builder(&self.bus)
            .path(path.clone())?
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .await
    }

    /// The proxy of a job.
    pub async fn job(&self, path: &OwnedObjectPath) -> zbus::Result<JobProxy<'static>> {
        JobProxy::builder(&self.bus)
            .path(path.clone())?
            .build()
            .await
    }
}

/// All objects below the root, as they were at one moment.
pub struct Objects(Vec<(OwnedObjectPath, String, Properties)>);

impl Objects {
    /// All pairings, by name.
    pub fn pairings(&self) -> Vec<Pairing> {
        let mut pairings = self.all(names::PAIRING, Pairing::new);
        pairings.sort_by(|a, b| a.name.cmp(&b.name));
        pairings
    }

    /// All wired links, by name.
    pub fn links(&self) -> Vec<Link> {
        let mut links = self.all(names::LINK, Link::new);
        links.sort_by(|a, b| a.interface.cmp(&b.interface));
        links
    }

    /// All jobs that are remembered, the oldest first.
    pub fn jobs(&self) -> Vec<Job> {
        let mut jobs = self.all(names::JOB, Job::new);
        jobs.sort_by_key(|job| job.number);
        jobs
    }

    /// All removable drives, by device.
    pub fn drives(&self) -> Vec<Drive> {
        let mut drives = self.all(names::DRIVE, Drive::new);
        drives.sort_by(|a, b| a.device.cmp(&b.device));
        drives
    }

    fn all<T>(&self, wanted: &str, make: fn(OwnedObjectPath, &Properties) -> T) -> Vec<T> {
        let wanted = self
            .0
            .iter()
            .filter(|(_, interface, _)| interface == wanted);
        wanted
            .map(|(path, _, facts)| make(path.clone(), facts))
            .collect()
    }
}

/// What to call a borrower, given by its object.
pub fn borrower_name(path: &OwnedObjectPath, pairings: &[Pairing]) -> Option<String> {
    match path.as_str() {
        "/" => None,
        names::PAIRINGS => Some(ANYBODY.into()),
        _ => {
            let pairing = pairings.iter().find(|pairing| pairing.path == *path);
            Some(pairing.map_or_else(|| path.to_string(), |pairing| pairing.name.clone()))
        }
    }
}

/// A borrower that is not known yet.
pub const ANYBODY: &str = "whichever paired machine asks first";

/// Connects with a bus, or the system bus.
async fn connect(address: Option<&str>) -> anyhow::Result<zbus::Connection> {
    let builder = match address {
        None => zbus::connection::Builder::system(),
        Some("session") => zbus::connection::Builder::session(),
        Some(address) => zbus::connection::Builder::address(address),
    };
    Ok(builder?.build().await?)
}

/// Tells a daemon that runs that there is a new ramdisk. Whether one runs, and
/// whether it listens, is no concern of an update.
pub async fn look_again(address: Option<&str>) {
    let tell = async {
        let bus = connect(address).await?;
        let names_on_bus = fdo::DBusProxy::new(&bus).await?;
        if names_on_bus
            .name_has_owner(names::SERVICE.try_into()?)
            .await?
        {
            ManagerProxy::new(&bus).await?.refresh().await?;
        }
        anyhow::Ok(())
    };
    if let Err(error) = tell.await {
        let _ = complain(&format!(
            "the daemon was not told of it: {}",
            explain(&error)
        ));
    }
}

/// What the reason of a hand-off that came back means.
pub fn reason_in_words(reason: &words::Reason) -> &str {
    match reason {
        words::Reason::None => "",
        words::Reason::Cancelled => "it was called off",
        words::Reason::Expired => "nobody confirmed it in time",
        words::Reason::Blocked => "something was in the way",
        words::Reason::StepFailed => "a step failed",
        words::Reason::RebootRefused => "the reboot did not happen",
        words::Reason::Unknown(word) => word,
    }
}
