//! The error log on the stick: found, checked, and only then written to.
//!
//! Nothing else is ever written to, and nothing at all when there is any doubt. The partition
//! has the name of our pairing and hangs on USB; the kernel keeps us inside it. Its first sector
//! has the serial number that the boot loader told us; what lies at the log's place is a file of
//! the right length in one piece, which begins with the same serial number and is all text.

use crate::hardware::{self, Hardware};
use anyhow::{Context, bail, ensure};
use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use stiefel_core::modules::Purpose;
use stiefel_core::pairing::PairingId;
use stiefel_core::stick::error_log::{ErrorLog, LEN, Record};
use stiefel_core::stick::{Serial, Volume, partition_name};
use stiefel_linux::block::usb_partitions;
use stiefel_linux::uevent::Uevents;

/// What leads to a stick: loaded only when there is something to remember. None of it drives a
/// disk that is inside the machine: no controller of disks has its driver here.
const CONTROLLERS: &[Purpose] = &[Purpose::Bus, Purpose::UsbHost];
const DRIVES: &[&str] = &["usb_storage", "sd_mod"];
/// The faster way to drive some sticks; not every kernel has it.
const FASTER: &[&str] = &["uas"];
/// How long a stick may take to appear: the kernel gives it a second before it asks
/// (`delay_use` of usb-storage), older ones five, and slow ones take their time.
const TO_APPEAR: Duration = Duration::from_secs(20);
/// The first sector of a volume.
const SECTOR: usize = 512;

/// The stick that this machine was started from.
#[derive(Clone, Copy, Debug)]
pub struct Stick {
    /// Whose it is.
    pub pairing: PairingId,
    /// The serial number of its volume.
    pub serial: Serial,
}

/// For what a stick is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Reading,
    Writing,
}

impl Stick {
    /// Reads the log.
    pub fn read(self) -> anyhow::Result<ErrorLog> {
        let partition = self.partition()?;
        let (_, log) = self.log(&open(&partition, For::Reading)?)?;
        Ok(log)
    }

    /// Adds a record, in place of the newest one if that was about the same start. It is made when
    /// the drive is there: cables that were just switched on are known by then, too.
    pub fn remember(self, record: impl FnOnce() -> Record, is_more: bool) -> anyhow::Result<()> {
        let partition = self.partition()?;
        self.remember_on(&partition, &record(), is_more)
    }

    fn remember_on(self, partition: &Path, record: &Record, is_more: bool) -> anyhow::Result<()> {
        let file = open(partition, For::Writing)?;
        let (at, mut log) = self.log(&file)?;
        if is_more {
            log.take_newest();
        }
        log.add(record);
        let bytes = log.to_bytes();
        ensure!(bytes.len() == LEN, "the log would have another length");
        file.write_all_at(&bytes, at)
            .and_then(|()| file.sync_all())
            .context("cannot write to it")
    }

    /// The partition, once its drive is there. Two that look the same are none.
    fn partition(self) -> anyhow::Result<PathBuf> {
        let uevents = Uevents::open()?;
        let mut hardware = Hardware::open()?;
        hardware.coldplug(CONTROLLERS);
        hardware.load_named(DRIVES)?;
        let _ = hardware.load_named(FASTER);
        let name = partition_name(self.pairing);
        let end = Instant::now() + TO_APPEAR;
        loop {
            let mut found = usb_partitions(&name);
            match (found.pop(), found.is_empty()) {
                (Some(partition), true) => return Ok(partition),
                (Some(_), false) => bail!("there are two sticks of this pairing"),
                (None, _) => {}
            }
            let left = end.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "it is not plugged in any more");
            hardware::wait(&uevents, left)?;
        }
    }

    /// The log and where it begins, bytes from the start of the partition.
    fn log(self, partition: &File) -> anyhow::Result<(u64, ErrorLog)> {
        let read = |at: u64, len: usize| -> anyhow::Result<Vec<u8>> {
            let mut bytes = vec![0; len];
            let done = partition.read_exact_at(&mut bytes, at);
            done.context("cannot read it").map(|()| bytes)
        };
        let sector = read(0, SECTOR)?;
        let volume = sector.first_chunk().and_then(Volume::of);
        let volume = volume.context("its volume is not as we make them")?;
        ensure!(
            volume.serial == self.serial,
            "it is not the stick that this machine was started from"
        );
        let (chain_at, chain_len) = volume.chain();
        ensure!(
            volume.is_one_piece(&read(chain_at, chain_len)?),
            "its error log was removed, moved or changed"
        );
        let bytes = read(volume.log_at(), LEN)?;
        let log = ErrorLog::parse(&bytes, self.serial).context("its error log is damaged")?;
        Ok((volume.log_at(), log))
    }
}

/// Opens a partition so that nobody else can use it meanwhile.
fn open(partition: &Path, what: For) -> anyhow::Result<File> {
    File::options()
        .read(true)
        .write(what == For::Writing)
        .custom_flags(libc::O_EXCL)
        .open(partition)
        .with_context(|| format!("cannot open {}", partition.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use stiefel_core::stick::log_at;

    const STICK: Stick = Stick {
        pairing: PairingId::from_bytes([7; 8]),
        serial: Serial(0x1a2b_3c4d),
    };
    const FAT_SECTORS: u32 = 40;
    const CLUSTERS_AT: u64 = (32 + 2 * FAT_SECTORS as u64) * 512;
    const ENTRIES: usize = LEN / 512;

    /// A volume with a log in it and noise around.
    fn partition() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sdb2");
        let mut bytes: Vec<u8> = (0..400_000_u32).map(|at| (at * 7 / 5) as u8).collect();
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(11, &[0, 2, 1, 32, 0, 2]);
        put(36, &FAT_SECTORS.to_le_bytes());
        put(44, &[2, 0, 0, 0]);
        put(67, &STICK.serial.0.to_le_bytes());
        put(82, b"FAT32   ");
        put(510, &[0x55, 0xaa]);
        let first = 2 + u32::try_from((log_at(CLUSTERS_AT) - CLUSTERS_AT) / 512).unwrap();
        for number in 0..ENTRIES as u32 {
            let next = if number + 1 == ENTRIES as u32 {
                0x0fff_ffff
            } else {
                first + number + 1
            };
            put(
                32 * 512 + (first + number) as usize * 4,
                &next.to_le_bytes(),
            );
        }
        put(
            log_at(CLUSTERS_AT) as usize,
            &ErrorLog::empty(STICK.serial).to_bytes(),
        );
        fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn record(error: &str) -> Record {
        Record {
            error: error.into(),
            ..Record::default()
        }
    }

    /// What is not the log's.
    fn outside(bytes: &[u8]) -> (&[u8], &[u8]) {
        let at = log_at(CLUSTERS_AT) as usize;
        (&bytes[..at], &bytes[at + LEN..])
    }

    #[test]
    fn only_the_log_is_written_to() {
        let (_folder, path) = partition();
        let before = fs::read(&path).unwrap();
        for number in 0..20 {
            let error = format!("error {number} {}", "x".repeat(number * 1000));
            STICK.remember_on(&path, &record(&error), false).unwrap();
        }
        STICK.remember_on(&path, &record("and more"), true).unwrap();
        let after = fs::read(&path).unwrap();
        assert!(outside(&after) == outside(&before));
        let (_, log) = STICK.log(&open(&path, For::Reading).unwrap()).unwrap();
        assert_eq!(log.records().len(), 8);
        assert!(log.records()[0].contains("and more") && log.records()[1].contains("error 18"));
    }

    #[test]
    fn in_any_doubt_nothing_is_written() {
        let log = log_at(CLUSTERS_AT) as usize;
        let first = 2 + (log - CLUSTERS_AT as usize) / 512;
        for (what, at) in [
            ("another kind of volume", 82),
            ("another volume", 67),
            ("the log was moved", 32 * 512 + first * 4),
            ("its first line is another", log),
            ("it has the first line of another stick", log + 25),
            ("something else was written over it", log + LEN - 512),
        ] {
            let (_folder, path) = partition();
            let mut bytes = fs::read(&path).unwrap();
            bytes[at] ^= 0x91;
            fs::write(&path, &bytes).unwrap();
            let refused = STICK.remember_on(&path, &record("x"), false);
            assert!(refused.is_err(), "{what}");
            assert!(fs::read(&path).unwrap() == bytes, "{what}");
        }
        let (_folder, path) = partition();
        let other = Stick {
            serial: Serial(1),
            ..STICK
        };
        assert!(other.remember_on(&path, &record("x"), false).is_err());
        fs::write(&path, &fs::read(&path).unwrap()[..log + 1000]).unwrap();
        assert!(
            STICK.remember_on(&path, &record("x"), false).is_err(),
            "cut off"
        );
        assert_eq!(fs::metadata(&path).unwrap().len(), log as u64 + 1000);
    }
}
