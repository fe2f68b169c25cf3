//! Sticks: a medium that boots by UEFI, with Secure Boot or without, and by a legacy BIOS.
//!
//! ```text
//! MBR   GPT │ 1 MiB: GRUB for a BIOS │ 2 MiB: EFI system partition, FAT32 ...   │ (free) │ GPT
//!           │                        │ EFI/BOOT: shim, MokManager, GRUB         │
//!           │                        │ EFI/<vendor>/grub.cfg ──▶ stiefel/grub.cfg│
//!           │                        │ stiefel: vmlinuz, initrd.img, grub.cfg   │
//!           │                        │ stiefel/errors.txt: first, in one piece  │
//! ```
//!
//! The error log is the only file that is written to later, by the ramdisk, in place
//! (`docs/decisions/0019-a-stick-remembers-what-went-wrong.md`). Whoever makes the stick anew keeps it.
//!
//! Nothing is mounted. The partition table is written last, so that a medium that was pulled
//! out boots nowhere, and what was written is read back from the medium.

mod bios;
mod errors;
pub(crate) mod extent;
pub(crate) mod fat;
pub(crate) mod loader;
pub(crate) mod menu;
mod table;
mod transfer;

use std::ops::ControlFlow;
use std::path::Path;

use stiefel_core::cpio;
use stiefel_core::pairing::{Name, PairingId};
use stiefel_core::stick::Serial;
use stiefel_core::stick::error_log::{self, ErrorLog};

use crate::Error;
use bios::Bios;
use extent::{Data, Extent};
use fat::{Files, Volume};
use loader::{Loaders, MACHINE, Uefi};

pub use errors::errors;
pub use table::{Found, recognize};
pub use transfer::Target;

/// Where the core image for a BIOS begins, sectors: 1 MiB, as partitions are aligned.
const CORE_START: u64 = 2048;
/// Where the EFI system partition begins, sectors.
const VOLUME_START: u64 = 2 * 2048;
/// Its smallest size, sectors: 128 MiB hold four ramdisks and kernels of today, and FAT32
/// with clusters of one sector wants at least 34 MiB.
const VOLUME_SECTORS: u64 = 128 * 2048;
/// Sectors behind the last partition: the copy of the table has 33, and ends are aligned.
const BEHIND: u64 = 2048;
/// The volume's name, for whoever plugs the stick in.
const LABEL: &str = "STIEFEL";

/// What a stick is made from.
pub struct Stick<'a> {
    /// The system whose boot loaders are taken, `/` for the running one.
    pub root: &'a Path,
    /// The kernel image, see [`crate::kernel_of`].
    pub kernel: &'a Path,
    /// The kernel's image of ours, see [`crate::image_path`].
    pub image: &'a Path,
    /// The ticket of the pairing, a cpio archive.
    pub ticket: &'a [u8],
    /// Whose stick it is; written into the partition table, see [`recognize`].
    pub pairing: PairingId,
    /// The lender's name, for the menu.
    pub lender: &'a Name,
    /// More words for the kernel's command line, for example `console=ttyS0`.
    pub cmdline: &'a str,
}

/// How far the making of a stick is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The content is put together.
    Making,
    /// The content is written.
    Writing,
    /// What was written is read back and compared.
    Verifying,
}

/// Is told the phase and how much of it is done, from 0 to 1, and may break off.
pub type StickWatch<'a> = &'a mut dyn FnMut(Phase, f64) -> ControlFlow<()>;

/// How a stick can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boots {
    /// On machines with UEFI whose Secure Boot is off.
    pub uefi: bool,
    /// On machines with UEFI whose Secure Boot is on, with the keys that they are sold with.
    pub secure_boot: bool,
    /// On machines with a legacy BIOS.
    pub bios: bool,
}

impl Boots {
    /// How a stick of this system would start.
    #[must_use]
    pub fn of(root: &Path) -> Self {
        Self::with(&Loaders::of(root))
    }

    fn with(loaders: &Loaders) -> Self {
        Self {
            uefi: loaders.uefi.is_some(),
            secure_boot: matches!(loaders.uefi, Some(Uefi::Signed { .. })),
            bios: loaders.bios.is_some(),
        }
    }
}

/// The smallest medium that takes a stick of today's ramdisks, bytes.
pub const SMALLEST: u64 = (VOLUME_START + VOLUME_SECTORS + BEHIND) * fat::SECTOR;

/// Makes a stick of a drive or a file. A file becomes as large as it has to be; whatever the
/// target held before is lost.
///
/// # Errors
/// [`Error::NoLoader`], [`Error::Grub`], [`Error::TooSmall`], [`Error::ReadBack`],
/// [`Error::BrokenOff`], or the target cannot be written. It is no stick then, and boots nowhere.
pub fn write(
    stick: &Stick<'_>,
    target: &mut Target,
    watch: StickWatch<'_>,
) -> Result<Boots, Error> {
    transfer::tell(watch, Phase::Making, 0.0)?;
    let loaders = Loaders::of(stick.root);
    let boots = Boots::with(&loaders);
    if !boots.uefi && !boots.bios {
        return Err(Error::NoLoader);
    }
    let kept = table::kept(target, stick.pairing);
    let serial = random_serial()?;
    let errors = errors::kept(target, &kept, serial);
    let bios = match &loaders.bios {
        Some(folder) => Some(bios::make(folder, CORE_START, serial)?),
        None => None,
    };
    let files = files(stick, &loaders, serial, &errors)?;
    let (sectors, mut extents) = volume(files, serial)?;
    let size = target.fit((VOLUME_START + sectors + BEHIND) * fat::SECTOR)?;
    let boot_code = bios.as_ref().map(|bios| bios.boot_code);
    if let Some(Bios { core, .. }) = bios {
        extents.push(Extent {
            at: CORE_START * fat::SECTOR,
            data: Data::owned(core),
        });
    }
    extents.sort_by_key(|extent| extent.at);
    transfer::write(target, size, &extents, watch)?;
    table::write(
        target,
        &table::Table {
            pairing: stick.pairing,
            boot_code,
            core: (CORE_START, VOLUME_START - CORE_START),
            volume: (VOLUME_START, sectors),
        },
        &kept,
    )?;
    transfer::verify(target, &extents, watch)?;
    table::verify(target, stick.pairing)?;
    Ok(boots)
}

/// Lays the volume out in the smallest usual size that has room for as much again, for
/// ramdisks that grow.
fn volume<'a>(files: Files<'a>, serial: Serial) -> Result<(u64, Vec<Extent<'a>>), Error> {
    let content: u64 = files.values().flatten().map(Data::len).sum();
    let sectors = VOLUME_SECTORS.max((2 * content / fat::SECTOR).next_power_of_two());
    let volume = Volume {
        sectors,
        start: VOLUME_START,
        serial,
        label: LABEL,
    };
    let extents = fat::lay_out(&volume, files).map_err(|small| Error::TooSmall {
        size: sectors * fat::SECTOR,
        needed: small.needed,
    })?;
    let start = VOLUME_START * fat::SECTOR;
    let placed = extents.into_iter().map(|extent| Extent {
        at: start + extent.at,
        ..extent
    });
    Ok((sectors, placed.collect()))
}

fn files<'a>(
    stick: &Stick<'a>,
    loaders: &Loaders,
    serial: Serial,
    errors: &ErrorLog,
) -> Result<Files<'a>, Error> {
    let mut files = Files::new();
    let mut put = |path: String, data: Vec<Data<'a>>| {
        files.insert(path, data);
    };
    put(
        error_log::PATH.to_owned(),
        vec![Data::owned(errors.to_bytes())],
    );
    put(
        format!("{}/vmlinuz", menu::FOLDER),
        vec![Data::file(stick.kernel)?],
    );
    put(format!("{}/initrd.img", menu::FOLDER), initrd(stick)?);
    let lender = stick.lender.as_str();
    let text = |text: String| vec![Data::owned(text)];
    let uses_grub = loaders.bios.is_some() || matches!(loaders.uefi, Some(Uefi::Signed { .. }));
    if uses_grub {
        put(
            format!("{}/grub.cfg", menu::FOLDER),
            text(menu::grub(lender, serial, stick.cmdline)),
        );
    }
    let boot = format!("EFI/BOOT/BOOT{}.EFI", MACHINE.to_ascii_uppercase());
    match &loaders.uefi {
        Some(Uefi::Signed { shim, mok, grub }) => {
            put(boot, vec![Data::file(shim)?]);
            put(
                format!("EFI/BOOT/grub{MACHINE}.efi"),
                vec![Data::file(grub)?],
            );
            if let Some(mok) = mok {
                put(
                    format!("EFI/BOOT/{}", mok_name(mok)),
                    vec![Data::file(mok)?],
                );
            }
            // The folder that is built into the signed GRUB; relatives take that of the
            // distribution that has signed it.
            for vendor in ["BOOT", "debian", "ubuntu", &loaders.vendor] {
                put(
                    format!("EFI/{vendor}/grub.cfg"),
                    text(menu::pointer(serial)),
                );
            }
        }
        Some(Uefi::SystemdBoot(path)) => {
            put(boot, vec![Data::file(path)?]);
            for (path, content) in menu::systemd_boot(lender, serial, stick.cmdline) {
                put(path, text(content));
            }
        }
        None => {}
    }
    Ok(files)
}

/// The ramdisk with the ticket behind it.
pub(crate) fn initrd<'a>(stick: &Stick<'a>) -> Result<Vec<Data<'a>>, Error> {
    let image = Data::file(stick.image)?;
    let padding = Data::Zeros(cpio::padding(image.len()) as u64);
    Ok(vec![image, padding, Data::Bytes(stick.ticket.into())])
}

/// Shim asks for it by the name that its distribution gave to it.
pub(crate) fn mok_name(mok: &Path) -> String {
    match mok.ends_with("MokManager.efi") {
        true => "MokManager.efi".into(),
        false => format!("mm{MACHINE}.efi"),
    }
}

fn random_serial() -> Result<Serial, Error> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| Error::Random(error.to_string()))?;
    Ok(Serial(u32::from_le_bytes(bytes)))
}
