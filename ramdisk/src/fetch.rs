//! The borrower, from its stick: finds its lender, wakes it, fetches its
//! system, and starts it.

use crate::hardware::Hardware;
use crate::{console, wires};
use std::convert::Infallible;
use stiefel_core::modules::Purpose;
use stiefel_core::ticket::FetchTicket;
use stiefel_linux::kexec;
use stiefel_linux::uevent::Uevents;
use stiefel_server::borrow::borrow;

/// What leads to the lender. It comes first: a link takes its time to come up.
const NETWORK: &[Purpose] = &[Purpose::Bus, Purpose::UsbHost, Purpose::Net];
/// Nothing of this machine's own disks is touched, so nothing that drives them is loaded.
const DRIVEN: &[Purpose] = &[Purpose::Bus, Purpose::Net, Purpose::UsbHost, Purpose::Hid];

/// Searches until the lent system starts.
///
/// # Errors
/// This machine has no network, or cannot start another kernel.
pub fn run(ticket: FetchTicket) -> anyhow::Result<Infallible> {
    let lender = &ticket.lender;
    console::say(&format!("This machine borrows the system of {lender}."));
    kexec::available()?;
    let uevents = Uevents::open()?;
    let mut hardware = Hardware::open()?;
    hardware.coldplug(NETWORK);
    wires::keep_on(vec![])?;
    hardware.keep_driven(uevents, DRIVEN, &[])?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    console::say(&format!(
        "Searching {lender} on all wired interfaces. Is its cable in, is it switched on and armed?"
    ));
    let mut said = String::new();
    let filter = Box::new(|link: &_| wires::usable(link, &[]));
    let search = borrow(&ticket, filter, |news| {
        let words = news.in_words(lender);
        // The countdown's seconds change all the time; once is enough.
        let what = words.split(" (").next().unwrap_or_default();
        if said != what {
            console::say(&words);
            said = what.to_owned();
        }
    });
    let borrowed = runtime.block_on(search)?;
    borrowed.load(&std::fs::read_to_string("/proc/cmdline")?)?;
    console::say(&format!("Starting the system of {lender}."));
    Ok(kexec::execute()?)
}
