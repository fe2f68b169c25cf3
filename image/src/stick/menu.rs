//! What the boot loaders of a stick are told.

use stiefel_core::cmdline;
use stiefel_core::stick::Serial;

use super::loader::MACHINE;

/// Folder of the kernel, the initramfs and the menu.
pub(crate) const FOLDER: &str = "stiefel";
/// How long the menu waits, seconds: long enough to press a key, and nobody waits for it.
const WAIT_SECS: u32 = 2;

/// The names that a person sees, and what is added to the kernel's command line.
fn entries(lender: &str) -> Vec<(String, &'static str)> {
    vec![
        (title(lender), ""),
        (
            format!("Boot from {lender}, with all messages"),
            "loglevel=8",
        ),
    ]
}

/// The same for a stick, which has an error log. The ramdisk shows it, because that works with
/// every boot loader.
fn entries_of_stick(lender: &str) -> Vec<(String, &'static str)> {
    let show = ("Last errors of this stick".to_owned(), cmdline::SHOW_ERRORS);
    entries(lender).into_iter().chain([show]).collect()
}

/// Of the entry that is the reason for all others.
fn title(lender: &str) -> String {
    format!("Boot from {lender}")
}

/// What every entry of a stick's menu adds to the kernel's command line.
fn extra_of_stick(stick: Serial, extra: &str) -> String {
    format!("{} {extra}", cmdline::error_log_on(stick))
        .trim_end()
        .to_owned()
}

/// GRUB's menu on a stick. GRUB has set `root` to the volume before.
pub(crate) fn grub(lender: &str, stick: Serial, extra: &str) -> String {
    let extra = extra_of_stick(stick, extra);
    menu(FOLDER, &entries_of_stick(lender), &extra)
}

/// The same for a folder of a volume that is no stick, which GRUB has to find first: what it was
/// started from is named by the variable `root`, unless its own settings have changed that.
pub(crate) fn grub_at(folder: &str, lender: &str, extra: &str) -> String {
    format!("search --no-floppy --file --set=root /{folder}/vmlinuz\n")
        + &menu(folder, &entries(lender), extra)
}

fn menu(folder: &str, entries: &[(String, &str)], extra: &str) -> String {
    let mut text = format!("set timeout={WAIT_SECS}\nset default=0\n");
    for (title, words) in entries {
        let line = line(words, extra);
        text += &format!(
            "menuentry '{}' {{\n\tlinux /{folder}/vmlinuz {line}\n\tinitrd /{folder}/initrd.img\n}}\n",
            quoted(title)
        );
    }
    text += "if [ \"$grub_platform\" = efi ]; then\n\
             \tmenuentry 'Settings of this machine (UEFI)' {\n\t\tfwsetup\n\t}\nfi\n\
             menuentry 'Switch off' {\n\thalt\n}\n";
    text
}

/// What a signed GRUB finds where it looks first: where the menu is. The volume is found by
/// its serial number, so that another one with a folder of this name does not matter.
pub(crate) fn pointer(serial: Serial) -> String {
    format!(
        "search --no-floppy --fs-uuid --set=root {serial}\n\
         set prefix=($root)/{FOLDER}\n\
         configfile ($root)/{FOLDER}/grub.cfg\n"
    )
}

/// systemd-boot's settings on a stick: files by their path.
pub(crate) fn systemd_boot(lender: &str, stick: Serial, extra: &str) -> Vec<(String, String)> {
    let extra = extra_of_stick(stick, extra);
    let mut files = vec![(
        "loader/loader.conf".to_owned(),
        format!("timeout {WAIT_SECS}\ndefault stiefel-1.conf\n"),
    )];
    for (number, (title, words)) in entries_of_stick(lender).into_iter().enumerate() {
        files.push((
            format!("loader/entries/stiefel-{}.conf", number + 1),
            entry(FOLDER, &title, words, &extra),
        ));
    }
    files
}

/// A single entry of a systemd-boot that is there already, for a folder of its volume.
pub(crate) fn systemd_boot_at(folder: &str, lender: &str, extra: &str) -> String {
    entry(folder, &title(lender), "", extra)
}

fn entry(folder: &str, title: &str, words: &str, extra: &str) -> String {
    let line = line(words, extra);
    format!(
        "title {title}\nlinux /{folder}/vmlinuz\ninitrd /{folder}/initrd.img\noptions {line}\narchitecture {MACHINE}\n"
    )
}

fn line(words: &str, extra: &str) -> String {
    let fetch = cmdline::fetch();
    let words = [fetch.as_str(), words, extra];
    let said: Vec<&str> = words
        .into_iter()
        .filter(|words| !words.is_empty())
        .collect();
    said.join(" ")
}

/// Inside single quotes nothing is special to GRUB but the quote itself.
fn quoted(text: &str) -> String {
    text.replace('\'', "'\\''")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        let menu = grub("it's; reboot", Serial(7), "");
        assert!(
            menu.contains("menuentry 'Boot from it'\\''s; reboot' {"),
            "{menu}"
        );
    }

    #[test]
    fn every_entry_starts_our_program_and_takes_what_is_added() {
        let menu = grub("lap", Serial(7), "console=ttyS0");
        assert_eq!(menu.matches(cmdline::RDINIT).count(), 3);
        assert_eq!(menu.matches("console=ttyS0\n").count(), 3);
        let files = systemd_boot("lap", Serial(7), "");
        assert_eq!(files.len(), 4);
        assert!(files[1].1.contains(cmdline::RDINIT) && !files[1].1.contains(" \n"));
    }

    #[test]
    fn every_entry_of_a_stick_knows_its_error_log_and_one_shows_it() {
        let menu = grub("lap", Serial(7), "");
        assert_eq!(menu.matches("stiefel.errors=0000-0007").count(), 3);
        assert_eq!(menu.matches(cmdline::SHOW_ERRORS).count(), 1);
        let files = systemd_boot("lap", Serial(7), "");
        let lines: Vec<&str> = files[1..]
            .iter()
            .filter_map(|(_, text)| text.lines().find(|line| line.starts_with("options ")))
            .collect();
        assert!(
            lines
                .iter()
                .all(|line| cmdline::error_log(line) == Some(Serial(7)))
        );
        assert!(cmdline::shows_errors(lines[2]) && !cmdline::shows_errors(lines[0]));
        for other in [grub_at("f", "lap", ""), systemd_boot_at("f", "lap", "")] {
            assert!(!other.contains("stiefel.errors") && !other.contains(cmdline::SHOW_ERRORS));
        }
    }
}
