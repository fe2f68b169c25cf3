//! A world for one daemon in one folder: its files are this machine's files,
//! and everything that cannot be a file arrives by [`script`].
//!
//! | in the folder | stands for |
//! |---|---|
//! | `boot/vmlinuz-simulated`, `boot/initrd.img-simulated`, `proc/cmdline` | the running system |
//! | `var/lib/stiefelsystem`, `etc/stiefelsystem`, `run` | themselves |
//! | `loaded/` | the kernel that a reboot would take: `initramfs`, `cmdline` |
//! | `script` | a socket: one command per line, one answer per line |

mod commands;
mod folder;
mod loan;
mod machine;
mod maker;
mod script;
mod session;
mod turnstile;

pub use folder::Simulation;
pub use turnstile::Turnstile;

use super::disk::Disk;
use super::drives::Drive;
use super::machine::Installed;
use super::network::{Service, Together};
use super::paths::Paths;
use super::{Ends, Happening, Kexec, Link, NetworkService, Parcel, Session, Trouble, World};
use crate::bouncer::{Action, Bouncer, Decision, Polkit};
use loan::SimulatedLoan;
use machine::{Said, SimulatedMachine};
use maker::{Pace, SimulatedMaker};
use session::SimulatedSession;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use stiefel_core::preflight;
use stiefel_core::ticket::DiskIdentity;
use tokio::sync::{oneshot, watch};
use zbus::message::Header;

/// Release of the simulated kernel.
const RELEASE: &str = "simulated";

/// What the script can change.
#[derive(Clone)]
struct Levers {
    closed: watch::Sender<BTreeSet<String>>,
    waiting: watch::Sender<Option<String>>,
    denied: watch::Sender<BTreeSet<String>>,
    failing: watch::Sender<BTreeSet<String>>,
    links: watch::Sender<Vec<Link>>,
    /// How many interfaces were ever plugged in: each has a number of its own.
    plugged: Arc<AtomicU32>,
    inhibitors: watch::Sender<Vec<preflight::Inhibitor>>,
    shutdown: watch::Sender<session::Shutdown>,
    drives: watch::Sender<Vec<Drive>>,
    loan: watch::Sender<Option<SimulatedLoan>>,
    said: watch::Sender<Said>,
    pace: watch::Sender<Pace>,
    /// Who searches all the time.
    seeking: watch::Sender<BTreeSet<String>>,
}

/// Makes the world in `folder`, in which first of all the lines of `script` happen; with
/// `services`, polkit, logind and the network services are those on the bus.
///
/// # Errors
/// The folder cannot be written.
pub async fn world(
    folder: &Path,
    script: Vec<String>,
    services: bool,
    bus: &zbus::Connection,
) -> anyhow::Result<World> {
    let paths = Paths::below(folder);
    furnish(&paths)?;
    let levers = Levers {
        closed: watch::Sender::default(),
        waiting: watch::Sender::default(),
        denied: watch::Sender::default(),
        failing: watch::Sender::default(),
        links: watch::Sender::default(),
        plugged: Arc::new(AtomicU32::new(2)),
        inhibitors: watch::Sender::default(),
        shutdown: watch::Sender::default(),
        drives: watch::Sender::default(),
        loan: watch::Sender::default(),
        said: watch::Sender::default(),
        pace: watch::Sender::default(),
        seeking: watch::Sender::default(),
    };
    let session: Arc<dyn Session> = match services {
        true => Arc::new(super::logind::Logind::new(bus).await?),
        false => Arc::new(SimulatedSession {
            inhibitors: levers.inhibitors.subscribe(),
            shutdown: levers.shutdown.subscribe(),
            changing: levers.shutdown.clone(),
        }),
    };
    let bouncer: Arc<dyn Bouncer> = match services {
        true => Arc::new(Polkit::new(bus)),
        false => Arc::new(SimulatedBouncer(levers.denied.subscribe())),
    };
    let on_bus = || services.then(|| bus.clone());
    let networks: Vec<Box<dyn NetworkService>> = vec![Box::new(Together(vec![
        Service::network_manager(&paths, on_bus()),
        Service::networkd(&paths, on_bus()),
    ]))];
    let watched = Arc::clone(&session);
    let turnstile = Turnstile::behind(turnstile::Barrier {
        closed: levers.closed.subscribe(),
        waiting: levers.waiting.clone(),
        failing: levers.failing.subscribe(),
    });
    let maker = SimulatedMaker {
        turnstile: turnstile.clone(),
        pace: levers.pace.subscribe(),
    };
    let power = on_bus();
    let listener = script::listen(folder)?;
    Ok(World {
        session,
        networks,
        kexec: Arc::new(FolderKexec(paths.at("/loaded"))),
        machine: Arc::new(SimulatedMachine {
            installed: Installed {
                paths: paths.clone(),
                release: RELEASE.into(),
                disk: Box::new(|| Ok(disk())),
                kexec: Box::new(|| preflight::Kexec::Allowed),
            },
            said: levers.said.subscribe(),
        }),
        boot: super::boot::read(&paths),
        paths,
        maker: Box::new(maker.clone()),
        stick_maker: Box::new(maker),
        bouncer,
        turnstile,
        watchers: Box::new(move |ends| {
            let stage = script::Stage::new(levers.clone(), &ends);
            let Ends {
                reporter,
                watched: seen,
                ..
            } = ends;
            let (ready, is_ready) = oneshot::channel();
            tokio::spawn(loan::flow(levers.loan, seen, reporter.clone()));
            let to_session = reporter.clone();
            tokio::spawn(async move {
                if let Err(error) = watched.watch(to_session).await {
                    tracing::error!("{error}");
                }
            });
            tokio::spawn(async move {
                let _ = reporter.send(Happening::Links(vec![])).await;
                if let Some(bus) = power {
                    super::power_watch(bus, || None, &reporter);
                }
                stage.play(script, listener, ready).await;
            });
            is_ready
        }),
    })
}

fn disk() -> Disk {
    Disk {
        identity: DiskIdentity {
            wwid: Some("simulated.0".into()),
            serial: Some("SIM0".into()),
            gpt: None,
            size: 512_110_190_592,
        },
        model: "Simulated Disk".into(),
    }
}

/// Puts what is not there yet into the folder, so that an empty one will do.
fn furnish(paths: &Paths) -> anyhow::Result<()> {
    let image = b"simulated ramdisk\n";
    let manifest = stiefel_image::Manifest {
        release: RELEASE.into(),
        made_by: env!("CARGO_PKG_VERSION").into(),
        kernel: paths.at("/boot/vmlinuz-simulated"),
        size: image.len() as u64,
        unpacked_size: 0,
        sha256: "3e2a387e19fd1026d39ce63c9d706aa7b445ea6408a1fb58a06a72c1b634214e".into(),
        init_sha256: String::new(),
        modules: Default::default(),
        missing_modules: vec![],
        firmware: 0,
        missing_firmware: vec![],
        seconds: 0.0,
    };
    let manifest = serde_json::to_vec(&manifest)?;
    let kernel = [0; 2048];
    let files: [(&str, &[u8]); 5] = [
        ("/boot/vmlinuz-simulated", &kernel),
        ("/boot/initrd.img-simulated", b"simulated initramfs\n"),
        ("/proc/cmdline", b"root=UUID=0 ro quiet console=ttyS0\n"),
        ("/var/lib/stiefelsystem/images/simulated.img", image),
        ("/var/lib/stiefelsystem/images/simulated.json", &manifest),
    ];
    // A folder that somebody has furnished is left as it is.
    if paths.at(files[0].0).exists() {
        return Ok(());
    }
    for (path, bytes) in files {
        let path = paths.at(path);
        if let Some(parent) = path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent)?;
        }
        File::create(path)?.write_all(bytes)?;
    }
    Ok(())
}

/// A kernel is loaded when there is a folder for it.
struct FolderKexec(PathBuf);

impl Kexec for FolderKexec {
    fn load(&self, parcel: &Parcel) -> Result<(), Trouble> {
        let load = || -> std::io::Result<()> {
            // Any ticket is secret, also one that goes nowhere.
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.0)?;
            let mut initramfs = File::from(parcel.initramfs.as_fd().try_clone_to_owned()?);
            std::io::copy(&mut initramfs, &mut File::create(self.0.join("initramfs"))?)?;
            fs::write(self.0.join("cmdline"), &parcel.cmdline)
        };
        load().map_err(|error| Trouble::new("cannot load the simulated kernel", error))
    }

    fn unload(&self) -> Result<(), Trouble> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Trouble::new("cannot unload the simulated kernel", error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Whoever calls a simulation, so that a script may deny it to everybody.
const NOBODY: u32 = 65534;

/// Admits everybody to everything that the script has not denied.
struct SimulatedBouncer(watch::Receiver<BTreeSet<String>>);

impl Bouncer for SimulatedBouncer {
    fn user<'a>(&'a self, _: &'a Header<'_>) -> Decision<'a, u32> {
        Box::pin(std::future::ready(Ok(NOBODY)))
    }

    fn admit<'a>(&'a self, action: Action, _: &'a Header<'_>) -> Decision<'a, ()> {
        let denied = self.0.borrow().contains(action.as_str());
        Box::pin(async move {
            match denied {
                true => Err(zbus::fdo::Error::AccessDenied(format!(
                    "the script denies {}",
                    action.as_str()
                ))),
                false => Ok(()),
            }
        })
    }
}
