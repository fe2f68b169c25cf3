//! The marker of a hand-off: how far it came, for a daemon that starts after a
//! crash and has to clean up.

use super::Trouble;
use super::paths::Paths;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use stiefel_core::handoff::Step;

/// A file that holds the name of the step that was begun last.
#[derive(Debug, Clone)]
pub struct Marker {
    file: PathBuf,
}

impl Marker {
    /// The marker of this machine.
    #[must_use]
    pub fn new(paths: &Paths) -> Self {
        Self {
            file: paths.run().join("hand-off"),
        }
    }

    /// Says that `step` is about to be taken.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn begin(&self, step: Step) -> Result<(), Trouble> {
        let write = || {
            if let Some(folder) = self.file.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&self.file, crate::view::step(step).as_str())
        };
        write()
            .map_err(|error| Trouble::new(format!("cannot write {}", self.file.display()), error))
    }

    /// Says that nothing is left to clean up.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn clear(&self) -> Result<(), Trouble> {
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Trouble::new(
                format!("cannot remove {}", self.file.display()),
                error,
            )),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The step that was begun last; the last one if the file cannot be understood,
    /// `None` if no hand-off was cut short.
    #[must_use]
    pub fn read(&self) -> Option<Step> {
        let text = match fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(_) => String::new(),
        };
        let named = |step: &Step| crate::view::step(*step).as_str() == text;
        // Cut short while it was written: clean up everything.
        Some(
            Step::ORDER
                .into_iter()
                .find(named)
                .unwrap_or(Step::LoadKernel),
        )
    }
}
