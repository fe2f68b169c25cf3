//! Partitions on drives that hang on USB.

use std::fs;
use std::path::{Path, PathBuf};

/// The nodes of all partitions with this name in their GPT, on drives that hang on USB. Asks
/// the kernel only: no drive is opened.
pub fn usb_partitions(name: &str) -> Vec<PathBuf> {
    let nodes = partitions_below(Path::new("/sys/class/block"), name);
    nodes
        .iter()
        .map(|node| Path::new("/dev").join(node))
        .collect()
}

fn partitions_below(class: &Path, name: &str) -> Vec<String> {
    let entries = fs::read_dir(class).into_iter().flatten().flatten();
    let mut nodes: Vec<String> = entries
        .filter(|entry| {
            // A link to where the device hangs.
            let place = fs::canonicalize(entry.path()).unwrap_or_default();
            let told = fs::read_to_string(place.join("uevent")).unwrap_or_default();
            // Set by `part_uevent` in block/partitions/core.c, from the GPT.
            let named = told
                .lines()
                .any(|line| line.strip_prefix("PARTNAME=") == Some(name));
            named && place.join("partition").exists() && hangs_on_usb(&place)
        })
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    nodes.sort();
    nodes
}

/// Whether one of the devices above is a USB bus, which the kernel numbers: `usb1`.
fn hangs_on_usb(place: &Path) -> bool {
    place.iter().filter_map(|part| part.to_str()).any(|part| {
        part.strip_prefix("usb")
            .is_some_and(|number| number.parse::<u16>().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const STICK: &str = "devices/pci0000:00/0000:00:04.0/usb2/2-1/2-1:1.0/host6/block/sdb";
    const DISK: &str = "devices/pci0000:00/0000:00:1f.2/ata1/host0/block/sda";

    #[test]
    fn only_partitions_of_that_name_on_usb_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let class = folder.path().join("class");
        fs::create_dir(&class).unwrap();
        let add = |device: &str, name: &str, is_partition: bool| {
            let path = folder.path().join(device);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("uevent"), format!("PARTN=2\nPARTNAME={name}\n")).unwrap();
            if is_partition {
                fs::write(path.join("partition"), "2\n").unwrap();
            }
            symlink(&path, class.join(path.file_name().unwrap())).unwrap();
        };
        add(&format!("{STICK}/sdb2"), "stiefel 1", true);
        add(&format!("{STICK}/sdb1"), "GRUB", true);
        add(&format!("{STICK}/sdb3"), "stiefel 2", true);
        add(&format!("{DISK}/sda2"), "stiefel 1", true);
        add("devices/usbip/sdc2", "stiefel 1", true);
        add(&format!("{STICK}/sdb4"), "stiefel 1", false);
        assert_eq!(partitions_below(&class, "stiefel 1"), ["sdb2"]);
        assert_eq!(partitions_below(&class, "stiefel"), [""; 0]);
        assert_eq!(partitions_below(&class.join("none"), "stiefel 1"), [""; 0]);
    }
}
