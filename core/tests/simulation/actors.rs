//! The machines of the simulation: the rules of `stiefel-core`, and around them
//! just enough life to bring them into every state.

use crate::chance::Chance;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, Instant};
use stiefel_core::bundle::Request;
use stiefel_core::discovery::borrower::{self, Seeker};
use stiefel_core::discovery::lender::{self, Answerer};
use stiefel_core::discovery::{SEEK_INTERVAL, Standing};
use stiefel_core::loan::{Effect, Event, Loan, Onward, Outcome, Stage};
use stiefel_core::pairing::{Pairing, PairingId, Policy};
use stiefel_core::secret::Secret;
use stiefel_core::ticket::Limits;

pub const LIMITS: Limits = Limits {
    offer_secs: 40,
    patience_secs: 30,
};
/// From the order to wake up to the ramdisk, and from a kernel to the disk.
const HAND_OFF: Duration = Duration::from_secs(8);
const BOOT: Duration = Duration::from_secs(6);
/// A cable that is out for so long ends a session on the lender's side.
const SESSION_TIMEOUT: Duration = Duration::from_secs(5);
const LINK: u32 = 2;

pub fn pairing(number: u8) -> Pairing {
    Pairing {
        id: PairingId::from_bytes([number; 8]),
        name: format!("desk {number}").parse().unwrap(),
        secret: Secret::from_bytes([number; 32]),
        policy: Policy::Automatic,
    }
}

/// What goes over the wire before there is a tunnel.
#[derive(Clone)]
pub enum Message {
    Datagram(Vec<u8>),
    Request(Vec<u8>),
    /// Stands for the sealed bundle: only who made the request can open it.
    Grant {
        request: Vec<u8>,
        epoch: u64,
    },
}

impl Message {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Datagram(bytes) | Self::Request(bytes) | Self::Grant { request: bytes, .. } => {
                bytes
            }
        }
    }

    pub fn altered(mut self, chance: &mut Chance) -> Self {
        let (Self::Datagram(bytes) | Self::Request(bytes) | Self::Grant { request: bytes, .. }) =
            &mut self;
        let bit = chance.below(bytes.len() as u64 * 8) as usize;
        bytes[bit / 8] ^= 1 << (bit % 8);
        self
    }
}

enum System {
    Own { leaves_at: Option<Instant> },
    Ramdisk { loan: Loan },
}

pub struct Lender {
    pairings: Vec<Pairing>,
    answerer: Answerer,
    system: System,
    /// Sessions that can write, and the grant that each belongs to.
    sessions: Vec<(PairingId, u64)>,
    /// Who has had the disk in this loan.
    held_by: Option<PairingId>,
    pub outcomes: Vec<Outcome>,
}

pub struct Heard {
    pub answer: Option<Message>,
    /// It was a Wake or a Request, and it was obeyed.
    pub took_effect: bool,
}

impl Lender {
    pub fn new(pairings: &[Pairing]) -> Self {
        Self {
            pairings: pairings.to_vec(),
            answerer: answerer(pairings),
            system: System::Own { leaves_at: None },
            sessions: vec![],
            held_by: None,
            outcomes: vec![],
        }
    }

    pub fn runs_its_own_system(&self) -> bool {
        matches!(self.system, System::Own { .. })
    }

    pub fn writers(&self) -> impl Iterator<Item = (PairingId, u64)> + '_ {
        self.sessions.iter().copied()
    }

    pub fn hear(
        &mut self,
        message: &Message,
        from: Ipv6Addr,
        now: Instant,
        fresh: [u8; 32],
    ) -> Heard {
        let nothing = Heard {
            answer: None,
            took_effect: false,
        };
        match message {
            Message::Grant { .. } => nothing,
            Message::Datagram(bytes) => self.search(bytes, from, now, fresh),
            Message::Request(bytes) => {
                let Some((borrower, _)) = self.answerer.claim(bytes, from, now) else {
                    return nothing;
                };
                let System::Ramdisk { loan } = &mut self.system else {
                    return Heard {
                        took_effect: true,
                        ..nothing
                    };
                };
                let granted = loan.grant(borrower, LIMITS, now).ok();
                let answer = granted.map(|epoch| Message::Grant {
                    request: bytes.clone(),
                    epoch,
                });
                Heard {
                    answer,
                    took_effect: true,
                }
            }
        }
    }

    fn search(&mut self, datagram: &[u8], from: Ipv6Addr, now: Instant, fresh: [u8; 32]) -> Heard {
        let standing = self.standing();
        let from = SocketAddrV6::new(from, 61570, 0, LINK);
        match self
            .answerer
            .hear(datagram, from, now, fresh, |_| standing.clone())
        {
            lender::Heard::Nothing => Heard {
                answer: None,
                took_effect: false,
            },
            lender::Heard::Seek { answer, .. } | lender::Heard::OtherVersion { answer, .. } => {
                Heard {
                    answer: Some(Message::Datagram(answer.to_vec())),
                    took_effect: false,
                }
            }
            lender::Heard::Wake { .. } => {
                if let System::Own {
                    leaves_at: leaves_at @ None,
                } = &mut self.system
                {
                    *leaves_at = Some(now + HAND_OFF);
                }
                Heard {
                    answer: None,
                    took_effect: true,
                }
            }
        }
    }

    fn standing(&self) -> Standing {
        match &self.system {
            System::Own { leaves_at: None } => Standing::Asleep,
            System::Own { leaves_at: Some(_) } => Standing::Announced { seconds: 5 },
            System::Ramdisk { loan } => match loan.stage() {
                Stage::Closing { .. } | Stage::Closed { .. } => Standing::Leaving,
                Stage::Held { .. } | Stage::Parting { .. } => Standing::Lent {
                    to: pairing(1).name,
                },
                Stage::Offered { .. }
                | Stage::Granted { .. }
                | Stage::Orphaned { .. }
                | Stage::Restarting { .. } => Standing::Offering,
            },
        }
    }

    /// A session of the tunnel that belongs to the grant `epoch`.
    fn open(&mut self, borrower: PairingId, epoch: u64) -> bool {
        let System::Ramdisk { loan } = &mut self.system else {
            return false;
        };
        let holder = match *loan.stage() {
            Stage::Granted { borrower, .. }
            | Stage::Held { borrower, .. }
            | Stage::Orphaned { borrower, .. }
            | Stage::Parting { borrower, .. }
            | Stage::Restarting { borrower, .. } => borrower,
            Stage::Offered { .. } | Stage::Closing { .. } | Stage::Closed { .. } => return false,
        };
        // The tunnel has the keys of the newest grant, so nobody else gets this far.
        if holder != borrower || loan.open(epoch).is_err() {
            return false;
        }
        let first = *self.held_by.get_or_insert(borrower);
        assert_eq!(first, borrower, "the disk changes hands within a loan");
        self.sessions.push((borrower, epoch));
        true
    }

    fn end_session(&mut self, borrower: PairingId, now: Instant) {
        if let Some(at) = self.sessions.iter().position(|(of, _)| *of == borrower) {
            self.sessions.remove(at);
            self.happened(Event::HungUp { now });
        }
    }

    fn release(&mut self, borrower: PairingId, epoch: u64, now: Instant) {
        self.end_session(borrower, now);
        if let System::Ramdisk { loan } = &mut self.system
            && let Ok(Some(effect)) = loan.release(epoch, Onward::Leaves)
        {
            self.obey(effect);
        }
    }

    pub fn recall(&mut self) {
        // Hanging up takes until the next look at the clock.
        if let System::Ramdisk { loan } = &mut self.system
            && let Ok(Some(Effect::Sync)) = loan.recall()
        {
            self.go_home();
        }
    }

    pub fn live(&mut self, now: Instant) {
        match &mut self.system {
            System::Own {
                leaves_at: Some(at),
            } if *at <= now => {
                let loan = Loan::offered(LIMITS, now);
                self.system = System::Ramdisk { loan };
                // The ramdisk remembers nothing of what was said before.
                self.answerer = answerer(&self.pairings);
            }
            System::Own { .. } => {}
            System::Ramdisk { loan } if matches!(loan.stage(), Stage::Closing { .. }) => {
                while self.sessions.pop().is_some() {
                    self.happened(Event::HungUp { now });
                }
            }
            System::Ramdisk { loan } => {
                if loan.deadline().is_some_and(|at| at <= now) {
                    self.happened(Event::Tick { now });
                }
            }
        }
    }

    fn happened(&mut self, event: Event) {
        if let System::Ramdisk { loan } = &mut self.system
            && let Some(effect) = loan.handle(event, LIMITS)
        {
            self.obey(effect);
        }
    }

    fn obey(&mut self, effect: Effect) {
        match effect {
            // Each session ends when the clock is looked at next.
            Effect::HangUp => {}
            Effect::Sync | Effect::GoHome => self.go_home(),
        }
    }

    fn go_home(&mut self) {
        assert!(
            self.sessions.is_empty(),
            "the disk is synced under a writer"
        );
        if let System::Ramdisk { loan } = &mut self.system {
            // Only a loan that goes on asks for the time.
            let synced = Event::Synced {
                now: Instant::now(),
            };
            assert_eq!(loan.handle(synced, LIMITS), Some(Effect::GoHome));
            let Stage::Closed { outcome } = *loan.stage() else {
                panic!("home from {loan:?}");
            };
            self.outcomes.push(outcome);
            self.held_by = None;
            self.system = System::Own { leaves_at: None };
            self.answerer = answerer(&self.pairings);
        }
    }
}

fn answerer(pairings: &[Pairing]) -> Answerer {
    Answerer::new("laptop".parse().unwrap(), pairings)
}

enum Life {
    Searching {
        asked_at: Option<Instant>,
        request: Option<Vec<u8>>,
    },
    Booting {
        epoch: u64,
        until: Instant,
    },
    Running {
        epoch: u64,
        session: bool,
        cut_at: Option<Instant>,
    },
    Off,
}

pub struct Borrower {
    pairing: Pairing,
    seeker: Seeker,
    life: Life,
    answered: bool,
    /// A session that the lender still has, though we are gone.
    ghost_until: Option<Instant>,
}

impl Borrower {
    pub fn new(pairing: Pairing) -> Self {
        Self {
            seeker: Seeker::new(&pairing),
            pairing,
            life: Life::Off,
            answered: false,
            ghost_until: None,
        }
    }

    pub fn was_ever_answered(&self) -> bool {
        self.answered
    }

    pub fn lose_power(&mut self) {
        self.life = Life::Off;
    }

    pub fn hear(&mut self, message: &Message, now: Instant, fresh: [u8; 32]) -> Option<Message> {
        let Life::Searching { request, .. } = &mut self.life else {
            return None;
        };
        match message {
            Message::Request(_) => None,
            Message::Grant { request: of, epoch } => {
                // The seal opens with the keys of our own last request only.
                if request.as_ref() == Some(of) {
                    self.life = Life::Booting {
                        epoch: *epoch,
                        until: now + BOOT,
                    };
                }
                None
            }
            Message::Datagram(bytes) => {
                let borrower::Heard::Offer {
                    offer,
                    nonces,
                    wake,
                } = self.seeker.hear(bytes, LINK, now)
                else {
                    return None;
                };
                self.answered = true;
                if offer.standing != Standing::Offering {
                    return wake.map(Message::Datagram);
                }
                let ask = Request {
                    nonces,
                    exchange_key: fresh,
                    tunnel_key: fresh,
                };
                let bytes = ask.to_bytes(&self.pairing.secret).to_vec();
                *request = Some(bytes.clone());
                Some(Message::Request(bytes))
            }
        }
    }

    /// Lives on for a moment; returns what it sends.
    pub fn live(
        &mut self,
        lender: &mut Lender,
        now: Instant,
        cable: bool,
        fresh: [u8; 32],
        luck: u64,
        calm: bool,
    ) -> Option<Message> {
        let id = self.pairing.id;
        if !matches!(self.life, Life::Running { .. }) && lender.writers().any(|(of, _)| of == id) {
            // Nothing told the lender; its keepalive does.
            let until = *self.ghost_until.get_or_insert(now + SESSION_TIMEOUT);
            if until <= now {
                lender.end_session(id, now);
                self.ghost_until = None;
            }
        } else {
            self.ghost_until = None;
        }
        match &mut self.life {
            Life::Off => {
                if luck < 20 && !calm {
                    self.life = Life::Searching {
                        asked_at: None,
                        request: None,
                    };
                }
                None
            }
            Life::Searching { .. } if calm => {
                self.life = Life::Off;
                None
            }
            Life::Searching { asked_at, .. } => {
                if asked_at.is_some_and(|at| now < at + SEEK_INTERVAL) {
                    return None;
                }
                *asked_at = Some(now);
                Some(Message::Datagram(
                    self.seeker.ask(LINK, fresh, now).to_vec(),
                ))
            }
            Life::Booting { epoch, until } => {
                if *until <= now && cable {
                    let epoch = *epoch;
                    self.life = match lender.open(id, epoch) {
                        true => Life::Running {
                            epoch,
                            session: true,
                            cut_at: None,
                        },
                        false => Life::Off,
                    };
                }
                None
            }
            Life::Running {
                epoch,
                session,
                cut_at,
            } => {
                let still_there = lender.writers().any(|writer| writer == (id, *epoch));
                *session &= still_there;
                if !cable {
                    if *session && *cut_at.get_or_insert(now + SESSION_TIMEOUT) <= now {
                        lender.end_session(id, now);
                        *session = false;
                    }
                    return None;
                }
                *cut_at = None;
                let epoch = *epoch;
                if !*session {
                    *session = lender.open(id, epoch);
                    if !*session {
                        // Fenced, or the lender is home: this system has lost its disk.
                        self.life = Life::Off;
                    }
                } else if luck < 6 || calm {
                    lender.release(id, epoch, now);
                    self.life = Life::Off;
                }
                None
            }
        }
    }
}
