//! Where a simulation is kept, and what happens in it first.

use anyhow::Context;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The script and the folder of a simulation.
#[derive(Debug)]
pub struct Simulation {
    script: Option<PathBuf>,
    folder: PathBuf,
    /// Whether the folder is ours alone.
    passing: bool,
}

impl Simulation {
    /// A simulation by its script, in `state` or in a folder that is removed at the end; or
    /// by its folder alone.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(script: &Path, state: Option<PathBuf>) -> anyhow::Result<Self> {
        if script.is_dir() && state.is_none() {
            return Ok(Self {
                script: None,
                folder: script.to_owned(),
                passing: false,
            });
        }
        let passing = state.is_none();
        let own = || std::env::temp_dir().join(format!("stiefeld-{}", std::process::id()));
        let folder = state.unwrap_or_else(own);
        DirBuilder::new()
            // One of ours that is there already belongs to somebody else.
            .recursive(!passing)
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self {
            script: Some(script.to_owned()),
            folder,
            passing,
        })
    }

    /// The machine's files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What happens first.
    ///
    /// # Errors
    /// The script cannot be read.
    pub fn lines(&self) -> anyhow::Result<Vec<String>> {
        let Some(script) = &self.script else {
            return Ok(vec![]);
        };
        let text = fs::read_to_string(script)
            .with_context(|| format!("cannot read the script {}", script.display()))?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        if self.passing {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
