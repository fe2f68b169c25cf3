//! Who goes on when the supervisor is killed: a second process, asleep in locked memory.
//!
//! ```text
//! supervisor ──fork──▶ heir, asleep
//!     ╳ killed           │ wakes
//!                        ▼
//!                    supervisor ──fork──▶ heir, asleep
//! ```
//!
//! The kernel works with its connections meanwhile, without either of them
//! (`docs/decisions/0010-the-supervisors-heir.md`).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, WaitOptions, getpid, pidfd_open, waitpid};
use stiefel_linux::process::{self, Fork};

use super::follow::Followers;
use super::strands::Strands;
use super::{DEVICE, Supervisor};
use crate::console::{note, warn};

/// A thread of ours asks the lender something, or there is no memory: tried again then.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a supervisor that has taken over tries in silence.
const SETTLE_LIMIT: Duration = Duration::from_secs(2);
const SETTLE_AGAIN: Duration = Duration::from_millis(20);

/// The heir as the supervisor sees it.
pub(super) enum Heir {
    /// There is one.
    Asleep {
        /// Who.
        pid: Pid,
        /// Readable when it has ended.
        process: OwnedFd,
    },
    /// There is none.
    Missing {
        /// When to appoint one.
        next_try: Instant,
    },
}

/// Which of the two processes we are after [`appoint`].
enum Which {
    /// The one that called.
    Supervisor(Heir),
    /// The heir, just born: nothing that belongs to the supervisor may stay open in it. It
    /// waits with [`sleep_until_end`].
    Heir {
        /// Readable when the supervisor has ended.
        supervisor: OwnedFd,
    },
}

impl Heir {
    /// None yet, and due.
    pub(super) fn missing() -> Self {
        Self::Missing {
            next_try: Instant::now(),
        }
    }

    /// None, and tried again after a while.
    fn later() -> Self {
        Self::Missing {
            next_try: Instant::now() + AGAIN,
        }
    }

    /// What to poll for [`Heir::bury`].
    pub(super) fn end(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Asleep { process, .. } => Some(process.as_fd()),
            Self::Missing { .. } => None,
        }
    }

    /// When to appoint one; `None` while there is one.
    pub(super) fn next_try(&self) -> Option<Instant> {
        match self {
            Self::Asleep { .. } => None,
            Self::Missing { next_try } => Some(*next_try),
        }
    }

    /// Finds out whether it has ended.
    pub(super) fn bury(&mut self) {
        if let Self::Asleep { pid, process } = self
            && has_ended(process, false)
        {
            // Nobody else waits for it, and if it is gone already there is nothing to reap.
            let _ = waitpid(Some(*pid), WaitOptions::NOHANG);
            *self = Self::missing();
        }
    }
}

impl Supervisor {
    /// Makes sure that somebody goes on when we are killed. In that process it returns when we
    /// are.
    pub(super) fn appoint_heir(&mut self) {
        let due = self.heir.next_try();
        if due.is_none_or(|due| due > Instant::now()) {
            return;
        }
        match appoint(self.seclusion.proc()) {
            Ok(Which::Supervisor(heir)) => self.heir = heir,
            Ok(Which::Heir { supervisor }) => {
                // Connections end with the process that has them.
                self.strands = Strands::none();
                self.followers = Followers::default();
                // Locks are not inherited (mlock(2)).
                if let Err(error) = self.seclusion.lock_memory() {
                    warn(&format!("{error:#}."));
                }
                sleep_until_end(&supervisor);
                drop(supervisor);
                self.take_over();
            }
            Err(error) => {
                note(&format!("No heir yet: {error:#}."));
                self.heir = Heir::later();
            }
        }
    }

    /// Goes on in place of a supervisor that was killed. Which connections the kernel uses died
    /// with that one, so it gets new ones, and the lender cuts the old.
    fn take_over(&mut self) {
        self.heir = Heir::missing();
        // Somebody may have given the disk back before.
        self.released = self
            .nbd
            .is_connected(DEVICE)
            .is_ok_and(|connected| !connected);
        if self.released {
            return;
        }
        warn(
            "The program that keeps the disk attached was killed. Another one has taken its \
             place; this system goes on.",
        );
        self.path.look();
        self.strands = Strands::succeed();
        let since = Instant::now();
        while self.path.carrier() && self.strands.are_not_in_use() && since.elapsed() < SETTLE_LIMIT
        {
            self.revive();
            std::thread::sleep(SETTLE_AGAIN);
        }
    }
}

/// Makes a second process of this one. `proc` is a descriptor of a `/proc`.
///
/// # Errors
/// This process has more than one thread at the moment, or there is no memory.
fn appoint(proc: BorrowedFd<'_>) -> anyhow::Result<Which> {
    // Opened before, so that the heir cannot take somebody else for us.
    let supervisor = pidfd_open(getpid(), PidfdFlags::empty()).context("cannot watch over us")?;
    match process::fork_seen_in(proc)? {
        Fork::Child => Ok(Which::Heir { supervisor }),
        Fork::Parent(pid) => {
            let process = pidfd_open(pid, PidfdFlags::empty()).context("cannot watch an heir")?;
            Ok(Which::Supervisor(Heir::Asleep { pid, process }))
        }
    }
}

/// Sleeps until the process has ended.
fn sleep_until_end(process: &OwnedFd) {
    while !has_ended(process, true) {}
}

fn has_ended(process: &OwnedFd, wait: bool) -> bool {
    let mut fds = [PollFd::new(process, PollFlags::IN)];
    let now = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let limit = if wait { None } else { Some(&now) };
    poll(&mut fds, limit).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn sleeper() -> std::process::Child {
        let mut command = Command::new("cat");
        command.stdin(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn an_heir_that_has_ended_is_replaced_at_once() {
        let mut child = sleeper();
        let pid = Pid::from_child(&child);
        let process = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let mut heir = Heir::Asleep { pid, process };
        heir.bury();
        assert!(heir.end().is_some() && heir.next_try().is_none());
        child.kill().unwrap();
        while heir.end().is_some() {
            heir.bury();
        }
        assert!(heir.next_try().unwrap() <= Instant::now());
        assert!(child.wait().is_err(), "it was reaped");
    }

    #[test]
    fn an_heir_wakes_when_the_other_one_is_gone() {
        let mut child = sleeper();
        let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
        assert!(!has_ended(&process, false));
        child.kill().unwrap();
        sleep_until_end(&process);
        assert!(has_ended(&process, false));
        child.wait().unwrap();
    }

    #[test]
    fn a_process_with_threads_appoints_nobody() {
        let proc = std::fs::File::open("/proc").unwrap();
        assert!(appoint(proc.as_fd()).is_err());
    }
}
