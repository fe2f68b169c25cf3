//! Wired network interfaces, from rtnetlink: it tells of plugging, renaming and
//! carrier alike.

use super::{Happening, Link, Reporter, Trouble};
use std::fs;
use std::path::Path;
use stiefel_linux::links::{Links, Monitor};

/// Where the kernel describes interfaces.
const NET: &str = "/sys/class/net";

/// Reports the present links and all changes; blocks for ever.
///
/// # Errors
/// The kernel cannot be asked or listened to.
pub fn watch(reporter: &Reporter) -> Result<(), Trouble> {
    let tried = |error| Trouble::new("cannot watch the network interfaces", error);
    let mut monitor = Monitor::open().map_err(tried)?;
    let mut links = Links::open().map_err(tried)?;
    let mut last = None;
    loop {
        let now = list(&mut links).map_err(tried)?;
        if last.as_ref() != Some(&now) {
            last = Some(now.clone());
            if reporter.blocking_send(Happening::Links(now)).is_err() {
                return Ok(());
            }
        }
        while !monitor.wait(super::AN_HOUR).map_err(tried)? {}
    }
}

fn list(links: &mut Links) -> stiefel_linux::Result<Vec<Link>> {
    let all = links.list()?;
    Ok(all
        .into_iter()
        .filter(|link| link.is_ethernet)
        .filter_map(|link| {
            let device = device(&link.name);
            Some(Link {
                index: link.index,
                bus: device.bus,
                device_id: device.id,
                driver: driver(&link.name),
                mac: link.identity()?,
                up: link.up,
                carrier: link.carrier,
                speed_mbps: link.speed_mbps.unwrap_or(0),
                name: link.name,
            })
        })
        .collect())
}

/// Where `/sys/class/net/NAME/device/driver` points to.
fn driver(interface: &str) -> String {
    target(&Path::new(NET).join(interface).join("device/driver"))
}

/// What an interface is plugged into.
#[derive(Debug, Default, PartialEq, Eq)]
struct Device {
    bus: String,
    id: String,
}

/// The nearest device above an interface that has a vendor: of USB, the device and not its
/// interface; of Thunderbolt and PCI, the PCI function.
fn device(interface: &str) -> Device {
    let Ok(mut place) = Path::new(NET).join(interface).join("device").canonicalize() else {
        return Device::default();
    };
    let id = |place: &Path, vendor: &str, product: &str| {
        let read = |name| fs::read_to_string(place.join(name)).ok();
        let (vendor, product) = (read(vendor)?, read(product)?);
        let digits = |text: &str| text.trim().trim_start_matches("0x").to_owned();
        Some(format!("{}:{}", digits(&vendor), digits(&product)))
    };
    while place.starts_with("/sys/devices") {
        let bus = target(&place.join("subsystem"));
        let found = match bus.as_str() {
            "usb" => id(&place, "idVendor", "idProduct"),
            _ => id(&place, "vendor", "device"),
        };
        if let Some(id) = found {
            return Device { bus, id };
        }
        place.pop();
    }
    Device::default()
}

/// The last part of where a link of sysfs points to, or empty.
fn target(link: &Path) -> String {
    fs::read_link(link)
        .ok()
        .and_then(|target| Some(target.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_default()
}
