//! The borrower's way: from the search to the lent system's kernel, loaded and ready to be
//! started. The ramdisk goes it from its stick, `stiefelctl borrow` from a running system.

mod fastest;
pub mod wires;

use crate::discovery::{Found, LinkFilter, Seeker};
use crate::fetch::{FetchError, Fetched, fetch};
use fastest::Fastest;
use rustix::io::Errno;
use std::io::{self, Write};
use std::net::SocketAddrV6;
use std::os::fd::AsFd;
use stiefel_core::cmdline;
use stiefel_core::cpio;
use stiefel_core::discovery::{Nonces, Offer, Standing, VERSION};
use stiefel_core::pairing::Name;
use stiefel_core::ticket::{AttachTicket, FetchTicket, Session, TICKET_PATH, Ticket};
use stiefel_linux::kexec;
use stiefel_linux::links::Links;
use tokio::time::timeout_at;
use zeroize::Zeroizing;

/// Who goes on in the lent system: the init of its own initramfs.
const INIT: &str = "/init";

/// What happens on the way.
#[derive(Debug)]
pub enum News<'a> {
    /// The lender has answered.
    Heard(&'a Offer),
    /// It speaks this other version of the protocol.
    OtherVersion(u8),
    /// So many bytes of so many are here.
    Fetching {
        /// Bytes so far.
        taken: u64,
        /// Bytes in all.
        expected: u64,
    },
    /// All of it is here, and authentic; bytes.
    Fetched(u64),
    /// It did not work out; the search goes on.
    Failed(&'a FetchError),
}

impl News<'_> {
    /// For a person, who does not want to read the same twice in a row.
    #[must_use]
    pub fn in_words(&self, lender: &Name) -> String {
        match self {
            Self::Heard(offer) => standing(&offer.lender, &offer.standing),
            Self::OtherVersion(version) => format!(
                "{lender} speaks version {version} of the protocol, this machine version {VERSION}: make the stick again on {lender}."
            ),
            Self::Fetching { taken, expected } => {
                format!("Fetching: {} of {} MiB.", taken >> 20, expected >> 20)
            }
            Self::Fetched(bytes) => format!(
                "Fetched {:.1} MiB; all of it is authentic.",
                *bytes as f64 / f64::from(1 << 20)
            ),
            Self::Failed(error) => format!("{error}."),
        }
    }
}

fn standing(lender: &Name, standing: &Standing) -> String {
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

/// A lent system, in memory.
pub struct Borrowed {
    fetched: Fetched,
    lender: SocketAddrV6,
}

/// Why the lent system cannot be started here.
#[derive(Debug, thiserror::Error)]
pub enum NotLoaded {
    /// The interface over which it came is not there any more.
    #[error("the interface to the lender has gone; plug it in and start again")]
    LinkGone,
    /// Under lockdown only kernels start that a vendor has signed whom the running one trusts.
    #[error(
        "this machine's running kernel starts only what its own vendor has signed (Secure Boot, or lockdown), and does not trust the lent one ({0}). Boot from a stick that was made on the lender, or switch Secure Boot off"
    )]
    NotTrusted(stiefel_linux::Error),
    /// Whoever runs this may not.
    #[error("{0}; this needs root, and a kernel that may start another one")]
    NotAllowed(stiefel_linux::Error),
    /// The kernel refused for another reason.
    #[error(transparent)]
    Kernel(#[from] stiefel_linux::Error),
    /// The command line does not fit.
    #[error(transparent)]
    CommandLine(#[from] cmdline::TooLong),
    /// Memory is full.
    #[error("the lent system cannot be put together: {0}")]
    Io(#[from] io::Error),
}

/// Searches on the interfaces that `filter` lets pass, wakes the lender, and goes on until its
/// system is here, which comes over the fastest of the interfaces that lead to it. Cancel-safe: what was fetched is dropped.
///
/// # Errors
/// The kernel has no IPv6, or the list of interfaces is lost.
pub async fn borrow(
    ticket: &FetchTicket,
    filter: LinkFilter,
    mut tell: impl FnMut(News<'_>),
) -> io::Result<Borrowed> {
    let mut seeker = Seeker::open(&ticket.pairing, filter)?;
    let mut fastest = Fastest::none();
    loop {
        let found = match fastest.until() {
            None => Some(seeker.next().await?),
            Some(until) => timeout_at(until, seeker.next()).await.ok().transpose()?,
        };
        let way = match found {
            None => fastest.give_up(),
            Some(Found::OtherVersion { version }) => {
                tell(News::OtherVersion(version));
                None
            }
            Some(Found::Lender {
                offer,
                nonces,
                address,
            }) => {
                tell(News::Heard(&offer));
                match offer.standing {
                    Standing::Offering => {
                        fastest.answered(address.scope_id(), (address, nonces), &seeker.speeds()?)
                    }
                    _ => None,
                }
            }
        };
        let Some((address, nonces)) = way else {
            continue;
        };
        match take(ticket, address, nonces, &mut tell).await {
            Ok(fetched) => {
                return Ok(Borrowed {
                    fetched,
                    lender: address,
                });
            }
            Err(error) => tell(News::Failed(&error)),
        }
    }
}

async fn take(
    ticket: &FetchTicket,
    address: SocketAddrV6,
    nonces: Nonces,
    tell: &mut impl FnMut(News<'_>),
) -> Result<Fetched, FetchError> {
    let mut quarter = 1;
    let fetched = fetch(address, &ticket.pairing, nonces, |taken, expected| {
        if let Some(expected) = expected
            && quarter < 4
            && taken * 4 >= expected * quarter
        {
            tell(News::Fetching { taken, expected });
            quarter = taken * 4 / expected + 1;
        }
    })
    .await?;
    let grant = &fetched.grant;
    tell(News::Fetched(
        grant.kernel_len + grant.initramfs_lens.iter().sum::<u64>(),
    ));
    Ok(fetched)
}

impl Borrowed {
    /// Loads the lent system's kernel, its initramfs, and the ticket behind it; nothing starts
    /// yet. `running` is the command line of the running kernel, whose consoles are kept.
    ///
    /// # Errors
    /// See [`NotLoaded`]; no kernel is loaded then.
    pub fn load(self, running: &str) -> Result<(), NotLoaded> {
        let grant = self.fetched.grant;
        let links = Links::open()?.list()?;
        let link = links
            .iter()
            .find(|link| link.index == self.lender.scope_id());
        // By the address that the device has when the next kernel finds it: the one in use
        // may have been chosen by a network service.
        let mac = link
            .and_then(stiefel_linux::links::Link::identity)
            .ok_or(NotLoaded::LinkGone)?;
        let attach = Ticket::Attach(Box::new(AttachTicket {
            lender: grant.lender,
            session: Session {
                private_key: self.fetched.private_key,
                lender_key: grant.tunnel_key,
                preshared_key: self.fetched.preshared_key,
                lender_address: *self.lender.ip(),
                epoch: grant.epoch,
            },
            link: mac,
            disk_size: grant.disk_size,
            logical_block: grant.logical_block,
            patience_secs: grant.patience_secs,
            init: INIT.into(),
        }));
        let json = Zeroizing::new(attach.to_json().map_err(io::Error::other)?);
        let archive = Zeroizing::new(cpio::archive(&[cpio::File {
            path: TICKET_PATH,
            mode: 0o600,
            data: &json,
        }])?);
        let mut initramfs = self.fetched.initramfs;
        initramfs.write_all(&archive)?;
        let line = cmdline::attach(&grant.cmdline, running)?;
        kexec::load(self.fetched.kernel.as_fd(), Some(initramfs.as_fd()), &line)
            .map_err(|error| why(error, kexec::lockdown()))
    }
}

/// kexec_file_load(2) under Secure Boot: no signature, one that is not trusted, or one that is
/// not that of the content. Locked down without Secure Boot, all three are EPERM
/// (`kimage_validate_signature` in kernel/kexec_file.c).
fn why(error: stiefel_linux::Error, locked_down: bool) -> NotLoaded {
    let signature = [
        Errno::NOKEY,
        Errno::KEYREJECTED,
        Errno::NODATA,
        Errno::BADMSG,
    ];
    let refused = locked_down && error.is(Errno::PERM);
    if refused || signature.iter().any(|errno| error.is(*errno)) {
        NotLoaded::NotTrusted(error)
    } else if error.is(Errno::PERM) || error.is(Errno::ACCESS) {
        NotLoaded::NotAllowed(error)
    } else {
        NotLoaded::Kernel(error)
    }
}

/// Whether this machine could start another kernel.
///
/// # Errors
/// See [`kexec::Unavailable`].
pub fn available() -> Result<(), kexec::Unavailable> {
    kexec::available()
}

/// Whether the running kernel starts signed kernels only.
#[must_use]
pub fn locked_down() -> bool {
    kexec::lockdown()
}

/// Forgets what [`Borrowed::load`] has loaded; fine if that is nothing.
///
/// # Errors
/// The kernel refuses.
pub fn unload() -> Result<(), stiefel_linux::Error> {
    kexec::unload()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(errno: Errno, locked_down: bool) -> NotLoaded {
        let error = stiefel_linux::Error::new("cannot load", io::Error::from(errno));
        why(error, locked_down)
    }

    #[test]
    fn a_kernel_of_another_vendor_is_told_from_other_refusals() {
        for errno in [Errno::NOKEY, Errno::KEYREJECTED, Errno::NODATA] {
            assert!(matches!(refused(errno, true), NotLoaded::NotTrusted(_)));
        }
        let locked = refused(Errno::PERM, true);
        assert!(matches!(locked, NotLoaded::NotTrusted(_)));
        let not_root = refused(Errno::PERM, false);
        assert!(matches!(not_root, NotLoaded::NotAllowed(_)));
        assert!(matches!(refused(Errno::NOMEM, true), NotLoaded::Kernel(_)));
        let words = locked.to_string();
        assert!(words.contains("stick"), "{words}");
    }

    #[test]
    fn words_name_the_lender() {
        let lender: Name = "laptop".parse().unwrap();
        let words = News::OtherVersion(9).in_words(&lender);
        assert!(words.contains("laptop") && words.contains('9'), "{words}");
        assert!(
            News::Fetched(3 << 20)
                .in_words(&lender)
                .starts_with("Fetched 3.0 MiB; all of it is authentic")
        );
    }
}
