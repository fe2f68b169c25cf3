//! Making one image.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use stiefel_core::cpio;
use stiefel_core::modules::{Index, Missing, Purpose};

use crate::choice;
use crate::firmware::{self, Found};
use crate::kernel::kernel_of;
use crate::manifest::{Manifest, digits, image_path, manifest_path};
use crate::module_file::ModuleFile;
use crate::replace::{Replacement, folder};
use crate::tree::Tree;
use crate::{Error, IMAGES, INIT};

/// Level of zstd; measured in `docs/decisions/0003-content-of-the-ramdisk.md`.
pub const LEVEL: i32 = 9;

/// Permission bits of an image and of its manifest: there is nothing secret in them.
const PUBLIC: u32 = 0o644;

/// No image is larger, bytes; told to people whose disk is full.
const SIZE_BOUND: u64 = 25_000_000;

/// Is told how much is done, from 0 to 1, and may break off.
pub type Watch<'a> = &'a mut dyn FnMut(f64) -> ControlFlow<()>;

/// What is done when everything was read and only has to be compressed: as measured.
const COLLECTED: f64 = 0.3;

/// What to make an image from.
#[derive(Clone, Debug)]
pub struct Options {
    /// The kernel, as `uname -r` prints it.
    pub release: String,
    /// Root folder of the system whose kernel, modules and firmware are taken.
    pub root: PathBuf,
    /// The static program that becomes `/stiefel/init`.
    pub init: PathBuf,
    /// The folder of images; made for root alone when it is not there.
    pub out: PathBuf,
    /// Level of zstd, 1 to 19.
    pub level: i32,
}

impl Options {
    /// Everything where an installed system below `root` has it.
    pub fn new(root: &Path, release: &str) -> Self {
        Self {
            release: release.to_owned(),
            root: root.to_owned(),
            init: root.join(INIT),
            out: root.join(IMAGES),
            level: LEVEL,
        }
    }
}

/// Makes `<release>.img` and `<release>.json` in the folder of images.
///
/// Both are written under other names, brought to the disk, and only then renamed, so that
/// after an error the old ones are there, unchanged. Two at a time wait for each other.
///
/// # Errors
/// No module tree or none that is whole, no readable kernel of that release, no module `nbd`
/// or `wireguard`, no static program, a full disk.
pub fn build(options: &Options) -> Result<Manifest, Error> {
    build_watched(options, &mut |_| ControlFlow::Continue(()))
}

/// Like [`build`], and tells `watch` every now and then how much is done, from 0 to 1. It may
/// break off; then everything is as it was before.
///
/// # Errors
/// Those of [`build`], and [`Error::BrokenOff`].
pub fn build_watched(options: &Options, watch: Watch<'_>) -> Result<Manifest, Error> {
    let start = Instant::now();
    let Options {
        release,
        root,
        init,
        out,
        level,
    } = options;
    let tree = Tree::open(root, release)?;
    let kernel = kernel_of(root, release)?.kernel;
    let program = read_init(init)?;
    tell(watch, 0.0)?;
    let content = Content::collect(root, release, &tree)?;
    tell(watch, COLLECTED)?;

    folder(out)?;
    let lock = File::open(out).map_err(Error::file("open the folder", out))?;
    flock(&lock, FlockOperation::LockExclusive)
        .map_err(|error| Error::file("lock the folder", out)(error.into()))?;
    let path = image_path(out, release);
    let mut replacement = Replacement::new(path.clone(), PUBLIC)?;
    let mut broken_off = false;
    let written = compress(replacement.sink(), *level, |archive| {
        content.write(archive, &program, &mut |part| {
            let share = COLLECTED + (1.0 - COLLECTED) * part;
            broken_off |= watch(share).is_break();
            match broken_off {
                true => Err(io::ErrorKind::Interrupted.into()),
                false => Ok(()),
            }
        })
    });
    if broken_off {
        return Err(Error::BrokenOff);
    }
    let written = written.map_err(Error::write(&path, SIZE_BOUND))?;

    let manifest = Manifest {
        release: release.clone(),
        made_by: env!("CARGO_PKG_VERSION").to_owned(),
        kernel,
        size: written.size,
        unpacked_size: written.unpacked_size,
        sha256: digits(&written.hash.finalize()),
        init_sha256: digits(&Sha256::digest(&program)),
        modules: content.count(),
        missing_modules: content.missing_modules,
        firmware: content.firmware.len(),
        missing_firmware: content.missing_firmware,
        seconds: start.elapsed().as_secs_f64(),
    };
    let json = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    let described = Replacement::new(manifest_path(out, release), PUBLIC)?.fill(&json)?;
    replacement.commit()?;
    described.commit()?;
    Ok(manifest)
}

fn tell(watch: Watch<'_>, share: f64) -> Result<(), Error> {
    match watch(share) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::BrokenOff),
    }
}

/// What goes into an image, but for the static program.
struct Content {
    index: Index,
    files: BTreeMap<String, ModuleFile>,
    /// Path on the source system, by the name in the image.
    firmware: BTreeMap<String, PathBuf>,
    contents: BTreeMap<PathBuf, Vec<u8>>,
    missing_modules: Vec<Missing>,
    missing_firmware: Vec<String>,
}

impl Content {
    fn collect(root: &Path, release: &str, tree: &Tree) -> Result<Self, Error> {
        let catalogue = &tree.catalogue;
        let mut wanted = choice::from_tables(catalogue);
        let mut names: BTreeSet<String> = choice::foreign(catalogue).into_iter().collect();
        for want in &wanted {
            names.extend(catalogue.load_order(&want.name, &[]).unwrap_or_default());
        }
        let mut files = BTreeMap::new();
        read_modules(tree, names, &mut files)?;
        choice::add_from_files(&mut wanted, catalogue, &files);
        let (index, missing_modules) = catalogue.index(release, &wanted)?;
        let names = index
            .modules()
            .iter()
            .map(|module| module.name.clone())
            .collect();
        read_modules(tree, names, &mut files)?;

        let asked: BTreeSet<&String> = index
            .modules()
            .iter()
            .flat_map(|module| &files[&module.name].firmware)
            .collect();
        let mut firmware = BTreeMap::new();
        let mut contents = BTreeMap::new();
        let mut missing_firmware = Vec::new();
        for name in asked {
            let Some(Found { name, path }) = firmware::find(root, release, name) else {
                missing_firmware.push(name.clone());
                continue;
            };
            let bytes = fs::read(&path).map_err(Error::file("read the firmware", &path))?;
            contents.insert(path.clone(), bytes);
            firmware.insert(name, path);
        }
        Ok(Self {
            index,
            files,
            firmware,
            contents,
            missing_modules,
            missing_firmware,
        })
    }

    /// Writes everything, sorted by kind and name.
    fn write<W: Write>(
        &self,
        archive: &mut cpio::Writer<W>,
        program: &[u8],
        done: &mut dyn FnMut(f64) -> io::Result<()>,
    ) -> io::Result<()> {
        let all = (self.index.modules().len() + self.firmware.len()).max(1) as f64;
        let mut written = 0.0;
        let mut one_more = || {
            written += 1.0;
            done(written / all)
        };
        archive.file("stiefel/init", 0o755, program)?;
        archive.file("stiefel/modules/index.json", 0o644, &self.index.to_json())?;
        for module in self.index.modules() {
            let path = format!("stiefel/modules/{}", module.file);
            archive.file(&path, 0o644, &self.files[&module.name].bytes)?;
            one_more()?;
        }
        // One content may have several names, which the source system has links for.
        let mut first: BTreeMap<&Path, &str> = BTreeMap::new();
        for (name, path) in &self.firmware {
            let place = format!("stiefel/firmware/{name}");
            match first.get(path.as_path()) {
                Some(other) => {
                    let up = "../".repeat(name.matches('/').count());
                    archive.symlink(&place, &format!("{up}{other}"))?;
                }
                None => {
                    archive.file(&place, 0o644, &self.contents[path])?;
                    first.insert(path, name);
                }
            }
            one_more()?;
        }
        Ok(())
    }

    fn count(&self) -> BTreeMap<Purpose, usize> {
        let mut count = BTreeMap::new();
        for module in self.index.modules() {
            *count.entry(module.purpose).or_default() += 1;
        }
        count
    }
}

/// Reads and unpacks the modules that are not in `files` yet, on all processors.
fn read_modules(
    tree: &Tree,
    names: BTreeSet<String>,
    files: &mut BTreeMap<String, ModuleFile>,
) -> Result<(), Error> {
    let todo: Vec<(String, PathBuf)> = names
        .into_iter()
        .filter(|name| !files.contains_key(name))
        .filter_map(|name| {
            let path = tree.folder.join(tree.catalogue.path(&name)?);
            Some((name, path))
        })
        .collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let mut own = Vec::new();
        while let Some((name, path)) =
            todo.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
        {
            own.push((name.clone(), ModuleFile::read(path.clone())?));
        }
        Ok::<_, Error>(own)
    };
    let parts = thread::scope(|scope| {
        let threads: Vec<_> = (0..processors()).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join())
            .collect::<Vec<_>>()
    });
    for part in parts {
        match part {
            Ok(part) => files.extend(part?),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    Ok(())
}

fn processors() -> u32 {
    thread::available_parallelism()
        .map_or(1, NonZero::get)
        .try_into()
        .unwrap_or(1)
}

/// What [`compress`] wrote.
struct Written {
    size: u64,
    unpacked_size: u64,
    hash: Sha256,
}

/// Writes an archive through zstd.
///
/// The number of threads does not change the bytes, as long as it is not zero.
fn compress<W: Write>(
    sink: W,
    level: i32,
    fill: impl FnOnce(&mut cpio::Writer<zstd::Encoder<'static, Counted<W>>>) -> io::Result<()>,
) -> io::Result<Written> {
    let mut encoder = zstd::Encoder::new(
        Counted {
            sink,
            hash: Sha256::new(),
            size: 0,
        },
        level,
    )?;
    encoder.multithread(processors())?;
    let mut archive = cpio::Writer::new(encoder);
    fill(&mut archive)?;
    let unpacked_size = archive.written();
    let mut counted = archive.finish()?.finish()?;
    counted.flush()?;
    Ok(Written {
        size: counted.size,
        unpacked_size,
        hash: counted.hash,
    })
}

/// Reads the program, which has to be one that runs without libraries.
fn read_init(path: &Path) -> Result<Vec<u8>, Error> {
    let program = fs::read(path).map_err(Error::file("read the ramdisk's program", path))?;
    let bad = |why| Error::BadInit {
        path: path.to_owned(),
        why,
    };
    let file = object::File::parse(&*program).map_err(|_| bad("is no program of this machine"))?;
    if object::Object::section_by_name(&file, ".interp").is_some() {
        return Err(bad("is not static"));
    }
    Ok(program)
}

/// Counts and hashes what goes through.
struct Counted<W> {
    sink: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
