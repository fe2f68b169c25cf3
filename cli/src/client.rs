//! The daemon, as its clients see it.

use anyhow::bail;
use serde::Serialize;
use stiefel_dbus::proxy::{HandOffProxy, LinkProxy, ManagerProxy, PairingProxy};
use stiefel_dbus::{names, words};
use zbus::fdo;
use zbus::zvariant::OwnedObjectPath;

/// A connection with the daemon; the daemon is started by the first call.
pub struct Client {
    /// The bus.
    pub bus: zbus::Connection,
    /// The machine as a whole.
    pub manager: ManagerProxy<'static>,
    /// The hand-off.
    pub handoff: HandOffProxy<'static>,
}

/// What a person sees of a pairing.
#[derive(Debug, Clone, Serialize)]
pub struct Pairing {
    /// Its id.
    pub id: String,
    /// What the borrower is called.
    pub name: String,
    /// What its searches bring about.
    pub policy: String,
    /// Whether it searches.
    pub presence: String,
    /// Microseconds since the epoch, or 0.
    pub last_seen_usec: u64,
    /// Microseconds since the epoch, or 0.
    pub last_loan_usec: u64,
    /// Its object on the bus.
    pub path: OwnedObjectPath,
}

/// What a person sees of a link.
#[derive(Debug, Clone, Serialize)]
pub struct Link {
    /// Its name.
    pub interface: String,
    /// Whether there is somebody at the other end.
    pub state: String,
    /// Mbit/s, or 0.
    pub speed_mbps: u32,
    /// The kernel's driver.
    pub driver: String,
    /// What it is used for.
    pub policy: String,
    /// Whether other programs may configure it.
    pub managed: bool,
    /// The address that stays with the device.
    pub hardware_address: String,
    /// What it is plugged into.
    pub bus: String,
    /// Vendor and product.
    pub device_id: String,
    /// Its object on the bus.
    pub path: OwnedObjectPath,
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

    /// All pairings, by name.
    pub async fn pairings(&self) -> anyhow::Result<Vec<Pairing>> {
        let mut pairings = Vec::new();
        for path in self.objects(names::PAIRING).await? {
            let proxy = self.pairing(&path).await?;
            pairings.push(Pairing {
                id: proxy.id().await?,
                name: proxy.name().await?,
                policy: proxy.policy().await?,
                presence: proxy.presence().await?,
                last_seen_usec: proxy.last_seen_usec().await?,
                last_loan_usec: proxy.last_loan_usec().await?,
                path,
            });
        }
        pairings.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(pairings)
    }

    /// All wired links, by name.
    pub async fn links(&self) -> anyhow::Result<Vec<Link>> {
        let mut links = Vec::new();
        for path in self.objects(names::LINK).await? {
            let proxy = LinkProxy::builder(&self.bus)
                .path(path.clone())?
                .build()
                .await?;
            links.push(Link {
                interface: proxy.interface().await?,
                state: proxy.state().await?,
                speed_mbps: proxy.speed_mbps().await?,
                driver: proxy.driver().await?,
                policy: proxy.policy().await?,
                managed: proxy.managed().await?,
                hardware_address: proxy.hardware_address().await?,
                bus: proxy.bus().await?,
                device_id: proxy.device_id().await?,
                path,
            });
        }
        links.sort_by(|a, b| a.interface.cmp(&b.interface));
        Ok(links)
    }

    /// The pairing that a person means by its name or its id.
    pub async fn find(&self, name: &str) -> anyhow::Result<Pairing> {
        let all = self.pairings().await?;
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

    /// What to call a borrower, given by its object.
    pub async fn borrower_name(&self, path: &OwnedObjectPath) -> anyhow::Result<Option<String>> {
        match path.as_str() {
            "/" => Ok(None),
            names::PAIRINGS => Ok(Some("whichever paired machine asks first".into())),
            _ => Ok(Some(self.pairing(path).await?.name().await?)),
        }
    }

    async fn objects(&self, interface: &str) -> zbus::Result<Vec<OwnedObjectPath>> {
        let manager = fdo::ObjectManagerProxy::builder(&self.bus)
            .destination(names::SERVICE)?
            .path(names::ROOT)?
            .build()
            .await?;
        let objects = manager.get_managed_objects().await?;
        Ok(objects
            .into_iter()
            .filter(|(_, interfaces)| interfaces.keys().any(|name| name.as_str() == interface))
            .map(|(path, _)| path)
            .collect())
    }
}

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
        eprintln!(
            "stiefelctl: the daemon was not told of it: {}",
            explain(&error)
        );
    }
}

/// What went wrong, for a person, with what to do about it.
pub fn explain(error: &anyhow::Error) -> String {
    let bus_error = error
        .downcast_ref::<zbus::Error>()
        .map(|error| match error {
            zbus::Error::MethodError(name, text, _) => {
                (name.to_string(), text.clone().unwrap_or_default())
            }
            zbus::Error::FDO(error) => fdo_parts(error),
            other => (String::new(), other.to_string()),
        })
        .or_else(|| error.downcast_ref::<fdo::Error>().map(fdo_parts));
    let Some((name, text)) = bus_error else {
        return format!("{error:#}");
    };
    match name.rsplit('.').next().unwrap_or_default() {
        "AccessDenied" | "InteractiveAuthorizationRequired" | "AuthFailed" => {
            format!("{text}; run it as root, e.g. with sudo")
        }
        "ServiceUnknown" | "NameHasNoOwner" | "SpawnFailed" | "ExecFailed" => {
            format!("the daemon does not run ({text}); see: systemctl status stiefeld")
        }
        "NoReply" | "Timeout" | "TimedOut" => {
            format!("the daemon does not answer ({text}); see: journalctl -u stiefeld")
        }
        "FileNotFound" | "NoServer" => format!("there is no bus ({text}); does dbus run?"),
        "" => format!("{text}; does the system bus run? see: systemctl status dbus"),
        _ => text,
    }
}

fn fdo_parts(error: &fdo::Error) -> (String, String) {
    use zbus::DBusError;
    let text = error.description().unwrap_or_default().to_owned();
    (error.name().to_string(), text)
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
