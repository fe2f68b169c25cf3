//! Loading kernel modules.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::io::Errno;
use rustix::system::{finit_module, init_module};

use crate::error::{Result, Tried};

/// `MODULE_INIT_COMPRESSED_FILE` (include/uapi/linux/module.h).
const COMPRESSED_FILE: i32 = 4;

/// The largest module we unpack; the largest ones of distributions have about 30 MB.
const SIZE_LIMIT: u64 = 256 << 20;

/// What became of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    /// It is loaded now.
    Now,
    /// It was there before, or is built into the kernel.
    Before,
}

/// Loads a module from `.ko`, `.ko.xz`, `.ko.zst` or `.ko.gz`. The kernel unpacks it if it
/// can, else we do. Modules that it needs must be loaded before. `parameters` are as on a
/// command line, `name=value` with blanks between, and have no effect on a module that is there.
pub fn load(path: &Path, parameters: &CStr) -> Result<Loaded> {
    match insert(path, parameters) {
        Ok(()) => Ok(Loaded::Now),
        Err(error) if error.raw_os_error() == Some(Errno::EXIST.raw_os_error()) => {
            Ok(Loaded::Before)
        }
        Err(error) => Err(error).tried(|| format!("cannot load the module {}", path.display())),
    }
}

/// Reads a module file and unpacks it by its name's ending.
pub fn unpack(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let reader: Box<dyn Read> = match path.extension().and_then(|ending| ending.to_str()) {
        Some("xz") => Box::new(liblzma::read::XzDecoder::new(file)),
        Some("zst") => Box::new(zstd::Decoder::new(file)?),
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    let mut image = Vec::new();
    if reader.take(SIZE_LIMIT + 1).read_to_end(&mut image)? as u64 > SIZE_LIMIT {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "the module is too large",
        ));
    }
    Ok(image)
}

fn insert(path: &Path, parameters: &CStr) -> io::Result<()> {
    let file = File::open(path)?;
    let packed = path.extension().is_some_and(|ending| ending != "ko");
    let flags = if packed { COMPRESSED_FILE } else { 0 };
    match finit_module(&file, parameters, flags) {
        // The kernel unpacks nothing (EOPNOTSUPP, or EINVAL before 5.17), or something else (EINVAL).
        Err(Errno::OPNOTSUPP | Errno::INVAL) if packed => {
            Ok(init_module(&unpack(path)?, parameters)?)
        }
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    #[test]
    fn every_kind_of_file_is_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let image = b"module ".repeat(1000);
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(&image).unwrap();
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&image).unwrap();
        let paths = [
            write("a.ko", &image),
            write("a.ko.xz", &xz.finish().unwrap()),
            write("a.ko.zst", &zstd::encode_all(&image[..], 1).unwrap()),
            write("a.ko.gz", &gz.finish().unwrap()),
        ];
        for path in paths {
            assert_eq!(unpack(&path).unwrap(), image, "{}", path.display());
        }
        assert!(unpack(&write("b.ko.xz", b"no xz")).is_err());
    }

    #[test]
    fn an_error_names_the_file() {
        let error = load(Path::new("/none/x.ko"), c"").unwrap_err();
        assert!(error.to_string().contains("/none/x.ko"), "{error}");
    }
}
