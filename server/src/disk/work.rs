//! Work that waits for the disk: shared threads, so that no session stands still for it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use stiefel_core::nbd::transmission::{
    Command, DATA_CHUNK_BYTES, Range, block_status, command, data_chunk, simple_reply,
};

use super::backing::Zeroing;
use super::batch::SMALL_BYTES;
use super::opened::Disk;
use super::queue::Queue;
use super::session::{InFlight, wire_error};
use super::stats::{Counters, add};
use super::voice::say;

/// Threads that wait for the disk, for all sessions together; more than 16 reads at a
/// time made nothing faster (measured).
const WORKERS: usize = 16;
/// Most extents in one answer: what fits a few pages. The client asks again for the rest.
const MAX_EXTENTS: usize = 1024;
/// What a worker's buffer keeps: enough for the reads that sessions do not splice.
const KEPT_BYTES: usize = READS_TOGETHER * DATA_CHUNK_BYTES + SMALL_BYTES;
/// Longest piece that is zeroed without asking whether the session is still there.
const ZERO_PIECE_BYTES: u32 = 64 << 20;

/// READs of one session that a worker waits for together, and answers together: each
/// answer of its own costs the client and us a wake-up, but none shall wait for many.
const READS_TOGETHER: usize = 4;

/// A checked request that a session hands on.
pub(super) struct Job {
    pub(super) session: InFlight,
    pub(super) cookie: u64,
    pub(super) command: Command,
}

/// The shared threads.
pub(super) struct Work {
    jobs: Arc<Queue<Job>>,
    flushes: Arc<Queue<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Work {
    pub(super) fn start(disk: &Arc<Disk>) -> io::Result<Self> {
        let mut work = Self {
            jobs: Arc::default(),
            flushes: Arc::default(),
            threads: Vec::new(),
        };
        for _ in 0..WORKERS {
            let jobs = Arc::clone(&work.jobs);
            work.spawn("disk-worker", move || {
                let mut buffer = Vec::new();
                while let Some(taken) = jobs.pop_with(goes_along) {
                    do_jobs(taken, &mut buffer);
                }
            })?;
        }
        let flushes = Arc::clone(&work.flushes);
        let disk = Arc::clone(disk);
        work.spawn("disk-flusher", move || {
            while let Some(waiting) = flushes.pop_all() {
                flush_for(&disk, waiting);
            }
        })?;
        Ok(work)
    }

    /// Hands on everything but READs of what is cached, and WRITEs; those with FUA once
    /// they are written.
    pub(super) fn hand_on(&self, job: Job) {
        match job.command {
            Command::Flush | Command::Write { .. } => self.flushes.push(job),
            Command::Read { .. }
            | Command::Trim { .. }
            | Command::WriteZeroes { .. }
            | Command::Cache { .. }
            | Command::BlockStatus { .. }
            | Command::Disconnect => self.jobs.push(job),
        }
    }

    /// Hands on READs that the disk was asked for already.
    pub(super) fn hand_on_reads(&self, reads: Vec<Job>) {
        let takers = reads.len().div_ceil(READS_TOGETHER);
        self.jobs.push_all(reads, takers);
    }

    fn spawn(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads
            .push(thread::Builder::new().name(name.into()).spawn(body)?);
        Ok(())
    }
}

impl Drop for Work {
    /// What is queued is still done.
    fn drop(&mut self) {
        self.jobs.close();
        self.flushes.close();
        for thread in self.threads.drain(..) {
            // A worker that panicked has said so already.
            let _ = thread.join();
        }
    }
}

/// One flush for all that wait: it begins after the last of them was received, so
/// it covers whatever was answered before any of them was sent.
fn flush_for(disk: &Disk, waiting: VecDeque<Job>) {
    let outcome = disk.flush().map_err(|error| wire_error(&error));
    for job in waiting {
        let Counters {
            flushes,
            written_bytes,
            ..
        } = &*job.session.counters;
        let command = match job.command {
            Command::Write { range, .. } => {
                add(
                    written_bytes,
                    u64::from(range.length) * u64::from(outcome.is_ok()),
                );
                command::WRITE
            }
            _ => {
                add(flushes, outcome.is_ok().into());
                command::FLUSH
            }
        };
        let reply = job.session.reply(command, job.cookie, outcome);
        answer(job, &reply);
    }
}

/// Whether a READ is answered together with those before it.
fn goes_along(taken: &[Job], next: &Job) -> bool {
    let length = |job: &Job| match job.command {
        Command::Read { range, .. } => Some(range.length as usize),
        _ => None,
    };
    let together: Option<usize> = taken.iter().chain([next]).map(length).sum();
    taken.len() < READS_TOGETHER
        && together.is_some_and(|bytes| bytes <= SMALL_BYTES)
        && taken.iter().all(|job| job.session.is(&next.session))
}

fn do_jobs(taken: Vec<Job>, buffer: &mut Vec<u8>) {
    let Some(first) = taken.first() else {
        return;
    };
    if first.session.link.is_cut() {
        return;
    }
    match first.command {
        Command::Read { .. } => read(taken, buffer),
        // Only READs go along.
        _ => taken.into_iter().for_each(do_job),
    }
}

fn do_job(job: Job) {
    let backing = job.session.disk.backing();
    let (command, outcome) = match job.command {
        Command::BlockStatus { range, one } => return status(job, range, one),
        Command::Trim { range, fua } => {
            let outcome = backing.trim(range);
            (
                command::TRIM,
                outcome.and_then(|()| {
                    if fua {
                        job.session.disk.flush()
                    } else {
                        Ok(())
                    }
                }),
            )
        }
        Command::WriteZeroes {
            range,
            fua,
            hole,
            fast,
        } => {
            let outcome = zero(&job, range, Zeroing { hole, fast });
            (
                command::WRITE_ZEROES,
                outcome.and_then(|()| {
                    if fua {
                        job.session.disk.flush()
                    } else {
                        Ok(())
                    }
                }),
            )
        }
        Command::Cache { range } => (command::CACHE, backing.prefetch(range)),
        // Done elsewhere.
        Command::Read { .. } | Command::Write { .. } | Command::Flush | Command::Disconnect => {
            return;
        }
    };
    let outcome = outcome.map_err(|error| wire_error(&error));
    let reply = job.session.reply(command, job.cookie, outcome);
    answer(job, &reply);
}

/// Reads all, and answers all at once.
fn read(taken: Vec<Job>, buffer: &mut Vec<u8>) {
    buffer.clear();
    for job in &taken {
        let Command::Read { range, .. } = job.command else {
            continue;
        };
        let start = buffer.len();
        if job.session.agreed.structured {
            buffer.extend_from_slice(&data_chunk(job.cookie, range, true));
        } else {
            buffer.extend_from_slice(&simple_reply(job.cookie, Ok(())));
        }
        let data = buffer.len();
        buffer.resize(data + range.length as usize, 0);
        let backing = job.session.disk.backing();
        if let Err(error) = backing.read(&mut buffer[data..], range.offset) {
            let outcome = Err(wire_error(&error));
            buffer.truncate(start);
            buffer.extend_from_slice(&job.session.reply(command::READ, job.cookie, outcome));
        } else {
            add(&job.session.counters.read_bytes, range.length.into());
        }
    }
    say(buffer, taken.into_iter().map(|job| job.session).collect());
    // What a long read needed is not kept.
    buffer.clear();
    buffer.shrink_to(KEPT_BYTES);
}

fn status(job: Job, range: Range, one: bool) {
    let most = if one { 1 } else { MAX_EXTENTS };
    let reply = match job.session.disk.backing().extents(range, most) {
        Ok(extents) => block_status(job.cookie, &extents),
        Err(error) => job
            .session
            .reply(command::BLOCK_STATUS, job.cookie, Err(wire_error(&error))),
    };
    answer(job, &reply);
}

fn zero(job: &Job, range: Range, zeroing: Zeroing) -> io::Result<()> {
    let mut left = range;
    while left.length > 0 {
        if job.session.link.is_cut() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let length = left.length.min(ZERO_PIECE_BYTES);
        job.session
            .disk
            .backing()
            .zero(Range { length, ..left }, zeroing)?;
        left = left.behind(length);
    }
    Ok(())
}

fn answer(job: Job, reply: &[u8]) {
    say(reply, vec![job.session]);
}
