//! What the daemon writes for people, in their language.
//!
//! The daemon speaks English on the bus. Its sentences are known here by their
//! form; what stands in the gaps is kept. A sentence that is not known, because
//! the daemon is newer or tells of an error of the system, is shown as it is.

use super::words::fill;
use gettextrs::gettext;

/// The sentence in the language of the person, beginning with a capital letter.
#[must_use]
pub fn heard(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    for form in FORMS {
        if let Some(parts) = gaps(form, text) {
            // A name at the beginning stays as it is.
            let form = sentence(&gettext(*form));
            return parts.iter().fold(form, |told, (name, part)| {
                if *name == REASONS {
                    fill(&told, name, &reasons(part))
                } else if *name == REASON && FORMS.contains(part) {
                    fill(&told, name, &gettext(*part))
                } else {
                    fill(&told, name, part)
                }
            });
        }
    }
    sentence(text)
}

/// A list of sentences, each with its hint in brackets. The hints stand elsewhere, too.
fn reasons(list: &str) -> String {
    let without_hint = |one: &str| heard(one.rsplit_once(" (").map_or(one, |(text, _)| text));
    let told: Vec<String> = list.split("; ").map(without_hint).collect();
    told.join("; ")
}

/// What stands in the gaps of `form`, if `text` is of that form.
fn gaps<'a>(form: &'static str, text: &'a str) -> Option<Vec<(&'static str, &'a str)>> {
    let (mut form, mut text) = (form, text);
    let mut found = Vec::new();
    loop {
        let Some((before, rest)) = form.split_once('{') else {
            return (form == text).then_some(found);
        };
        let (name, after) = rest.split_once('}')?;
        text = text.strip_prefix(before)?;
        // A gap ends where the next fixed words begin, or with the sentence.
        let fixed = after.split_once('{').map_or(after, |(fixed, _)| fixed);
        let end = match fixed {
            "" => text.len(),
            fixed => text.find(fixed)?,
        };
        found.push((name, &text[..end]));
        (form, text) = (after, &text[end..]);
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// The gap that holds sentences of their own.
const REASONS: &str = "reasons";

/// The gap that says why, in anybody's words, or in ours.
const REASON: &str = "reason";

/// Marks a sentence for translators, under the name by which xgettext knows it.
#[allow(non_snake_case)]
const fn N_(text: &'static str) -> &'static str {
    text
}

/// The daemon's sentences; a more special one stands before a more general one.
const FORMS: &[&str] = &[
    N_("{name} asked for the disk, but: {reasons}"),
    N_("The ramdisk for this kernel is ready"),
    N_("There is no ramdisk for the running kernel"),
    N_("The ramdisk does not belong to the kernel as it is installed now"),
    N_("The ramdisk is being made"),
    N_("Wait until it is ready"),
    N_("The kernel can start the ramdisk"),
    N_("Kexec is switched off until the next boot"),
    N_("Look for kernel.kexec_load_disabled in /etc/sysctl.d, remove it, and reboot"),
    N_("Secure Boot lets only signed kernels start, and the installed one is not signed"),
    N_("Install your distribution's signed kernel, or sign this one"),
    N_("This kernel cannot start another one"),
    N_("Install a kernel with CONFIG_KEXEC_FILE, as all big distributions have it"),
    N_("Kernel and initramfs were found"),
    N_("Reboot if the kernel was just upgraded; else reinstall the kernel's package"),
    N_("The system runs from {model}"),
    N_("Only a system that runs from one local disk can be lent"),
    N_("There is a paired machine"),
    N_("No machine is paired"),
    N_("All wired interfaces are used"),
    N_("Nothing answers at the other end of the stiefellink {name}"),
    N_("Plug its cable in at both ends, and switch the other machine on"),
    N_("The stiefellink {name} runs at {speed} Mbit/s only"),
    N_("Take a cable of category 5e or better; a lent disk needs 1000 Mbit/s"),
    N_("The stiefellink {name} is there"),
    N_("The stiefellink {name} is not there"),
    N_("Plug it in, or change its policy or [link] in /etc/stiefelsystem"),
    N_("Look into the log of that service; the stiefellink may be configured by it"),
    N_("This machine has no battery"),
    N_("On mains, battery at {percent} %"),
    N_("On battery at {percent} %, and lending on battery is switched off"),
    N_("On battery at {percent} %, which is nearly empty"),
    N_("On battery at {percent} %, less than the {least} % that a loan needs"),
    N_("On battery at {percent} %"),
    N_("Plug the charger in"),
    N_("Plug the charger in: a loan ends badly when the battery is empty"),
    N_("The ramdisk has the drivers of all wired interfaces"),
    N_("The ramdisk lacks the driver {driver} of a wired interface"),
    N_("Install the kernel's package as a whole, then run: stiefelctl update"),
    N_("Nobody else is logged in"),
    N_("Several people are logged in: {names}"),
    N_("Ask them to save their work; a hand-off ends their sessions"),
    N_("No program forbids to shut down"),
    N_("{program} forbids to shut down: {reason}"),
    N_("Wait until {program} is done, or close it"),
    N_("The configuration was understood"),
    N_("Not understood: {mistake}"),
    N_("Correct the file; everything else in it holds"),
    N_("The system finds its disk by ids that hold everywhere"),
    N_("{place} is {device}, a name that it has on this machine only"),
    N_("Write its UUID there instead; see: blkid"),
    N_("No hibernated system is on the disk"),
    N_("{device} holds a hibernated system, which would wake up elsewhere"),
    N_("If you don't need it any more, run: swapon {device}"),
    N_("The disk can be unlocked on any machine"),
    N_("{device} is unlocked by this machine's TPM; elsewhere it asks for its passphrase"),
    N_("Have the passphrase or the recovery key at hand"),
    N_("{device} can only be unlocked by this machine's TPM"),
    N_("Add a recovery key: systemd-cryptenroll --recovery-key {device}"),
    N_("Somebody at this machine called it off"),
    N_("{name} asked for the disk, and nobody agreed in time"),
    N_("The charger was unplugged; shall the disk be lent on battery?"),
    N_("The charger was unplugged"),
    N_("The network adapter of the loan is gone"),
    N_("Plug it back in; this system goes on by itself"),
    N_("The cable to {name} runs at {speed} Mbit/s only"),
    N_("{name} runs on its battery, at {percent} %"),
    N_("The battery of {name} is low, at {percent} %"),
    N_("The battery of {name} is nearly empty, at {percent} %"),
    N_("Plug in the charger of {name}"),
    N_("The disk is near the end of its days"),
    N_("Think of a new one, and of copies of what is on it"),
    N_("The disk is failing"),
    N_("Copy what is on it to another one now"),
    N_("{name} is hot, {degrees} °C"),
    N_("Let it have air; a closed lid on a soft ground keeps its warmth"),
    N_("another job goes on; wait for it, or cancel it"),
    N_("there is no ramdisk for the running kernel yet; run: stiefelctl update"),
    N_("there is no such drive any more"),
    N_("the drive {name} cannot be written to: {reason}"),
    N_("another hand-off is under way"),
    N_("no hand-off waits for a confirmation"),
    N_("the machine is already leaving its system"),
    N_("another pairing is called {name}; choose another name, or forget that one"),
    N_("a stick is being made"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    #[test]
    fn what_is_in_the_gaps_is_kept() {
        for text in [
            "On battery at 23 %",
            "On battery at 23 %, less than the 30 % that a loan needs",
            "apt forbids to shut down: an upgrade: it runs",
            "Stiefelsystem forbids to shut down: a stick is being made",
            "Nobody else is logged in",
        ] {
            assert_eq!(heard(text), text);
            assert!(
                FORMS.iter().any(|form| gaps(form, text).is_some()),
                "{text}"
            );
        }
        assert_eq!(
            gaps("{a} is {b}, a name", "/ is /dev/sda2, a name"),
            Some(vec![("a", "/"), ("b", "/dev/sda2")])
        );
    }

    #[test]
    fn reasons_are_told_without_what_to_do() {
        assert_eq!(
            heard(
                "Desk asked for the disk, but: on battery (Plug it in); apt forbids to shut down: it runs (Wait)"
            ),
            "Desk asked for the disk, but: On battery; apt forbids to shut down: it runs"
        );
    }

    #[test]
    fn a_sentence_of_another_form_is_shown_as_it_is() {
        assert_eq!(heard(""), "");
        assert_eq!(heard("no space left"), "No space left");
        assert_eq!(
            heard("another pairing is called desk; choose another name, or forget that one"),
            "Another pairing is called desk; choose another name, or forget that one"
        );
        assert_eq!(gaps("On battery at {percent} %", "On battery at 23"), None);
        assert_eq!(gaps("Disk", "Disk 2"), None);
    }

    /// Each form has words that the sources of the daemon have, or it is of no use.
    #[test]
    fn the_forms_are_those_of_the_daemon() -> std::io::Result<()> {
        let mut sources = String::new();
        let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut folders = vec![tree.join("core/src"), tree.join("daemon/src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => sources += &fs::read_to_string(path)?,
                }
            }
        }
        for form in FORMS {
            let fixed = form.split(['{', '}']).step_by(2);
            let pieces = fixed.flat_map(|part| part.split('%'));
            let longest = pieces.max_by_key(|part| part.len()).unwrap_or(form);
            assert!(sources.contains(longest.trim()), "{form}");
        }
        Ok(())
    }
}
