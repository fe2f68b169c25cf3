//! Kernel settings below `/proc/sys`.
//!
//! What is below `net` is that of the caller's network namespace.

use std::fs;
use std::path::Path;

use crate::error::{Result, Tried};

/// Writes a setting, for example `set("kernel/kptr_restrict", "1")`.
pub fn set(name: &str, value: &str) -> Result<()> {
    set_below(Path::new("/proc/sys"), name, value)
}

/// Reads a setting, without the newline.
pub fn get(name: &str) -> Result<String> {
    fs::read_to_string(Path::new("/proc/sys").join(name))
        .map(|text| text.trim_end().to_owned())
        .tried(|| format!("cannot read the kernel setting {name}"))
}

/// Prepares an interface for a loan, before it is switched on: its addresses are usable at
/// once, and no router on the cable can give it others.
pub fn prepare_interface(interface: &str) -> Result<()> {
    set(&format!("net/ipv6/conf/{interface}/accept_dad"), "0")?;
    set(&format!("net/ipv6/conf/{interface}/accept_ra"), "0")
}

/// How often another machine is asked for its Ethernet address while it does not answer, ms. What
/// is to be sent to it waits until then; the kernel's own second is long for a cable with two ends.
const NEIGHBOUR_AGAIN: &str = "100";

/// Lets an interface find the other machine again soon after that was out of reach.
pub fn seek_neighbours_often(interface: &str) -> Result<()> {
    let name = format!("net/ipv6/neigh/{interface}/retrans_time_ms");
    set(&name, NEIGHBOUR_AGAIN)
}

fn set_below(root: &Path, name: &str, value: &str) -> Result<()> {
    fs::write(root.join(name), value)
        .tried(|| format!("cannot set the kernel setting {name} to {value}"))
}
