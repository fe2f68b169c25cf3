use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use stiefel_core::nbd::transmission::{Extent, Range};
use tempfile::TempDir;

use super::super::backing::Zeroing;
use super::*;

const EXPORT: Export = Export {
    size: 1 << 20,
    block_bytes: 512,
    read_only: false,
    trim: true,
    rotational: false,
};

/// Counts what makes writes durable, and fails it when told to.
#[derive(Default)]
struct Recorder {
    failing: AtomicBool,
    syncs: AtomicU32,
}

impl Recorder {
    fn outcome(&self) -> io::Result<()> {
        if self.failing.load(Ordering::Relaxed) {
            Err(Errno::IO.into())
        } else {
            Ok(())
        }
    }
}

impl Backing for Arc<Recorder> {
    fn read(&self, _: &mut [u8], _: u64) -> io::Result<()> {
        Ok(())
    }
    fn write(&self, _: &[u8], _: u64) -> io::Result<()> {
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.outcome()
    }
    fn trim(&self, _: Range) -> io::Result<()> {
        Ok(())
    }
    fn zero(&self, _: Range, _: Zeroing) -> io::Result<()> {
        Ok(())
    }
    fn prefetch(&self, _: Range) -> io::Result<()> {
        Ok(())
    }
    fn extents(&self, range: Range, _: usize) -> io::Result<Vec<Extent>> {
        Ok(vec![Extent {
            length: range.length,
            hole: false,
        }])
    }
}

#[test]
fn a_flush_that_failed_fails_for_ever() {
    let recorder = Arc::new(Recorder::default());
    let disk = Disk::over(Box::new(Arc::clone(&recorder)), EXPORT);
    disk.flush().unwrap();
    recorder.failing.store(true, Ordering::Relaxed);
    disk.flush().unwrap_err();
    recorder.failing.store(false, Ordering::Relaxed);
    disk.flush().unwrap_err();
    // The disk is not even asked again: it would say that all is well.
    assert_eq!(recorder.syncs.load(Ordering::Relaxed), 2);
}

fn image(bytes: u64) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.img");
    File::create(&path).unwrap().set_len(bytes).unwrap();
    (folder, path)
}

#[test]
fn an_image_has_the_size_of_its_file() {
    let (_folder, path) = image(3 << 20);
    let disk = Disk::open(&path, Access::ReadOnly).unwrap();
    let expected = Export {
        size: 3 << 20,
        block_bytes: 512,
        read_only: true,
        trim: true,
        rotational: false,
    };
    assert_eq!(*disk.export(), expected);
}

#[test]
fn a_disk_that_is_written_to_is_ours_alone() {
    let (_folder, path) = image(1 << 20);
    let writer = Disk::open(&path, Access::ReadWrite).unwrap();
    assert!(matches!(
        Disk::open(&path, Access::ReadWrite),
        Err(DiskError::InUse(_))
    ));
    assert!(matches!(
        Disk::open(&path, Access::ReadOnly),
        Err(DiskError::InUse(_))
    ));
    drop(writer);
    let _reader = Disk::open(&path, Access::ReadOnly).unwrap();
    let _another = Disk::open(&path, Access::ReadOnly).unwrap();
    assert!(matches!(
        Disk::open(&path, Access::ReadWrite),
        Err(DiskError::InUse(_))
    ));
}

#[test]
fn what_is_no_disk_is_refused() {
    for bytes in [0, 511, 513] {
        let (_folder, path) = image(bytes);
        assert!(matches!(
            Disk::open(&path, Access::ReadOnly),
            Err(DiskError::OddSize { .. })
        ));
    }
    assert!(matches!(
        Disk::open(Path::new("/"), Access::ReadOnly),
        Err(DiskError::NotADisk(_))
    ));
    assert!(matches!(
        Disk::open(Path::new("/dev/null"), Access::ReadOnly),
        Err(DiskError::NotADisk(_))
    ));
    assert!(matches!(
        Disk::open(Path::new("/nowhere"), Access::ReadOnly),
        Err(DiskError::Io { .. })
    ));
}
