//! The lender's state, and what each wake does to it.

mod ending;
mod grant;
mod missing;
#[cfg(test)]
mod tests;
mod view;

use super::gate::AtGate;
use super::outlook::Alarm;
use super::{Way, now, status};
use crate::console;
use missing::Missing;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;
use stiefel_core::battery::Gauge;
use stiefel_core::control::{DiskStatus, Refused, Released};
use stiefel_core::discovery::Standing;
use stiefel_core::loan::{Event, Loan, Stage};
use stiefel_core::pairing::{Name, Pairing, PairingId};
use stiefel_core::ticket::ServeTicket;
use stiefel_server::boot::Asked;
use stiefel_server::control::Command;
use stiefel_server::discovery::{self, Answerer};
use stiefel_server::disk::{Denied, Disk, Server};
use tokio::sync::{mpsc, oneshot};
use view::Seen;

/// What the loop has to do next.
pub enum Next {
    Wait,
    /// Take commands from this control service from now on.
    Listen(mpsc::Receiver<Command>),
    HangUp(Arc<Server>),
    Sync(Arc<Disk>),
    GoHome(Way),
}

/// The disk service of one grant.
struct Service {
    server: Arc<Server>,
    /// The disk was attached by this grant.
    attached: bool,
}

pub struct Lender {
    ticket: ServeTicket,
    disk: Arc<Disk>,
    logical_block: u32,
    loan: Loan,
    service: Option<Service>,
    /// When it was attached first.
    held_since: Option<Instant>,
    missing: Option<Missing>,
    to_gate: mpsc::Sender<AtGate>,
    /// Borrowers whose release waits for the disk to be synced.
    releasing: Vec<oneshot::Sender<Result<Released, Refused>>>,
    epoch: u64,
    searching: BTreeSet<PairingId>,
    gauge: Gauge,
    seen: Option<Seen>,
    disk_status: Option<DiskStatus>,
    disk_name: String,
    /// What the person has not heard yet.
    alarms: Vec<Alarm>,
}

impl Lender {
    pub fn new(
        ticket: ServeTicket,
        disk: Arc<Disk>,
        found: stiefel_linux::block::Disk,
        to_gate: mpsc::Sender<AtGate>,
    ) -> Self {
        let this = Self {
            logical_block: found.logical_block,
            loan: Loan::offered(ticket.limits, now()),
            ticket,
            disk,
            service: None,
            held_since: None,
            missing: None,
            to_gate,
            releasing: vec![],
            epoch: 0,
            searching: BTreeSet::new(),
            gauge: Gauge::default(),
            seen: None,
            disk_status: None,
            disk_name: format!("{}, {:.1} GB", found.name, found.identity.size as f64 / 1e9),
            alarms: vec![],
        };
        let to = match this.ticket.promised_to {
            Some(id) => format!("to {}", this.name(id)),
            None => "to the first paired machine".into(),
        };
        console::say(&format!(
            "Ready: offering {} ({:.1} GB) {to}.",
            found.name,
            found.identity.size as f64 / 1e9
        ));
        this
    }

    /// When [`Lender::look_at_clock`] is due.
    pub fn deadline(&self) -> Option<tokio::time::Instant> {
        let reminder = self.missing.as_ref().map(|missing| missing.next);
        let deadline = self.loan.deadline();
        deadline.into_iter().chain(reminder).min().map(Into::into)
    }

    /// Reports the time to the loan machine, and reminds people of a borrower that is missed.
    pub fn look_at_clock(&mut self) -> Next {
        let now = now();
        if let Some(missing) = &mut self.missing {
            let first = !missing.is_told();
            if let Some(secs) = missing.due(now) {
                self.alarms.push(Alarm::Missing { secs });
                console::warn(&match (first, self.ticket.limits.patience()) {
                    (true, Some(limit)) => format!(
                        "The borrower has vanished. Waiting {} s for it; is the cable in?",
                        limit.as_secs()
                    ),
                    (true, None) => "The borrower has vanished. Is the cable in? This machine \
                         waits for it, until somebody takes the disk back here."
                        .into(),
                    (false, _) => {
                        format!(
                            "The borrower is still missed, for {} minutes now.",
                            secs / 60
                        )
                    }
                });
            }
        }
        self.happened(Event::Tick { now })
    }

    /// What people should hear, once.
    pub fn take_alarms(&mut self) -> Vec<Alarm> {
        std::mem::take(&mut self.alarms)
    }

    /// Tells the search how we stand to everybody.
    pub fn announce(&self, answerer: &mut Answerer) {
        let lent_to = |id| Standing::Lent { to: self.name(id) };
        match *self.loan.stage() {
            Stage::Offered { .. } => match self.ticket.promised_to {
                None => answerer.set_standing(Standing::Offering),
                Some(id) => {
                    answerer.set_standing(lent_to(id));
                    answerer.set_standing_of(id, Standing::Offering);
                }
            },
            Stage::Granted { borrower, .. }
            | Stage::Orphaned { borrower, .. }
            | Stage::Restarting { borrower, .. } => {
                answerer.set_standing(lent_to(borrower));
                answerer.set_standing_of(borrower, Standing::Offering);
            }
            Stage::Held { borrower, .. } | Stage::Parting { borrower, .. } => {
                answerer.set_standing(lent_to(borrower));
            }
            Stage::Closing { .. } | Stage::Closed { .. } => {
                answerer.set_standing(Standing::Leaving);
            }
        }
    }

    pub fn searched(&mut self, event: &discovery::Event) -> Next {
        match *event {
            discovery::Event::Seen { pairing, .. } => {
                if self.searching.insert(pairing) {
                    console::say(&format!("{} is searching us.", self.name(pairing)));
                }
            }
            // We are awake; its next search will show it so.
            discovery::Event::Wake { .. } => {}
            discovery::Event::OtherVersion { pairing, version } => console::warn(&format!(
                "{} speaks version {version} of the protocol, we speak version {}: make its stick again.",
                self.name(pairing),
                stiefel_core::discovery::VERSION
            )),
        }
        Next::Wait
    }

    /// Somebody asks for the bundle.
    pub fn asked(&mut self, asked: Asked, answerer: &mut Answerer) -> Next {
        // A wrong request is answered by dropping its reply.
        let Some((id, request)) = answerer.claim(&asked.request, asked.from) else {
            return Next::Wait;
        };
        match self.grant(id, &request, asked.from) {
            Ok((sealed, next)) => {
                // A borrower that has gone away asks again.
                let _ = asked.reply.send(sealed);
                next
            }
            Err(error) => {
                console::warn(&format!("Cannot lend to {}: {error:#}.", self.name(id)));
                Next::Wait
            }
        }
    }

    pub fn at_gate(&mut self, at_gate: AtGate) -> Next {
        match at_gate {
            AtGate::Open { epoch, reply } => {
                let fresh = !matches!(self.loan.stage(), Stage::Held { .. });
                let decision = self.loan.open(epoch).map_err(|refusal| Denied {
                    reason: refusal.to_string(),
                });
                if decision.is_ok() && fresh {
                    self.attached();
                }
                // A session that has gone meanwhile reports that it is closed.
                let _ = reply.send(decision);
                Next::Wait
            }
            AtGate::Closed => self.happened(Event::HungUp { now: now() }),
        }
    }

    fn attached(&mut self) {
        let told = self.missing.take().is_none_or(|missing| missing.is_told());
        let Some(service) = &mut self.service else {
            return;
        };
        if std::mem::replace(&mut service.attached, true) {
            console::say("The borrower is back.");
            if told {
                self.alarms.push(Alarm::BackAgain);
            }
            return;
        }
        self.held_since.get_or_insert_with(now);
        console::say(&format!(
            "The disk is attached. Memory in use: {} MiB.",
            status::memory_bytes() >> 20
        ));
    }

    pub fn commanded(&mut self, command: Command) -> Next {
        match command {
            Command::Status { reply } => {
                // Whoever asked may have gone.
                let _ = reply.send(self.status());
                Next::Wait
            }
            Command::Release { release, reply } => self.released(&release, reply),
        }
    }

    /// Reports an event to the loan machine and does what it says.
    pub fn happened(&mut self, event: Event) -> Next {
        let effect = self.loan.handle(event, self.ticket.limits);
        let orphaned = matches!(self.loan.stage(), Stage::Orphaned { .. });
        match (&self.missing, orphaned) {
            (None, true) => self.missing = Some(Missing::since(now())),
            (Some(_), false) => self.missing = None,
            (Some(_), true) | (None, false) => {}
        }
        self.obey(effect)
    }

    fn pairing(&self, id: PairingId) -> Option<&Pairing> {
        self.ticket.pairings.iter().find(|pairing| pairing.id == id)
    }

    /// Only known pairings get this far.
    fn name(&self, id: PairingId) -> Name {
        let pairing = self.pairing(id);
        pairing.map_or_else(
            || self.ticket.lender.clone(),
            |pairing| pairing.name.clone(),
        )
    }
}
