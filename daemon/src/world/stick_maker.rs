//! Makes sticks of the running kernel, in a thread of its own: all that is large goes
//! through a buffer, and a medium that is left half-written boots nowhere.

use super::sticks::{Stick, StickMaker, Target};
use super::{Happening, Phase, Progress, Reporter, Running, Trouble};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use stiefel_image::stick::{self, Boots};
use stiefel_image::{IMAGES, image_path, kernel_of, sticks, verify};
use stiefel_linux::block::eject;
use stiefel_linux::mounts;
use zeroize::Zeroizing;

/// Where it is remembered which sticks were made, below the root.
const STATE: &str = "var/lib/stiefelsystem";
/// Longest ticket archive, bytes: one JSON file of a pairing.
const MAX_TICKET_LEN: u64 = 1 << 16;

/// Makes sticks from the files of the system below `root`.
pub struct RealStickMaker {
    /// The running system's root folder.
    pub root: PathBuf,
    /// Release of the running kernel.
    pub release: String,
}

impl StickMaker for RealStickMaker {
    fn able(&self) -> Result<(), Trouble> {
        let boots = Boots::of(&self.root);
        match boots.uefi || boots.bios {
            true => Ok(()),
            false => Err(Trouble(stiefel_image::Error::NoLoader.to_string())),
        }
    }

    fn start(&self, number: u32, stick: Stick, reporter: Reporter) -> Result<Running, Trouble> {
        let end = Arc::new(AtomicBool::new(false));
        let running = Stop(Arc::clone(&end));
        let (root, release) = (self.root.clone(), self.release.clone());
        std::thread::Builder::new()
            .name("stick".into())
            .spawn(move || {
                let mut report = Report {
                    number,
                    reporter: &reporter,
                    end: &end,
                    last: None,
                    since: Instant::now(),
                };
                let made = make(&root, &release, &stick, &mut report);
                let made = made.map_err(|error| Trouble(format!("{error:#}")));
                let _ = reporter.blocking_send(Happening::Ended(number, made));
            })
            .map_err(|error| Trouble::new("cannot start to make the stick", error))?;
        Ok(Box::new(running))
    }
}

/// Whoever drops this breaks the making off.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn make(root: &Path, release: &str, stick: &Stick, report: &mut Report<'_>) -> anyhow::Result<()> {
    let images = root.join(IMAGES);
    verify(&images, release)?;
    let ticket = read(&stick.ticket)?;
    let made_from = stick::Stick {
        root,
        kernel: &kernel_of(root, release)?.kernel,
        image: &image_path(&images, release),
        ticket: &ticket,
        pairing: stick.pairing,
        lender: &stick.lender,
        cmdline: "",
    };
    let mut target = open(stick)?;
    let boots = stick::write(&made_from, &mut target, &mut |phase, share| {
        report.tell(phase, share)
    })?;
    if let Some(found) = target.recognize()
        && let Err(error) = sticks::note(&root.join(STATE), &found, &stick.name, release)
    {
        tracing::warn!("the stick is done, but is not remembered: {error}");
    }
    // Not every reader can; all is written, and nothing is mounted.
    if target.is_drive()
        && let Err(error) = eject(target.as_fd())
    {
        tracing::debug!("{error}");
    }
    if !boots.secure_boot {
        tracing::warn!("the stick does not start where Secure Boot is on: no signed boot loader");
    }
    Ok(())
}

/// Opens what becomes a stick; a drive so that nobody else can use it meanwhile.
fn open(stick: &Stick) -> anyhow::Result<stick::Target> {
    let (path, name) = match &stick.target {
        Target::File(fd) => {
            let file = File::from(fd.try_clone()?);
            return Ok(stick::Target::new(file, "the image file".into())?);
        }
        Target::Drive { name, unmount } => {
            let path = Path::new("/dev").join(name);
            if *unmount {
                unmount_all(name)?;
            }
            (path.clone(), path)
        }
        Target::OwnStick(name) => {
            let path = Path::new("/dev").join(name);
            (path.clone(), path)
        }
        Target::OpenDrive(fd) => {
            let path = PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
            let name = fs::read_link(&path).unwrap_or_else(|_| path.clone());
            (path, name)
        }
    };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(rustix::fs::OFlags::EXCL.bits().cast_signed())
        .open(&path)
        .map_err(|error| match error.raw_os_error() {
            Some(code) if code == rustix::io::Errno::BUSY.raw_os_error() => anyhow::anyhow!(
                "{} is in use; unmount what is on it, and close programs that use it",
                name.display()
            ),
            _ => anyhow::anyhow!("cannot open {}: {error}", name.display()),
        })?;
    let told = name.display().to_string();
    let target = stick::Target::new(file, name)?;
    let ours = target
        .recognize()
        .is_some_and(|found| found.pairing == stick.pairing);
    if matches!(stick.target, Target::OwnStick(_)) && !ours {
        anyhow::bail!(
            "{told} is no stick of {}; nothing was written to it",
            stick.name
        );
    }
    Ok(target)
}

/// Has the system's disk service unmount what is on a drive: it tells the desktop, and waits
/// for programs that write.
fn unmount_all(drive: &str) -> anyhow::Result<()> {
    let mounted = mounts::parse(&fs::read_to_string("/proc/self/mountinfo")?);
    for volume in volumes(&Path::new("/sys/block").join(drive)) {
        let device = fs::metadata(Path::new("/dev").join(&volume))?.rdev();
        let device = (rustix::fs::major(device), rustix::fs::minor(device));
        if !mounted.iter().any(|mount| mount.device == device) {
            continue;
        }
        let done = Command::new("udisksctl")
            .args(["unmount", "--no-user-interaction", "--block-device"])
            .arg(format!("/dev/{volume}"))
            .output();
        match done {
            Ok(output) if output.status.success() => {}
            Ok(output) => anyhow::bail!(
                "/dev/{volume} cannot be unmounted: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ),
            Err(error) => anyhow::bail!(
                "/dev/{volume} is mounted, and udisksctl cannot be started to unmount it \
                 ({error}); unmount it yourself"
            ),
        }
    }
    Ok(())
}

/// The drive itself, and its partitions.
fn volumes(block: &Path) -> Vec<String> {
    let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
    let partitions = fs::read_dir(block)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("partition").is_file())
        .filter_map(|entry| name(&entry.path()));
    name(block).into_iter().chain(partitions).collect()
}

fn read(ticket: &OwnedFd) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut file = File::from(ticket.try_clone()?);
    file.rewind()?;
    // Allocated once, so that no stray copy of the secret stays behind.
    let len = file.metadata()?.len().min(MAX_TICKET_LEN);
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(len)?));
    file.take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Tells how far it is, once for each hundredth.
struct Report<'a> {
    number: u32,
    reporter: &'a Reporter,
    end: &'a AtomicBool,
    last: Option<(stick::Phase, u64)>,
    since: Instant,
}

impl Report<'_> {
    fn tell(&mut self, phase: stick::Phase, share: f64) -> ControlFlow<()> {
        if self.end.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        let percent = (share * 100.0) as u64;
        if self.last.replace((phase, percent)) == Some((phase, percent)) {
            return ControlFlow::Continue(());
        }
        // Reading is as fast as writing or faster, so both together are nearly twice as long.
        let (name, all) = match phase {
            stick::Phase::Making => (Phase::Making, 0.0),
            stick::Phase::Writing => (Phase::Writing, share / 2.0),
            stick::Phase::Verifying => (Phase::Verifying, 0.5 + share / 2.0),
        };
        let spent = self.since.elapsed().as_secs_f64();
        let progress = Progress {
            share: all,
            phase: name,
            left_secs: if all > 0.0 {
                (spent / all - spent).ceil() as u64
            } else {
                0
            },
        };
        // The loop that is gone has dropped its end, too: the next call breaks off.
        let _ = self
            .reporter
            .blocking_send(Happening::Progressed(self.number, progress));
        ControlFlow::Continue(())
    }
}
