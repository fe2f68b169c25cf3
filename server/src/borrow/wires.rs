//! The wired interfaces of a running system, made ready for a search, and put back after it.
//!
//! A search needs an interface that is switched on and has a link-local address. Where a
//! system has switched IPv6 off, or keeps an interface off, that is changed for as long as
//! [`Ready`] lives; what is as it should be is left alone.

use std::collections::BTreeMap;
use std::path::Path;
use stiefel_linux::links::{Link, Links, link_local_of};
use stiefel_linux::{Error, sysctl};

/// Length of a link-local prefix (RFC 4291, section 2.5.6).
const PREFIX: u8 = 64;

/// `addr_gen_mode` for no address of the kernel's own (Documentation/networking/ip-sysctl.rst).
const NOBODY: &str = "1";

/// A wired interface as `stiefelctl borrow` finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// The kernel's name.
    pub name: String,
    /// Switched on.
    pub up: bool,
    /// Somebody is at the other end, as far as that is known.
    pub carrier: bool,
    /// It has a link-local address.
    pub has_address: bool,
}

/// Whether a loan can go over an interface: wired, and not a part of a bridge or a bond,
/// which takes all that arrives on it.
#[must_use]
pub fn usable(link: &Link) -> bool {
    link.is_ethernet
        && !Path::new("/sys/class/net")
            .join(&link.name)
            .join("master")
            .exists()
}

/// Wired interfaces that a loan can go over.
///
/// # Errors
/// The kernel does not list its interfaces.
pub fn list() -> Result<Vec<Wire>, Error> {
    let mut links = Links::open()?;
    let usable = links.list()?.into_iter().filter(usable);
    let mut wires = Vec::new();
    for link in usable {
        wires.push(Wire {
            has_address: links.link_local(link.index)?.is_some(),
            name: link.name,
            up: link.up,
            carrier: link.carrier,
        });
    }
    Ok(wires)
}

/// What was changed.
#[derive(Debug, Default)]
struct Changed {
    switched_on: bool,
    /// What `disable_ipv6` was before.
    ipv6: Option<String>,
    addressed: bool,
}

/// Interfaces that are ready for a search; they are as they were before when this is dropped.
#[derive(Default)]
pub struct Ready(BTreeMap<u32, Changed>);

impl Ready {
    /// Makes all usable interfaces ready that are not; may be called again when others have
    /// been plugged in. What cannot be changed is left as it is.
    ///
    /// # Errors
    /// The kernel does not list its interfaces.
    pub fn make(&mut self) -> Result<(), Error> {
        let mut links = Links::open()?;
        for link in links.list()?.into_iter().filter(usable) {
            let changed = self.0.entry(link.index).or_default();
            let setting = ipv6(&link.name);
            if let Ok(before) = sysctl::get(&setting)
                && before != "0"
                && sysctl::set(&setting, "0").is_ok()
            {
                changed.ipv6.get_or_insert(before);
            }
            if !link.up && links.set_up(link.index).is_ok() {
                changed.switched_on = true;
            }
            // Where nobody has told it not to, the kernel makes one by itself, a second or two
            // after the carrier is there; ours would take its place, and leave none behind.
            let lacks = link.up
                && sysctl::get(&addresses(&link.name)).is_ok_and(|mode| mode == NOBODY)
                && links.link_local(link.index)?.is_none();
            if let Some(mac) = link.mac.filter(|_| lacks)
                && links
                    .add_address(link.index, link_local_of(mac), PREFIX)
                    .is_ok()
            {
                changed.addressed = true;
            }
        }
        Ok(())
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        let Ok(mut links) = Links::open() else { return };
        let present = links.list().unwrap_or_default();
        for (index, changed) in &self.0 {
            let Some(link) = present.iter().find(|link| link.index == *index) else {
                continue;
            };
            if changed.addressed
                && let Some(mac) = link.mac
            {
                let _ = links.remove_address(*index, link_local_of(mac), PREFIX);
            }
            if changed.switched_on {
                let _ = links.set_down(*index);
            }
            if let Some(before) = &changed.ipv6 {
                let _ = sysctl::set(&ipv6(&link.name), before);
            }
        }
    }
}

fn addresses(name: &str) -> String {
    format!("net/ipv6/conf/{name}/addr_gen_mode")
}

fn ipv6(name: &str) -> String {
    format!("net/ipv6/conf/{name}/disable_ipv6")
}
