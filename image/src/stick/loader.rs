//! The distribution's own boot loaders, found where its packages put them.
//!
//! Signed ones are taken as they are: with Secure Boot a machine starts nothing else.

use std::fs;
use std::path::{Path, PathBuf};

/// How a stick starts on a machine with UEFI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Uefi {
    /// The distribution's signed shim, its MokManager if there is one, and its signed GRUB.
    Signed {
        shim: PathBuf,
        mok: Option<PathBuf>,
        grub: PathBuf,
    },
    /// systemd-boot, which no machine trusts by itself: Secure Boot has to be off.
    SystemdBoot(PathBuf),
}

/// Boot loaders of a system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loaders {
    pub uefi: Option<Uefi>,
    /// The folder with GRUB's parts for a legacy BIOS.
    pub bios: Option<PathBuf>,
    /// The distribution, as `ID` in os-release(5): signed GRUBs look for their settings in a
    /// folder of this name.
    pub vendor: String,
}

/// UEFI's word for this kind of processor (UEFI Specification 2.10, section 3.5.1.1).
pub(crate) const MACHINE: &str = if cfg!(target_arch = "aarch64") {
    "aa64"
} else {
    "x64"
};
/// The same for GRUB.
const GRUB_MACHINE: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "x86_64"
};

/// Where shim, MokManager and GRUB are: Debian and Ubuntu, openSUSE, and those that keep them
/// on the EFI system partition only (Fedora and its relatives). `%m` is [`MACHINE`], `%g` is
/// [`GRUB_MACHINE`], `%v` the vendor.
const SIGNED: [[&[&str]; 3]; 3] = [
    [
        &[
            "usr/lib/shim/shim%m.efi.signed.latest",
            "usr/lib/shim/shim%m.efi.signed",
        ],
        &["usr/lib/shim/mm%m.efi.signed", "usr/lib/shim/mm%m.efi"],
        &["usr/lib/grub/%g-efi-signed/grub%m.efi.signed"],
    ],
    [
        &["usr/share/efi/%g/shim.efi"],
        &["usr/share/efi/%g/MokManager.efi"],
        &["usr/share/efi/%g/grub.efi"],
    ],
    [
        &["boot/efi/EFI/%v/shim%m.efi"],
        &["boot/efi/EFI/%v/mm%m.efi"],
        &["boot/efi/EFI/%v/grub%m.efi"],
    ],
];
const SYSTEMD_BOOT: &[&str] = &["usr/lib/systemd/boot/efi/systemd-boot%m.efi"];
const BIOS: &str = "usr/lib/grub/i386-pc";

impl Loaders {
    /// Looks below a system's root folder.
    pub fn of(root: &Path) -> Self {
        let vendor = vendor(root);
        let find = |paths: &[&str]| {
            paths
                .iter()
                .map(|path| {
                    let path = path.replace("%m", MACHINE).replace("%g", GRUB_MACHINE);
                    root.join(path.replace("%v", &vendor))
                })
                .find(|path| path.is_file())
        };
        let signed = SIGNED.iter().find_map(|[shim, mok, grub]| {
            Some(Uefi::Signed {
                shim: find(shim)?,
                mok: find(mok),
                grub: find(grub)?,
            })
        });
        let bios = root.join(BIOS);
        let has_bios = cfg!(target_arch = "x86_64") && bios.join("boot.img").is_file();
        Self {
            uefi: signed.or_else(|| find(SYSTEMD_BOOT).map(Uefi::SystemdBoot)),
            bios: has_bios.then_some(bios),
            vendor,
        }
    }
}

/// A word that can be a folder's name; "linux" where the system says nothing.
fn vendor(root: &Path) -> String {
    let text = ["etc/os-release", "usr/lib/os-release"]
        .iter()
        .find_map(|path| fs::read_to_string(root.join(path)).ok())
        .unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("ID="))
        .map(|id| id.trim_matches(['"', '\'']))
        .filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        .unwrap_or("linux")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "ID=fedora\n").unwrap();
        }
        root
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn signed_loaders_go_before_others_and_all_distributions_are_known() {
        let debian = system(&[
            "usr/lib/shim/shimx64.efi.signed",
            "usr/lib/shim/mmx64.efi.signed",
            "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
            "usr/lib/systemd/boot/efi/systemd-bootx64.efi",
            "usr/lib/grub/i386-pc/boot.img",
        ]);
        let found = Loaders::of(debian.path());
        assert!(matches!(
            found.uefi,
            Some(Uefi::Signed { mok: Some(_), .. })
        ));
        assert_eq!(found.bios, Some(debian.path().join(BIOS)));
        let fedora = system(&[
            "etc/os-release",
            "boot/efi/EFI/fedora/shimx64.efi",
            "boot/efi/EFI/fedora/grubx64.efi",
        ]);
        let found = Loaders::of(fedora.path());
        assert!(matches!(found.uefi, Some(Uefi::Signed { mok: None, .. })));
        assert_eq!((found.vendor.as_str(), found.bios), ("fedora", None));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_shim_alone_starts_nothing() {
        let half = system(&[
            "usr/lib/shim/shimx64.efi.signed",
            "usr/lib/systemd/boot/efi/systemd-bootx64.efi",
        ]);
        let found = Loaders::of(half.path());
        assert!(matches!(found.uefi, Some(Uefi::SystemdBoot(_))));
        assert_eq!(found.vendor, "linux");
        assert_eq!(Loaders::of(system(&[]).path()).uefi, None);
    }
}
