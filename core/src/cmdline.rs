//! Kernel command lines of a loan. No secret is ever on one.

use crate::stick::Serial;

/// Longest command line of an x86 kernel, bytes, without the final zero
/// (`COMMAND_LINE_SIZE` in arch/x86/include/asm/setup.h).
pub const MAX_CMDLINE_LEN: usize = 2047;

/// The ramdisk's first program, as every kernel that we start is told.
pub const RDINIT: &str = "rdinit=/stiefel/init";

/// What of the running system's command line describes the machine rather than
/// the system: screens, and quirks without which the hardware does not work.
const MACHINE: &[&str] = &[
    "console",
    "consoleblank",
    "earlycon",
    "nomodeset",
    "video",
    "fbcon",
    "acpi",
    "acpi_osi",
    "acpi_backlight",
    "noapic",
    "nolapic",
    "pci",
    "pcie_aspm",
    "iommu",
    "intel_iommu",
    "amd_iommu",
    "nvme_core.default_ps_max_latency_us",
    "usbcore.autosuspend",
    "modprobe.blacklist",
    "module_blacklist",
    "reboot",
    "clocksource",
    "no_timer_check",
    "tsc",
];

/// What of it says where the boot loader found things, or resumes another machine's sleep.
const NOT_LENT: &[&str] = &[
    "BOOT_IMAGE",
    "initrd",
    "resume",
    "resume_offset",
    "rdinit",
    "noresume",
    OWN_DISKS_KEY,
];

/// Word for the ramdisk on the borrower: the machine's own disks may be seen.
pub const OWN_DISKS_SHOWN: &str = "stiefel.own_disks=shown";
const OWN_DISKS_KEY: &str = "stiefel.own_disks";
/// Word for the ramdisk on the borrower: the serial number of the stick that it was started from,
/// which has an error log. Whoever was started otherwise has none.
const ERROR_LOG_KEY: &str = "stiefel.errors";
/// Word for the same: show the error log, and start nothing.
pub const SHOW_ERRORS: &str = "stiefel.show=errors";
/// Keeps systemd from swapping to what the lent disk says (systemd-fstab-generator(8)): the way
/// to the disk needs memory itself.
const NO_SWAP: &str = "systemd.swap=0";
/// Keeps the kernel from calling the firmware (Documentation/admin-guide/kernel-parameters.txt): a
/// boot loader's update in the lent system would write the borrower's boot entries anew.
const NO_FIRMWARE: &str = "efi=noruntime";

/// What the lent system may do that it had better not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permits {
    /// The borrower's own disks may be seen.
    pub own_disks: bool,
    /// The lent disk may be swapped to.
    pub swap: bool,
}

/// The command line would not fit into the kernel's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the kernel command line would have {0} bytes, but a kernel takes {MAX_CMDLINE_LEN}; shorten the one of your boot loader"
)]
pub struct TooLong(pub usize);

/// Splits at blanks that are outside double quotes, as the kernel does
/// (`next_arg` in lib/cmdline.c); the quotes stay.
fn words(cmdline: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    cmdline
        .split(move |c: char| {
            quoted ^= c == '"';
            c.is_ascii_whitespace() && !quoted
        })
        .filter(|word| !word.is_empty())
}

fn key(word: &str) -> &str {
    let word = word.trim_start_matches('"');
    word.split_once('=').map_or(word, |(key, _)| key)
}

fn join<'a>(words: impl Iterator<Item = &'a str>) -> Result<String, TooLong> {
    let line = words.collect::<Vec<_>>().join(" ");
    match line.len() {
        len if len > MAX_CMDLINE_LEN => Err(TooLong(len)),
        _ => Ok(line),
    }
}

/// Command line of the serving ramdisk: the machine's own part of `running`,
/// few messages, and a reboot instead of a dead screen after a panic.
///
/// # Errors
/// Too long for a kernel.
pub fn serve(running: &str) -> Result<String, TooLong> {
    let machine = words(running).filter(|word| MACHINE.contains(&key(word)));
    join(
        [RDINIT, "quiet", "loglevel=4", "panic=30"]
            .into_iter()
            .chain(machine),
    )
}

/// What of `running` describes the machine: its screens, and what its hardware needs.
#[must_use]
pub fn machine(running: &str) -> String {
    let own: Vec<&str> = words(running)
        .filter(|word| MACHINE.contains(&key(word)))
        .collect();
    own.join(" ")
}

/// Command line of the fetching ramdisk, on a machine that we know nothing of.
#[must_use]
pub fn fetch() -> String {
    [RDINIT, "quiet", "loglevel=4", "panic=30"].join(" ")
}

/// What says that the ramdisk was started from this stick.
#[must_use]
pub fn error_log_on(stick: Serial) -> String {
    format!("{ERROR_LOG_KEY}={stick}")
}

/// The stick that this ramdisk was started from, if it has an error log.
#[must_use]
pub fn error_log(running: &str) -> Option<Serial> {
    let word = words(running).find(|word| key(word) == ERROR_LOG_KEY)?;
    word.split_once('=')?.1.parse().ok()
}

/// Whether the error log is to be shown.
#[must_use]
pub fn shows_errors(running: &str) -> bool {
    words(running).any(|word| word == SHOW_ERRORS)
}

/// Command line of the lent system: `running` without what belongs to this
/// machine's boot loader. `noresume` keeps it from resuming the lender's sleep.
///
/// # Errors
/// Too long for a kernel.
pub fn lent(running: &str, permits: Permits) -> Result<String, TooLong> {
    let own = words(running).filter(|word| !NOT_LENT.contains(&key(word)));
    let swap_is_said = words(running).any(|word| key(word) == key(NO_SWAP));
    let no_swap = (!permits.swap && !swap_is_said).then_some(NO_SWAP);
    let own_machine = match permits.own_disks {
        true => Some(OWN_DISKS_SHOWN),
        false => (!words(running).any(|word| word == NO_FIRMWARE)).then_some(NO_FIRMWARE),
    };
    join(
        own.chain([RDINIT, "noresume"])
            .chain(no_swap)
            .chain(own_machine),
    )
}

/// Whether a lent system's command line lets it see the borrower's own disks.
#[must_use]
pub fn shows_own_disks(lent: &str) -> bool {
    words(lent).any(|word| word == OWN_DISKS_SHOWN)
}

/// The lent system's command line on the borrower: `lent`, and the consoles
/// that the borrower itself was started with (`fetching`).
///
/// # Errors
/// Too long for a kernel.
pub fn attach(lent: &str, fetching: &str) -> Result<String, TooLong> {
    let consoles = words(fetching)
        .filter(|word| key(word) == "console")
        .filter(|word| !words(lent).any(|own| own == *word));
    join(words(lent).chain(consoles))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: &str = "BOOT_IMAGE=/vmlinuz-6.12 root=UUID=1 ro quiet console=ttyS0 pci=noats \
         dyndbg=\"file a.c +p\" resume=UUID=2";

    #[test]
    fn serve_keeps_the_machine_and_drops_the_system() {
        let line = serve(RUNNING).unwrap();
        assert_eq!(
            line,
            "rdinit=/stiefel/init quiet loglevel=4 panic=30 console=ttyS0 pci=noats"
        );
    }

    #[test]
    fn a_machine_is_what_its_hardware_needs_and_nothing_of_its_system() {
        assert_eq!(machine(RUNNING), "console=ttyS0 pci=noats");
        assert_eq!(machine("root=UUID=1 ro"), "");
    }

    #[test]
    fn lent_keeps_the_system_and_drops_the_boot_loader() {
        let with = |permits| lent(RUNNING, permits).unwrap();
        let own = "root=UUID=1 ro quiet console=ttyS0 pci=noats dyndbg=\"file a.c +p\" \
             rdinit=/stiefel/init noresume";
        assert_eq!(
            with(Permits::default()),
            format!("{own} systemd.swap=0 efi=noruntime")
        );
        let swap = Permits {
            swap: true,
            own_disks: false,
        };
        assert_eq!(with(swap), format!("{own} efi=noruntime"));
    }

    #[test]
    fn the_borrowers_own_disks_are_shown_only_if_that_is_said() {
        let shown = Permits {
            own_disks: true,
            swap: false,
        };
        let line = lent(RUNNING, shown).unwrap();
        assert!(shows_own_disks(&line));
        assert!(!line.contains(NO_FIRMWARE), "{line}");
        assert!(!shows_own_disks(
            &lent(RUNNING, Permits::default()).unwrap()
        ));
        // A system that was lent so does not lend so.
        assert!(!shows_own_disks(&lent(&line, Permits::default()).unwrap()));
        let swapping = lent("root=UUID=1 systemd.swap=1", Permits::default()).unwrap();
        assert_eq!(
            swapping,
            "root=UUID=1 systemd.swap=1 rdinit=/stiefel/init noresume efi=noruntime"
        );
    }

    #[test]
    fn a_loan_of_a_lent_system_stays_the_same() {
        let once = lent(RUNNING, Permits::default()).unwrap();
        let twice = lent(&once, Permits::default()).unwrap();
        let sorted = |line: &str| {
            let mut words: Vec<_> = words(line).map(str::to_owned).collect();
            words.sort();
            words
        };
        assert_eq!(sorted(&twice), sorted(&once));
    }

    #[test]
    fn the_borrowers_consoles_are_added_once() {
        let line = attach("root=UUID=1 console=tty0", "x console=tty0 console=ttyS1").unwrap();
        assert_eq!(line, "root=UUID=1 console=tty0 console=ttyS1");
    }

    #[test]
    fn only_a_stick_has_an_error_log_and_no_lent_system_hears_of_it() {
        let fetching = format!("{} {}", fetch(), error_log_on(Serial(7)));
        assert_eq!(error_log(&fetching), Some(Serial(7)));
        assert_eq!(error_log(&fetch()), None);
        assert_eq!(error_log("stiefel.errors=7"), None);
        assert!(!shows_errors(&fetching) && shows_errors(&format!("{fetching} {SHOW_ERRORS}")));
        assert_eq!(attach("root=UUID=1", &fetching).unwrap(), "root=UUID=1");
    }

    #[test]
    fn a_line_that_a_kernel_would_cut_is_refused() {
        let long = format!("a={}", "x".repeat(MAX_CMDLINE_LEN));
        assert!(
            matches!(lent(&long, Permits::default()), Err(TooLong(len)) if len > MAX_CMDLINE_LEN)
        );
    }
}
