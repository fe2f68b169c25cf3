//! The lender's state, and what each wake does to it.

mod grant;

use super::gate::AtGate;
use super::{now, status};
use crate::console;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use stiefel_core::control::{Refused, Release, Released, Status};
use stiefel_core::discovery::Standing;
use stiefel_core::loan::{Effect, Event, Loan, Outcome, Refusal};
use stiefel_core::pairing::{Name, Pairing, PairingId};
use stiefel_core::ticket::{BUNDLE_DIR, ServeTicket};
use stiefel_linux::power::Power;
use stiefel_server::boot::Asked;
use stiefel_server::control::Command;
use stiefel_server::discovery::{self, Answerer};
use stiefel_server::disk::{Denied, Disk, Server};
use tokio::sync::{mpsc, oneshot};

/// A borrower that gives the disk back disconnects first: whoever is silent for this long does not.
const SURE: Duration = Duration::from_secs(1);

/// What the loop has to do next.
pub enum Next {
    Wait,
    /// Take commands from this control service from now on.
    Listen(mpsc::Receiver<Command>),
    HangUp(Arc<Server>),
    Sync(Arc<Disk>),
    GoHome,
}

/// The disk service of one grant.
struct Service {
    server: Arc<Server>,
    held_since: Option<Instant>,
}

pub struct Lender {
    ticket: ServeTicket,
    disk: Arc<Disk>,
    logical_block: u32,
    loan: Loan,
    deadline: Option<Instant>,
    /// When the last session ended, until we have told of it.
    vanished: Option<Instant>,
    service: Option<Service>,
    to_gate: mpsc::Sender<AtGate>,
    /// Borrowers whose release waits for the disk to be synced.
    releasing: Vec<oneshot::Sender<Result<Released, Refused>>>,
    epoch: u64,
    seen: BTreeSet<PairingId>,
    power: Option<Power>,
}

impl Lender {
    pub fn new(
        ticket: ServeTicket,
        disk: Arc<Disk>,
        found: stiefel_linux::block::Disk,
        to_gate: mpsc::Sender<AtGate>,
    ) -> Self {
        let (loan, effect) = Loan::offered(ticket.limits, now());
        let mut this = Self {
            logical_block: found.logical_block,
            ticket,
            disk,
            loan,
            deadline: None,
            vanished: None,
            service: None,
            to_gate,
            releasing: vec![],
            epoch: 0,
            seen: BTreeSet::new(),
            power: None,
        };
        this.remember(effect);
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
        let unsaid = self.vanished.map(|since| since + SURE);
        self.deadline
            .into_iter()
            .chain(unsaid)
            .min()
            .map(Into::into)
    }

    /// Reports the time to the loan machine.
    pub fn look_at_clock(&mut self) -> Next {
        if self.vanished.is_some_and(|since| since.elapsed() >= SURE) {
            self.vanished = None;
            if let Loan::Orphaned { .. } = self.loan {
                console::warn(&format!(
                    "The borrower has vanished. Waiting {} s for it; is the cable in?",
                    self.ticket.limits.patience_secs
                ));
            }
        }
        self.happened(Event::Tick { now: now() })
    }

    /// Tells the search how we stand to everybody.
    pub fn announce(&self, answerer: &mut Answerer) {
        let lent_to = |id| Standing::Lent { to: self.name(id) };
        match self.loan {
            Loan::Offered { .. } => match self.ticket.promised_to {
                None => answerer.set_standing(Standing::Offering),
                Some(id) => {
                    answerer.set_standing(lent_to(id));
                    answerer.set_standing_of(id, Standing::Offering);
                }
            },
            Loan::Granted { borrower, .. } | Loan::Orphaned { borrower, .. } => {
                answerer.set_standing(lent_to(borrower));
                answerer.set_standing_of(borrower, Standing::Offering);
            }
            Loan::Held { borrower, .. } => answerer.set_standing(lent_to(borrower)),
            Loan::Closing { .. } | Loan::Closed { .. } => answerer.set_standing(Standing::Leaving),
        }
    }

    pub fn searched(&mut self, event: &discovery::Event) -> Next {
        match *event {
            discovery::Event::Seen { pairing, .. } => {
                if self.seen.insert(pairing) {
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
                let fresh = !matches!(self.loan, Loan::Held { .. });
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
        self.deadline = None;
        let Some(service) = &mut self.service else {
            return;
        };
        if service.held_since.is_some() {
            return console::say("The borrower is back.");
        }
        service.held_since = Some(now());
        // What only the fetch needed is a good part of the memory.
        if let Err(error) = std::fs::remove_dir_all(Path::new("/").join(BUNDLE_DIR)) {
            console::warn(&format!("The bundle stays in memory: {error}."));
        }
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

    fn released(
        &mut self,
        release: &Release,
        reply: oneshot::Sender<Result<Released, Refused>>,
    ) -> Next {
        match self.loan.release(release.epoch) {
            Ok(effect) => {
                console::say("The borrower gives the disk back; writing what is left.");
                self.releasing.push(reply);
                self.obey(Some(effect))
            }
            // A repeated release waits for the same end as the first one.
            Err(Refusal::Closed) => {
                match self.loan {
                    Loan::Closed { .. } => {
                        let _ = reply.send(Ok(Released { epoch: self.epoch }));
                    }
                    _ => self.releasing.push(reply),
                }
                Next::Wait
            }
            Err(refusal) => {
                let message = refusal.to_string();
                let _ = reply.send(Err(Refused { message }));
                Next::Wait
            }
        }
    }

    pub fn recall(&mut self) -> Next {
        match self.loan.recall() {
            Ok(effect) => {
                console::say("Taking the disk back.");
                self.obey(Some(effect))
            }
            Err(_) => Next::Wait,
        }
    }

    pub fn synced(&mut self, result: io::Result<()>) -> Next {
        if let Err(error) = &result {
            console::warn(&format!(
                "THE DISK COULD NOT WRITE EVERYTHING ({error}). Check its file systems."
            ));
        }
        for reply in self.releasing.drain(..) {
            let answer = match &result {
                Ok(()) => Ok(Released { epoch: self.epoch }),
                Err(error) => Err(Refused {
                    message: format!("the disk could not write everything: {error}"),
                }),
            };
            let _ = reply.send(answer);
        }
        self.happened(Event::Synced)
    }

    /// Reports an event to the loan machine and does what it says.
    pub fn happened(&mut self, event: Event) -> Next {
        let effect = self.loan.handle(event, self.ticket.limits);
        if let (Loan::Orphaned { .. }, Event::HungUp { .. }) = (&self.loan, event) {
            self.vanished = Some(now());
        }
        self.obey(effect)
    }

    fn obey(&mut self, effect: Option<Effect>) -> Next {
        let Some(effect) = effect else {
            return Next::Wait;
        };
        self.remember(effect);
        match (effect, &self.service) {
            (Effect::WakeAt(_), _) | (Effect::HangUp, None) => Next::Wait,
            (Effect::HangUp, Some(service)) => Next::HangUp(service.server.clone()),
            (Effect::Sync, _) => Next::Sync(self.disk.clone()),
            (Effect::GoHome, _) => {
                self.say_goodbye();
                Next::GoHome
            }
        }
    }

    fn remember(&mut self, effect: Effect) {
        self.deadline = match effect {
            Effect::WakeAt(at) => Some(at),
            Effect::HangUp | Effect::Sync | Effect::GoHome => None,
        };
    }

    fn say_goodbye(&self) {
        let Loan::Closed { outcome } = self.loan else {
            return;
        };
        console::say(match outcome {
            Outcome::Returned => "The disk is back and complete. Starting our own system.",
            Outcome::Recalled => "The disk was taken back. Starting our own system.",
            Outcome::Lost => {
                "The borrower did not come back. Starting our own system; it recovers as after a power cut."
            }
            Outcome::Unused => "Nobody came for the disk. Starting our own system.",
        });
    }

    pub fn look_at_power(&mut self) -> Next {
        let power = status::power();
        let before = self.power.replace(power);
        if let Some(percent) = power.battery_percent
            && before.map(|before| before.on_mains) != Some(power.on_mains)
        {
            let source = if power.on_mains { "mains" } else { "battery" };
            console::say(&format!("Running on {source}, battery at {percent:.0} %."));
        }
        Next::Wait
    }

    fn status(&self) -> Status {
        let power = status::power();
        let stats = self.service.as_ref().map(|service| service.server.stats());
        let held = self.service.as_ref().and_then(|service| service.held_since);
        Status {
            lender: self.ticket.lender.clone(),
            loan: self.loan.tag().into(),
            epoch: self.epoch,
            held_secs: held.map_or(0, |since| since.elapsed().as_secs()),
            battery_percent: power.battery_percent,
            on_ac: power.on_mains,
            read_bytes: stats.map_or(0, |stats| stats.read_bytes),
            written_bytes: stats.map_or(0, |stats| stats.written_bytes),
            memory_bytes: status::memory_bytes(),
            empty_in_secs: 0,
            link_speed_mbps: status::link_speed_mbps(&self.ticket.links),
            celsius: status::hottest_celsius(),
            disk: None,
            asked_back_secs: None,
            news: 0,
        }
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
