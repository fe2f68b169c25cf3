//! Starting on a legacy BIOS: GRUB's first sectors, without grub-install.
//!
//! ```text
//! sector 0   boot.img, with the place of ──▶ core image in its own partition:
//!            diskboot.img (one sector), with the place of ──▶ the rest
//! ```
//!
//! Source: `grub-core/boot/i386/pc/{boot,diskboot}.S` and `include/grub/i386/pc/boot.h` of GRUB
//! 2.06 to 2.12.

use std::fs;
use std::path::Path;
use std::process::Command;

use stiefel_core::stick::Serial;

use super::fat::SECTOR;
use super::menu;
use crate::Error;

/// `GRUB_BOOT_MACHINE_KERNEL_SECTOR`: where boot.img keeps the first sector of the core image.
const KERNEL_SECTOR: usize = 0x5c;
/// `GRUB_BOOT_MACHINE_DRIVE_CHECK`: a jump around a repair for BIOSes that do not tell which
/// drive they have started from. Two NOPs there let the repair work, as on every hard disk.
const DRIVE_CHECK: usize = 0x66;
const NOPS: [u8; 2] = [0x90, 0x90];
/// The code of a boot sector; what follows are the partitions.
pub(super) const BOOT_CODE: usize = 440;
/// Where diskboot.img keeps its list: first sector (8 bytes), number (2), segment (2).
const BLOCK_LIST: usize = 0x1f4;

/// What the core image holds: enough to find the menu and to start a kernel.
const MODULES: &[&str] = &[
    "biosdisk",
    "part_gpt",
    "fat",
    "search",
    "search_fs_uuid",
    "normal",
    "configfile",
    "linux",
    "test",
    "echo",
    "all_video",
    "halt",
];

/// The two parts of GRUB, with each other's place in them.
pub(super) struct Bios {
    /// For the first sector.
    pub boot_code: [u8; BOOT_CODE],
    /// For the partition.
    pub core: Vec<u8>,
}

/// Makes GRUB from its parts in `folder`, for a core image that begins at this sector.
///
/// # Errors
/// No `grub-mkimage`, or parts of another GRUB.
pub(super) fn make(folder: &Path, core_sector: u64, serial: Serial) -> Result<Bios, Error> {
    let work = tempfile::tempdir().map_err(Error::file("make a folder for", folder))?;
    let early = work.path().join("early.cfg");
    let core = work.path().join("core.img");
    fs::write(&early, menu::pointer(serial)).map_err(Error::file("write", &early))?;
    let made = Command::new("grub-mkimage")
        .args(["--format=i386-pc", "--prefix=/stiefel"])
        .arg(format!("--directory={}", folder.display()))
        .arg(format!("--config={}", early.display()))
        .arg(format!("--output={}", core.display()))
        .args(MODULES)
        .output()
        .map_err(|error| Error::Grub(error.to_string()))?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr);
        return Err(Error::Grub(said.trim().to_owned()));
    }
    let boot = folder.join("boot.img");
    let boot = fs::read(&boot).map_err(Error::file("read", &boot))?;
    let core = fs::read(&core).map_err(Error::file("read", &core))?;
    placed(&boot, core, core_sector)
}

fn placed(boot: &[u8], mut core: Vec<u8>, core_sector: u64) -> Result<Bios, Error> {
    let unknown = || Error::Grub("its parts have a form that is not known".to_owned());
    let mut boot_code: [u8; BOOT_CODE] = boot
        .get(..BOOT_CODE)
        .and_then(|code| code.try_into().ok())
        .ok_or_else(unknown)?;
    if boot.len() != SECTOR as usize || core.len() <= SECTOR as usize {
        return Err(unknown());
    }
    boot_code[KERNEL_SECTOR..KERNEL_SECTOR + 8].copy_from_slice(&core_sector.to_le_bytes());
    boot_code[DRIVE_CHECK..DRIVE_CHECK + 2].copy_from_slice(&NOPS);
    let rest = (core.len() as u64).div_ceil(SECTOR) - 1;
    let rest = u16::try_from(rest).map_err(|_| unknown())?;
    core[BLOCK_LIST..BLOCK_LIST + 8].copy_from_slice(&(core_sector + 1).to_le_bytes());
    core[BLOCK_LIST + 8..BLOCK_LIST + 10].copy_from_slice(&rest.to_le_bytes());
    core.resize(core.len().next_multiple_of(SECTOR as usize), 0);
    Ok(Bios { boot_code, core })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_knows_where_the_next_one_is() {
        let bios = placed(&[1; 512], vec![2; 512 * 3 + 1], 2048).unwrap();
        assert_eq!(bios.boot_code[0x5c..0x64], 2048_u64.to_le_bytes());
        assert_eq!(bios.boot_code[0x66..0x68], NOPS);
        assert_eq!(bios.core.len(), 512 * 4);
        assert_eq!(bios.core[0x1f4..0x1fc], 2049_u64.to_le_bytes());
        assert_eq!(bios.core[0x1fc..0x1fe], 3_u16.to_le_bytes());
        assert_eq!(bios.core[0x1fe], 2, "the segment stays as it is");
        assert!(placed(&[1; 100], vec![2; 1024], 0).is_err());
        assert!(placed(&[1; 512], vec![2; 512], 0).is_err());
    }
}
