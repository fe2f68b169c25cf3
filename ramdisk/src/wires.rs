//! Switches wired interfaces on, as they come and go.

use std::time::Duration;
use stiefel_core::net::MacAddress;
use stiefel_linux::links::{Link, Links, Monitor};
use stiefel_linux::sysctl;

/// How long to sleep when nothing happens; a change wakes us at once.
const QUIET: Duration = Duration::from_secs(3600);

/// The interfaces that a loan may use: those listed, or all wired ones if none is.
#[must_use]
pub fn usable(link: &Link, chosen: &[MacAddress]) -> bool {
    let known = [link.mac, link.permanent_mac].into_iter().flatten();
    link.is_ethernet && (chosen.is_empty() || known.into_iter().any(|mac| chosen.contains(&mac)))
}

/// Starts a thread that switches usable interfaces on whenever one appears.
///
/// # Errors
/// The kernel tells nothing of its interfaces.
pub fn keep_on(chosen: Vec<MacAddress>) -> anyhow::Result<()> {
    // Open both here, so that what is wrong is told at once.
    let mut monitor = Monitor::open()?;
    let mut links = Links::open()?;
    switch_on(&mut links, &chosen);
    std::thread::Builder::new()
        .name("wires".into())
        .spawn(move || {
            while monitor.wait(QUIET).is_ok() {
                switch_on(&mut links, &chosen);
            }
        })?;
    Ok(())
}

fn switch_on(links: &mut Links, chosen: &[MacAddress]) {
    for link in links.list().unwrap_or_default() {
        if !link.up && usable(&link, chosen) {
            // It may be gone again, or the kernel may have no setting for it: then as it is.
            let _ = sysctl::prepare_interface(&link.name);
            let _ = links.set_up(link.index);
        }
    }
}
