//! A boot entry on a machine's own disk: what a stick holds, in a folder of the machine's EFI
//! system partition.
//!
//! ```text
//! EFI/stiefelsystem/<pairing>: shimx64.efi, grubx64.efi, grub.cfg, vmlinuz, initrd.img
//!   ▲ Boot#### "Borrow from <lender>", behind all others in BootOrder
//! ```
//!
//! The machine's own boot loader, its menu and its settings are neither read nor changed, so
//! that it does not matter which one it is. Where there is no signed boot loader and the
//! machine starts by systemd-boot, a file in `loader/entries` takes the variable's place.
//!
//! See `docs/decisions/0015-one-boot-entry.md`.

mod firmware;
mod load_option;
mod partition;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use stiefel_core::pairing::PairingId;

use crate::Error;
use crate::stick::extent::Data;
use crate::stick::fat::Files;
use crate::stick::loader::{Loaders, MACHINE, Uefi};
use crate::stick::{Stick, initrd, menu, mok_name};
use firmware::Firmware;

pub use partition::Partition;

/// Where all of ours is, below the EFI system partition; one folder for each pairing.
const FOLDER: &str = "EFI/stiefelsystem";
/// systemd-boot's entries, below it.
const ENTRIES: &str = "loader/entries";
/// What our files there begin with.
const ENTRY: &str = "stiefelsystem-";
/// Left free on the partition, bytes: folders, and what others write meanwhile.
const SPARE: u64 = 1 << 20;

/// The machine's own EFI system partition, and what its firmware remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Where the partition is mounted.
    pub esp: PathBuf,
    /// Which one it is; only needed to install.
    pub partition: Option<Partition>,
    /// The firmware's variables, as the kernel shows them (efivarfs).
    pub variables: PathBuf,
}

/// How an installed entry is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the firmware, as the boot variable of this number; also with Secure Boot.
    Firmware(u16),
    /// From the menu of the machine's own systemd-boot.
    SystemdBoot,
}

impl Machine {
    /// Finds both on the running system; `esp` is where the partition is mounted, if that is
    /// not a usual place.
    ///
    /// # Errors
    /// [`Error::NoUefi`], [`Error::NoEsp`].
    pub fn find(esp: Option<&Path>) -> Result<Self, Error> {
        let variables = PathBuf::from("/sys/firmware/efi/efivars");
        if !variables.is_dir() {
            return Err(Error::NoUefi);
        }
        let (esp, partition) = partition::find(esp)?;
        Ok(Self {
            esp,
            partition: Some(partition),
            variables,
        })
    }
}

/// Puts an entry of a pairing there, or replaces the one that is there.
///
/// # Errors
/// The partition is full, read-only or open to everybody, the firmware takes no variable, or
/// there is no boot loader for it. It is as it was before then.
pub fn install(from: &Stick<'_>, machine: &Machine) -> Result<Way, Error> {
    let mode = fs::metadata(&machine.esp)
        .map_err(Error::file("look at", &machine.esp))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(Error::OpenEsp(machine.esp.clone()));
    }
    let loaders = Loaders::of(from.root);
    match &loaders.uefi {
        Some(Uefi::Signed { shim, mok, grub }) => {
            let partition = machine.partition.as_ref().ok_or(Error::NoEsp)?;
            // It would show the machine's own menu instead of ours.
            let code = fs::read(grub).map_err(Error::file("read", grub))?;
            if !code.windows(7).any(|bytes| bytes == b"fw_path") {
                return Err(Error::OldGrub(grub.clone()));
            }
            let mut files = files(from)?;
            let shim_name = format!("shim{MACHINE}.efi");
            let folder = format!("{FOLDER}/{}", from.pairing);
            let menu = menu::grub_at(&folder, from.lender.as_str(), from.cmdline);
            files.insert(shim_name.clone(), vec![Data::file(shim)?]);
            files.insert(format!("grub{MACHINE}.efi"), vec![Data::file(grub)?]);
            files.insert("grub.cfg".into(), vec![Data::owned(menu)]);
            if let Some(mok) = mok {
                files.insert(mok_name(mok), vec![Data::file(mok)?]);
            }
            put(&files, machine, from.pairing)?;
            let path = format!("\\{folder}\\{shim_name}").replace('/', "\\");
            let title = format!("Borrow from {}", from.lender);
            Firmware(&machine.variables)
                .add(&load_option::encode(&title, partition, &path))
                .map(Way::Firmware)
                .inspect_err(|_| drop(take_out(machine, from.pairing)))
        }
        _ if machine.esp.join(ENTRIES).is_dir() => {
            put(&files(from)?, machine, from.pairing)?;
            let folder = format!("{FOLDER}/{}", from.pairing);
            let text = menu::systemd_boot_at(&folder, from.lender.as_str(), from.cmdline);
            let path = entry_file(machine, from.pairing);
            fs::write(&path, text)
                .and_then(|()| File::open(&path)?.sync_all())
                .map_err(Error::write(&path, 1))
                .map(|()| Way::SystemdBoot)
                .inspect_err(|_| drop(take_out(machine, from.pairing)))
        }
        _ => Err(Error::NoLoader),
    }
}

/// Lets the machine start an entry once, at its next boot.
///
/// # Errors
/// The firmware takes no variable.
pub fn start_next(machine: &Machine, number: u16) -> Result<(), Error> {
    Firmware(&machine.variables).set_next(number)
}

/// Takes all entries out again; whether there were any. What others wrote is left alone.
///
/// # Errors
/// The partition is read-only, or the firmware does not let a variable go. Everything is tried.
pub fn remove(machine: &Machine) -> Result<bool, Error> {
    let variables = Firmware(&machine.variables).remove();
    let mut found = false;
    let mut failed = None;
    for id in installed(machine) {
        found = true;
        if let Err(error) = take_out(machine, id) {
            failed.get_or_insert(error);
        }
    }
    // Only if nothing else is in there.
    let _ = fs::remove_dir(machine.esp.join(FOLDER));
    sync(&machine.esp);
    match failed {
        Some(error) => Err(error),
        None => Ok(variables? || found),
    }
}

/// Whose entries are there, also half-written ones.
#[must_use]
pub fn installed(machine: &Machine) -> Vec<PairingId> {
    let entries = fs::read_dir(machine.esp.join(FOLDER)).into_iter().flatten();
    let mut found: Vec<PairingId> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let id = name.split_once('.').map_or(name.as_str(), |(id, _)| id);
            id.to_lowercase().parse().ok()
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// What all entries have.
fn files<'a>(from: &Stick<'a>) -> Result<Files<'a>, Error> {
    Ok(Files::from([
        ("vmlinuz".into(), vec![Data::file(from.kernel)?]),
        ("initrd.img".into(), initrd(from)?),
    ]))
}

/// Writes files beside the folder that they become as a whole.
fn put(files: &Files<'_>, machine: &Machine, id: PairingId) -> Result<(), Error> {
    let (new, old, folder) = (
        folder(machine, id, ".new"),
        folder(machine, id, ".old"),
        folder(machine, id, ""),
    );
    for left in [&new, &old] {
        clear(left)?;
    }
    let needed: u64 = files.values().flatten().map(Data::len).sum::<u64>() + SPARE;
    let room = statvfs(&machine.esp)
        .map_err(io::Error::from)
        .map_err(Error::file("see the room on", &machine.esp))?;
    let free = room.f_bavail * room.f_frsize;
    if free < needed {
        return Err(Error::EspFull {
            path: machine.esp.clone(),
            free,
            needed,
        });
    }
    let had = folder.parent().is_some_and(Path::is_dir);
    let written = write_all(files, &new).and_then(|()| {
        let had = folder.is_dir();
        let swapped = match had {
            true => fs::rename(&folder, &old),
            false => Ok(()),
        };
        swapped
            .and_then(|()| fs::rename(&new, &folder))
            .map_err(Error::write(&folder, 0))
    });
    if let Err(error) = written {
        let _ = clear(&new);
        if !folder.is_dir() {
            let _ = fs::rename(&old, &folder);
        }
        if let Some(parent) = folder.parent().filter(|_| !had) {
            let _ = fs::remove_dir(parent);
        }
        return Err(error);
    }
    clear(&old)?;
    sync(&machine.esp);
    Ok(())
}

fn write_all(files: &Files<'_>, folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|error| match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => Error::ReadOnlyEsp(folder.to_owned()),
        _ => Error::write(folder, 0)(error),
    })?;
    for (name, pieces) in files {
        let path = folder.join(name);
        let size: u64 = pieces.iter().map(Data::len).sum();
        let mut file = File::create_new(&path).map_err(Error::write(&path, size))?;
        for data in pieces {
            let copied = io::copy(&mut data.open()?, &mut file);
            if copied.map_err(Error::write(&path, size))? != data.len() {
                let source = io::Error::from(io::ErrorKind::UnexpectedEof);
                return Err(Error::ContentChanged { source });
            }
        }
        file.sync_all().map_err(Error::write(&path, size))?;
    }
    Ok(())
}

fn take_out(machine: &Machine, id: PairingId) -> Result<(), Error> {
    let entry = entry_file(machine, id);
    match fs::remove_file(&entry) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::file("remove", &entry)(error));
        }
        _ => {}
    }
    for ending in [".new", ".old", ""] {
        clear(&folder(machine, id, ending))?;
    }
    let _ = fs::remove_dir(machine.esp.join(FOLDER));
    Ok(())
}

/// Removes a folder of ours, whose files hold a secret: they are overwritten first, as far as
/// the disk plays along.
fn clear(folder: &Path) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.ends_with("initrd.img") {
            wipe_end(&path).map_err(Error::file("wipe", &path))?;
        }
    }
    fs::remove_dir_all(folder).map_err(Error::file("remove", folder))
}

/// The ticket is at the very end.
fn wipe_end(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    const LONGEST_TICKET: u64 = 1 << 14;
    let file = File::options().write(true).open(path)?;
    let len = file.metadata()?.len();
    let zeros = vec![0; len.min(LONGEST_TICKET) as usize];
    file.write_all_at(&zeros, len - zeros.len() as u64)?;
    file.sync_all()
}

fn folder(machine: &Machine, id: PairingId, ending: &str) -> PathBuf {
    machine.esp.join(format!("{FOLDER}/{id}{ending}"))
}

fn entry_file(machine: &Machine, id: PairingId) -> PathBuf {
    machine.esp.join(format!("{ENTRIES}/{ENTRY}{id}.conf"))
}

fn sync(esp: &Path) {
    if let Ok(folder) = File::open(esp) {
        let _ = rustix::fs::syncfs(folder);
    }
}
