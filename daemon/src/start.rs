//! From the command line to the running loop.

use crate::api::{CALLS, Desk, Publisher};
use crate::bouncer::Polkit;
use crate::daemon::{Daemon, IDLE};
use crate::hands::Hands;
use crate::notify::{Notifier, Teller};
use crate::options::Options;
use crate::store::Store;
use crate::world::claims::Keeper;
use crate::world::machine::Installed;
use crate::world::maker::{self, ImageMaker};
use crate::world::marker::Marker;
use crate::world::network::{Service, Together};
use crate::world::paths::Paths;
use crate::world::simulated::{self, Simulation, Turnstile};
use crate::world::stick_maker::RealStickMaker;
use crate::world::{self, Ends, HAPPENINGS, Happening, NetworkService, Session, World, complain};
use crate::{Loop, hands};
use anyhow::Context;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use stiefel_core::pairing::Name;
use stiefel_dbus::names;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

/// Parses, logs, runs.
///
/// # Errors
/// It could not start, or lost the bus.
pub fn main() -> anyhow::Result<()> {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(text) if text == crate::options::HELP => {
            print!("{text}");
            return Ok(());
        }
        Err(text) => anyhow::bail!(text),
    };
    if let Some(release) = options.make_image {
        return maker::make(&release);
    }
    log_to_journal();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(run(options))
}

fn log_to_journal() {
    let to_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    match tracing_journald::layer() {
        // The fields of our own are STIEFEL_HAND_OFF and STIEFEL_TRIGGER.
        // Without a limit, each message on the bus would be in it.
        Ok(journal) if to_journal => tracing_subscriber::registry()
            .with(journal.with_field_prefix(Some("STIEFEL".into())))
            .with(LevelFilter::INFO)
            .init(),
        Ok(_) | Err(_) => tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_target(false)
            .with_ansi(false)
            .init(),
    }
}

async fn run(options: Options) -> anyhow::Result<()> {
    let bus = connect(options.bus.as_deref()).await?;
    let (reporter, happenings) = mpsc::channel(HAPPENINGS);
    let (audience, listeners) = watch::channel(None);
    let (claims, wanted) = watch::channel(None);
    let (watched, watching) = watch::channel(false);
    // Its folder goes when this does.
    let mut simulation = None;
    let world = match &options.simulate {
        Some(script) => {
            let simulation = simulation.insert(Simulation::open(script, options.state)?);
            let lines = simulation.lines()?;
            let folder = simulation.folder();
            tracing::info!("takes commands at {}", folder.join("script").display());
            simulated::world(folder, lines, options.services, &bus).await?
        }
        None => real(&bus).await?,
    };
    let World {
        paths,
        session,
        networks,
        kexec,
        machine,
        maker,
        stick_maker,
        boot,
        bouncer,
        turnstile,
        watchers,
    } = world;

    let (keeper, claimer) = Keeper::new(networks, wanted);
    tokio::spawn(keeper.work(reporter.clone()));
    let mut hands = Hands {
        session,
        claimer,
        kexec,
        machine: Arc::clone(&machine),
        marker: Marker::new(&paths),
        turnstile,
        sleep_lock: None,
        farewell: None,
    };
    hands.clean_up().await;

    let survey = hands::survey(&machine).await?;
    let store = Store::open(paths.state())?;
    let mut daemon = Daemon::new(own_name(), paths.config(), store, survey, boot)?;
    let simulated = options.simulate.is_some();
    if let Some(after) = options.idle_exit.or((!simulated).then_some(IDLE)) {
        daemon.end_when_idle(after, crate::now());
    }

    let (calls, calls_here) = mpsc::channel(CALLS);
    let view = Arc::new(daemon.view());
    let (show, shown) = watch::channel(Arc::clone(&view));
    let used = Arc::new(AtomicBool::new(false));
    let ends = Ends {
        reporter: reporter.clone(),
        audience: listeners,
        watched: watching,
        shown: shown.clone(),
    };
    let desk = Desk::new(shown, calls, bouncer, Arc::clone(&used));
    let publisher = Publisher::new(bus.clone(), desk, show).await?;
    let (publications, to_publish) = mpsc::channel(CALLS);
    let publishing = tokio::spawn(publisher.work(to_publish));
    let (orders, to_do) = mpsc::channel(1);
    tokio::spawn(hands.work(to_do, reporter.clone()));
    let ready = watchers(ends);
    let (folder, to_folder) = (paths.config(), reporter.clone());
    std::thread::spawn(move || complain(world::folder::watch(&folder, &to_folder)));
    watch_signals(&reporter)?;

    let notifier = Notifier::start();
    let appearing = appear(bus.clone(), ready, notifier.teller());
    let turning = Loop {
        daemon,
        calls: calls_here,
        happenings,
        reporter,
        machine,
        maker,
        stick_maker,
        running: None,
        orders,
        audience,
        claims,
        watched,
        publications,
        view,
        bus,
        used,
        watchdog: Default::default(),
        teller: notifier.teller(),
    };
    tokio::try_join!(appearing, turning.run())?;
    // The loop and its end of the channel are gone: the last publication goes out.
    publishing.await?;
    notifier.finish().await;
    Ok(())
}

/// Takes the name as soon as there is something to see.
async fn appear(
    bus: zbus::Connection,
    ready: oneshot::Receiver<()>,
    teller: Teller,
) -> anyhow::Result<()> {
    // Whoever was to say so and is gone has nothing more to do.
    let _ = ready.await;
    bus.request_name(names::SERVICE)
        .await
        .with_context(|| format!("cannot get the name {} on the bus", names::SERVICE))?;
    teller.tell(sd_notify::NotifyState::Ready);
    Ok(())
}

async fn connect(address: Option<&str>) -> anyhow::Result<zbus::Connection> {
    let builder = match address {
        None => zbus::connection::Builder::system(),
        Some("session") => zbus::connection::Builder::session(),
        Some(address) => zbus::connection::Builder::address(address),
    };
    builder?
        .build()
        .await
        .context("cannot connect to the bus; does dbus run?")
}

async fn real(bus: &zbus::Connection) -> anyhow::Result<World> {
    let paths = Paths::below(Path::new("/"));
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let networks: Vec<Box<dyn NetworkService>> = vec![
        Box::new(Together(vec![
            Service::network_manager(&paths, Some(bus.clone())),
            Service::networkd(&paths, Some(bus.clone())),
        ])),
        // Last: nobody switches it off again.
        Box::new(world::switch::Switch),
    ];
    let session: Arc<dyn Session> = Arc::new(world::logind::Logind::new(bus).await?);
    let watched = Arc::clone(&session);
    let to_power = bus.clone();
    let borrowed = world::role::is_borrower(&paths);
    let watched_paths = paths.clone();
    Ok(World {
        session,
        networks,
        kexec: Arc::new(world::kernel::RunningKernel),
        machine: Arc::new(Installed {
            paths: paths.clone(),
            release: release.clone(),
            disk: Box::new(world::disk::below_root),
            kexec: Box::new(world::kernel::ability),
        }),
        boot: world::boot::read(&paths),
        paths,
        maker: Box::new(ImageMaker {
            release: release.clone(),
        }),
        stick_maker: Box::new(RealStickMaker {
            root: "/".into(),
            release,
        }),
        bouncer: Arc::new(Polkit::new(bus)),
        turnstile: Turnstile::default(),
        watchers: Box::new(move |ends| {
            let Ends {
                reporter,
                audience,
                watched: seen,
                ..
            } = ends;
            if borrowed {
                let place = world::supervisor::Place::default();
                tokio::spawn(world::supervisor::watch(place, seen, reporter.clone()));
            }
            let to_logind = reporter.clone();
            tokio::spawn(async move { complain(watched.watch(to_logind).await) });
            let to_links = reporter.clone();
            std::thread::spawn(move || complain(world::links::watch(&to_links)));
            let to_drives = reporter.clone();
            std::thread::spawn(move || complain(world::drives::watch(&watched_paths, &to_drives)));
            world::power_watch(to_power, || Some(world::power::read()), &reporter);
            tokio::spawn(world::searches::answer(audience, reporter));
            // There is nothing to wait for.
            oneshot::channel().1
        }),
    })
}

fn watch_signals(reporter: &world::Reporter) -> std::io::Result<()> {
    for (kind, happening) in [
        (
            SignalKind::terminate(),
            (|| Happening::Terminate) as fn() -> Happening,
        ),
        (SignalKind::interrupt(), || Happening::Terminate),
        (SignalKind::hangup(), || Happening::Reload),
    ] {
        let mut signals = signal(kind)?;
        let reporter = reporter.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if reporter.send(happening()).await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(())
}

/// The host name, as a name that fits into an offer.
fn own_name() -> Name {
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy();
    Name::lossy(&host)
        .or_else(|| Name::lossy("lender"))
        .unwrap_or_else(|| unreachable!("a constant name is one"))
}
