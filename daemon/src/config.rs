//! What people configure: `/etc/stiefelsystem/*.toml`, read in the order of
//! their names; a later file overrides single keys of an earlier one.
//!
//! A mistake is told with file, line and key, and everything else holds.

pub mod settings;
pub mod words;

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;
use stiefel_core::cmdline::Permits;
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
    /// What becomes of an announced hand-off when the charger is unplugged.
    pub on_ac_loss: OnAcLoss,
    /// What a system on a lent disk does when the lender's battery is nearly empty.
    pub on_low_power: OnLowPower,
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
    /// What the lent system may do on the borrower.
    pub permits: Permits,
}

/// How the stiefellink is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkName {
    /// By its name.
    Interface(String),
    /// By its hardware address.
    Mac(MacAddress),
}

/// What becomes of an announced hand-off that goes ahead when the charger is unplugged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnAcLoss {
    /// It needs a yes.
    Ask,
    /// It is called off.
    CallOff,
    /// It goes ahead, unless the charge forbids that.
    GoAhead,
}

/// What a system on a lent disk does when the lender's battery is nearly empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLowPower {
    /// It gives the disk back.
    GiveBack,
    /// It only warns.
    Warn,
}

/// From and to how many seconds people may object.
pub const COUNTDOWN: RangeInclusive<u32> = 1..=600;
/// From and to how many seconds people have to agree.
pub const CONFIRM: RangeInclusive<u32> = 1..=3600;
/// From and to how many seconds the ramdisk waits for a borrower; half a minute for a machine
/// that boots, a day for a person.
pub const OFFER: RangeInclusive<u32> = 30..=86_400;
/// From and to how many seconds both wait for each other; longer than it takes to plug in. See
/// [`patience`].
pub const PATIENCE: RangeInclusive<u32> = 10..=86_400;
/// Percent.
pub const PERCENT: RangeInclusive<u32> = 0..=100;

impl Default for Config {
    fn default() -> Self {
        Self {
            link: None,
            on_plug: Policy::Ask,
            on_ac_loss: OnAcLoss::Ask,
            on_low_power: OnLowPower::GiveBack,
            countdown: Duration::from_secs(10),
            confirm_within: Duration::from_secs(60),
            on_battery: OnBattery::default(),
            battery_percent: 30.0,
            limits: Limits::default(),
            permits: Permits::default(),
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
                self.on_plug = words::policy(text(value)?)?;
            }
            ("hand-off", "countdown-secs") => self.countdown = secs(value, &COUNTDOWN)?,
            ("hand-off", "confirm-secs") => self.confirm_within = secs(value, &CONFIRM)?,
            ("hand-off", "on-battery") => self.on_battery = words::on_battery(text(value)?)?,
            ("hand-off", "on-ac-loss") => self.on_ac_loss = words::on_ac_loss(text(value)?)?,
            ("hand-off", "battery-percent") => {
                self.battery_percent = f64::from(number(value, &PERCENT)?);
            }
            ("loan", "on-low-power") => self.on_low_power = words::on_low_power(text(value)?)?,
            ("loan", "offer-secs") => self.limits.offer_secs = number(value, &OFFER)?,
            ("loan", "show-borrower-disks") => self.permits.own_disks = yes(value)?,
            ("loan", "swap") => self.permits.swap = yes(value)?,
            ("loan", "patience-secs") => {
                self.limits.patience_secs = patience(number(value, &(0..=u32::MAX))?)?;
            }
            _ => return Err("no such key".into()),
        }
        Ok(())
    }
}

fn text<'a>(value: &'a DeValue<'_>) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| "a text is needed".into())
}

fn yes(value: &DeValue<'_>) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| "true or false is needed".into())
}

fn number(value: &DeValue<'_>, range: &RangeInclusive<u32>) -> Result<u32, String> {
    value
        .as_integer()
        .and_then(|number| u32::from_str_radix(number.as_str(), number.radix()).ok())
        .ok_or_else(|| out_of(range))
        .and_then(|number| within(number, range))
}

fn secs(value: &DeValue<'_>, range: &RangeInclusive<u32>) -> Result<Duration, String> {
    number(value, range).map(|secs| Duration::from_secs(secs.into()))
}

/// The number, if it is in its range.
///
/// # Errors
/// Which range that is.
pub fn within(number: u32, range: &RangeInclusive<u32>) -> Result<u32, String> {
    match range.contains(&number) {
        true => Ok(number),
        false => Err(out_of(range)),
    }
}

/// The patience, if it is in its range or 0: until a person decides.
///
/// # Errors
/// Which range that is.
pub fn patience(secs: u32) -> Result<u32, String> {
    match secs {
        0 => Ok(0),
        secs => within(secs, &PATIENCE).map_err(|error| format!("0, or {error}")),
    }
}

fn out_of(range: &RangeInclusive<u32>) -> String {
    let (least, most) = (range.start(), range.end());
    format!("a whole number from {least} to {most} is needed")
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
        write("25-c.toml", "[loan]\nshow-borrower-disks = true\n");
        write("30-c.toml", "[loan\n");
        write("40-d.txt", "no TOML");
        let (config, mistakes) = load(folder.path());
        assert_eq!(config.countdown, Duration::from_secs(5));
        assert!(config.permits.own_disks && !config.permits.swap);
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
    fn a_person_may_be_waited_for_for_ever_but_not_for_a_moment() {
        let mut config = Config::default();
        assert!(config.take("[loan]\npatience-secs = 20\n").is_empty());
        assert_eq!(config.limits.patience_secs, 20);
        assert!(config.take("[loan]\npatience-secs = 0\n").is_empty());
        assert_eq!(config.limits.patience(), None);
        let [mistake] = &config.take("[loan]\npatience-secs = 9\n")[..] else {
            panic!("9 is taken");
        };
        assert!(
            mistake.contains("0, or a whole number from 10"),
            "{mistake}"
        );
    }

    #[test]
    fn no_folder_means_the_defaults() {
        let (config, mistakes) = load(Path::new("/nonexistent"));
        assert_eq!((config, mistakes), (Config::default(), vec![]));
    }
}
