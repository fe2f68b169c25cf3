//! What in the lent system itself would keep it from starting on another
//! machine, read from its own files. Everything here is given as text or bytes;
//! to find and read the files is the caller's business.

use super::{Finding, Subject, Verdict, sentence};

/// What is known about the system on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct System {
    /// Devices that it finds by names of this machine, see [`by_name`].
    pub named: Vec<Named>,
    /// The swap space with the image of a hibernated system, if there is one.
    pub hibernated: Option<String>,
    /// How each encrypted device below the root file system is unlocked.
    pub unlocking: Vec<(String, Unlocking)>,
}

/// A device that is called by the name it has on this machine only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name, e.g. `/dev/sda2`.
    pub device: String,
    /// Who calls it so: a word of the command line, or a mount point of `/etc/fstab`.
    pub wanted_by: String,
    /// Whether the system does not start without it.
    pub needed: bool,
}

/// How an encrypted device can be unlocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlocking {
    /// With what a person knows or carries.
    Portable,
    /// By this machine's TPM; elsewhere with what a person knows.
    TpmFirst,
    /// By this machine's TPM and nothing else.
    TpmOnly,
}

/// Bytes that [`is_signed`] needs of a kernel: all headers are in its first page.
pub const KERNEL_HEAD: usize = 4096;
/// What hibernation writes over the signature of a swap space (`HIBERNATE_SIG` in
/// kernel/power/swap.c), at the end of its first page.
pub const HIBERNATED: &[u8; 10] = b"S1SUSPEND\0";

/// Names that depend on the machine: on another one, the disk is called `nbd0`.
const KERNEL_NAMES: [&str; 6] = ["sd", "hd", "vd", "xvd", "nvme", "mmcblk"];

/// The devices that the command line, `/etc/fstab` and `/etc/crypttab` call by a machine's names.
#[must_use]
pub fn by_name(cmdline: &str, fstab: &str, crypttab: &str) -> Vec<Named> {
    let root = cmdline
        .split_ascii_whitespace()
        .filter_map(|word| word.split_once('='))
        .filter_map(|(name, value)| match name {
            "root" => Some((name, value)),
            // DEVICE:NAME, of mkinitcpio's hook "encrypt".
            "cryptdevice" => Some((name, value.split(':').next()?)),
            _ => None,
        })
        .filter(|(_, device)| is_kernel_name(device))
        .map(|(name, device)| Named {
            device: device.to_owned(),
            wanted_by: format!("{name}= of the kernel's command line"),
            needed: true,
        });
    let mounts = fstab.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (device, place) = (fields.next()?, fields.next()?);
        let options = fields.nth(1).unwrap_or_default();
        (is_kernel_name(device) && !is_optional(options)).then(|| Named {
            device: device.to_owned(),
            wanted_by: format!("{place} in /etc/fstab"),
            // The root is mounted by then, and a missing swap space only takes its time.
            needed: place != "/" && place != "none" && place != "swap",
        })
    });
    let encrypted = crypttab.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (name, device) = (fields.next()?, fields.next()?);
        let options = fields.nth(1).unwrap_or_default();
        let listed = !name.starts_with('#') && is_kernel_name(device) && !is_optional(options);
        listed.then(|| Named {
            device: device.to_owned(),
            wanted_by: format!("the device of {name} in /etc/crypttab"),
            // Who makes an initramfs writes the root's UUID into it instead; we cannot tell what others are for.
            needed: false,
        })
    });
    root.chain(mounts).chain(encrypted).collect()
}

/// Whether the system starts without what has these options in one of the tables.
fn is_optional(options: &str) -> bool {
    options
        .split(',')
        .any(|option| matches!(option, "nofail" | "noauto"))
}

fn is_kernel_name(device: &str) -> bool {
    device.strip_prefix("/dev/").is_some_and(|name| {
        KERNEL_NAMES.iter().any(|prefix| {
            name.strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
        })
    })
}

/// How a LUKS2 device is unlocked, by the JSON in its header (LUKS2 On-Disk Format
/// Specification, section 3). What is no such JSON counts as portable.
#[must_use]
pub fn unlocking(luks2: &str) -> Unlocking {
    let Ok(header) = serde_json::from_str::<serde_json::Value>(luks2) else {
        return Unlocking::Portable;
    };
    let empty = serde_json::Map::new();
    let section = |name: &str| header[name].as_object().unwrap_or(&empty).clone();
    let bound: Vec<String> = section("tokens")
        .values()
        .filter(|token| matches!(token["type"].as_str(), Some("systemd-tpm2" | "clevis")))
        .flat_map(|token| token["keyslots"].as_array().cloned().unwrap_or_default())
        .filter_map(|slot| slot.as_str().map(str::to_owned))
        .collect();
    let slots = section("keyslots");
    match slots.keys().all(|slot| bound.contains(slot)) {
        _ if bound.is_empty() => Unlocking::Portable,
        true => Unlocking::TpmOnly,
        false => Unlocking::TpmFirst,
    }
}

/// Whether a kernel image carries a signature: its PE header has a certificate table
/// (PE Format, "Optional Header Data Directories"). Whether it is a good one is for the
/// kernel to say.
#[must_use]
pub fn is_signed(head: &[u8]) -> bool {
    let word = |at: usize| -> Option<u32> {
        let bytes = head.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let table = || -> Option<u32> {
        let pe = usize::try_from(word(0x3c)?).ok()?;
        let optional = pe.checked_add(24)?;
        // PE32+ has 16 bytes more than PE32 before its directories.
        let directories = match word(optional)? & 0xffff {
            0x20b => optional + 112,
            0x10b => optional + 96,
            _ => return None,
        };
        const CERTIFICATES: usize = 4;
        word(directories + 8 * CERTIFICATES + 4).filter(|_| head.starts_with(b"MZ"))
    };
    table().is_some_and(|size| size > 0)
}

pub(super) fn names(named: &[Named]) -> Vec<Finding> {
    if named.is_empty() {
        return vec![Finding::ok(
            Subject::Names,
            "The system finds its disk by ids that hold everywhere",
        )];
    }
    named
        .iter()
        .map(|named| {
            Finding::new(
                Subject::Names,
                match named.needed {
                    true => Verdict::Block,
                    false => Verdict::Warn,
                },
                format!(
                    "{} is {}, a name that it has on this machine only",
                    sentence(&named.wanted_by),
                    named.device
                ),
                "Write its UUID there instead; see: blkid",
            )
        })
        .collect()
}

pub(super) fn hibernation(hibernated: Option<&str>) -> Finding {
    match hibernated {
        None => Finding::ok(Subject::Hibernation, "No hibernated system is on the disk"),
        Some(device) => Finding::new(
            Subject::Hibernation,
            Verdict::Block,
            format!("{device} holds a hibernated system, which would wake up elsewhere"),
            format!("If you don't need it any more, run: swapon {device}"),
        ),
    }
}

pub(super) fn unlock(devices: &[(String, Unlocking)]) -> Vec<Finding> {
    let told: Vec<Finding> = devices
        .iter()
        .filter_map(|(device, unlocking)| match unlocking {
            Unlocking::Portable => None,
            Unlocking::TpmFirst => Some(Finding::new(
                Subject::Unlocking,
                Verdict::Warn,
                format!("{device} is unlocked by this machine's TPM; elsewhere it asks for its passphrase"),
                "Have the passphrase or the recovery key at hand",
            )),
            Unlocking::TpmOnly => Some(Finding::new(
                Subject::Unlocking,
                Verdict::Block,
                format!("{device} can only be unlocked by this machine's TPM"),
                format!("Add a recovery key: systemd-cryptenroll --recovery-key {device}"),
            )),
        })
        .collect();
    if told.is_empty() {
        return vec![Finding::ok(
            Subject::Unlocking,
            "The disk can be unlocked on any machine",
        )];
    }
    told
}

#[cfg(test)]
mod tests;
