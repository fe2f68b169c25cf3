//! `stiefelctl install-entry`, `remove-entry`: a boot entry on this machine's own disk, which
//! starts what a stick would.

use crate::output::{Output, json, say};
use crate::pairing_file;
use anyhow::{Context, bail};
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};
use stiefel_core::cmdline;
use stiefel_core::cpio;
use stiefel_core::ticket::{TICKET_PATH, Ticket};
use stiefel_image::entry::{self, Machine, Way};
use stiefel_image::stick::Stick;
use stiefel_image::{IMAGES, image_path, kernel_of, verify};
use zeroize::Zeroizing;

/// Whose disk, and where the entry goes.
#[derive(Args)]
pub struct InstallArgs {
    /// File of the pairing, from `stiefelctl export-pairing` on the lender
    pairing_file: PathBuf,
    /// Where the EFI system partition is mounted [default: /efi, /boot/efi or /boot]
    #[arg(long, value_name = "DIR")]
    esp: Option<PathBuf>,
    /// Start it at the next boot, once
    #[arg(long)]
    next: bool,
    #[command(flatten)]
    output: Output,
}

/// Where the entries are.
#[derive(Args)]
pub struct RemoveArgs {
    /// Where the EFI system partition is mounted [default: /efi, /boot/efi or /boot]
    #[arg(long, value_name = "DIR")]
    esp: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Installs the entry of a pairing, or renews it.
pub fn install(args: &InstallArgs) -> anyhow::Result<()> {
    only_root()?;
    let ticket = pairing_file::read(&args.pairing_file)?;
    let machine = Machine::find(args.esp.as_deref())?;
    let root = Path::new("/");
    let images = root.join(IMAGES);
    let release = rustix::system::uname();
    let release = release
        .release()
        .to_str()
        .context("the kernel's release is no text")?;
    let kernel = kernel_of(root, release)?;
    verify(&images, release)?;
    let running = fs::read_to_string("/proc/cmdline").context("cannot read /proc/cmdline")?;
    let (pairing, lender) = (ticket.pairing.id, ticket.lender.clone());
    let json_ticket = Zeroizing::new(Ticket::Fetch(Box::new(ticket)).to_json()?);
    let archive = Zeroizing::new(cpio::archive(&[cpio::File {
        path: TICKET_PATH,
        mode: 0o600,
        data: &json_ticket,
    }])?);
    let made_from = Stick {
        root,
        kernel: &kernel.kernel,
        image: &image_path(&images, release),
        ticket: &archive,
        pairing,
        lender: &lender,
        cmdline: &cmdline::machine(&running),
    };
    let way = entry::install(&made_from, &machine)?;
    let number = match way {
        Way::Firmware(number) => Some(number),
        Way::SystemdBoot => None,
    };
    if args.next {
        let number = number.context("it is installed, but systemd-boot chooses by itself what comes next; see: bootctl set-oneshot")?;
        entry::start_next(&machine, number)?;
    }
    if args.output.json {
        return json(&serde_json::json!({
            "lender": lender.as_str(),
            "entry": number.map(|number| format!("Boot{number:04X}")),
            "esp": machine.esp,
            "next": args.next,
        }));
    }
    match (number, args.next) {
        (Some(_), true) => say!("The next boot of this machine borrows from {lender}, once."),
        (Some(number), false) => {
            say!("Choose \"Borrow from {lender}\" in the firmware's boot menu (Boot{number:04X}).");
        }
        (None, _) => say!("Choose \"Boot from {lender}\" in the menu of systemd-boot."),
    }
    say!(
        "Whoever can start this machine can borrow with it. To take it out: stiefelctl remove-entry"
    );
    Ok(())
}

/// Takes all entries out again.
pub fn remove(args: &RemoveArgs) -> anyhow::Result<()> {
    only_root()?;
    let machine = Machine::find(args.esp.as_deref())?;
    let found = entry::remove(&machine)?;
    if args.output.json {
        return json(&serde_json::json!({ "removed": found }));
    }
    match found {
        true => say!("Removed, with the secret."),
        false => say!("There is no entry of ours."),
    }
    Ok(())
}

fn only_root() -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("only root may change what this machine starts; run it with sudo");
    }
    Ok(())
}
