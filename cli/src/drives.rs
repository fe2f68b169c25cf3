//! `stiefelctl drives`, `write-stick`

use crate::ask::{Consent, consent};
use crate::client::Client;
use crate::facts::Drive;
use crate::human::bytes;
use crate::jobs::{self, Stay};
use crate::output::{CARE, Cell, FAINT, GOOD, Output, Table, clean, json, say};
use anstyle::Style;
use anyhow::{Context, bail};
use clap::Args;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use stiefel_dbus::proxy::DriveProxy;
use stiefel_dbus::words::DriveState;
use zbus::zvariant::OwnedObjectPath;

/// Whose, and what becomes a stick.
#[derive(Args)]
pub struct StickArgs {
    /// Name or id of the pairing
    name: String,
    /// The drive (device or serial number, see `stiefelctl drives`), or a file that becomes an image of a stick
    target: PathBuf,
    /// File systems of the drive that are in use may be unmounted
    #[arg(long)]
    unmount: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    stay: Stay,
}

/// Lists the removable drives.
pub async fn list(client: &Client, output: Output) -> anyhow::Result<()> {
    let drives = client.objects().await?.drives();
    if output.json {
        return json(&drives);
    }
    if drives.is_empty() {
        say!("No removable drive is plugged in.");
        return Ok(());
    }
    let mut table = Table::new(&["DEVICE", "SIZE", "STATE", "MODEL", "SERIAL", "HOLDS"]);
    for drive in &drives {
        table.row(vec![
            (&drive.device).into(),
            bytes(drive.size_bytes).into(),
            Cell::new(&drive.state, style(drive)),
            (&drive.model).into(),
            Cell::new(&drive.serial, FAINT),
            drive.volumes.join(", ").into(),
        ]);
    }
    table.print()
}

fn style(drive: &Drive) -> Style {
    match DriveState::from(drive.state.as_str()) {
        DriveState::Free => GOOD,
        DriveState::Mounted => CARE,
        DriveState::Busy
        | DriveState::ReadOnly
        | DriveState::TooSmall
        | DriveState::NoMedium
        | DriveState::Unknown(_) => FAINT,
    }
}

/// Makes a boot medium of a drive, or a file that holds one.
pub async fn write_stick(client: &Client, args: StickArgs) -> anyhow::Result<()> {
    let pairing = client.find(&args.name).await?;
    let drives = client.objects().await?.drives();
    let job = match drives.iter().find(|drive| is_meant(drive, &args.target)) {
        Some(drive) => to_drive(client, &pairing.path, drive, &args).await?,
        None => to_file(client, &pairing.path, &args).await?,
    };
    jobs::follow(client, job, args.stay).await
}

fn is_meant(drive: &Drive, target: &Path) -> bool {
    let kernels_name = drive.device.strip_prefix("/dev/");
    let text = target.to_str();
    text == Some(&drive.device)
        || text == kernels_name
        || (!drive.serial.is_empty() && text == Some(&drive.serial))
        // A link to it, e.g. below /dev/disk/by-id.
        || target.canonicalize().is_ok_and(|real| real == Path::new(&drive.device))
}

async fn to_drive(
    client: &Client,
    pairing: &OwnedObjectPath,
    drive: &Drive,
    args: &StickArgs,
) -> anyhow::Result<OwnedObjectPath> {
    let holds = match drive.volumes.len() {
        0 => String::new(),
        _ => format!(", which holds {}", clean(&drive.volumes.join(", "))),
    };
    let (device, model) = (&drive.device, clean(&drive.model));
    let size = bytes(drive.size_bytes);
    consent(
        args.consent,
        &format!("Erase {device} ({model}, {size}){holds}?"),
    )?;
    let mut options = HashMap::new();
    if args.unmount {
        options.insert("unmount", true.into());
    }
    let proxy = DriveProxy::builder(&client.bus)
        .path(drive.path.clone())?
        .cache_properties(zbus::proxy::CacheProperties::No)
        .build()
        .await?;
    Ok(proxy.write_stick(pairing, options).await?)
}

async fn to_file(
    client: &Client,
    pairing: &OwnedObjectPath,
    args: &StickArgs,
) -> anyhow::Result<OwnedObjectPath> {
    let file = open(&args.target, args.consent)?;
    let target = file.as_fd().into();
    let job = client.manager.write_stick(pairing, target, HashMap::new());
    Ok(job.await?)
}

/// A new file that nobody else can read, or an old one if somebody agrees.
fn open(path: &Path, agreed: Consent) -> anyhow::Result<File> {
    let told = path.display();
    let open = |new| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(new).mode(0o600);
        options.open(path)
    };
    match path.metadata() {
        Ok(data) if data.file_type().is_block_device() => {
            bail!("{told} is no removable drive; see: stiefelctl drives")
        }
        Ok(data) if !data.is_file() => bail!("{told} is neither a drive nor a file"),
        Ok(_) => {
            consent(agreed, &format!("Overwrite {told}?"))?;
            open(false)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let bare = path.components().count() == 1 && path.extension().is_none();
            if path.starts_with("/dev") || bare {
                bail!("there is no drive {told}; see: stiefelctl drives");
            }
            open(true)
        }
        Err(error) => Err(error),
    }
    .with_context(|| format!("cannot open {told}"))
}
