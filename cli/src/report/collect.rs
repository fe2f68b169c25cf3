//! What is found on the machine, without the daemon's help.

use super::scrub::Kind;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use stiefel_image::{IMAGES, stick};

/// Longest file that is packed, bytes.
const MAX_FILE_LEN: u64 = 4 << 20;
/// Lines of a log: some days of a daemon that has much to say.
const LOG_LINES: &str = "5000";
/// Files of one kind that are packed; nobody has so many kernels or drop-ins.
const MAX_FILES: usize = 64;

/// A part of the report: its text, or why there is none.
pub struct Finding {
    /// What it is called in the archive.
    pub name: String,
    /// What it is, for people.
    pub about: &'static str,
    /// How secrets could be written in it.
    pub kind: Kind,
    /// The text, or why there is none.
    pub content: Result<String, String>,
}

impl Finding {
    /// A part that is no configuration.
    pub fn new(
        name: impl Into<String>,
        about: &'static str,
        content: Result<String, String>,
    ) -> Self {
        Self {
            name: name.into(),
            about,
            kind: Kind::Text,
            content,
        }
    }

    fn with(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }
}

/// Everything.
pub fn all(root: &Path) -> Vec<Finding> {
    let mut findings = vec![
        Finding::new(
            "versions.txt",
            "versions of system and programs",
            Ok(versions(root)),
        ),
        Finding::new("kernel.txt", "what the kernel allows", Ok(kernel(root))).with(Kind::Settings),
        journal(
            root,
            "journal-daemon.txt",
            "the daemon's log",
            &["-u", "stiefeld"],
        ),
        last_hand_off(root),
        journal(
            root,
            "journal-kernel.txt",
            "the kernel's log since it started",
            &["-k", "-b"],
        ),
    ];
    findings.extend(files(
        root,
        "etc/stiefelsystem",
        "toml",
        "configuration",
        Kind::Settings,
    ));
    findings.extend(files(
        root,
        IMAGES,
        "json",
        "what is in a ramdisk",
        Kind::Text,
    ));
    findings.extend(sticks(root));
    findings
}

/// What the sticks that are plugged in remember. Only drives are looked at that can be taken out.
fn sticks(root: &Path) -> Vec<Finding> {
    let drives = fs::read_dir(root.join("sys/block")).into_iter().flatten();
    let removable = drives
        .flatten()
        .filter(|drive| read(&drive.path().join("removable")).is_ok_and(|text| text.trim() == "1"));
    let packed = removable.filter_map(|drive| {
        let drive = drive.file_name().to_string_lossy().into_owned();
        let errors = stick::errors(&File::open(root.join("dev").join(&drive)).ok()?)?;
        let name = format!("sticks/{drive}.txt");
        Some(Finding::new(
            name,
            "errors that a stick remembers",
            Ok(errors),
        ))
    });
    packed.take(MAX_FILES).collect()
}

/// What is packed and what is not, for whoever opens the report.
pub fn contents(findings: &[Finding], left_out: usize) -> Finding {
    let mut text = String::from("A report of stiefelctl.\n\n");
    for finding in findings {
        text += &match &finding.content {
            Ok(_) => format!("{}: {}\n", finding.name, finding.about),
            Err(why) => format!("{}: not there: {why}\n", finding.name),
        };
    }
    text += &format!("\n{left_out} passages that look like keys or passwords were left out.\n");
    Finding::new("README.txt", "what is in here", Ok(text))
}

fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_LEN).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn versions(root: &Path) -> String {
    let mut text = format!("stiefelctl {}\n", env!("CARGO_PKG_VERSION"));
    for path in ["proc/version", "etc/os-release", "etc/debian_version"] {
        text += &match read(&root.join(path)) {
            Ok(told) => format!("\n/{path}:\n{}\n", told.trim_end()),
            Err(why) => format!("\n{why}\n"),
        };
    }
    text
}

fn kernel(root: &Path) -> String {
    let paths = [
        "proc/cmdline",
        "proc/sys/kernel/kexec_load_disabled",
        "sys/kernel/kexec_loaded",
        "sys/kernel/security/lockdown",
        "sys/power/disk",
        "proc/swaps",
        "proc/meminfo",
    ];
    let told = paths.map(|path| match read(&root.join(path)) {
        Ok(told) => format!("/{path}:\n{}\n", told.trim_end()),
        Err(why) => format!("{why}\n"),
    });
    told.join("\n")
}

/// All files with that ending in a folder.
fn files(root: &Path, folder: &str, ending: &str, about: &'static str, kind: Kind) -> Vec<Finding> {
    let place = root.join(folder);
    let name = Path::new(folder)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let entries = match fs::read_dir(&place) {
        Ok(entries) => entries,
        Err(error) => {
            let why = format!("cannot read {}: {error}", place.display());
            return vec![Finding::new(name, about, Err(why))];
        }
    };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == ending))
        .collect();
    paths.sort();
    paths.truncate(MAX_FILES);
    let packed = paths.iter().map(|path| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        Finding::new(format!("{name}/{file}"), about, read(path)).with(kind)
    });
    packed.collect()
}

fn journal(root: &Path, name: &str, about: &'static str, which: &[&str]) -> Finding {
    let mut words = vec!["-o", "short-iso-precise", "-n", LOG_LINES];
    words.extend(which);
    let text = journalctl(root, &words).and_then(|text| match text.trim().is_empty() {
        true => Err("the journal has none that you may read".into()),
        false => Ok(text),
    });
    Finding::new(name, about, text)
}

/// Everything that the daemon said about the last hand-off. The number of a hand-off is the
/// time when it began.
fn last_hand_off(root: &Path) -> Finding {
    let (name, about) = ("journal-hand-off.txt", "the log of the last hand-off");
    let last = journalctl(root, &["-F", "STIEFEL_HAND_OFF"]).map(|numbers| {
        let numbers = numbers
            .lines()
            .map(str::trim)
            .filter(|number| !number.is_empty());
        numbers
            .max_by_key(|number| (number.len(), *number))
            .map(str::to_owned)
    });
    match last {
        Err(why) => Finding::new(name, about, Err(why)),
        Ok(None) => Finding::new(name, about, Err("there was none".into())),
        Ok(Some(number)) => journal(root, name, about, &[&format!("STIEFEL_HAND_OFF={number}")]),
    }
}

fn journalctl(root: &Path, words: &[&str]) -> Result<String, String> {
    let mut command = Command::new("journalctl");
    command.args(["--no-pager", "--quiet"]).args(words);
    if root != Path::new("/") {
        command.arg(format!("--root={}", root.display()));
    }
    let done = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run journalctl: {error}"))?;
    if !done.status.success() {
        let why = String::from_utf8_lossy(&done.stderr);
        return Err(format!("journalctl failed: {}", why.trim()));
    }
    let mut bytes = done.stdout;
    // The end of a log matters most.
    let from = bytes
        .len()
        .saturating_sub(usize::try_from(MAX_FILE_LEN).unwrap_or(usize::MAX));
    bytes.drain(..from);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
