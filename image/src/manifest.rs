//! What an image's neighbour `<release>.json` says of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stiefel_core::modules::{Missing, Purpose};

use crate::Error;
use crate::tree::check_release;

/// Largest manifest that is read, bytes. A real one has some thousands.
const MANIFEST_LIMIT: u64 = 1 << 20;

/// An image, described. No secret is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The kernel that the image is for.
    pub release: String,
    /// The version of Stiefelsystem that made it.
    pub made_by: String,
    /// The kernel image that it was found with.
    pub kernel: PathBuf,
    /// Bytes of the image.
    pub size: u64,
    /// Bytes that it takes in memory when the kernel has unpacked it.
    pub unpacked_size: u64,
    /// SHA-256 of the image, in hexadecimal digits.
    pub sha256: String,
    /// SHA-256 of the static program in it, in hexadecimal digits.
    pub init_sha256: String,
    /// How many modules there are for each purpose.
    pub modules: BTreeMap<Purpose, usize>,
    /// Modules that the tables name and that are not there as a whole.
    pub missing_modules: Vec<Missing>,
    /// How many firmware files there are.
    pub firmware: usize,
    /// Firmware that the modules may ask for and the system does not have. That is normal.
    pub missing_firmware: Vec<String>,
    /// How long the making took.
    pub seconds: f64,
}

/// Where the image of a kernel is, in the folder of images.
pub fn image_path(images: &Path, release: &str) -> PathBuf {
    images.join(format!("{release}.img"))
}

/// Where its manifest is.
pub fn manifest_path(images: &Path, release: &str) -> PathBuf {
    images.join(format!("{release}.json"))
}

/// Reads the manifest of a kernel's image, and sees that the image has the right size.
///
/// # Errors
/// [`Error::NoImage`], [`Error::Damaged`], or not readable.
pub fn load(images: &Path, release: &str) -> Result<Manifest, Error> {
    check_release(release)?;
    let path = manifest_path(images, release);
    let mut json = Vec::new();
    match File::open(&path).and_then(|file| file.take(MANIFEST_LIMIT).read_to_end(&mut json)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::NoImage(release.to_owned()));
        }
        Err(error) => return Err(Error::file("read", &path)(error)),
    }
    let manifest: Manifest = serde_json::from_slice(&json)
        .map_err(|error| Error::Damaged(path.clone(), error.to_string()))?;
    let image = image_path(images, release);
    let size = match fs::metadata(&image) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::NoImage(release.to_owned()));
        }
        Err(error) => return Err(Error::file("look at", &image)(error)),
    };
    if manifest.release != release {
        let why = format!("its manifest is of kernel {}", manifest.release);
        return Err(Error::Damaged(image, why));
    }
    if manifest.size != size {
        let why = format!("{size} bytes and not {}", manifest.size);
        return Err(Error::Damaged(image, why));
    }
    Ok(manifest)
}

/// As [`load`], and reads the whole image to compare its checksum.
///
/// # Errors
/// As [`load`].
pub fn verify(images: &Path, release: &str) -> Result<Manifest, Error> {
    let manifest = load(images, release)?;
    let image = image_path(images, release);
    let mut hash = Sha256::new();
    File::open(&image)
        .and_then(|mut file| io::copy(&mut file, &mut HashSink(&mut hash)))
        .map_err(Error::file("read", &image))?;
    if digits(&hash.finalize()) == manifest.sha256 {
        Ok(manifest)
    } else {
        Err(Error::Damaged(
            image,
            "its checksum is another one".to_owned(),
        ))
    }
}

/// Removes the image of a kernel; whether there was one.
///
/// # Errors
/// The release is no file's name, or a file cannot be removed.
pub fn remove(images: &Path, release: &str) -> Result<bool, Error> {
    check_release(release)?;
    // Without its manifest an image is none, so the manifest goes first.
    let mut found = false;
    for path in [manifest_path(images, release), image_path(images, release)] {
        match fs::remove_file(&path) {
            Ok(()) => found = true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::file("remove", &path)(error)),
        }
    }
    Ok(found)
}

/// Bytes as hexadecimal digits.
pub(crate) fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct HashSink<'a>(&'a mut Sha256);

impl io::Write for HashSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
