//! Wired network interfaces, from rtnetlink: it tells of plugging, renaming and
//! carrier alike.

use super::{Happening, Link, Reporter, Trouble};
use stiefel_linux::links::{Links, Monitor};

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
            Some(Link {
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
    let link = format!("/sys/class/net/{interface}/device/driver");
    std::fs::read_link(link)
        .ok()
        .and_then(|target| Some(target.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_default()
}
