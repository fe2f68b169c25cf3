//! Wired network interfaces, from rtnetlink: it tells of plugging, renaming and
//! carrier alike.

use super::{Happening, Link, Reporter, Trouble};
use std::fs;
use std::path::Path;
use stiefel_linux::links::{Links, Monitor};

/// Where the kernel describes devices.
const SYS: &str = "/sys";

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
            let device = device(Path::new(SYS), &link.name);
            Some(Link {
                index: link.index,
                bus: device.bus,
                device_id: device.id,
                driver: device.driver,
                mac: link.identity()?,
                up: link.up,
                carrier: link.carrier,
                speed_mbps: link.speed_mbps.unwrap_or(0),
                name: link.name,
            })
        })
        .collect())
}

/// What an interface is, and what it is plugged into.
#[derive(Debug, Default, PartialEq, Eq)]
struct Device {
    driver: String,
    bus: String,
    id: String,
}

/// The driver of an interface, and the nearest device above it that has a vendor: of USB, the
/// device and not its interface; of Thunderbolt and PCI, the PCI function.
fn device(sys: &Path, interface: &str) -> Device {
    let start = sys.join("class/net").join(interface).join("device");
    let mut device = Device {
        driver: target(&start.join("driver")),
        ..Device::default()
    };
    let Ok(mut place) = start.canonicalize() else {
        return device;
    };
    let id = |place: &Path, vendor: &str, product: &str| {
        let read = |name| fs::read_to_string(place.join(name)).ok();
        let (vendor, product) = (read(vendor)?, read(product)?);
        let digits = |text: &str| text.trim().trim_start_matches("0x").to_owned();
        Some(format!("{}:{}", digits(&vendor), digits(&product)))
    };
    while place.starts_with(sys.join("devices")) {
        let bus = target(&place.join("subsystem"));
        let found = match bus.as_str() {
            "usb" => id(&place, "idVendor", "idProduct"),
            _ => id(&place, "vendor", "device"),
        };
        if let Some(id) = found {
            (device.bus, device.id) = (bus, id);
            break;
        }
        place.pop();
    }
    device
}

/// The last part of where a link of sysfs points to, or empty.
fn target(link: &Path) -> String {
    fs::read_link(link)
        .ok()
        .and_then(|target| Some(target.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A sysfs with an interface on this device; each of the devices above it has a subsystem
    /// and perhaps a vendor, in a file of the name that its bus uses.
    fn sysfs(devices: &[(&str, &str, &str)], driver: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let mut place = root.path().join("devices");
        for (name, subsystem, id) in devices {
            place.push(name);
            fs::create_dir_all(&place).unwrap();
            let bus = root.path().join("bus").join(subsystem);
            fs::create_dir_all(&bus).unwrap();
            symlink(bus, place.join("subsystem")).unwrap();
            let names = match *subsystem {
                "usb" => ["idVendor", "idProduct"],
                _ => ["vendor", "device"],
            };
            for (name, number) in names.iter().zip(id.split_terminator(':')) {
                fs::write(place.join(name), format!("{number}\n")).unwrap();
            }
        }
        if !driver.is_empty() {
            symlink(format!("../drivers/{driver}"), place.join("driver")).unwrap();
        }
        let interface = place.join("net/lan0");
        fs::create_dir_all(&interface).unwrap();
        symlink(&place, interface.join("device")).unwrap();
        fs::create_dir_all(root.path().join("class/net")).unwrap();
        symlink(&interface, root.path().join("class/net/lan0")).unwrap();
        root
    }

    fn found(devices: &[(&str, &str, &str)], driver: &str) -> [String; 3] {
        let root = sysfs(devices, driver);
        let root = root.path().canonicalize().unwrap();
        let Device { driver, bus, id } = device(&root, "lan0");
        [driver, bus, id]
    }

    const BRIDGE: (&str, &str, &str) = ("0000:00:14.0", "pci", "0x8086:0xa0ed");

    #[test]
    fn an_adapter_on_usb_is_known_by_its_device_and_not_by_its_interface() {
        let dock = ("2-1", "usb", "17ef:a391");
        let adapter = ("2-1.3", "usb", "0bda:8156");
        let interface = ("2-1.3:1.0", "usb", "");
        assert_eq!(
            found(&[BRIDGE, dock, adapter, interface], "r8152"),
            ["r8152", "usb", "0bda:8156"]
        );
    }

    #[test]
    fn a_card_is_known_by_its_pci_function() {
        let card = ("0000:3d:00.0", "pci", "0x8086:0x15f3");
        assert_eq!(found(&[BRIDGE, card], "igc"), ["igc", "pci", "8086:15f3"]);
        // A virtual machine's is one floor further down.
        let virtio = ("0000:01:00.0", "pci", "0x1af4:0x1041");
        assert_eq!(
            found(
                &[virtio, ("virtio0", "virtio", "0x1af4:0x0001")],
                "virtio_net"
            ),
            ["virtio_net", "virtio", "1af4:0001"]
        );
    }

    #[test]
    fn what_is_plugged_into_nothing_has_no_bus() {
        let tablet = ("soc", "platform", "");
        assert_eq!(found(&[tablet], "fec"), ["fec", "", ""]);
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("class/net/lan0")).unwrap();
        assert_eq!(device(root.path(), "lan0"), Device::default());
    }
}
