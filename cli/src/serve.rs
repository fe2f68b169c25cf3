//! `stiefelctl serve`: a disk for any NBD client, without a daemon, a hand-off or a reboot.

use crate::human::bytes;
use crate::output::{Output, mention};
use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use std::io::{IsTerminal, Write, stderr};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use stiefel_server::disk::{Access, Disk, OpenGate, Server, Stats};
use stiefel_server::tunnel::Tunnel;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

mod tunnel;

/// How often the line on the terminal is written anew.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// What to serve, and to whom.
#[derive(Args)]
pub struct ServeArgs {
    /// The disk, partition or image file
    disk: PathBuf,
    /// Refuse writes; the disk may be in use elsewhere, but must not change
    #[arg(long)]
    read_only: bool,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:10809")]
    listen: SocketAddr,
    /// Listen on a network: whoever reaches the address has the whole disk, and can read along
    #[arg(long)]
    insecure: bool,
    /// Listen in a tunnel (WireGuard) to the machine of a pairing only; needs root
    #[arg(long, value_name = "PAIRING", conflicts_with_all = ["listen", "insecure"])]
    tunnel: Option<String>,
    /// Write the other machine's side of the tunnel there, for wg-quick; whoever has it is let in
    #[arg(long, value_name = "FILE", requires = "tunnel")]
    tunnel_config: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Serves until interrupted; what was written is then on the disk.
pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    if !args.listen.ip().is_loopback() && !args.insecure {
        bail!(
            "NBD neither asks who comes nor encrypts, so {} is refused; listen on 127.0.0.1 and \
             let clients come through --tunnel, or add --insecure if you trust the whole network",
            args.listen
        );
    }
    let access = if args.read_only {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    };
    // Before anything is served, so that no signal can end us without a last flush.
    let mut interrupts = Interrupts {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
    };
    let disk = Disk::open(&args.disk, access)?;
    let (listener, _tunnel) = listen(&args)?;
    let address = listener.local_addr()?;
    let server = Server::start(listener, Arc::clone(&disk), Arc::new(OpenGate))
        .context("cannot start the disk service")?;
    announce(&args, &disk, address);

    let start = Instant::now();
    show_until(&server, &mut interrupts, args.output).await;
    let stats = server.stats();
    let (done, ended) = oneshot::channel();
    thread::spawn(move || {
        server.close();
        // Nobody listens any more if the person has lost patience.
        let _ = done.send(disk.flush());
    });
    tokio::select! {
        flushed = ended => flushed?.context("not everything that was written is on the disk")?,
        () = interrupts.next() => bail!(
            "interrupted twice, before the disk had taken everything; what was not flushed may be lost"
        ),
    }
    sum_up(args.output, &stats, start.elapsed());
    Ok(())
}

/// The tunnel, if there is one, lasts as long as what it is returned with.
fn listen(args: &ServeArgs) -> anyhow::Result<(TcpListener, Option<Tunnel>)> {
    if let Some(pairing) = &args.tunnel {
        let (listener, tunnel) = tunnel::open(pairing, args.tunnel_config.as_deref())?;
        return Ok((listener, Some(tunnel)));
    }
    let listener = TcpListener::bind(args.listen)
        .with_context(|| format!("cannot listen on {}; name another port", args.listen))?;
    Ok((listener, None))
}

struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn announce(args: &ServeArgs, disk: &Disk, address: SocketAddr) {
    let export = disk.export();
    let uri = format!("nbd://{address}/disk");
    if args.output.json {
        mention!(
            "{}",
            json!({
                "uri": uri,
                "port": address.port(),
                "bytes": export.size,
                "block_bytes": export.block_bytes,
                "read_only": export.read_only,
            })
        );
        return;
    }
    let kind = if export.read_only { "read-only, " } else { "" };
    mention!(
        "Serving {} ({kind}{}) at {uri}",
        args.disk.display(),
        bytes(export.size)
    );
    if !address.ip().is_loopback() && args.tunnel.is_none() {
        mention!("Whoever reaches this address has the whole disk, and can read along.");
    }
    mention!("Ctrl-C ends it.");
}

/// Keeps one line of a terminal up to date, until interrupted.
async fn show_until(server: &Server, interrupts: &mut Interrupts, output: Output) {
    let seen = !output.json && stderr().is_terminal();
    let mut before = server.stats();
    loop {
        tokio::select! {
            () = interrupts.next() => break,
            () = tokio::time::sleep(PROGRESS_INTERVAL), if seen => {
                let now = server.stats();
                let _ = write!(stderr(), "\r{}\x1b[K", progress(&before, &now, PROGRESS_INTERVAL));
                // A terminal that is gone needs no progress.
                let _ = stderr().flush();
                before = now;
            }
        }
    }
    if seen {
        let _ = writeln!(stderr());
    }
}

fn progress(before: &Stats, now: &Stats, interval: Duration) -> String {
    let rate = |before: u64, now: u64| ((now - before) as f64 / interval.as_secs_f64()) as u64;
    format!(
        "read {} ({}/s), written {} ({}/s), {} requests, {} failed",
        bytes(now.read_bytes),
        bytes(rate(before.read_bytes, now.read_bytes)),
        bytes(now.written_bytes),
        bytes(rate(before.written_bytes, now.written_bytes)),
        now.requests,
        now.errors,
    )
}

fn sum_up(output: Output, stats: &Stats, took: Duration) {
    if output.json {
        mention!(
            "{}",
            json!({
                "seconds": took.as_secs_f64(),
                "sessions": stats.sessions,
                "requests": stats.requests,
                "errors": stats.errors,
                "read_bytes": stats.read_bytes,
                "written_bytes": stats.written_bytes,
                "flushes": stats.flushes,
            })
        );
        return;
    }
    mention!(
        "{} sessions in {} s: read {}, written {}, {} requests failed. All of it is on the disk.",
        stats.sessions,
        took.as_secs(),
        bytes(stats.read_bytes),
        bytes(stats.written_bytes),
        stats.errors,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_totals_and_rates() {
        let before = Stats {
            read_bytes: 1_000_000,
            ..Stats::default()
        };
        let now = Stats {
            read_bytes: 5_000_000,
            written_bytes: 2_000,
            requests: 7,
            errors: 1,
            ..before
        };
        assert_eq!(
            progress(&before, &now, Duration::from_secs(2)),
            "read 5.0 MB (2.0 MB/s), written 2.0 kB (1.0 kB/s), 7 requests, 1 failed"
        );
    }
}
