//! `stiefelctl export-boot`

use crate::client::Client;
use crate::output::{Output, json, say};
use anyhow::{Context, bail};
use clap::Args;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use stiefel_image::{BootFiles, IMAGES, boot_files, image_path, kernel_of, verify};

/// Longest ticket archive, bytes: one JSON file of a pairing.
const MAX_TICKET_LEN: u64 = 1 << 16;

/// Whose, where to, and of which kernel.
#[derive(Args)]
pub struct ExportArgs {
    /// Name or id of the pairing
    name: String,
    /// Folder to write vmlinuz, initramfs.img and cmdline into; gets the permissions 0700
    dir: PathBuf,
    /// Take the ramdisk of this kernel (as `uname -r` prints it), not of the running one
    #[arg(long, value_name = "RELEASE")]
    kernel: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// Writes the boot files.
pub async fn run(client: &Client, args: ExportArgs) -> anyhow::Result<()> {
    let release = match args.kernel {
        Some(release) => release,
        None => rustix::system::uname()
            .release()
            .to_str()
            .context("the kernel's release is no text")?
            .to_owned(),
    };
    // What does not need the secret comes first, so that it is not given out in vain.
    let images = Path::new("/").join(IMAGES);
    let kernel = kernel_of(Path::new("/"), &release)?;
    verify(&images, &release)?;
    let pairing = client.find(&args.name).await?;
    let ticket = client.pairing(&pairing.path).await?.export_ticket().await?;
    let mut ticket = read(ticket.into())?;
    let written = boot_files(
        &BootFiles {
            kernel: &kernel.kernel,
            image: &image_path(&images, &release),
            ticket: &ticket,
        },
        &args.dir,
    );
    ticket.fill(0);
    written?;
    if args.output.json {
        let files = ["vmlinuz", "initramfs.img", "cmdline"].map(|name| args.dir.join(name));
        return json(&serde_json::json!({ "pairing": pairing.name, "files": files }));
    }
    say!(
        "{} boots from {}: vmlinuz, initramfs.img, cmdline.",
        pairing.name,
        args.dir.display()
    );
    say!("Whoever has initramfs.img can borrow this machine's disk. Keep it as a key.");
    Ok(())
}

/// The archive that the daemon gives.
pub fn read(ticket: OwnedFd) -> anyhow::Result<Vec<u8>> {
    let mut file = File::from(ticket);
    file.rewind()?;
    // Allocated once, so that no stray copy of the secret stays behind.
    let len = file.metadata()?.len();
    if len > MAX_TICKET_LEN {
        bail!("the daemon's ticket is longer than {MAX_TICKET_LEN} bytes");
    }
    let mut bytes = Vec::with_capacity(usize::try_from(len)?);
    file.take(MAX_TICKET_LEN).read_to_end(&mut bytes)?;
    Ok(bytes)
}
