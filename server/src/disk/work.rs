//! Work that waits for the disk: shared threads, so that no session stands still for it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use stiefel_core::nbd::transmission::{
    Command, DATA_CHUNK_BYTES, Range, SIMPLE_REPLY_BYTES, block_status, command, data_chunk,
    simple_reply,
};

use super::backing::Zeroing;
use super::batch::SMALL_BYTES;
use super::opened::Disk;
use super::queue::Queue;
use super::session::{InFlight, wire_error};
use super::stats::add;

/// Threads that wait for the disk, for all sessions together; more than 16 reads at a
/// time made nothing faster (measured).
const WORKERS: usize = 16;
/// Most extents in one answer: what fits a few pages. The client asks again for the rest.
const MAX_EXTENTS: usize = 1024;
/// What a worker's buffer keeps: enough for the reads that sessions do not splice.
const KEPT_BYTES: usize = DATA_CHUNK_BYTES + SMALL_BYTES;
/// Longest piece that is zeroed without asking whether the session is still there.
const ZERO_PIECE_BYTES: u32 = 64 << 20;

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
                while let Some(job) = jobs.pop() {
                    do_job(&job, &mut buffer);
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

    /// Hands on everything but READs of what is cached, and WRITEs.
    pub(super) fn hand_on(&self, job: Job) {
        let queue = if job.command == Command::Flush {
            &self.flushes
        } else {
            &self.jobs
        };
        queue.push(job);
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
        if outcome.is_ok() {
            add(&job.session.counters.flushes, 1);
        }
        let reply = job.session.reply(command::FLUSH, job.cookie, outcome);
        answer(&job, &reply);
    }
}

fn do_job(job: &Job, buffer: &mut Vec<u8>) {
    if job.session.link.is_cut() {
        return;
    }
    let backing = job.session.disk.backing();
    let (command, outcome) = match job.command {
        Command::Read { range, .. } => return read(job, range, buffer),
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
            let outcome = zero(job, range, Zeroing { hole, fast });
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
        Command::Write { .. } | Command::Flush | Command::Disconnect => return,
    };
    let outcome = outcome.map_err(|error| wire_error(&error));
    answer(job, &job.session.reply(command, job.cookie, outcome));
}

fn read(job: &Job, range: Range, buffer: &mut Vec<u8>) {
    let head = if job.session.agreed.structured {
        DATA_CHUNK_BYTES
    } else {
        SIMPLE_REPLY_BYTES
    };
    let whole = head + range.length as usize;
    if buffer.len() < whole {
        buffer.resize(whole, 0);
    }
    let reply = &mut buffer[..whole];
    if let Err(error) = job
        .session
        .disk
        .backing()
        .read(&mut reply[head..], range.offset)
    {
        let reply = job
            .session
            .reply(command::READ, job.cookie, Err(wire_error(&error)));
        return answer(job, &reply);
    }
    if job.session.agreed.structured {
        reply[..head].copy_from_slice(&data_chunk(job.cookie, range, true));
    } else {
        reply[..head].copy_from_slice(&simple_reply(job.cookie, Ok(())));
    }
    add(&job.session.counters.read_bytes, range.length.into());
    answer(job, reply);
    // What a long read needed is not kept.
    buffer.truncate(KEPT_BYTES);
    buffer.shrink_to(KEPT_BYTES);
}

fn status(job: &Job, range: Range, one: bool) {
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

fn answer(job: &Job, reply: &[u8]) {
    if job.session.send(reply).is_err() {
        // The stream may be broken in the middle of a reply.
        job.session.link.cut();
    }
}
