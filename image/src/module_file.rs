//! What a module's file says of itself.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;
use object::{Object, ObjectSection, ObjectSymbol};

use crate::Error;

/// Largest module, unpacked. The largest of Debian's kernels (amdgpu with its debug symbols
/// stripped) has 25 MB.
const SIZE_LIMIT: u64 = 256 << 20;

/// A module as it lies on the disk, and what is in it.
pub(crate) struct ModuleFile {
    /// The file's bytes, compressed or not.
    pub bytes: Vec<u8>,
    /// Firmware that it may ask for.
    pub firmware: Vec<String>,
    imports: Vec<String>,
}

impl ModuleFile {
    /// Reads a module, plain or compressed by xz, zstd or gzip.
    ///
    /// # Errors
    /// Not readable, or [`Error::BadModule`].
    pub fn read(path: PathBuf) -> Result<Self, Error> {
        let bytes = std::fs::read(&path).map_err(Error::file("read the module", &path))?;
        let bad = |why: String| Error::BadModule {
            path: path.clone(),
            why,
        };
        let (firmware, imports) = match unpack(&path, &bytes).map_err(|e| bad(e.to_string()))? {
            Some(plain) => inspect(&plain),
            None => inspect(&bytes),
        }
        .map_err(bad)?;
        Ok(Self {
            bytes,
            firmware,
            imports,
        })
    }

    /// Whether it registers an MDIO bus, so that its PHYs' drivers have to be there.
    pub fn has_mdio_bus(&self) -> bool {
        self.imports
            .iter()
            .any(|symbol| symbol.contains("mdiobus_register"))
    }

    /// Whether it is the driver of a wired card, as far as that can be seen from outside.
    pub fn is_wired_card(&self) -> bool {
        let starts = |heads: &[&str]| {
            self.imports
                .iter()
                .any(|symbol| heads.iter().any(|head| symbol.starts_with(head)))
        };
        starts(&[
            "alloc_etherdev_mqs",
            "devm_alloc_etherdev_mqs",
            "usbnet_probe",
        ]) && !starts(&["ieee80211_", "cfg80211_", "wiphy_"])
    }
}

fn unpack(path: &Path, bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let mut plain = Vec::with_capacity(bytes.len() * 4);
    match extension {
        Some("xz") => XzDecoder::new(bytes)
            .take(SIZE_LIMIT)
            .read_to_end(&mut plain)?,
        Some("gz") => MultiGzDecoder::new(bytes)
            .take(SIZE_LIMIT)
            .read_to_end(&mut plain)?,
        Some("zst") => zstd::Decoder::new(bytes)?
            .take(SIZE_LIMIT)
            .read_to_end(&mut plain)?,
        _ => return Ok(None),
    };
    Ok(Some(plain))
}

/// The `firmware=` entries of `.modinfo`, and the symbols that others have to give.
fn inspect(elf: &[u8]) -> Result<(Vec<String>, Vec<String>), String> {
    let file = object::File::parse(elf).map_err(|error| error.to_string())?;
    let modinfo = file
        .section_by_name(".modinfo")
        .ok_or("no .modinfo section")?
        .data()
        .map_err(|error| error.to_string())?;
    let firmware = modinfo
        .split(|byte| *byte == 0)
        .filter_map(|entry| entry.strip_prefix(b"firmware="))
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    let imports = file
        .symbols()
        .filter(|symbol| symbol.is_undefined())
        .filter_map(|symbol| symbol.name().ok().map(str::to_owned))
        .collect();
    Ok((firmware, imports))
}
