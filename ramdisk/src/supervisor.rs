//! Keeps the lent disk attached, from before the lent system's first program until after
//! its last.
//!
//! It lives alone: in a network namespace with the card and the tunnel, where the lent
//! system's network programs cannot touch them; on a root file system of its own, in locked
//! memory, with nothing open that lies on the disk it keeps alive. systemd spares it because
//! of the `@` in its name.
//!
//! ```text
//! card or cable ─┐
//! dead socket  ──┼─▶ wait ─▶ restore the path ─▶ dial ─▶ give the socket to the kernel ─┐
//! hook, daemon ──┘    ▲                                                                │
//!                     └────────────────────────────────────────────────────────────────┘
//! ```

mod connect;
mod connection;
mod control;
mod follow;
mod heir;
mod lender;
mod path;
mod release;
mod seclusion;
mod strands;
mod watch;

use std::convert::Infallible;
use std::io::{self, PipeWriter, Write};
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, poll};
use stiefel_core::pairing::Name;
use stiefel_core::supervisor::{Answer, Question, Status};
use stiefel_core::ticket::AttachTicket;
use stiefel_linux::nbd::{Nbd, Patience};
use stiefel_linux::{process, tcp};

use crate::console::{note, warn};
use crate::hardware::Hardware;
use control::Control;
use follow::Followers;
use heir::Heir;
use path::{Path, Reach};
use release::Flush;
use seclusion::Seclusion;
use strands::Strands;

/// The device that the disk becomes: `/dev/nbd0`.
const DEVICE: u32 = 0;
/// A request without an answer for this long means that its connection is dead. Long against
/// a slow disk that wakes up, short against a person's patience.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// All memory of ours is locked, and a thread that only waits needs little.
const STACK: usize = 128 << 10;
/// While the kernel looks for partitions.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Attaches the disk, tells so through `attached`, and looks after it for ever.
///
/// # Errors
/// The disk could not be attached.
pub(crate) fn run(
    ticket: AttachTicket,
    mut hardware: Hardware,
    mut attached: PipeWriter,
) -> anyhow::Result<Infallible> {
    process::mark_as_storage_daemon()?;
    rustix::thread::set_name(c"@stiefel").context("cannot name this process")?;
    // What belongs to the first network namespace is opened before we leave it.
    let control = Control::open()?;
    let mut nbd = Nbd::open()?;
    let mut path = Path::leave(&ticket)?;
    // The card is busy finding out that it has a cable: time to load the tunnel's modules.
    hardware.load_named(&["wireguard"])?;
    match hardware.load_named(&["macvlan"]) {
        Ok(()) => path.allow_detours(),
        Err(error) => note(&format!("The loan stays on its network card: {error:#}.")),
    }
    drop(hardware);
    path.make_tunnel(&ticket)?;
    note("The tunnel is made.");

    let patience = Patience {
        request: REQUEST_LIMIT,
        all_dead: Duration::from_secs(ticket.patience_secs.into()),
    };
    let strands = connect::attach(&mut nbd, &mut path, &ticket, patience)?;
    let AttachTicket {
        lender, session, ..
    } = ticket;
    let epoch = session.epoch;
    // From now on only the kernel has the keys.
    drop(session);
    let seclusion = Seclusion::enter()?;
    let mut supervisor = Supervisor {
        lender,
        epoch,
        nbd,
        path,
        strands,
        patience,
        control,
        followers: Followers::default(),
        since: Instant::now(),
        seclusion,
        heir: Heir::missing(),
        waiting: None,
        flush: None,
        released: false,
    };
    supervisor.look_for_partitions()?;
    attached.write_all(b"k").context("PID 1 is gone")?;
    drop(attached);
    supervisor.run()
}

struct Supervisor {
    lender: Name,
    epoch: u64,
    nbd: Nbd,
    path: Path,
    strands: Strands,
    patience: Patience,
    control: Control,
    followers: Followers,
    /// When the disk was attached.
    since: Instant,
    seclusion: Seclusion,
    /// Who goes on when we are killed.
    heir: Heir,
    /// Since when there is no connection.
    waiting: Option<Waiting>,
    /// The disk is to be given back as soon as it is flushed.
    flush: Option<Flush>,
    released: bool,
}

struct Waiting {
    since: Instant,
    /// The lender has been given up, and the person told so.
    hopeless: bool,
}

/// What woke us.
#[derive(Default)]
struct Woken {
    path: bool,
    control: bool,
}

impl Supervisor {
    fn run(mut self) -> ! {
        loop {
            self.appoint_heir();
            let woken = self.wait();
            self.heir.bury();
            // The client's events only wake us; the socket itself tells whether it is dead.
            let _ = self.nbd.take_events();
            if woken.path && self.path.heed() {
                self.strands.try_now();
            }
            if woken.control {
                self.answer();
            }
            self.finish_release();
            if !self.released {
                self.tend();
            }
            let mut followers = std::mem::take(&mut self.followers);
            followers.tell(|| self.status());
            self.followers = followers;
        }
    }

    /// The kernel does so on a thread that waits for the disk, and we look after the disk
    /// meanwhile: the cable may be out just now.
    fn look_for_partitions(&mut self) -> anyhow::Result<()> {
        let (end, thread_end) = io::pipe().context("cannot make a pipe")?;
        let open = move || {
            let opened = Seclusion::open_disk().map(drop);
            drop(thread_end);
            opened
        };
        let thread = thread::Builder::new().stack_size(STACK).spawn(open);
        let thread = thread.context("cannot start a thread")?;
        while !process::wait_readable(&end, LOOK_AGAIN)? {
            let _ = self.nbd.take_events();
            if self.path.heed() {
                self.strands.try_now();
            }
            self.tend();
        }
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Sleeps until there is something to do. While all connections are alive that may be hours.
    fn wait(&mut self) -> Woken {
        let tries = match self.released {
            true => None,
            false => self.strands.next_try(self.path.carrier()),
        };
        let turn = self.path.next_turn().filter(|_| !self.released);
        let next = tries.into_iter().chain(self.heir.next_try());
        let next = next.chain(turn).min();
        let limit = next.map(|next| next.saturating_duration_since(Instant::now()));
        let limit = limit.and_then(|limit| limit.try_into().ok());
        let events = self.nbd.events();
        let mut fds = vec![PollFd::from_borrowed_fd(events, PollFlags::IN)];
        fds.extend(
            self.path
                .monitors()
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
        );
        fds.push(PollFd::from_borrowed_fd(
            self.control.as_fd(),
            PollFlags::IN,
        ));
        fds.extend(
            self.heir
                .end()
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
        );
        let flush = self.flush.as_ref().map(Flush::end);
        fds.extend(flush.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        if !self.released {
            let watch = self.strands.watch();
            fds.extend(watch.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            let alive = self.strands.alive();
            fds.extend(alive.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::RDHUP)));
        }
        // Interrupted or not: everything is looked at anew.
        let _ = poll(&mut fds, limit.as_ref());
        let ready = |at: usize| !fds[at].revents().is_empty();
        Woken {
            path: ready(1) || ready(2),
            control: ready(3),
        }
    }

    /// Looks after the connections: notices when one is dead, makes a new one.
    fn tend(&mut self) {
        self.strands.bury_dead();
        self.tell();
        if self.path.choose(self.strands.are_lost()) {
            self.strands.try_now();
        }
        self.revive();
        self.tell();
    }

    fn revive(&mut self) {
        let carrier = self.path.carrier();
        if carrier && self.strands.are_lost() {
            self.path.call();
        }
        self.strands
            .revive(&mut self.nbd, DEVICE, self.patience, carrier);
    }

    /// Tells the person when the disk stops and when it goes on.
    fn tell(&mut self) {
        let alive = self.strands.alive().next().is_some();
        let lender = &self.lender;
        match &mut self.waiting {
            None if !alive => {
                warn(&format!(
                    "No connection to {lender}: this system waits up to {} minutes for its disk. \
                     Put the cable back in.",
                    self.patience.all_dead.as_secs().div_ceil(60)
                ));
                self.waiting = Some(Waiting {
                    since: Instant::now(),
                    hopeless: false,
                });
            }
            Some(waiting) if alive => {
                let seconds = waiting.since.elapsed().as_secs();
                warn(&format!(
                    "{lender} is back after {seconds} s; this system goes on."
                ));
                self.waiting = None;
            }
            Some(waiting)
                if !waiting.hopeless && waiting.since.elapsed() > self.patience.all_dead =>
            {
                waiting.hopeless = true;
                warn(&format!(
                    "{lender} did not come back and runs its own system again. This one has lost \
                     its disk: switch this machine off. What was saved is on {lender}."
                ));
            }
            Some(_) | None => {}
        }
    }

    fn answer(&mut self) {
        while let Some((question, asker)) = self.control.next() {
            let answer = match question {
                Question::Status => Answer::Status(self.status()),
                Question::Follow => {
                    self.followers.add(asker, self.status());
                    continue;
                }
                Question::Lender { news } => {
                    // Its thread would be in the way of an heir.
                    match self.heir.end() {
                        Some(_) => lender::relay(asker, news),
                        None => lender::refuse(asker, "busy for a moment"),
                    }
                    continue;
                }
                Question::Release { .. } if self.released => Answer::Released,
                Question::Release { verb } => {
                    self.flush = match self.flush.take() {
                        Some(flush) => Some(flush.asked_again(asker)),
                        None => self.begin_release(verb, asker),
                    };
                    continue;
                }
            };
            asker.tell(&answer);
        }
    }

    fn status(&self) -> Status {
        Status {
            lender: self.lender.clone(),
            epoch: self.epoch,
            connected: self.strands.alive().next().is_some(),
            waiting_secs: self
                .waiting
                .as_ref()
                .map(|waiting| waiting.since.elapsed().as_secs()),
            carrier: self.path.carrier(),
            released: self.released,
            card: self.path.reach() != Reach::NoCard,
            lost: self
                .waiting
                .as_ref()
                .is_some_and(|waiting| waiting.hopeless),
            patience_secs: self.patience.all_dead.as_secs(),
            held_secs: self.since.elapsed().as_secs(),
            // There is no sysfs here; the lender tells the speed of the same cable.
            speed_mbps: 0,
            latency_usec: self.latency_usec(),
        }
    }

    /// As TCP has measured it on the connection that works best; 0 if none does.
    fn latency_usec(&self) -> u32 {
        let measured = self
            .strands
            .alive()
            .filter_map(|socket| tcp::round_trip(socket).ok()?);
        let best = measured.min().unwrap_or_default();
        u32::try_from(best.as_micros()).unwrap_or(u32::MAX)
    }
}
