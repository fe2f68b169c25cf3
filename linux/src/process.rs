//! This process: forking, waiting, and the marks by which a system spares it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Dir, Mode, OFlags, openat};
use rustix::process::Pid;
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::error::{Error, Result, Tried};

/// The lowest priority of a process (setpriority(2)).
const NICEST: i32 = 19;

/// Which of the two processes we are after [`fork`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// The one that called, with the other's id.
    Parent(Pid),
    /// The new one.
    Child,
}

/// Makes a second process of this one, which must have a single thread. Needs `/proc`.
pub fn fork() -> Result<Fork> {
    let proc = File::open("/proc").tried(|| "cannot open /proc".into())?;
    fork_seen_in(proc)
}

/// The same for a process that sees no `/proc`: `proc` is a descriptor of one.
pub fn fork_seen_in(proc: impl AsFd) -> Result<Fork> {
    let tried = || "cannot start a second process".to_owned();
    let threads = threads_seen_in(proc).tried(tried)?;
    if threads != 1 {
        let cause = io::Error::other(format!("there are {threads} threads instead of one"));
        return Err(Error::new(tried(), cause));
    }
    // SAFETY: with a single thread nobody else can hold a lock or be half way through a change
    // of memory, so the child may go on as any program does.
    #[allow(unsafe_code)]
    let result = unsafe { libc::fork() };
    match result {
        -1 => Err(io::Error::last_os_error()).tried(tried),
        child => Ok(Pid::from_raw(child).map_or(Fork::Child, Fork::Parent)),
    }
}

/// Makes `@` the first character of our command line: systemd then neither stops us when it
/// leaves the initramfs nor at shutdown ("Using initrd storage daemons", systemd.io). Needs `/proc`.
pub fn mark_as_storage_daemon() -> Result<()> {
    let tried = || "cannot mark this process as a storage daemon".to_owned();
    let stat = fs::read_to_string("/proc/self/stat").tried(tried)?;
    let address = arguments_start(&stat)
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
        .tried(tried)?;
    let memory = OpenOptions::new()
        .write(true)
        .open("/proc/self/mem")
        .tried(tried)?;
    memory.write_all_at(b"@", address).tried(tried)
}

/// Lets every other process go first, whenever there is one that wants to. Needs `/proc`.
///
/// With CONFIG_SCHED_AUTOGROUP the processor is shared between sessions, and a process's own
/// niceness counts within its session only (sched(7)): so it becomes a session that is nice.
pub fn yield_to_others() -> Result<()> {
    let tried = || "cannot yield to other processes".to_owned();
    rustix::process::setsid().tried(tried)?;
    rustix::process::setpriority_process(None, NICEST).tried(tried)?;
    match fs::write("/proc/self/autogroup", NICEST.to_string()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.tried(tried),
    }
}

/// Puts this thread into a new, empty network namespace. Sockets that are open stay in theirs.
pub fn enter_new_network() -> Result<()> {
    // SAFETY: only the network namespace changes; file descriptors stay shared.
    #[allow(unsafe_code)]
    let result = unsafe { unshare_unsafe(UnshareFlags::NEWNET) };
    result.tried(|| "cannot make a network namespace".into())
}

/// This thread's network namespace, to move interfaces into. Needs `/proc`.
pub fn network_namespace() -> Result<File> {
    File::open("/proc/thread-self/ns/net").tried(|| "cannot open the network namespace".into())
}

/// Sleeps until `fd` is readable (or has an error to tell) or the time is over; true when it is.
pub fn wait_readable(fd: &impl AsFd, limit: Duration) -> Result<bool> {
    let end = Instant::now() + limit;
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match poll(&mut fds, Some(&left.try_into().unwrap_or_default())) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(cause) => return Err(cause).tried(|| "cannot wait".into()),
        }
    }
}

/// This process's threads, by a descriptor of a `/proc`.
fn threads_seen_in(proc: impl AsFd) -> rustix::io::Result<usize> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let tasks = openat(proc, "self/task", flags, Mode::empty())?;
    let mut threads = 0;
    for entry in Dir::new(tasks)? {
        let dot = entry?.file_name().to_bytes().starts_with(b".");
        threads += usize::from(!dot);
    }
    Ok(threads)
}

/// Field 48 of `/proc/self/stat`, `arg_start` (proc_pid_stat(5)). The second field is a name
/// in brackets that may itself hold spaces and brackets.
fn arguments_start(stat: &str) -> Option<u64> {
    let (_, from_third) = stat.rsplit_once(") ")?;
    from_third.split(' ').nth(48 - 3)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let fields: Vec<String> = (3..=52).map(|field| field.to_string()).collect();
        let stat = format!("1 (a) b) {}\n", fields.join(" "));
        assert_eq!(arguments_start(&stat), Some(48));
        assert_eq!(arguments_start("1 (short) S 2"), None);
    }

    #[test]
    fn a_test_has_threads_and_must_not_fork() {
        assert!(fork().unwrap_err().to_string().contains("threads"));
    }

    #[test]
    fn threads_are_counted() {
        let proc = File::open("/proc").unwrap();
        let before = threads_seen_in(&proc).unwrap();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            begin.send(()).unwrap();
            ended.recv().unwrap_err();
        });
        begun.recv().unwrap();
        // Other tests may run at the same time.
        assert!(before >= 1 && threads_seen_in(&proc).unwrap() >= 2);
        drop(end);
        thread.join().unwrap();
    }

    #[test]
    fn waiting_ends_when_there_is_something_to_read() {
        let (reader, writer) = io::pipe().unwrap();
        assert!(!wait_readable(&reader, Duration::ZERO).unwrap());
        drop(writer);
        assert!(wait_readable(&reader, Duration::from_secs(60)).unwrap());
    }
}
