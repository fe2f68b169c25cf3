//! `stiefelctl drives`, `create-usbdrive`, `refresh-stick`

use crate::ask::consent_to;
use crate::client::Client;
use crate::facts::Drive;
use crate::human::bytes;
use crate::jobs::{self, Stay};
use crate::output::{CARE, Cell, FAINT, GOOD, Output, Table, clean, json, mention, say};
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
use stiefel_image::stick::{Boots, recognize};
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
    /// Do not ask, and erase the drive of this serial number (its device, if it has none), or this file
    #[arg(long, short, value_name = "DEVICE-SERIAL")]
    yes: Option<String>,
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

/// Which stick.
#[derive(Args)]
pub struct RefreshArgs {
    /// Its drive (device or serial number, see `stiefelctl drives`), if several sticks are plugged in
    drive: Option<PathBuf>,
    #[command(flatten)]
    stay: Stay,
}

/// Writes a plugged-in stick again, for its own pairing. Nothing else is on it, so nobody is asked.
pub async fn refresh_stick(client: &Client, args: RefreshArgs) -> anyhow::Result<()> {
    let objects = client.objects().await?;
    let mut sticks = Vec::new();
    for drive in objects.drives() {
        let meant = args.drive.as_ref().map(|named| is_meant(&drive, named));
        if meant == Some(false) {
            continue;
        }
        let device = &drive.device;
        match File::open(device).map(|file| recognize(&file)) {
            Ok(Some(found)) => sticks.push((drive, found)),
            Ok(None) if meant.is_some() => {
                bail!("{device} is no stick of ours; make one with: stiefelctl create-usbdrive")
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                bail!("only root may see what is on {device}; run it with sudo")
            }
            // Card readers without a card.
            Ok(None) | Err(_) => {}
        }
    }
    let [(drive, found)] = sticks.as_slice() else {
        match (sticks.is_empty(), &args.drive) {
            (true, None) => bail!("no stick of ours is plugged in; see: stiefelctl drives"),
            (true, Some(named)) => {
                bail!(
                    "there is no drive {}; see: stiefelctl drives",
                    named.display()
                )
            }
            (false, _) => bail!("several sticks are plugged in; say which: stiefelctl drives"),
        }
    };
    let id = found.pairing.to_string();
    let pairings = objects.pairings();
    let Some(pairing) = pairings.iter().find(|pairing| pairing.id == id) else {
        bail!(
            "the pairing of the stick {} was forgotten, or is of another machine; make it anew with: stiefelctl create-usbdrive",
            drive.device
        );
    };
    let options = HashMap::from([("refresh", true.into())]);
    let proxy = proxy(client, drive).await?;
    let job = proxy.write_stick(&pairing.path, options).await?;
    jobs::follow(client, job, args.stay).await
}

/// Makes a boot medium of a drive, or a file that holds one.
pub async fn create_usbdrive(client: &Client, args: StickArgs) -> anyhow::Result<()> {
    let pairing = client.find(&args.name).await?;
    let drives = client.objects().await?.drives();
    let boots = Boots::of(Path::new("/"));
    if !args.stay.output.json && !boots.secure_boot {
        mention!(
            "No signed boot loader is installed here: the stick will not start where Secure Boot is on."
        );
    }
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
    let (kind, known_by) = match drive.serial.is_empty() {
        true => ("device", &drive.device),
        false => ("serial number", &drive.serial),
    };
    let serial = format!("{kind} {}", clean(known_by));
    consent_to(
        args.yes.as_deref(),
        known_by,
        &format!("{device}, {serial}"),
        &format!("Erase {device} ({model}, {size}, {serial}){holds}?"),
    )?;
    let mut options = HashMap::new();
    if args.unmount {
        options.insert("unmount", true.into());
    }
    let proxy = proxy(client, drive).await?;
    Ok(proxy.write_stick(pairing, options).await?)
}

async fn proxy(client: &Client, drive: &Drive) -> zbus::Result<DriveProxy<'static>> {
    DriveProxy::builder(&client.bus)
        .path(drive.path.clone())?
        .cache_properties(zbus::proxy::CacheProperties::No)
        .build()
        .await
}

async fn to_file(
    client: &Client,
    pairing: &OwnedObjectPath,
    args: &StickArgs,
) -> anyhow::Result<OwnedObjectPath> {
    let file = open(&args.target, args.yes.as_deref())?;
    let target = file.as_fd().into();
    let job = client.manager.write_stick(pairing, target, HashMap::new());
    Ok(job.await?)
}

/// A new file that nobody else can read, or an old one if somebody agrees.
fn open(path: &Path, agreed: Option<&str>) -> anyhow::Result<File> {
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
            let name = told.to_string();
            consent_to(agreed, &name, &name, &format!("Overwrite {told}?"))?;
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
