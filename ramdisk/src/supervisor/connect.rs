//! The first connections: reach the lender, negotiate the disk, make it a device.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use stiefel_core::ticket::AttachTicket;
use stiefel_linux::nbd::{Export, Geometry, Nbd, Patience};

use super::DEVICE;
use super::path::{Path, Reach};
use super::strands::Strands;
use crate::console::{note, warn};

/// Time to find the cable and put it in.
const REACH_LIMIT: Duration = Duration::from_secs(180);
/// A cable that was just put in, or a switch, may take so long; then we tell.
const REACH_SOON: Duration = Duration::from_secs(6);
/// Between two attempts to reach somebody who does not answer.
const AGAIN: Duration = Duration::from_millis(300);

/// `NBD_FLAG_READ_ONLY` and `NBD_FLAG_SEND_FLUSH` of the NBD protocol.
const READ_ONLY: u16 = 1 << 1;
const SEND_FLUSH: u16 = 1 << 2;

/// Makes the lent disk `/dev/nbd0`. Its partitions are found when it is opened.
pub(super) fn attach(
    nbd: &mut Nbd,
    path: &mut Path,
    ticket: &AttachTicket,
    patience: Patience,
) -> anyhow::Result<Strands> {
    path.size_packets();
    let (strands, export) = reach(path, ticket)?;
    check(&export, ticket)?;
    note("The lender's disk service is reached.");
    let geometry = Geometry {
        size: export.size,
        block_size: ticket.logical_block,
        flags: export.flags,
    };
    let sockets: Vec<_> = strands.alive().collect();
    nbd.connect(DEVICE, &sockets, geometry, patience)?;
    Ok(strands)
}

/// Tries until the lender answers. Tells what is missing, and again when that changes.
fn reach(path: &mut Path, ticket: &AttachTicket) -> anyhow::Result<(Strands, Export)> {
    let lender = &ticket.lender;
    let since = Instant::now();
    let mut told = String::new();
    let mut strands = Strands::none();
    loop {
        let missing = match path.reach() {
            Reach::Cable => match strands.connect() {
                Ok(export) => return Ok((strands, export)),
                Err(error) => {
                    path.call();
                    format!("{lender} does not answer yet: {error}.")
                }
            },
            Reach::NoCarrier => {
                format!("The cable to {lender} is not in, or {lender} is off. Put it in.")
            }
            Reach::NoCard => "The network card was taken out. Plug it in again.".to_owned(),
        };
        if since.elapsed() > REACH_LIMIT {
            bail!(
                "{lender} cannot be reached; switch {lender} and this machine off and start again"
            );
        }
        if since.elapsed() > REACH_SOON && told != missing {
            warn(&missing);
            told = missing;
        }
        path.wait(AGAIN)?;
    }
}

/// The disk must be the one that was promised: another kernel may look at another one.
fn check(export: &Export, ticket: &AttachTicket) -> anyhow::Result<()> {
    let lender = &ticket.lender;
    ensure!(
        export.size == ticket.disk_size,
        "{lender} offers a disk of {} bytes instead of {}",
        export.size,
        ticket.disk_size
    );
    ensure!(
        export.flags & READ_ONLY == 0,
        "{lender} offers its disk for reading only"
    );
    ensure!(
        export.flags & SEND_FLUSH != 0,
        "{lender} cannot be told to flush its disk"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use stiefel_core::net::MacAddress;
    use stiefel_core::secret::Secret;
    use stiefel_core::ticket::Session;

    fn ticket() -> AttachTicket {
        AttachTicket {
            lender: "lap".parse().unwrap(),
            session: Session {
                private_key: Secret::from_bytes([1; 32]),
                lender_key: [2; 32],
                preshared_key: Secret::from_bytes([3; 32]),
                lender_address: "fe80::1".parse().unwrap(),
                epoch: 1,
            },
            link: MacAddress([2, 0, 0, 0, 0, 1]),
            disk_size: 1 << 30,
            logical_block: 512,
            patience_secs: 600,
            init: "/init".into(),
        }
    }

    #[test]
    fn only_the_promised_disk_is_taken() {
        let promised = Export {
            size: 1 << 30,
            flags: 1 | SEND_FLUSH,
            minimum_block: 512,
            preferred_block: 4096,
            maximum_block: 32 << 20,
        };
        assert!(check(&promised, &ticket()).is_ok());
        let others = [
            Export {
                size: 1 << 29,
                ..promised
            },
            Export {
                flags: promised.flags | READ_ONLY,
                ..promised
            },
            Export {
                flags: 1,
                ..promised
            },
        ];
        for other in others {
            assert!(check(&other, &ticket()).is_err(), "{other:?}");
        }
    }
}
