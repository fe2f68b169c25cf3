//! The command line, and from it to what it asks for.

use crate::client::{self, Client};
use crate::{export, jobs, lend, links, monitor, pairings, serve, status, update};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::process::ExitCode;

/// Lend this machine's disk to another computer, over a cable
#[derive(Parser)]
#[command(name = "stiefelctl", version, about, propagate_version = true, after_help = FIRST)]
struct Cli {
    /// Address of the bus of the daemon, instead of the system bus
    #[arg(long, global = true, value_name = "ADDRESS", hide = true)]
    bus: Option<String>,
    #[command(subcommand)]
    command: Command,
}

const FIRST: &str = "\
The first time, as root:
  stiefelctl update                      make the ramdisk of the running kernel
  stiefelctl pair Workstation            make a pairing
  stiefelctl export-boot Workstation DIR write what that machine boots from
  stiefelctl arm                         answer its searches
Then boot the other machine from DIR, and confirm here: stiefelctl confirm";

/// How to print.
#[derive(Args, Clone, Copy)]
pub struct Output {
    /// Print JSON for other programs
    #[arg(long)]
    pub json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Show whether this machine can lend its disk, and what goes on
    Status(Output),
    /// Answer the searches of paired machines, also after a reboot
    Arm,
    /// Answer no searches any more
    Disarm,
    /// Make a pairing with another machine
    Pair {
        /// What to call that machine
        name: String,
        #[command(flatten)]
        output: Output,
    },
    /// List the pairings
    Pairings(Output),
    /// Destroy a pairing: its boot media find this machine no more
    Forget {
        /// Name or id of the pairing
        name: String,
    },
    /// Change what the searches of a paired machine bring about
    Policy {
        /// Name or id of the pairing
        name: String,
        /// What its searches bring about
        policy: Policy,
    },
    /// Rename a pairing
    Rename {
        /// Name or id of the pairing
        name: String,
        /// The new name
        new_name: String,
    },
    /// List the wired interfaces
    Links(Output),
    /// Change what a wired interface is used for, also when it is plugged in again
    Link {
        /// Name or hardware address of the interface
        name: String,
        /// What it is used for
        policy: LinkPolicy,
    },
    /// Write kernel, initramfs and command line for a paired machine (secret: 0600)
    ExportBoot(export::ExportArgs),
    /// Announce a hand-off: this machine leaves its system and lends its disk
    Lend(lend::LendArgs),
    /// Say yes to an announced hand-off: it goes ahead at once
    Confirm,
    /// Call a hand-off off
    Cancel,
    /// Show all changes as they happen, until interrupted
    Monitor(Output),
    /// Let the daemon make the ramdisk of the running kernel
    MakeImage(jobs::MakeArgs),
    /// Make the ramdisks of installed kernels, as root and without the daemon
    Update(update::UpdateArgs),
    /// Serve a disk or an image to NBD clients, until interrupted
    Serve(serve::ServeArgs),
}

/// What a search brings about.
#[derive(Clone, Copy, ValueEnum)]
enum Policy {
    /// Somebody here has to confirm
    Ask,
    /// It goes ahead after the countdown
    Automatic,
    /// Nothing, it gets no answer
    Never,
}

/// What a wired interface is used for.
#[derive(Clone, Copy, ValueEnum)]
enum LinkPolicy {
    /// Nothing
    Ignore,
    /// Searches are heard on it, and its configuration is left alone
    Shared,
    /// Lending only: plugging it in asks for a hand-off
    Dedicated,
}

/// Runs the command; says what went wrong, and what to do about it.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stiefelctl: {}", client::explain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let bus = cli.bus.as_deref();
    match cli.command {
        Command::Update(args) => {
            update::run(&args)?;
            client::look_again(bus).await;
            Ok(())
        }
        Command::Serve(args) => serve::run(args).await,
        command => ask(&Client::connect(bus).await?, command).await,
    }
}

/// Runs a command that needs the daemon.
async fn ask(client: &Client, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Status(output) => status::show(client, output).await,
        Command::Arm => {
            client.manager.arm(Default::default()).await?;
            println!("Searches of paired machines are answered.");
            Ok(())
        }
        Command::Disarm => {
            client.manager.disarm().await?;
            println!("Searches are not answered any more.");
            Ok(())
        }
        Command::Pair { name, output } => pairings::pair(client, &name, output).await,
        Command::Pairings(output) => pairings::list(client, output).await,
        Command::Forget { name } => pairings::forget(client, &name).await,
        Command::Policy { name, policy } => {
            let policy = match policy {
                Policy::Ask => "ask",
                Policy::Automatic => "automatic",
                Policy::Never => "never",
            };
            pairings::set_policy(client, &name, policy).await
        }
        Command::Rename { name, new_name } => pairings::rename(client, &name, &new_name).await,
        Command::Links(output) => links::list(client, output).await,
        Command::Link { name, policy } => {
            let policy = match policy {
                LinkPolicy::Ignore => "ignore",
                LinkPolicy::Shared => "shared",
                LinkPolicy::Dedicated => "dedicated",
            };
            links::set_policy(client, &name, policy).await
        }
        Command::MakeImage(args) => jobs::make_image(client, args).await,
        Command::ExportBoot(args) => export::run(client, args).await,
        Command::Lend(args) => lend::lend(client, args).await,
        Command::Confirm => lend::confirm(client).await,
        Command::Cancel => lend::cancel(client).await,
        Command::Monitor(output) => monitor::run(client, output).await,
        // Done above: they need no daemon.
        Command::Update(_) | Command::Serve(_) => Ok(()),
    }
}
