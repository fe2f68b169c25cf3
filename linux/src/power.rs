//! Batteries and mains, from sysfs.
//!
//! Source: Documentation/ABI/testing/sysfs-class-power. Some firmware never
//! tells of a change, so this is to be asked again every now and then.

use std::fs;
use std::path::Path;

use crate::error::{Result, Tried};

/// How the machine is fed at this moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Power {
    /// All batteries of the machine together, in percent of what they can hold now; `None`
    /// without a battery.
    pub battery_percent: Option<f64>,
    /// Fed from outside. True for machines without a battery.
    pub on_mains: bool,
    /// At least one battery is being charged.
    pub charging: bool,
    /// At least one battery is being emptied, and none is charged: with a charger, it does not
    /// keep up.
    pub discharging: bool,
    /// Seconds until all batteries are empty, as they are emptied now; 0 if they are not, or do
    /// not say.
    pub empty_in_secs: u64,
}

/// Reads the state of all supplies that feed the machine itself (not a mouse's battery).
pub fn read() -> Result<Power> {
    read_below(Path::new("/sys/class/power_supply"))
}

fn read_below(class: &Path) -> Result<Power> {
    let entries = match fs::read_dir(class) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Power {
                battery_percent: None,
                on_mains: true,
                charging: false,
                discharging: false,
                empty_in_secs: 0,
            });
        }
        entries => entries.tried(|| format!("cannot read {}", class.display()))?,
    };
    let mut batteries = Vec::new();
    let mut chargers = Vec::new();
    for entry in entries.flatten() {
        let read = |name: &str| {
            let text = fs::read_to_string(entry.path().join(name)).ok()?;
            Some(text.trim().to_owned())
        };
        if read("scope").as_deref() == Some("Device") {
            continue;
        }
        match read("type").as_deref() {
            Some("Battery") if read("present").as_deref() != Some("0") => {
                batteries.push(Battery::read(&read));
            }
            Some("Mains" | "USB" | "Wireless") => {
                chargers.push(read("online").is_some_and(|online| online != "0"));
            }
            _ => {}
        }
    }
    let any = |status: &str| batteries.iter().any(|battery| battery.status == status);
    let (charging, emptied) = (any("Charging"), any("Discharging"));
    Ok(Power {
        battery_percent: percent(&batteries),
        // Some laptops show no charger at all; then the batteries tell.
        on_mains: if chargers.is_empty() {
            !emptied
        } else {
            chargers.contains(&true)
        },
        charging,
        discharging: emptied && !charging,
        empty_in_secs: if emptied && !charging {
            empty_in_secs(&batteries)
        } else {
            0
        },
    })
}

struct Battery {
    status: String,
    capacity: Option<f64>,
    /// Content now and when full, in the battery's own unit (energy or charge).
    content: Option<(f64, f64)>,
    /// By how much that changes in an hour.
    rate: Option<f64>,
}

impl Battery {
    fn read(read: &impl Fn(&str) -> Option<String>) -> Self {
        let number = |name: &str| read(name)?.parse::<f64>().ok();
        let content = |now, full| Some((number(now)?, number(full).filter(|full| *full > 0.0)?));
        let energy = content("energy_now", "energy_full");
        // Some drivers say it with a sign.
        let rate = number(if energy.is_some() {
            "power_now"
        } else {
            "current_now"
        });
        Self {
            status: read("status").unwrap_or_default(),
            capacity: number("capacity"),
            content: energy.or_else(|| content("charge_now", "charge_full")),
            rate: rate.map(f64::abs).filter(|rate| *rate > 0.0),
        }
    }

    fn percent(&self) -> Option<f64> {
        self.capacity
            .or_else(|| self.content.map(|(now, full)| 100.0 * now / full))
    }
}

/// A battery that rests now is emptied later, at the same rate.
fn empty_in_secs(batteries: &[Battery]) -> u64 {
    let left: Option<f64> = batteries
        .iter()
        .map(|battery| battery.content.map(|(now, _)| now))
        .sum();
    let rate: f64 = batteries.iter().filter_map(|battery| battery.rate).sum();
    match left {
        // A float that is too large becomes the largest number.
        Some(left) if rate > 0.0 => (left / rate * 3600.0) as u64,
        Some(_) | None => 0,
    }
}

/// One battery says it itself; several are weighed by their size where all tell it.
fn percent(batteries: &[Battery]) -> Option<f64> {
    let known = |percent: f64| Some(percent.clamp(0.0, 100.0));
    if let [battery] = batteries {
        return battery.percent().and_then(known);
    }
    let contents: Option<Vec<_>> = batteries.iter().map(|battery| battery.content).collect();
    if let Some(contents) = contents.filter(|contents| !contents.is_empty()) {
        let (now, full) = contents
            .iter()
            .fold((0.0, 0.0), |(n, f), (now, full)| (n + now, f + full));
        return known(100.0 * now / full);
    }
    let percents: Vec<f64> = batteries.iter().filter_map(Battery::percent).collect();
    let count = u32::try_from(percents.len())
        .ok()
        .filter(|count| *count > 0)?;
    known(percents.iter().sum::<f64>() / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(supplies: &[(&str, &[(&str, &str)])]) -> Power {
        let folder = tempfile::tempdir().unwrap();
        for (name, files) in supplies {
            fs::create_dir(folder.path().join(name)).unwrap();
            for (file, text) in *files {
                fs::write(folder.path().join(name).join(file), format!("{text}\n")).unwrap();
            }
        }
        read_below(folder.path()).unwrap()
    }

    #[test]
    fn a_desktop_is_on_mains() {
        assert_eq!(
            machine(&[]),
            Power {
                battery_percent: None,
                on_mains: true,
                charging: false,
                discharging: false,
                empty_in_secs: 0,
            }
        );
    }

    #[test]
    fn a_laptop_on_battery_with_a_mouse() {
        let power = machine(&[
            ("AC", &[("type", "Mains"), ("online", "0")]),
            (
                "BAT0",
                &[
                    ("type", "Battery"),
                    ("status", "Discharging"),
                    ("capacity", "63"),
                ],
            ),
            (
                "mouse",
                &[("type", "Battery"), ("scope", "Device"), ("capacity", "5")],
            ),
        ]);
        assert_eq!(
            power,
            Power {
                battery_percent: Some(63.0),
                on_mains: false,
                charging: false,
                discharging: true,
                empty_in_secs: 0,
            }
        );
    }

    #[test]
    fn two_batteries_are_weighed_by_size() {
        let battery = |now, full| {
            [
                ("type", "Battery"),
                ("status", "Charging"),
                ("energy_now", now),
                ("energy_full", full),
            ]
        };
        let power = machine(&[
            ("BAT0", &battery("10", "10")),
            ("BAT1", &battery("0", "30")),
        ]);
        assert_eq!(
            power,
            Power {
                battery_percent: Some(25.0),
                on_mains: true,
                charging: true,
                discharging: false,
                empty_in_secs: 0,
            }
        );
    }

    #[test]
    fn a_charger_that_does_not_keep_up() {
        let battery = |status| [("type", "Battery"), ("status", status), ("capacity", "9")];
        let weak = [("type", "USB"), ("online", "1")];
        let power = machine(&[("USB", &weak), ("BAT0", &battery("Discharging"))]);
        assert!(power.on_mains && power.discharging);
        let shared = machine(&[
            ("USB", &weak),
            ("BAT0", &battery("Discharging")),
            ("BAT1", &battery("Charging")),
        ]);
        assert!(!shared.discharging, "the charge moves between the two");
    }

    #[test]
    fn how_long_it_lasts_is_content_by_rate() {
        let battery = |now, rate| {
            [
                ("type", "Battery"),
                ("status", "Discharging"),
                ("energy_now", now),
                ("energy_full", "40000000"),
                ("power_now", rate),
            ]
        };
        let one = machine(&[("BAT0", &battery("20000000", "10000000"))]);
        assert_eq!(one.empty_in_secs, 7200);
        let two = machine(&[
            ("BAT0", &battery("20000000", "-10000000")),
            ("BAT1", &battery("20000000", "0")),
        ]);
        assert_eq!(two.empty_in_secs, 14_400);
        let silent = machine(&[("BAT0", &battery("20000000", "0"))]);
        assert_eq!(silent.empty_in_secs, 0);
    }

    #[test]
    fn an_absent_battery_does_not_count() {
        let power = machine(&[("BAT0", &[("type", "Battery"), ("present", "0")])]);
        assert_eq!(power.battery_percent, None);
    }
}
