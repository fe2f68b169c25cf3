//! How the lender is: power, warmth and memory.

use std::path::Path;

use stiefel_core::net::MacAddress;
use stiefel_linux::links::Links;
use stiefel_linux::power::{self, Power};

use crate::wires::usable;

/// Battery and mains; a machine that tells nothing counts as one on mains.
pub fn power() -> Power {
    power::read().unwrap_or(Power {
        battery_percent: None,
        on_mains: true,
        charging: false,
        discharging: false,
        empty_in_secs: 0,
    })
}

/// Speed of the only interface with a cable that a loan may use, Mbit/s; 0 if it is not known
/// or there are several.
pub fn link_speed_mbps(chosen: &[MacAddress]) -> u32 {
    let links = Links::open().and_then(|mut links| links.list());
    let links = links.unwrap_or_default().into_iter();
    let mut connected = links.filter(|link| link.carrier && usable(link, chosen));
    match (connected.next(), connected.next()) {
        (Some(only), None) => only.speed_mbps.unwrap_or(0),
        _ => 0,
    }
}

/// The hottest sensor that the kernel knows, degrees Celsius; `None` without any.
pub fn hottest_celsius() -> Option<f64> {
    hottest_below(Path::new("/sys/class"))
}

/// Monitors that ask a disk whenever they are read, for as long as it takes: [`super::health`]
/// does that elsewhere.
const DISKS: [&str; 2] = ["nvme", "drivetemp"];

/// Thermal zones and monitors both tell thousandths of a degree
/// (Documentation/driver-api/thermal/sysfs-api.rst, Documentation/hwmon/sysfs-interface.rst).
fn hottest_below(class: &Path) -> Option<f64> {
    let list = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let text = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let zones = list(&class.join("thermal")).map(|zone| zone.path().join("temp"));
    let monitors = list(&class.join("hwmon"))
        .map(|monitor| monitor.path())
        .filter(|monitor| !DISKS.contains(&text(&monitor.join("name")).trim()));
    let inputs = monitors
        .flat_map(|monitor| list(&monitor))
        .map(|file| file.path());
    let inputs = inputs.filter(|file| {
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        name.starts_with("temp") && name.ends_with("_input")
    });
    let told = zones.chain(inputs).map(|file| text(&file));
    let degrees = told.filter_map(|text| Some(text.trim().parse::<f64>().ok()? / 1000.0));
    // Sensors that are not there tell nonsense.
    degrees
        .filter(|celsius| (1.0..200.0).contains(celsius))
        .max_by(f64::total_cmp)
}

/// Memory in use, bytes: what is neither free nor a copy of something on a disk.
/// The ramdisk's own files count. `MemAvailable` would not do: it also takes off
/// what the kernel keeps free for emergencies (Documentation/filesystems/proc.rst).
pub fn memory_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    used(&text).unwrap_or(0)
}

fn used(text: &str) -> Option<u64> {
    let field = |name: &str| meminfo(text, name);
    let files_in_memory = field("Shmem:")? + field("Unevictable:")?;
    let copies = field("Buffers:")? + field("Cached:")?.saturating_sub(files_in_memory);
    Some(field("MemTotal:")?.saturating_sub(field("MemFree:")? + copies + field("SReclaimable:")?))
}

fn meminfo(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_sensor_counts_and_nonsense_does_not() {
        let class = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = class.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for (zone, temp) in [
            ("0", "44500\n"),
            ("1", "27800\n"),
            ("2", "-274000\n"),
            ("3", "x"),
        ] {
            write(&format!("thermal/thermal_zone{zone}/temp"), temp);
        }
        assert_eq!(hottest_below(class.path()), Some(44.5));
        write("hwmon/hwmon0/name", "coretemp\n");
        write("hwmon/hwmon0/temp1_input", "61000\n");
        write("hwmon/hwmon0/temp1_crit", "100000\n");
        write("hwmon/hwmon1/name", "nvme\n");
        write("hwmon/hwmon1/temp1_input", "70000\n");
        assert_eq!(hottest_below(class.path()), Some(61.0));
        assert_eq!(hottest_below(&class.path().join("none")), None);
    }

    #[test]
    fn files_in_memory_are_in_use_and_copies_of_the_disk_are_not() {
        let text = "MemTotal: 1000 kB\nMemFree: 500 kB\nMemAvailable: 400 kB\nBuffers: 200 kB\n\
             Cached: 150 kB\nUnevictable: 60 kB\nShmem: 40 kB\nSReclaimable: 10 kB\n";
        let expected = 1000 - 500 - 200 - 50 - 10;
        assert_eq!(used(text), Some(expected << 10));
        assert_eq!(used("MemTotal: 1000 kB\n"), None);
    }
}
