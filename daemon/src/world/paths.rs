//! Where things are; all below one root, which only a simulation moves.

use std::path::{Path, PathBuf};

/// The places of this machine.
#[derive(Debug, Clone)]
pub struct Paths {
    root: PathBuf,
}

impl Paths {
    /// Everything below `root`, which is `/` on a real machine.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// A place of the machine, given by its absolute path.
    #[must_use]
    pub fn at(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// TOML files.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.at("/etc/stiefelsystem")
    }

    /// Pairings and the armed flag.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.at("/var/lib/stiefelsystem")
    }

    /// Ramdisks.
    #[must_use]
    pub fn images(&self) -> PathBuf {
        self.at("/var/lib/stiefelsystem/images")
    }

    /// Gone after a reboot.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.at("/run/stiefelsystem")
    }
}
