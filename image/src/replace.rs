//! Files that are replaced as a whole, or not at all.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::Error;

/// A new version of a file, invisible until [`Replacement::commit`].
pub(crate) struct Replacement {
    target: PathBuf,
    file: NamedTempFile,
}

impl Replacement {
    /// Starts a new version beside the target, with these permission bits.
    pub fn new(target: PathBuf, mode: u32) -> Result<Self, Error> {
        let folder = target.parent().unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .prefix(".new-")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder)
            .map_err(Error::write(&target, 0))?;
        file.as_file()
            .set_permissions(Permissions::from_mode(mode))
            .map_err(Error::write(&target, 0))?;
        Ok(Self { target, file })
    }

    /// Where to write to.
    pub fn sink(&mut self) -> BufWriter<&mut File> {
        BufWriter::with_capacity(1 << 17, self.file.as_file_mut())
    }

    /// Writes the whole content of a small file.
    pub fn fill(mut self, bytes: &[u8]) -> Result<Self, Error> {
        let written = self
            .file
            .write_all(bytes)
            .and_then(|()| self.file.as_file().sync_all());
        written.map_err(Error::write(&self.target, bytes.len() as u64))?;
        Ok(self)
    }

    /// Makes it the file: content on the disk first, then the name.
    pub fn commit(self) -> Result<(), Error> {
        let Self { target, file } = self;
        file.as_file()
            .sync_all()
            .map_err(Error::write(&target, 0))?;
        file.persist(&target)
            .map_err(|error| Error::write(&target, 0)(error.error))?;
        let folder = target.parent().unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(Error::file("write to the disk the folder", folder))
    }
}

/// Makes a folder and its parents, for root alone; one that is there stays as it is.
pub(crate) fn folder(path: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(Error::file("make the folder", path))
}
