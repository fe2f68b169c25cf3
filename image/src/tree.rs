//! The module tree of an installed kernel.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use stiefel_core::modules::{Catalogue, Tables};

use crate::Error;

/// Folders with module trees, below the root; on most systems the first is the second.
const FOLDERS: [&str; 2] = ["lib/modules", "usr/lib/modules"];

/// A module tree with its tables read.
pub(crate) struct Tree {
    pub folder: PathBuf,
    pub catalogue: Catalogue,
}

/// The kernels that have a module tree, sorted by name.
///
/// A folder without `modules.dep` is what is left of a removed kernel.
pub fn releases(root: &Path) -> Vec<String> {
    let mut found: Vec<String> = FOLDERS
        .iter()
        .filter_map(|folder| fs::read_dir(root.join(folder)).ok())
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("modules.dep").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    found.sort();
    found.dedup();
    found
}

impl Tree {
    /// Finds and reads the tree of a kernel.
    ///
    /// # Errors
    /// [`Error::BadRelease`], [`Error::NoModules`], [`Error::NoTables`], or a table that is
    /// not readable.
    pub fn open(root: &Path, release: &str) -> Result<Self, Error> {
        check_release(release)?;
        let folder = FOLDERS
            .iter()
            .map(|folder| root.join(folder).join(release))
            .find(|folder| folder.is_dir())
            .ok_or_else(|| Error::NoModules {
                release: release.to_owned(),
                folder: root.join(FOLDERS[0]),
                others: releases(root),
            })?;
        let dep = folder.join("modules.dep");
        if !dep.exists() {
            return Err(Error::NoTables(dep, release.to_owned()));
        }
        let [dep, alias, softdep, weakdep, builtin] =
            ["dep", "alias", "softdep", "weakdep", "builtin"]
                .map(|table| read_table(&folder.join(format!("modules.{table}"))));
        let catalogue = Catalogue::parse(&Tables {
            dep: &dep?,
            alias: &alias?,
            softdep: &softdep?,
            weakdep: &weakdep?,
            builtin: &builtin?,
        })?;
        Ok(Self { folder, catalogue })
    }
}

/// Takes a release only when it can be a file's name.
pub(crate) fn check_release(release: &str) -> Result<(), Error> {
    let odd = release.is_empty() || release.starts_with('.') || release.contains(['/', '\0', '\n']);
    if odd {
        Err(Error::BadRelease(release.to_owned()))
    } else {
        Ok(())
    }
}

/// A table that is not there is an empty one; older versions of depmod do not write all.
fn read_table(path: &Path) -> Result<String, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}
