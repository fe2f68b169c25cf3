//! The borrower, from its stick: finds its lender, wakes it, fetches its
//! system, and starts it.

use crate::error_log::{self, ErrorLog, Stick};
use crate::hardware::Hardware;
use crate::{console, wires};
use std::convert::Infallible;
use stiefel_core::cmdline;
use stiefel_core::modules::Purpose;
use stiefel_core::ticket::FetchTicket;
use stiefel_linux::kexec;
use stiefel_linux::uevent::Uevents;
use stiefel_server::borrow::{News, borrow};

/// What leads to the lender. It comes first: a link takes its time to come up.
const NETWORK: &[Purpose] = &[Purpose::Bus, Purpose::UsbHost, Purpose::Net];
/// Nothing of this machine's own disks is touched, so nothing that drives them is loaded; what
/// drives the stick is, when something went wrong, see [`error_log`].
const DRIVEN: &[Purpose] = &[Purpose::Bus, Purpose::Net, Purpose::UsbHost, Purpose::Hid];

/// Searches until the lent system starts, or shows the errors of the stick.
///
/// # Errors
/// This machine has no network, or cannot start another kernel.
pub fn run(ticket: FetchTicket) -> anyhow::Result<Infallible> {
    let running = std::fs::read_to_string("/proc/cmdline")?;
    let stick = cmdline::error_log(&running).map(|serial| Stick {
        pairing: ticket.pairing.id,
        serial,
    });
    if cmdline::shows_errors(&running) {
        return error_log::show(stick);
    }
    let errors = ErrorLog::on(stick, &ticket.lender);
    // Whoever waits for the end meanwhile leaves the stick more time than it needs.
    start(&ticket, &running, &errors).inspect_err(|error| errors.failed(&format!("{error:#}")))
}

fn start(ticket: &FetchTicket, running: &str, errors: &ErrorLog) -> anyhow::Result<Infallible> {
    let lender = &ticket.lender;
    console::say(&format!("This machine borrows the system of {lender}."));
    let uevents = Uevents::open()?;
    let mut hardware = Hardware::open()?;
    hardware.coldplug(NETWORK);
    wires::keep_on(vec![])?;
    hardware.keep_driven(uevents, DRIVEN, &[])?;
    // Behind the network, so that whatever fails, it is known what of that there is.
    kexec::available()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    console::say(&format!(
        "Searching {lender} on all wired interfaces. Is its cable in, is it switched on and armed?"
    ));
    let mut said = String::new();
    let filter = Box::new(|link: &_| wires::usable(link, &[]));
    let search = borrow(ticket, filter, |news| {
        let words = news.in_words(lender);
        match news {
            News::Failed(_) | News::OtherVersion(_) => errors.failed(&words),
            News::Heard(_) | News::Fetching { .. } | News::Fetched(_) => errors.heard(),
        }
        // The countdown's seconds change all the time; once is enough.
        let what = words.split(" (").next().unwrap_or_default();
        if said != what {
            console::say(&words);
            said = what.to_owned();
        }
    });
    let borrowed = runtime.block_on(search)?;
    borrowed.load(running)?;
    errors.goes_well();
    console::say(&format!("Starting the system of {lender}."));
    Ok(kexec::execute()?)
}
