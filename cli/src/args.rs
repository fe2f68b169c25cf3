//! The command line, and from it to what it asks for.

use crate::ask::Consent;
use crate::client::{self, Client};
use crate::output::{Output, say};
use crate::{
    borrow, checks, drives, ending, entry, export, generate, jobs, lend, links, loan, monitor,
    pairing_file, pairings, report, serve, settings, status, update,
};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
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

/// How to begin.
pub const FIRST: &str = "\
The first time, as root:
  stiefelctl make-image                          make the ramdisk of the running kernel
  stiefelctl pair Workstation                    make a pairing
  stiefelctl drives                              see which drive is the stick
  stiefelctl create-usbdrive Workstation DRIVE   make the stick that machine boots from
  stiefelctl arm                                 answer its searches
Then boot the other machine from it, and confirm here: stiefelctl confirm";

#[derive(Subcommand)]
enum Command {
    /// Show whether this machine can lend its disk, and what goes on
    Status(Output),
    /// Show what was found out about this machine; fails if something forbids to lend its disk
    Checks(Output),
    /// Let the daemon look again at its configuration, the ramdisk and the machine
    Refresh,
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
        #[command(flatten)]
        consent: Consent,
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
    /// List the removable drives that a stick can be made of
    Drives(Output),
    /// Make a boot medium of a pairing: a stick, or a file that holds one; Ctrl-C calls it off
    CreateUsbdrive(drives::StickArgs),
    /// Write a plugged-in stick again, with the ramdisk of today, for the same pairing
    RefreshStick(drives::RefreshArgs),
    /// Write kernel, initramfs and command line for a paired machine (secret: 0600)
    ExportBoot(export::ExportArgs),
    /// Write a pairing's secret into a file, for `stiefelctl borrow` (secret: 0600)
    ExportPairing(pairing_file::ExportArgs),
    /// Borrow a disk from this running system, as root: search its lender, fetch its system, and start it by kexec
    Borrow(borrow::BorrowArgs),
    /// Put a boot entry that borrows onto this machine's own disk, as root
    InstallEntry(entry::InstallArgs),
    /// Take it out again
    RemoveEntry(entry::RemoveArgs),
    /// List the wired interfaces
    Links(Output),
    /// Change what a wired interface is used for, also when it is plugged in again
    Link {
        /// Name or hardware address of the interface
        name: String,
        /// What it is used for
        policy: LinkPolicy,
    },
    /// List the settings
    Settings(Output),
    /// Change a setting; it comes before what /etc/stiefelsystem says
    Set(settings::SetArgs),
    /// Forget all that was set: what /etc/stiefelsystem says holds again
    ResetSettings,
    /// Announce a hand-off: this machine leaves its system and lends its disk
    Lend(lend::LendArgs),
    /// Say yes to an announced hand-off: it goes ahead at once
    Confirm,
    /// Call a hand-off off
    Cancel,
    /// Show the lent disk that this system runs from
    Loan(loan::LoanArgs),
    /// Shut this system down, which gives the lent disk back
    GiveBack(loan::GiveBackArgs),
    /// Show all changes as they happen, until interrupted; also over restarts of the daemon
    Monitor(Output),
    /// List what takes its time
    Jobs(Output),
    /// Call a job off
    CancelJob {
        /// Its number, see `stiefelctl jobs`
        number: u32,
    },
    /// Let the daemon make the ramdisk of the running kernel; Ctrl-C calls it off
    MakeImage(jobs::Stay),
    /// Make the ramdisks of installed kernels, as root and without the daemon
    Update(update::UpdateArgs),
    /// Serve a disk or an image to NBD clients, until interrupted
    Serve(serve::ServeArgs),
    /// Pack logs and facts for whoever looks for a fault, without secrets
    Report(report::ReportArgs),
    /// Write manual pages or completions
    #[command(subcommand, hide = true)]
    Generate(generate::Generate),
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
    ending::tell(match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(error.into()),
    })
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let bus = cli.bus.as_deref();
    match cli.command {
        Command::Update(args) => {
            update::run(&args)?;
            client::look_again(bus).await;
            Ok(())
        }
        Command::Borrow(args) => borrow::run(args).await,
        Command::InstallEntry(args) => entry::install(&args),
        Command::RemoveEntry(args) => entry::remove(&args),
        Command::Serve(args) => serve::run(args).await,
        Command::Report(args) => report::run(bus, args).await,
        Command::Generate(what) => generate::run(&what, Cli::command()),
        command => ask(&Client::connect(bus).await?, command).await,
    }
}

/// Runs a command that needs the daemon.
async fn ask(client: &Client, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Status(output) => status::show(client, output).await,
        Command::Checks(output) => checks::show(client, output).await,
        Command::Refresh => {
            client.manager.refresh().await?;
            say!("Everything was looked at again.");
            Ok(())
        }
        Command::Arm => {
            client.manager.arm(Default::default()).await?;
            say!("Searches of paired machines are answered.");
            Ok(())
        }
        Command::Disarm => {
            client.manager.disarm().await?;
            say!("Searches are not answered any more.");
            Ok(())
        }
        Command::Pair { name, output } => pairings::pair(client, &name, output).await,
        Command::Pairings(output) => pairings::list(client, output).await,
        Command::Forget { name, consent } => pairings::forget(client, &name, consent).await,
        Command::Policy { name, policy } => {
            pairings::set_policy(client, &name, &word(policy)).await
        }
        Command::Rename { name, new_name } => pairings::rename(client, &name, &new_name).await,
        Command::Drives(output) => drives::list(client, output).await,
        Command::CreateUsbdrive(args) => drives::create_usbdrive(client, args).await,
        Command::RefreshStick(args) => drives::refresh_stick(client, args).await,
        Command::ExportBoot(args) => export::run(client, args).await,
        Command::ExportPairing(args) => pairing_file::export(client, args).await,
        Command::Links(output) => links::list(client, output).await,
        Command::Link { name, policy } => links::set_policy(client, &name, &word(policy)).await,
        Command::Settings(output) => settings::list(client, output).await,
        Command::Set(args) => settings::set(client, args).await,
        Command::ResetSettings => settings::reset(client).await,
        Command::Lend(args) => lend::lend(client, args).await,
        Command::Confirm => lend::confirm(client).await,
        Command::Cancel => lend::cancel(client).await,
        Command::Loan(args) => loan::show(client, args).await,
        Command::GiveBack(args) => loan::give_back(client, args).await,
        Command::Monitor(output) => monitor::run(client, output).await,
        Command::Jobs(output) => jobs::list(client, output).await,
        Command::CancelJob { number } => jobs::cancel(client, number).await,
        Command::MakeImage(stay) => jobs::make_image(client, stay).await,
        // Done above: they need no daemon.
        Command::Update(_)
        | Command::Borrow(_)
        | Command::InstallEntry(_)
        | Command::RemoveEntry(_)
        | Command::Serve(_)
        | Command::Report(_)
        | Command::Generate(_) => Ok(()),
    }
}

/// The word on the bus, which is the one on the command line.
fn word(policy: impl ValueEnum) -> String {
    let value = policy.to_possible_value();
    value
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
