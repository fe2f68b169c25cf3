//! The borrower, from its stick: finds its lender, wakes it, fetches its
//! system, and starts it.

use crate::hardware::Hardware;
use crate::{console, wires};
use anyhow::Context;
use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddrV6;
use std::os::fd::AsFd;
use stiefel_core::cmdline;
use stiefel_core::cpio;
use stiefel_core::discovery::{Nonces, Standing};
use stiefel_core::modules::Purpose;
use stiefel_core::pairing::Name;
use stiefel_core::ticket::{AttachTicket, FetchTicket, Session, TICKET_PATH, Ticket};
use stiefel_linux::kexec;
use stiefel_linux::links::Links;
use stiefel_linux::uevent::Uevents;
use stiefel_server::discovery::{Found, Seeker};
use stiefel_server::fetch::{FetchError, Fetched, fetch};
use zeroize::Zeroizing;

/// Who goes on in the lent system: the init of its own initramfs.
const INIT: &str = "/init";
/// What leads to the lender. It comes first: a link takes its time to come up.
const NETWORK: &[Purpose] = &[Purpose::Bus, Purpose::UsbHost, Purpose::Net];
/// Nothing of this machine's own disks is touched, so nothing that drives them is loaded.
const DRIVEN: &[Purpose] = &[Purpose::Bus, Purpose::Net, Purpose::UsbHost, Purpose::Hid];

/// Searches until the lent system starts.
///
/// # Errors
/// This machine has no network, or cannot start another kernel.
pub fn run(ticket: FetchTicket) -> anyhow::Result<Infallible> {
    console::say(&format!(
        "This machine borrows the system of {}.",
        ticket.lender
    ));
    kexec::available()?;
    let uevents = Uevents::open()?;
    let mut hardware = Hardware::open()?;
    hardware.coldplug(NETWORK);
    wires::keep_on(vec![])?;
    hardware.keep_driven(uevents, DRIVEN, &[])?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (fetched, lender) = runtime.block_on(search(&ticket))?;
    start(&ticket, fetched, lender)
}

async fn search(ticket: &FetchTicket) -> anyhow::Result<(Fetched, SocketAddrV6)> {
    let mut seeker = Seeker::open(&ticket.pairing, Box::new(|link| wires::usable(link, &[])))?;
    console::say(&format!(
        "Searching {} on all wired interfaces. Is its cable in, is it switched on and armed?",
        ticket.lender
    ));
    let mut said = String::new();
    loop {
        let (words, bundle) = match seeker.next().await? {
            Found::OtherVersion { version } => (other_version(&ticket.lender, version), None),
            Found::Lender {
                offer,
                nonces,
                address,
            } => {
                let offering = offer.standing == Standing::Offering;
                let words = in_words(&offer.lender, &offer.standing);
                (words, offering.then_some((address, nonces)))
            }
        };
        // The countdown's seconds change all the time; once is enough.
        let news = words.split(" (").next().unwrap_or_default();
        if said != news {
            console::say(&words);
            said = news.to_owned();
        }
        let Some((address, nonces)) = bundle else {
            continue;
        };
        match take(ticket, address, nonces).await {
            Ok(fetched) => return Ok((fetched, address)),
            Err(error) => {
                let words = format!("{error}.");
                if said != words {
                    console::say(&words);
                    said = words;
                }
            }
        }
    }
}

async fn take(
    ticket: &FetchTicket,
    address: SocketAddrV6,
    nonces: Nonces,
) -> Result<Fetched, FetchError> {
    let mut quarter = 1;
    let fetched = fetch(address, &ticket.pairing, nonces, |taken, expected| {
        if let Some(expected) = expected
            && quarter < 4
            && taken * 4 >= expected * quarter
        {
            console::say(&format!(
                "Fetching: {} of {} MiB.",
                taken >> 20,
                expected >> 20
            ));
            quarter = taken * 4 / expected + 1;
        }
    })
    .await?;
    let grant = &fetched.grant;
    let len = grant.kernel_len + grant.initramfs_lens.iter().sum::<u64>();
    console::say(&format!(
        "Fetched {:.1} MiB; all of it is authentic.",
        len as f64 / f64::from(1 << 20)
    ));
    Ok(fetched)
}

fn in_words(lender: &Name, standing: &Standing) -> String {
    match standing {
        Standing::Asleep => format!("Found {lender}. It runs its own system; asking it to lend."),
        Standing::Announced { seconds } => {
            format!("{lender} asks the person in front of it ({seconds} s).")
        }
        Standing::Leaving => format!("{lender} leaves its own system."),
        Standing::Declined => {
            format!(
                "{lender} does not lend now: somebody there said no, or something is in the way."
            )
        }
        Standing::Offering => format!("{lender} offers its disk."),
        Standing::Lent { to } => format!("{lender} is lent to {to}. Waiting until it is back."),
    }
}

fn other_version(lender: &Name, version: u8) -> String {
    let ours = stiefel_core::discovery::VERSION;
    format!(
        "{lender} speaks version {version} of the protocol, this stick version {ours}: make the stick again on {lender}."
    )
}

/// Starts the lent system with the attach ticket behind its initramfs.
fn start(
    ticket: &FetchTicket,
    fetched: Fetched,
    lender: SocketAddrV6,
) -> anyhow::Result<Infallible> {
    let grant = fetched.grant;
    let links = Links::open()?.list()?;
    let link = links.iter().find(|link| link.index == lender.scope_id());
    let mac = link
        .and_then(|link| link.mac)
        .context("the interface to the lender has gone; plug it in and start this machine again")?;
    let attach = Ticket::Attach(Box::new(AttachTicket {
        lender: grant.lender,
        session: Session {
            private_key: fetched.private_key,
            lender_key: grant.tunnel_key,
            preshared_key: fetched.preshared_key,
            lender_address: *lender.ip(),
            epoch: grant.epoch,
        },
        link: mac,
        disk_size: grant.disk_size,
        logical_block: grant.logical_block,
        patience_secs: grant.patience_secs,
        init: INIT.into(),
    }));
    let json = Zeroizing::new(attach.to_json()?);
    let archive = Zeroizing::new(cpio::archive(&[cpio::File {
        path: TICKET_PATH,
        mode: 0o600,
        data: &json,
    }])?);
    let mut initramfs = fetched.initramfs;
    initramfs.write_all(&archive)?;

    let own = std::fs::read_to_string("/proc/cmdline")?;
    let line = cmdline::attach(&grant.cmdline, &own)?;
    kexec::load(fetched.kernel.as_fd(), Some(initramfs.as_fd()), &line)?;
    console::say(&format!("Starting the system of {}.", ticket.lender));
    Ok(kexec::execute()?)
}
