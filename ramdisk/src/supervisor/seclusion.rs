//! What makes this process independent of the system that runs from the disk.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use anyhow::{Context, ensure};
use rustix::fs::{CWD, FileType, Mode, OFlags, fsync, makedev, mknodat, openat, syncfs};
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{chroot, configure_io_flusher_behavior, fchdir};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use stiefel_linux::mounts;

/// Room for two device nodes.
const ROOT_SIZE: &str = "64k";
/// Where our own root has the disk.
const DISK: &str = "/disk";
/// Major number of NBD devices (Documentation/admin-guide/devices.txt); ours is the first.
const NBD_MAJOR: u32 = 43;

/// The only view of the system that we keep: a proc that is mounted nowhere.
#[derive(Clone)]
pub(super) struct Seclusion {
    proc: Arc<OwnedFd>,
}

impl Seclusion {
    /// Takes a root of our own, locks our memory, and asks the kernel to spare us.
    pub(super) fn enter() -> anyhow::Result<Self> {
        let proc = Arc::new(mounts::private_proc()?);
        let root = mounts::private_tmpfs(ROOT_SIZE)?;
        let null = File::options().read(true).write(true).open("/dev/null");
        let null = null.context("cannot open /dev/null")?;
        let own_root = || {
            fchdir(&root)?;
            chroot(".")?;
            let device = makedev(NBD_MAJOR, super::DEVICE);
            mknodat(
                CWD,
                DISK,
                FileType::BlockDevice,
                Mode::RUSR | Mode::WUSR,
                device,
            )
        };
        own_root().context("cannot move to a root of our own")?;
        // Memory for the disk's own requests must not wait for the disk.
        configure_io_flusher_behavior(true).context("cannot become an I/O flusher")?;
        let seclusion = Self { proc };
        seclusion.lock_memory()?;
        seclusion.write("self/oom_score_adj", "-1000")?;
        let quiet = || {
            dup2_stdin(&null)?;
            dup2_stdout(&null)?;
            dup2_stderr(&null)
        };
        quiet().context("cannot let go of the console")?;
        Ok(seclusion)
    }

    /// Keeps all memory of this process in memory, now and later.
    pub(super) fn lock_memory(&self) -> anyhow::Result<()> {
        mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE).context("cannot lock memory")
    }

    /// The view of the system that we keep.
    pub(super) fn proc(&self) -> BorrowedFd<'_> {
        self.proc.as_fd()
    }

    /// Opens the disk, which for the first time makes the kernel look for partitions. May wait
    /// for a cable.
    pub(super) fn open_disk() -> anyhow::Result<File> {
        File::open(DISK).context("cannot open the disk")
    }

    /// Makes sure that all that the system has written is on the disk, at the very end of its
    /// life: refuses while anything on a disk is mounted for writing.
    ///
    /// A file system is marked read-only a moment before it has written its last blocks;
    /// syncfs takes the lock under which it does so, and thereby waits for it.
    pub(super) fn flush_system(&self) -> anyhow::Result<()> {
        let mounted = mounts::parse(&self.read("1/mountinfo")?);
        let writable = mounted
            .iter()
            .find(|mount| mount.on_disk() && !mount.read_only);
        if let Some(mount) = writable {
            ensure!(false, "{} is still mounted for writing", mount.point);
        }
        let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(&*self.proc, "1/root", directory, Mode::empty())
            .and_then(|root| syncfs(&root))
            .context("cannot sync the system's root")?;
        Self::open_disk()
            .and_then(|disk| Ok(fsync(disk.as_fd())?))
            .context("cannot flush the disk")
    }

    fn read(&self, name: &str) -> anyhow::Result<String> {
        let mut text = String::new();
        self.open(name, OFlags::RDONLY)?
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read /proc/{name}"))?;
        Ok(text)
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let mut file = self.open(name, OFlags::WRONLY)?;
        file.write_all(text.as_bytes())
            .with_context(|| format!("cannot write /proc/{name}"))
    }

    fn open(&self, name: &str, flags: OFlags) -> anyhow::Result<File> {
        openat(&*self.proc, name, flags | OFlags::CLOEXEC, Mode::empty())
            .map(File::from)
            .with_context(|| format!("cannot open /proc/{name}"))
    }
}
