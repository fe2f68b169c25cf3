//! The calls to the daemon.

use super::objects::{Interfaces, Objects, Properties};
use super::{Answer, Ask, Medium, Setting};
use std::collections::HashMap;
use stiefel_dbus::names;
use stiefel_dbus::proxy::{
    DriveProxy, HandOffProxy, JobProxy, LoanProxy, ManagerProxy, PairingProxy, SettingsProxy,
};
use zbus::proxy::{CacheProperties, MethodFlags, ProxyImpl};
use zbus::zvariant::{ObjectPath, OwnedObjectPath, Value};
use zbus::{Connection, Proxy};

const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const OBJECT_MANAGER: &str = "org.freedesktop.DBus.ObjectManager";

/// Reads everything that the daemon has.
pub(super) async fn look(bus: Connection) -> zbus::Result<Objects> {
    let call = bus.call_method(
        Some(names::SERVICE),
        names::ROOT,
        Some(OBJECT_MANAGER),
        "GetManagedObjects",
        &(),
    );
    let managed = call.await?;
    let all: HashMap<OwnedObjectPath, Interfaces> = managed.body().deserialize()?;
    let mut objects = Objects::all(all);
    // The object manager tells of the objects below it, not of its own.
    for interface in [names::MANAGER, names::HANDOFF, names::SETTINGS, names::LOAN] {
        let call = bus.call_method(
            Some(names::SERVICE),
            names::ROOT,
            Some(PROPERTIES),
            "GetAll",
            &interface,
        );
        match call.await {
            Ok(reply) => {
                let properties: Properties = reply.body().deserialize()?;
                objects.change(names::ROOT, interface, properties);
            }
            // There is a loan on a borrower only, and an older daemon may lack
            // the others; without the manager it is none of ours.
            Err(error) if interface == names::MANAGER => return Err(error),
            Err(_) => {}
        }
    }
    Ok(objects)
}

/// Asks that what moves be measured; whether that is granted shows by itself.
pub(super) async fn watch(bus: Connection, watching: bool) {
    let _ = ask(&bus, Ask::Watch(watching)).await;
}

/// Asks, and waits for the answer.
pub(super) async fn ask(bus: &Connection, ask: Ask) -> zbus::Result<Answer> {
    let none = HashMap::new;
    match ask {
        Ask::Look => {}
        Ask::Arm => manager(bus).await?.arm(none()).await?,
        Ask::Disarm => manager(bus).await?.disarm().await?,
        Ask::Refresh => manager(bus).await?.refresh().await?,
        Ask::UpdateImage => return object(manager(bus).await?.update_image().await),
        Ask::Begin(borrower) => {
            let borrower = ObjectPath::try_from(borrower)?;
            handoff(bus).await?.begin(&borrower, none()).await?;
        }
        Ask::Confirm => handoff(bus).await?.confirm().await?,
        Ask::Cancel => handoff(bus).await?.cancel().await?,
        Ask::Pair(name) => return object(manager(bus).await?.pair(&name).await),
        Ask::Forget(pairing) => at::<PairingProxy<'_>>(bus, pairing).await?.forget().await?,
        Ask::Rename(pairing, name) => set(bus, &pairing, names::PAIRING, "Name", &name).await?,
        Ask::SetPairingPolicy(pairing, word) => {
            set(bus, &pairing, names::PAIRING, "Policy", &word).await?;
        }
        Ask::SetLinkPolicy(link, word) => set(bus, &link, names::LINK, "Policy", &word).await?,
        Ask::Set(name, Setting::Word(word)) => {
            set(bus, names::ROOT, names::SETTINGS, name, &word).await?;
        }
        Ask::Set(name, Setting::Number(number)) => {
            set(bus, names::ROOT, names::SETTINGS, name, number).await?;
        }
        Ask::Reset => {
            let settings = at::<SettingsProxy<'_>>(bus, names::ROOT.into()).await?;
            settings.reset().await?;
        }
        Ask::WriteStick(pairing, Medium::Drive(drive, unmount)) => {
            let drive = at::<DriveProxy<'_>>(bus, drive).await?;
            let options = HashMap::from([("unmount", Value::from(unmount))]);
            return object(
                drive
                    .write_stick(&ObjectPath::try_from(pairing)?, options)
                    .await,
            );
        }
        Ask::WriteStick(pairing, Medium::File(file)) => {
            let pairing = ObjectPath::try_from(pairing)?;
            let manager = manager(bus).await?;
            return object(manager.write_stick(&pairing, file.into(), none()).await);
        }
        Ask::CancelJob(job) => at::<JobProxy<'_>>(bus, job).await?.cancel().await?,
        Ask::Watch(true) => loan(bus).await?.subscribe().await?,
        Ask::Watch(false) => loan(bus).await?.unsubscribe().await?,
        Ask::GiveBack(force) => {
            let options = HashMap::from([("force", Value::from(force))]);
            loan(bus).await?.give_back(options).await?;
        }
    }
    Ok(Answer::Done)
}

fn object(made: zbus::Result<OwnedObjectPath>) -> zbus::Result<Answer> {
    made.map(|path| Answer::Object(path.as_str().to_owned()))
}

async fn manager(bus: &Connection) -> zbus::Result<ManagerProxy<'static>> {
    at(bus, names::ROOT.into()).await
}

async fn handoff(bus: &Connection) -> zbus::Result<HandOffProxy<'static>> {
    at(bus, names::ROOT.into()).await
}

async fn loan(bus: &Connection) -> zbus::Result<LoanProxy<'static>> {
    at(bus, names::ROOT.into()).await
}

/// A proxy for calls alone: the properties are in the picture.
async fn at<P>(bus: &Connection, path: String) -> zbus::Result<P>
where
    P: ProxyImpl<'static> + zbus::proxy::Defaults + From<Proxy<'static>>,
{
    P::builder(bus)
        .path(path)?
        .cache_properties(CacheProperties::No)
        .build()
        .await
}

/// Sets a property, for which a person may be asked for a password.
async fn set<'v>(
    bus: &Connection,
    path: &str,
    interface: &str,
    name: &str,
    value: impl Into<Value<'v>>,
) -> zbus::Result<()> {
    let properties = Proxy::new(bus, names::SERVICE, path, PROPERTIES).await?;
    let arguments = (interface, name, value.into());
    let flags = MethodFlags::AllowInteractiveAuth.into();
    let answer: Option<()> = properties.call_with_flags("Set", flags, &arguments).await?;
    answer.ok_or(zbus::Error::InvalidReply)
}
