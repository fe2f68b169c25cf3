//! What people configure: `/etc/stiefelsystem/*.toml`, read in the order of
//! their names; a later file overrides single keys of an earlier one.
//!
//! A mistake is told with file and key, and everything else holds.

use serde::Deserialize;
use std::fs;
use std::path::Path;
use std::time::Duration;
use stiefel_core::net::MacAddress;
use stiefel_core::pairing::Policy;
use stiefel_core::ticket::Limits;
use toml::{Table, Value};

/// Longest configuration file, bytes.
const MAX_FILE_LEN: u64 = 1 << 20;

/// All settings, with what holds if nobody says anything.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The stiefellink, if there is one.
    pub link: Option<LinkName>,
    /// What plugging the stiefellink in brings about while armed.
    pub on_plug: Policy,
    /// How long people may object to a hand-off that goes ahead.
    pub countdown: Duration,
    /// How long people have to agree to one that needs it.
    pub confirm_within: Duration,
    /// On battery, a lower charge than this forbids a hand-off; percent.
    pub battery_percent: f64,
    /// How long the ramdisk waits for whom.
    pub limits: Limits,
}

/// How the stiefellink is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkName {
    /// By its name.
    Interface(String),
    /// By its hardware address.
    Mac(MacAddress),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            link: None,
            on_plug: Policy::Ask,
            countdown: Duration::from_secs(10),
            confirm_within: Duration::from_secs(60),
            battery_percent: 30.0,
            limits: Limits::default(),
        }
    }
}

/// Reads all files of a folder. The second part are the mistakes, for people.
#[must_use]
pub fn load(folder: &Path) -> (Config, Vec<String>) {
    let mut config = Config::default();
    let mut mistakes = Vec::new();
    let mut files: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    files.sort();
    for file in files {
        let text = match fs::metadata(&file) {
            Ok(data) if data.len() > MAX_FILE_LEN => Err("it is too long".to_owned()),
            Ok(_) | Err(_) => fs::read_to_string(&file).map_err(|error| error.to_string()),
        };
        let parsed = text.and_then(|text| text.parse::<Table>().map_err(|error| error.to_string()));
        match parsed {
            Ok(table) => {
                for mistake in config.take(&table) {
                    mistakes.push(format!("{}: {mistake}", file.display()));
                }
            }
            Err(error) => mistakes.push(format!("{}: {}", file.display(), error.trim_end())),
        }
    }
    (config, mistakes)
}

impl Config {
    /// Takes over what a file says; returns what it should not have said.
    fn take(&mut self, file: &Table) -> Vec<String> {
        let mut mistakes = Vec::new();
        for (section, keys) in file {
            let Some(keys) = keys.as_table() else {
                mistakes.push(format!("{section} is in no section"));
                continue;
            };
            for (key, value) in keys {
                if let Err(mistake) = self.set(section, key, value) {
                    mistakes.push(format!("[{section}] {key}: {mistake}"));
                }
            }
        }
        mistakes
    }

    fn set(&mut self, section: &str, key: &str, value: &Value) -> Result<(), String> {
        match (section, key) {
            ("link", "interface") => {
                let name = text(value)?;
                // Interface names of the kernel (dev_valid_name in net/core/dev.c).
                if name.is_empty() || name.len() > 15 || name.contains(['/', ':', ' ']) {
                    return Err("no name of an interface".into());
                }
                self.link = Some(LinkName::Interface(name.to_owned()));
            }
            ("link", "mac") => {
                let mac = text(value)?.parse();
                self.link = Some(LinkName::Mac(mac.map_err(|error| format!("{error}"))?));
            }
            ("link", "on-plug") => {
                self.on_plug = Policy::deserialize(value.clone())
                    .map_err(|_| "one of \"ask\", \"automatic\" and \"never\" is needed")?;
            }
            ("hand-off", "countdown-secs") => self.countdown = secs(value, 1, 600)?,
            ("hand-off", "confirm-secs") => self.confirm_within = secs(value, 1, 3600)?,
            ("hand-off", "battery-percent") => {
                self.battery_percent = number(value, 0, 100)? as f64;
            }
            ("loan", "offer-secs") => self.limits.offer_secs = number(value, 30, 86_400)?,
            ("loan", "patience-secs") => self.limits.patience_secs = number(value, 10, 86_400)?,
            _ => return Err("no such key".into()),
        }
        Ok(())
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "a text is needed".into())
}

fn number(value: &Value, least: u32, most: u32) -> Result<u32, String> {
    value
        .as_integer()
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("a whole number from {least} to {most} is needed"))
}

fn secs(value: &Value, least: u32, most: u32) -> Result<Duration, String> {
    number(value, least, most).map(|secs| Duration::from_secs(secs.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_ins_override_single_keys_and_mistakes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "10-a.toml",
            "[link]\nmac = \"52:54:00:00:00:01\"\n[hand-off]\ncountdown-secs = 3\n",
        );
        write(
            "20-b.toml",
            "[hand-off]\ncountdown-secs = 5\nconfirm-secs = 0\nwarp = 9\n",
        );
        write("30-c.toml", "[loan\n");
        write("40-d.txt", "no TOML");
        let (config, mistakes) = load(folder.path());
        assert_eq!(config.countdown, Duration::from_secs(5));
        assert_eq!(config.confirm_within, Config::default().confirm_within);
        assert_eq!(
            config.link,
            Some(LinkName::Mac("52:54:00:00:00:01".parse().unwrap()))
        );
        let [a, b, c] = &mistakes[..] else {
            panic!("{mistakes:?}")
        };
        assert!(a.contains("20-b.toml: [hand-off] confirm-secs: a whole number from 1"));
        assert!(b.contains("[hand-off] warp: no such key"));
        assert!(c.contains("30-c.toml") && c.contains("line 1"));
    }

    #[test]
    fn no_folder_means_the_defaults() {
        let (config, mistakes) = load(Path::new("/nonexistent"));
        assert_eq!((config, mistakes), (Config::default(), vec![]));
    }
}
