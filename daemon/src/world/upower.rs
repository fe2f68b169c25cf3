//! UPower: all batteries in one, the desktop's thresholds, and how long it lasts.
//!
//! Where it is absent, has gone or does not answer, sysfs says what it can.

use super::{Happening, PowerNow, Reporter, Trouble};
use futures_util::{Stream, StreamExt};
use std::pin::Pin;
use std::time::Duration;
use stiefel_core::preflight::BatteryWarning;
use tokio::sync::mpsc;
use zbus::fdo;
use zbus::proxy::CacheProperties;

const NAME: &str = "org.freedesktop.UPower";
/// A UPower that has not answered by now is treated as absent, and asked again after as long.
const PATIENCE: Duration = Duration::from_secs(5);
/// `UP_DEVICE_KIND_BATTERY` (libupower-glib/up-types.h).
const BATTERY: u32 = 2;

#[zbus::proxy(
    interface = "org.freedesktop.UPower",
    default_service = "org.freedesktop.UPower",
    default_path = "/org/freedesktop/UPower",
    gen_blocking = false
)]
trait UPower {
    #[zbus(property)]
    fn on_battery(&self) -> zbus::Result<bool>;
}

#[zbus::proxy(
    interface = "org.freedesktop.UPower.Device",
    default_service = "org.freedesktop.UPower",
    default_path = "/org/freedesktop/UPower/devices/DisplayDevice",
    gen_blocking = false
)]
trait Display {
    #[zbus(property)]
    fn type_(&self) -> zbus::Result<u32>;
    #[zbus(property)]
    fn is_present(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn percentage(&self) -> zbus::Result<f64>;
    #[zbus(property)]
    fn warning_level(&self) -> zbus::Result<u32>;
    #[zbus(property)]
    fn time_to_empty(&self) -> zbus::Result<i64>;
}

type Hints = Pin<Box<dyn Stream<Item = ()> + Send>>;

/// Reports battery and mains, and all changes, until the loop is gone. `uevents` has
/// something in it whenever the kernel spoke of a power supply; `sysfs` reads them, and has
/// nothing to say in a simulation.
///
/// # Errors
/// The bus is lost.
pub async fn watch(
    bus: zbus::Connection,
    mut uevents: mpsc::Receiver<()>,
    sysfs: fn() -> Option<PowerNow>,
    reporter: Reporter,
) -> Result<(), Trouble> {
    let lost = |error: zbus::Error| Trouble::new("cannot watch the power supply", error);
    let mut hints = hints(&bus).await.map_err(lost)?;
    start(&bus).await;
    let mut last = None;
    let mut silent = false;
    loop {
        let answer = tokio::time::timeout(PATIENCE, ask(&bus)).await;
        let trouble = match &answer {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer for {} s", PATIENCE.as_secs())),
        };
        if let Some(trouble) = &trouble
            && !silent
        {
            tracing::warn!("cannot ask UPower: {trouble}");
        }
        silent = trouble.is_some();
        let now = match answer {
            Ok(Ok(Some(now))) => Some(now),
            Ok(Ok(None) | Err(_)) | Err(_) => sysfs(),
        };
        if let Some(now) = now
            && last.replace(now) != Some(now)
            && reporter.send(Happening::Power(now)).await.is_err()
        {
            return Ok(());
        }
        tokio::select! {
            hint = hints.next() => if hint.is_none() {
                return Err(Trouble("the bus does not tell of the power supply any more".into()));
            },
            // Only a look at UPower: it hears the kernel itself, and signals what it makes of it.
            heard = uevents.recv() => if heard.is_none() {
                return Ok(());
            },
            // What goes on after it hung need not have anything to signal.
            () = tokio::time::sleep(PATIENCE), if silent => {}
        }
    }
}

/// Whenever UPower says that something changed, comes, or goes.
async fn hints(bus: &zbus::Connection) -> zbus::Result<Hints> {
    let properties = |path: &'static str| async move {
        fdo::PropertiesProxy::builder(bus)
            .destination(NAME)?
            .path(path)?
            .cache_properties(CacheProperties::No)
            .build()
            .await?
            .receive_properties_changed()
            .await
    };
    let service = properties("/org/freedesktop/UPower").await?;
    let display = properties("/org/freedesktop/UPower/devices/DisplayDevice").await?;
    let owners = fdo::DBusProxy::new(bus)
        .await?
        .receive_name_owner_changed_with_args(&[(0, NAME)])
        .await?;
    Ok(Box::pin(futures_util::stream::select(
        futures_util::stream::select(service.map(drop), display.map(drop)),
        owners.map(drop),
    )))
}

/// UPower begins with the first who asks for it. Whether there is one at all is seen later.
async fn start(bus: &zbus::Connection) {
    let start = async {
        let names = fdo::DBusProxy::new(bus).await?;
        names.start_service_by_name(NAME.try_into()?, 0).await?;
        zbus::Result::Ok(())
    };
    if !matches!(tokio::time::timeout(PATIENCE, start).await, Ok(Ok(()))) {
        tracing::info!("there is no UPower; asking the kernel about the power supply");
    }
}

/// What UPower says; `None` if nobody has its name.
async fn ask(bus: &zbus::Connection) -> zbus::Result<Option<PowerNow>> {
    let names = fdo::DBusProxy::new(bus).await?;
    if !names.name_has_owner(NAME.try_into()?).await? {
        return Ok(None);
    }
    let service = UPowerProxy::builder(bus)
        .cache_properties(CacheProperties::No)
        .build()
        .await?;
    let display = DisplayProxy::builder(bus)
        .cache_properties(CacheProperties::No)
        .build()
        .await?;
    if !display.is_present().await? || display.type_().await? != BATTERY {
        return Ok(Some(PowerNow::MAINS));
    }
    Ok(Some(PowerNow {
        battery_percent: Some(display.percentage().await?),
        on_mains: !service.on_battery().await?,
        warning: warning(display.warning_level().await?),
        empty_in_secs: u64::try_from(display.time_to_empty().await?).unwrap_or(0),
    }))
}

/// `UpDeviceLevel` (libupower-glib/up-types.h).
fn warning(level: u32) -> BatteryWarning {
    match level {
        3 => BatteryWarning::Low,
        4 => BatteryWarning::Critical,
        5 => BatteryWarning::Action,
        _ => BatteryWarning::None,
    }
}
