//! Firmware on the source system.

use std::path::{Component, Path, PathBuf};

/// Folders with firmware, below the root, in the kernel's order (drivers/base/firmware_loader/main.c,
/// `fw_path`); on most systems `lib` is `usr/lib`.
const FOLDERS: [&str; 2] = ["lib/firmware", "usr/lib/firmware"];

/// The kernel looks for the plain file in all folders, then for these.
const ENDINGS: [&str; 3] = ["", ".zst", ".xz"];

/// A firmware file that was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The name that the driver asks for, with the ending of a compressed file.
    pub name: String,
    /// Where the content is, symbolic links followed.
    pub path: PathBuf,
}

/// Finds what a driver asks for, as the kernel would.
///
/// A name that leaves the folder is not looked for.
pub(crate) fn find(root: &Path, release: &str, name: &str) -> Option<Found> {
    let inside = |part: Component| matches!(part, Component::Normal(_));
    if name.is_empty() || !Path::new(name).components().all(inside) {
        return None;
    }
    ENDINGS.iter().find_map(|ending| {
        folders(root, release).find_map(|folder| {
            let name = format!("{name}{ending}");
            let path = folder.join(&name).canonicalize().ok()?;
            path.is_file().then_some(Found { name, path })
        })
    })
}

fn folders(root: &Path, release: &str) -> impl Iterator<Item = PathBuf> {
    let special = [
        format!("updates/{release}"),
        "updates".into(),
        release.into(),
        String::new(),
    ];
    special
        .into_iter()
        .flat_map(move |part| FOLDERS.map(|folder| root.join(folder).join(&part)))
}
