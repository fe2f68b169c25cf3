//! The archive itself.

use super::collect::Finding;
use anyhow::{Context, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Reports that somebody keeps in one folder.
const MAX_REPORTS: u32 = 100;

/// The folder in the archive.
const FOLDER: &str = "stiefel-report";

/// Packs what was found; where, and how many bytes it became. Nobody else can read it, and
/// nothing that is there is overwritten.
pub fn write(wanted: Option<&Path>, findings: &[Finding]) -> anyhow::Result<(PathBuf, u64)> {
    let (file, path) = match wanted {
        Some(path) => (create(path), path.to_owned()),
        None => free()?,
    };
    let file = file.with_context(|| format!("cannot make {}", path.display()))?;
    let packed = pack(file, findings).with_context(|| format!("cannot write {}", path.display()));
    match packed {
        Ok(size) => Ok((path, size)),
        Err(error) => {
            // Half an archive is of no use to anybody.
            let _ = std::fs::remove_file(&path);
            Err(error)
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn free() -> anyhow::Result<(io::Result<File>, PathBuf)> {
    for number in 1..=MAX_REPORTS {
        let path = match number {
            1 => PathBuf::from(format!("{FOLDER}.tar.gz")),
            _ => PathBuf::from(format!("{FOLDER}-{number}.tar.gz")),
        };
        match create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            done => return Ok((done, path)),
        }
    }
    bail!("there are {MAX_REPORTS} reports here already; name another file with --out")
}

fn pack(file: File, findings: &[Finding]) -> io::Result<u64> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    for finding in findings {
        let Ok(text) = &finding.content else { continue };
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(now.as_secs());
        let path = format!("{FOLDER}/{}", finding.name);
        archive.append_data(&mut header, path, text.as_bytes())?;
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()?;
    Ok(file.metadata()?.size())
}
