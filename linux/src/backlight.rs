//! The lamps behind panels.
//!
//! Source: Documentation/ABI/stable/sysfs-class-backlight.

use std::fs;
use std::path::Path;

/// What `bl_power` takes (include/uapi/linux/fb.h, `FB_BLANK_UNBLANK` and `_POWERDOWN`).
const ON: &str = "0";
const OFF: &str = "4";

/// Switches all lamps on or off. Returns how many obeyed; a machine whose screen has none, or
/// none that the kernel knows, is normal.
pub fn switch(on: bool) -> usize {
    switch_below(Path::new("/sys/class/backlight"), on)
}

fn switch_below(class: &Path, on: bool) -> usize {
    let lamps = fs::read_dir(class).into_iter().flatten().flatten();
    let word = if on { ON } else { OFF };
    lamps
        .filter(|lamp| fs::write(lamp.path().join("bl_power"), word).is_ok())
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lamps_are_switched() {
        let class = tempfile::tempdir().unwrap();
        let lamp = |name: &str| class.path().join(name).join("bl_power");
        for name in ["acpi_video0", "intel_backlight"] {
            fs::create_dir(class.path().join(name)).unwrap();
            fs::write(lamp(name), "0\n").unwrap();
        }
        assert_eq!(switch_below(class.path(), false), 2);
        assert_eq!(fs::read_to_string(lamp("acpi_video0")).unwrap(), "4");
        assert_eq!(switch_below(class.path(), true), 2);
        assert_eq!(fs::read_to_string(lamp("intel_backlight")).unwrap(), "0");
        assert_eq!(switch_below(&class.path().join("none"), true), 0);
    }
}
