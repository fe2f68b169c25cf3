//! Promising the disk: the sealed answer to a borrower's request, and the tunnel
//! and the disk service that are for this borrower alone.

use super::{Lender, Next, Service};
use crate::console;
use crate::serve::gate::EpochGate;
use crate::serve::{now, tunnel};
use anyhow::Context;
use std::fs::File;
use std::io;
use std::net::SocketAddrV6;
use std::path::Path;
use std::sync::Arc;
use stiefel_core::bundle::{Agreed, Answer, Grant, Request, agree, public_key};
use stiefel_core::loan::Refusal;
use stiefel_core::net::{LENDER_ADDRESS, NBD_PORT, TUNNEL_INTERFACE};
use stiefel_core::pairing::{Name, PairingId};
use stiefel_core::secret::Secret;
use stiefel_core::ticket::{BUNDLE_INITRAMFS, BUNDLE_KERNEL, BUNDLE_RAMDISK};
use stiefel_server::boot::Sealed;
use stiefel_server::control;
use stiefel_server::disk::Server;
use stiefel_server::sockets::{listen, random};

/// What is said to a borrower, before it is sealed.
struct Reply {
    answer: Answer,
    files: Vec<File>,
    next: Next,
}

impl Lender {
    /// Answers an authentic request. A refusal is sealed, too: only paired machines learn anything.
    pub(super) fn grant(
        &mut self,
        id: PairingId,
        request: &Request,
        from: SocketAddrV6,
    ) -> anyhow::Result<(Sealed, Next)> {
        let pairing = self.pairing(id).context("it is not paired any more")?;
        let exchange = Secret::from_bytes(random()?);
        let exchange_key = public_key(&exchange);
        let Agreed {
            seal,
            preshared_key,
        } = agree(
            &pairing.secret,
            &exchange,
            &request.exchange_key,
            request,
            &exchange_key,
        )
        .context("its key is not a good one")?;
        let reply = self.reply(id, request.tunnel_key, &preshared_key, from)?;
        let sealed = Sealed {
            exchange_key,
            seal,
            answer: reply.answer,
            files: reply.files,
            sent: None,
        };
        Ok((sealed, reply.next))
    }

    fn reply(
        &mut self,
        id: PairingId,
        tunnel_key: [u8; 32],
        preshared_key: &Secret,
        from: SocketAddrV6,
    ) -> anyhow::Result<Reply> {
        let name = self.name(id);
        if let Some(to) = self.ticket.promised_to.filter(|to| *to != id) {
            return Ok(self.lent_to(to));
        }
        // It stays for a borrower that restarts.
        let files = open_bundle().context("cannot read the bundle")?;
        let epoch = match self.loan.grant(id, self.ticket.limits, now()) {
            Ok(epoch) => epoch,
            Err(Refusal::Lent { to }) => {
                console::say(&format!("{name} asks for the disk; it is lent."));
                return Ok(self.lent_to(to));
            }
            Err(Refusal::Closed | Refusal::Fenced) => {
                return Ok(refusal(None, "this machine is on its way home"));
            }
        };
        self.missing = None;
        self.epoch = epoch;
        let lens = files
            .iter()
            .map(|file| file.metadata().map(|data| data.len()))
            .collect::<io::Result<Vec<u64>>>()?;
        let [kernel_len, initramfs_lens @ ..] = lens.as_slice() else {
            anyhow::bail!("the bundle is empty");
        };
        let private_key = Secret::from_bytes(random()?);
        let next = self.serve(epoch, &private_key, tunnel_key, preshared_key)?;
        console::say(&format!(
            "{name} fetches the system ({:.1} MiB), from {}.",
            lens.iter().sum::<u64>() as f64 / f64::from(1 << 20),
            from.ip()
        ));
        let answer = Answer::Grant(Grant {
            lender: self.ticket.lender.clone(),
            kernel_len: *kernel_len,
            initramfs_lens: initramfs_lens.to_vec(),
            cmdline: self.ticket.cmdline.clone(),
            tunnel_key: public_key(&private_key),
            epoch,
            disk_size: self.ticket.disk.size,
            logical_block: self.logical_block,
            patience_secs: self.ticket.limits.freeze_secs(),
        });
        Ok(Reply {
            answer,
            files,
            next,
        })
    }

    /// The tunnel with this grant's keys, and the disk behind it.
    fn serve(
        &mut self,
        epoch: u64,
        private_key: &Secret,
        peer_key: [u8; 32],
        preshared_key: &Secret,
    ) -> anyhow::Result<Next> {
        // Whoever had an older grant is cut off before the new one can write.
        if let Some(old) = self.service.take() {
            old.server.hang_up();
        }
        tunnel::establish(private_key, peer_key, preshared_key).context("no tunnel")?;
        let address = SocketAddrV6::new(LENDER_ADDRESS, NBD_PORT, 0, 0);
        let listener = listen(address, Some(TUNNEL_INTERFACE)).context("no disk service")?;
        let gate = EpochGate {
            epoch,
            to_loop: self.to_gate.clone(),
        };
        self.service = Some(Service {
            server: Arc::new(Server::start(listener, self.disk.clone(), Arc::new(gate))?),
            attached: false,
        });
        Ok(Next::Listen(
            control::start(TUNNEL_INTERFACE).context("no control service")?,
        ))
    }

    fn lent_to(&self, id: PairingId) -> Reply {
        let name = self.name(id);
        let message = format!("{} is lent to {name}", self.ticket.lender);
        refusal(Some(name), &message)
    }
}

fn refusal(lent_to: Option<Name>, message: &str) -> Reply {
    Reply {
        answer: Answer::Refused {
            lent_to,
            message: message.into(),
        },
        files: vec![],
        next: Next::Wait,
    }
}

/// Kernel, stock initramfs, and our own ramdisk behind it.
fn open_bundle() -> io::Result<Vec<File>> {
    [BUNDLE_KERNEL, BUNDLE_INITRAMFS, BUNDLE_RAMDISK]
        .iter()
        .map(|path| File::open(Path::new("/").join(path)))
        .collect()
}
