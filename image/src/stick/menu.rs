//! What the boot loaders of a stick are told.

use stiefel_core::cmdline;

use super::loader::MACHINE;

/// Folder of the kernel, the initramfs and the menu.
pub(crate) const FOLDER: &str = "stiefel";
/// How long the menu waits, seconds: long enough to press a key, and nobody waits for it.
const WAIT_SECS: u32 = 2;

/// The names that a person sees, and what is added to the kernel's command line.
fn entries(lender: &str) -> [(String, &'static str); 2] {
    [
        (format!("Boot from {lender}"), ""),
        (
            format!("Boot from {lender}, with all messages"),
            "loglevel=8",
        ),
    ]
}

/// GRUB's menu. GRUB has set `root` to the volume before.
pub(crate) fn grub(lender: &str, extra: &str) -> String {
    menu(FOLDER, lender, extra)
}

/// The same for a folder of another volume, which GRUB has to find first: what it was started
/// from is named by the variable `root`, unless its own settings have changed that.
pub(crate) fn grub_at(folder: &str, lender: &str, extra: &str) -> String {
    format!("search --no-floppy --file --set=root /{folder}/vmlinuz\n")
        + &menu(folder, lender, extra)
}

fn menu(folder: &str, lender: &str, extra: &str) -> String {
    let mut text = format!("set timeout={WAIT_SECS}\nset default=0\n");
    for (title, words) in entries(lender) {
        let line = line(words, extra);
        text += &format!(
            "menuentry '{}' {{\n\tlinux /{folder}/vmlinuz {line}\n\tinitrd /{folder}/initrd.img\n}}\n",
            quoted(&title)
        );
    }
    text += "if [ \"$grub_platform\" = efi ]; then\n\
             \tmenuentry 'Settings of this machine (UEFI)' {\n\t\tfwsetup\n\t}\nfi\n\
             menuentry 'Switch off' {\n\thalt\n}\n";
    text
}

/// What a signed GRUB finds where it looks first: where the menu is. The volume is found by
/// its serial number, so that another one with a folder of this name does not matter.
pub(crate) fn pointer(serial: &str) -> String {
    format!(
        "search --no-floppy --fs-uuid --set=root {serial}\n\
         set prefix=($root)/{FOLDER}\n\
         configfile ($root)/{FOLDER}/grub.cfg\n"
    )
}

/// systemd-boot's settings: files by their path.
pub(crate) fn systemd_boot(lender: &str, extra: &str) -> Vec<(String, String)> {
    let mut files = vec![(
        "loader/loader.conf".to_owned(),
        format!("timeout {WAIT_SECS}\ndefault stiefel-1.conf\n"),
    )];
    for (number, (title, words)) in entries(lender).into_iter().enumerate() {
        files.push((
            format!("loader/entries/stiefel-{}.conf", number + 1),
            entry(FOLDER, &title, words, extra),
        ));
    }
    files
}

/// A single entry of a systemd-boot that is there already, for a folder of its volume.
pub(crate) fn systemd_boot_at(folder: &str, lender: &str, extra: &str) -> String {
    let [(title, words), _] = entries(lender);
    entry(folder, &title, words, extra)
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
        let menu = grub("it's; reboot", "");
        assert!(
            menu.contains("menuentry 'Boot from it'\\''s; reboot' {"),
            "{menu}"
        );
    }

    #[test]
    fn every_entry_starts_our_program_and_takes_what_is_added() {
        let menu = grub("lap", "console=ttyS0");
        assert_eq!(menu.matches(cmdline::RDINIT).count(), 2);
        assert_eq!(menu.matches("console=ttyS0\n").count(), 2);
        let files = systemd_boot("lap", "");
        assert_eq!(files.len(), 3);
        assert!(files[1].1.contains(cmdline::RDINIT) && !files[1].1.contains(" \n"));
    }
}
