//! A disk in memory that keeps only what was flushed, and that can be held or broken.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::HANG;
use stiefel_core::nbd::Export;
use stiefel_core::nbd::transmission::{Extent, Range};
use stiefel_server::disk::{Backing, Disk, Zeroing};

pub const BLOCK: u32 = 512;

/// What was done to the disk, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Wrote { offset: u64, first: u8 },
    Synced,
    Zeroed { offset: u64 },
    Trimmed { offset: u64 },
    Prefetched { offset: u64 },
}

/// What a disk may be made to wait with, or to fail in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Read,
    Write,
    Sync,
    Zero,
}

#[derive(Default)]
struct State {
    /// What is read: with everything that was written.
    cache: Vec<u8>,
    /// What is left after a loss of power.
    stable: Vec<u8>,
    acts: Vec<Act>,
    held: Vec<Kind>,
    waiting: usize,
    errors: Vec<(Kind, i32)>,
    /// Reads have to wait for the disk.
    cold: bool,
    /// FLUSH is a lie.
    lying: bool,
}

/// Clones are handles to the same disk.
#[derive(Clone, Default)]
pub struct Simulated(Arc<(Mutex<State>, Condvar)>);

impl Simulated {
    pub fn new(bytes: usize) -> Self {
        let disk = Self::default();
        disk.state().cache = vec![0; bytes];
        disk.state().stable = vec![0; bytes];
        disk
    }

    /// The disk as the server takes it.
    pub fn disk(&self) -> Arc<Disk> {
        self.disk_for(false)
    }

    pub fn disk_for(&self, read_only: bool) -> Arc<Disk> {
        let size = self.state().cache.len() as u64;
        let export = Export {
            size,
            block_bytes: BLOCK,
            read_only,
            trim: true,
            rotational: false,
        };
        Disk::over(Box::new(self.clone()), export)
    }

    /// What a reader sees.
    pub fn content(&self) -> Vec<u8> {
        self.state().cache.clone()
    }

    /// What is left when the power fails now.
    pub fn after_power_loss(&self) -> Vec<u8> {
        self.state().stable.clone()
    }

    pub fn acts(&self) -> Vec<Act> {
        self.state().acts.clone()
    }

    pub fn syncs(&self) -> usize {
        self.acts()
            .iter()
            .filter(|act| **act == Act::Synced)
            .count()
    }

    /// From now on, everything of this kind waits.
    pub fn hold(&self, kind: Kind) {
        self.state().held.push(kind);
    }

    pub fn release(&self) {
        self.state().held.clear();
        self.0.1.notify_all();
    }

    /// Waits until so many requests are held.
    pub fn wait_for_held(&self, count: usize) {
        let mut state = self.state();
        while state.waiting < count {
            let (woken, waited) = self.0.1.wait_timeout(state, HANG).unwrap();
            assert!(
                !waited.timed_out(),
                "only {} requests reach the disk",
                woken.waiting
            );
            state = woken;
        }
    }

    /// From now on, everything of this kind fails with this error number.
    pub fn fail(&self, kind: Kind, errno: i32) {
        self.state().errors.push((kind, errno));
    }

    pub fn heal(&self) {
        self.state().errors.clear();
    }

    pub fn chill(&self) {
        self.state().cold = true;
    }

    pub fn lie(&self) {
        self.state().lying = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    /// Waits while held, and fails if told to.
    fn begin(&self, kind: Kind) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if state.held.contains(&kind) {
            state.waiting += 1;
            self.0.1.notify_all();
            while state.held.contains(&kind) {
                state = self.0.1.wait(state).unwrap();
            }
            state.waiting -= 1;
        }
        match state.errors.iter().find(|(failing, _)| *failing == kind) {
            Some((_, errno)) => Err(io::Error::from_raw_os_error(*errno)),
            None => Ok(state),
        }
    }
}

impl Backing for Simulated {
    fn read(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.begin(Kind::Read)?;
        into.copy_from_slice(&state.cache[offset as usize..][..into.len()]);
        Ok(())
    }

    fn read_cached(&self, into: &mut [u8], offset: u64) -> io::Result<bool> {
        if self.state().cold {
            return Ok(false);
        }
        self.read(into, offset).map(|()| true)
    }

    fn write(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.begin(Kind::Write)?;
        state.cache[offset as usize..][..data.len()].copy_from_slice(data);
        state.acts.push(Act::Wrote {
            offset,
            first: data[0],
        });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.begin(Kind::Sync)?;
        if !state.lying {
            let State { cache, stable, .. } = &mut *state;
            stable.clone_from(cache);
        }
        state.acts.push(Act::Synced);
        Ok(())
    }

    fn trim(&self, range: Range) -> io::Result<()> {
        self.state().acts.push(Act::Trimmed {
            offset: range.offset,
        });
        Ok(())
    }

    fn zero(&self, range: Range, zeroing: Zeroing) -> io::Result<()> {
        let mut state = self.begin(Kind::Zero)?;
        if zeroing.fast && !zeroing.hole {
            return Err(io::ErrorKind::Unsupported.into());
        }
        state.cache[range.offset as usize..][..range.length as usize].fill(0);
        state.acts.push(Act::Zeroed {
            offset: range.offset,
        });
        Ok(())
    }

    fn prefetch(&self, range: Range) -> io::Result<()> {
        self.state().acts.push(Act::Prefetched {
            offset: range.offset,
        });
        Ok(())
    }

    fn extents(&self, range: Range, most: usize) -> io::Result<Vec<Extent>> {
        let state = self.begin(Kind::Read)?;
        let blocks =
            state.cache[range.offset as usize..][..range.length as usize].chunks(BLOCK as usize);
        let extents = blocks.map(|block| Extent {
            length: BLOCK,
            hole: block.iter().all(|byte| *byte == 0),
        });
        Ok(extents.take(most).collect())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
