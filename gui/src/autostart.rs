//! Whether the application starts with the session, without a window: an entry
//! of the package for everybody, and a person's own one that comes before it.

use gtk::glib;
use std::fs;
use std::io;
use std::path::PathBuf;

/// As the package calls its entry.
const NAME: &str = "org.stiefelsystem.Stiefelsystem-autostart.desktop";
/// A person's own entry.
const ENTRY: &str = "[Desktop Entry]
Type=Application
Name=Stiefelsystem
Exec=stiefelsystem --background
Icon=org.stiefelsystem.Stiefelsystem
NoDisplay=true
X-GNOME-UsesNotifications=true
";
/// What takes an entry out of force.
const HIDDEN: &str = "Hidden=true";

/// The entries.
pub struct Autostart {
    own: PathBuf,
    /// Of the package, if it is installed.
    common: Option<PathBuf>,
}

impl Default for Autostart {
    fn default() -> Self {
        let entry = |folder: PathBuf| folder.join("autostart").join(NAME);
        let common = glib::system_config_dirs().into_iter().map(entry);
        Self {
            own: entry(glib::user_config_dir()),
            common: common.into_iter().find(|path| path.exists()),
        }
    }
}

impl Autostart {
    /// Whether it starts with the session.
    #[must_use]
    pub fn is_on(&self) -> bool {
        match fs::read_to_string(&self.own) {
            Ok(entry) => !entry.contains(HIDDEN),
            Err(_) => self.common.is_some(),
        }
    }

    /// Decides whether it does from the next session on.
    ///
    /// # Errors
    /// The person's entry cannot be written or removed.
    pub fn set(&self, on: bool) -> io::Result<()> {
        let entry = match (on, &self.common) {
            (true, Some(_)) | (false, None) => None,
            (true, None) => Some(ENTRY.to_owned()),
            (false, Some(_)) => Some(format!("{ENTRY}{HIDDEN}\n")),
        };
        let Some(entry) = entry else {
            return match fs::remove_file(&self.own) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        };
        if let Some(folder) = self.own.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&self.own, entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Switched on and off, with and without an entry of the package, twice.
    #[test]
    fn it_is_switched_on_and_off() -> io::Result<()> {
        let folder = std::env::temp_dir().join(format!("stiefel-autostart-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let common = folder.join("common");
        fs::write(&common, ENTRY)?;
        for common in [None, Some(common)] {
            let autostart = Autostart {
                own: folder.join("own/entry"),
                common,
            };
            assert_eq!(autostart.is_on(), autostart.common.is_some());
            for on in [false, true, false, false, true, true] {
                autostart.set(on)?;
                assert_eq!(autostart.is_on(), on);
            }
            fs::remove_file(&autostart.own).ok();
        }
        fs::remove_dir_all(folder)
    }
}
