//! What people configure: `/etc/stiefelsystem/*.toml`, read in the order of
//! their names; a later file overrides single keys of an earlier one.
//!
//! A mistake is told with file, line and key, and everything else holds.

use std::fs;
use std::path::Path;
use std::time::Duration;
use stiefel_core::net::MacAddress;
use stiefel_core::pairing::Policy;
use stiefel_core::preflight::OnBattery;
use stiefel_core::ticket::Limits;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

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
    /// What a hand-off on battery is.
    pub on_battery: OnBattery,
    /// On battery, a lower charge than this is too little; percent.
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
            on_battery: OnBattery::default(),
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
        let told = match text {
            Ok(text) => config.take(&text),
            Err(error) => vec![format!(" {error}")],
        };
        let named = |mistake| format!("{}:{mistake}", file.display());
        mistakes.extend(told.into_iter().map(named));
    }
    (config, mistakes)
}

impl Config {
    /// Takes over what a file says; returns what it should not have said, each with its line.
    fn take(&mut self, text: &str) -> Vec<String> {
        let line = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        let (file, errors) = DeTable::parse_recoverable(text);
        let mut mistakes: Vec<String> = errors
            .iter()
            .map(|error| {
                let at = error.span().map_or(0, |span| span.start);
                format!("{}: {}", line(at), error.message())
            })
            .collect();
        // What is left of a file that is no TOML is nothing that anybody wrote.
        if !mistakes.is_empty() {
            return mistakes;
        }
        for (section, keys) in file.get_ref() {
            let at = line(section.span().start);
            let section = section.get_ref();
            let Some(keys) = keys.get_ref().as_table() else {
                mistakes.push(format!("{at}: {section} is in no section"));
                continue;
            };
            for (key, value) in keys {
                if let Err(mistake) = self.set(section, key.get_ref(), value) {
                    let at = line(key.span().start);
                    mistakes.push(format!("{at}: [{section}] {}: {mistake}", key.get_ref()));
                }
            }
        }
        mistakes
    }

    fn set(
        &mut self,
        section: &str,
        key: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), String> {
        let value = value.get_ref();
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
                self.on_plug = match text(value)? {
                    "ask" => Policy::Ask,
                    "automatic" => Policy::Automatic,
                    "never" => Policy::Never,
                    _ => return Err("\"ask\", \"automatic\" or \"never\" is needed".into()),
                }
            }
            ("hand-off", "countdown-secs") => self.countdown = secs(value, 1, 600)?,
            ("hand-off", "confirm-secs") => self.confirm_within = secs(value, 1, 3600)?,
            ("hand-off", "on-battery") => {
                self.on_battery = match text(value)? {
                    "refuse" => OnBattery::Refuse,
                    "warn" => OnBattery::Warn,
                    "allow" => OnBattery::Allow,
                    _ => return Err("\"refuse\", \"warn\" or \"allow\" is needed".into()),
                }
            }
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

fn text<'a>(value: &'a DeValue<'_>) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| "a text is needed".into())
}

fn number(value: &DeValue<'_>, least: u32, most: u32) -> Result<u32, String> {
    value
        .as_integer()
        .and_then(|number| u32::from_str_radix(number.as_str(), number.radix()).ok())
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("a whole number from {least} to {most} is needed"))
}

fn secs(value: &DeValue<'_>, least: u32, most: u32) -> Result<Duration, String> {
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
        assert!(
            a.contains("20-b.toml:3: [hand-off] confirm-secs: a whole number from 1"),
            "{a}"
        );
        assert!(
            b.contains("20-b.toml:4: [hand-off] warp: no such key"),
            "{b}"
        );
        assert!(c.contains("30-c.toml:1: "), "{c}");
    }

    #[test]
    fn every_kind_of_mistake_is_told_and_costs_only_its_own_key() {
        let text = "lonely = 1\n[link]\ninterface = 7\non-plug = \"now\"\n[hand-off]\n\
                    on-battery = \"maybe\"\ncountdown-secs = 5.5\nbattery-percent = 101\n\
                    confirm-secs = 20\n";
        let mut config = Config::default();
        let mut lines: Vec<String> = config.take(text);
        lines.sort();
        let numbers: Vec<&str> = lines
            .iter()
            .filter_map(|one| one.split(':').next())
            .collect();
        assert_eq!(numbers, ["1", "3", "4", "6", "7", "8"], "{lines:?}");
        let expected = Config {
            confirm_within: Duration::from_secs(20),
            ..Config::default()
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn no_folder_means_the_defaults() {
        let (config, mistakes) = load(Path::new("/nonexistent"));
        assert_eq!((config, mistakes), (Config::default(), vec![]));
    }
}
