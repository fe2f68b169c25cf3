//! What outlives the daemon: pairings (0600) and the armed flag, below
//! `/var/lib/stiefelsystem` (0700).
//!
//! A file is replaced as a whole or not at all, and is on the disk when a
//! function returns: the next thing may be the hand-off.

use crate::config::settings::Settings;
use crate::world::Trouble;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use stiefel_core::net::MacAddress;
use stiefel_core::pairing::{Pairing, PairingId};
use zeroize::Zeroize;

/// Pairings that a machine may have: each costs one HMAC for a stranger's datagram.
pub const MAX_PAIRINGS: usize = 64;

/// Interfaces that people may decide about: more than anybody has docks.
pub const MAX_LINKS: usize = 64;

/// Where policies of interfaces are.
const LINKS: &str = "links.json";

/// A pairing, and what we remember of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The pairing itself.
    #[serde(flatten)]
    pub pairing: Pairing,
    /// When it began to search the last time, microseconds since the epoch, or 0.
    #[serde(default)]
    pub last_seen_usec: u64,
    /// When we last left for it, microseconds since the epoch, or 0.
    #[serde(default)]
    pub last_loan_usec: u64,
    /// When a boot medium was made here last, microseconds since the epoch, or 0.
    #[serde(default)]
    pub last_stick_usec: u64,
}

/// The last time that the disk was lent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastLoan {
    /// For whom; `None` for whichever asked first.
    pub borrower: Option<PairingId>,
    /// When we left, microseconds since the epoch.
    pub left_usec: u64,
    /// The kernel's id of the boot that we left.
    pub boot: String,
    /// When our own system was back, microseconds since the epoch, or 0.
    #[serde(default)]
    pub back_usec: u64,
}

/// What people decided about a wired interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRecord {
    /// By this it is found again.
    pub mac: MacAddress,
    /// What it was called last, for the time while it is unplugged.
    pub name: String,
    /// What it is used for.
    pub policy: LinkPolicy,
}

/// What a wired interface is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkPolicy {
    /// Nothing.
    Ignore,
    /// Searches are heard on it.
    Shared,
    /// It is the stiefellink.
    Dedicated,
}

/// The folder.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(folder: PathBuf) -> Result<Self, Trouble> {
        let store = Self { folder };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(store.pairings())
            .map_err(|error| store.trouble("make", &store.pairings(), error))?;
        Ok(store)
    }

    /// All pairings. The second part are files that are none, for people.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn load(&self) -> Result<(BTreeMap<PairingId, Record>, Vec<String>), Trouble> {
        let folder = self.pairings();
        let entries =
            fs::read_dir(&folder).map_err(|error| self.trouble("read", &folder, error))?;
        let mut records = BTreeMap::new();
        let mut mistakes = Vec::new();
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension().is_none_or(|end| end != "json") {
                continue;
            }
            let record = fs::read(&path).map_err(|error| error.to_string());
            let record = record.and_then(|mut json| {
                // serde's texts may quote what they found, and that may be the secret.
                let record = serde_json::from_slice::<Record>(&json)
                    .map_err(|error| format!("not understood in line {}", error.line()));
                json.zeroize();
                record
            });
            match record {
                Ok(record) if path == self.file(record.pairing.id) => {
                    records.insert(record.pairing.id, record);
                }
                Ok(_) => mistakes.push(format!("{}: named after another id", path.display())),
                Err(error) => mistakes.push(format!("{}: {error}", path.display())),
            }
        }
        Ok((records, mistakes))
    }

    /// Writes a pairing, new or changed.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn save(&self, record: &Record) -> Result<(), Trouble> {
        let path = self.file(record.pairing.id);
        let write = || -> io::Result<()> {
            let mut json = serde_json::to_vec(record)?;
            let done = replace(&path, &json);
            json.zeroize();
            done
        };
        write().map_err(|error| self.trouble("write", &path, error))
    }

    /// Destroys a pairing; its bytes are overwritten first, as far as the disk plays along.
    ///
    /// # Errors
    /// The disk is read-only.
    pub fn forget(&self, id: PairingId) -> Result<(), Trouble> {
        let path = self.file(id);
        let forget = || -> io::Result<()> {
            let len = fs::metadata(&path)?.len();
            let mut file = OpenOptions::new().write(true).open(&path)?;
            let zeros = vec![0; usize::try_from(len).unwrap_or(0)];
            file.write_all(&zeros)?;
            file.sync_all()?;
            fs::remove_file(&path)?;
            sync_folder(&path)
        };
        match forget() {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(self.trouble("remove", &path, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// What people decided about interfaces. The second part is why it is not understood.
    #[must_use]
    pub fn load_links(&self) -> (Vec<LinkRecord>, Option<String>) {
        self.load_json(LINKS)
    }

    /// Remembers what people decided about interfaces.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn save_links(&self, records: &[LinkRecord]) -> Result<(), Trouble> {
        self.save_json(LINKS, &records)
    }

    /// What people set. The second part is why it is not understood.
    #[must_use]
    pub fn load_settings(&self) -> (Settings, Option<String>) {
        self.load_json("settings.json")
    }

    /// Remembers what people set.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn save_settings(&self, settings: &Settings) -> Result<(), Trouble> {
        self.save_json("settings.json", settings)
    }

    /// The last time that the disk was lent. The second part is why it is not understood.
    #[must_use]
    pub fn load_last_loan(&self) -> (Option<LastLoan>, Option<String>) {
        self.load_json("last-loan.json")
    }

    /// Remembers the last time that the disk was lent.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn save_last_loan(&self, loan: &LastLoan) -> Result<(), Trouble> {
        self.save_json("last-loan.json", loan)
    }

    fn load_json<T: Default + DeserializeOwned>(&self, name: &str) -> (T, Option<String>) {
        let path = self.folder.join(name);
        let mistake = |error: &dyn std::fmt::Display| {
            (T::default(), Some(format!("{}: {error}", path.display())))
        };
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => (T::default(), None),
            Err(error) => mistake(&error),
            Ok(json) => match serde_json::from_slice(&json) {
                Ok(value) => (value, None),
                Err(error) => mistake(&error),
            },
        }
    }

    fn save_json(&self, name: &str, value: &impl Serialize) -> Result<(), Trouble> {
        let path = self.folder.join(name);
        serde_json::to_vec(value)
            .map_err(io::Error::from)
            .and_then(|json| replace(&path, &json))
            .map_err(|error| self.trouble("write", &path, error))
    }

    /// Whether searches are answered.
    #[must_use]
    pub fn armed(&self) -> bool {
        self.flag().exists()
    }

    /// Remembers whether searches are answered.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn set_armed(&self, armed: bool) -> Result<(), Trouble> {
        let flag = self.flag();
        if armed {
            return replace(&flag, b"").map_err(|error| self.trouble("write", &flag, error));
        }
        match fs::remove_file(&flag) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(self.trouble("remove", &flag, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn pairings(&self) -> PathBuf {
        self.folder.join("pairings")
    }

    fn file(&self, id: PairingId) -> PathBuf {
        self.pairings().join(format!("{id}.json"))
    }

    fn flag(&self) -> PathBuf {
        self.folder.join("armed")
    }

    fn trouble(&self, verb: &str, path: &Path, error: io::Error) -> Trouble {
        Trouble::new(format!("cannot {verb} {}", path.display()), error)
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use stiefel_core::secret::Secret;

    fn record() -> Record {
        Record {
            pairing: Pairing {
                id: PairingId::from_bytes([1; 8]),
                name: "desk".parse().unwrap(),
                secret: Secret::from_bytes([2; 32]),
                policy: Default::default(),
            },
            last_seen_usec: 3,
            last_loan_usec: 4,
            last_stick_usec: 5,
        }
    }

    #[test]
    fn a_pairing_comes_back_and_is_nobody_elses_business() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("state")).unwrap();
        store.save(&record()).unwrap();
        let (records, mistakes) = store.load().unwrap();
        assert_eq!(records[&record().pairing.id], record());
        assert_eq!(mistakes, Vec::<String>::new());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&store.file(record().pairing.id)), 0o600);
        assert_eq!(mode(&store.pairings()), 0o700);
        store.forget(record().pairing.id).unwrap();
        assert!(store.load().unwrap().0.is_empty());
        store.forget(record().pairing.id).unwrap();
    }

    #[test]
    fn policies_of_interfaces_come_back_and_a_broken_file_costs_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().to_owned()).unwrap();
        assert_eq!(store.load_links(), (vec![], None));
        let records = vec![LinkRecord {
            mac: MacAddress([2; 6]),
            name: "lan0".into(),
            policy: LinkPolicy::Dedicated,
        }];
        store.save_links(&records).unwrap();
        assert_eq!(store.load_links(), (records, None));
        fs::write(store.folder.join(LINKS), "[{").unwrap();
        let (records, mistake) = store.load_links();
        assert!(records.is_empty() && mistake.unwrap().contains("links.json"));
    }

    #[test]
    fn a_broken_file_is_named_without_its_secret() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().to_owned()).unwrap();
        let broken = serde_json::to_string(&record())
            .unwrap()
            .replace("\"secret\":\"0202", "\"secret\":\"020");
        fs::write(store.file(record().pairing.id), broken).unwrap();
        let (records, mistakes) = store.load().unwrap();
        assert!(records.is_empty());
        assert!(!mistakes[0].contains("0202"), "{mistakes:?}");
    }

    #[test]
    fn the_flag_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().to_owned()).unwrap();
        assert!(!store.armed());
        store.set_armed(true).unwrap();
        assert!(store.armed());
        store.set_armed(false).unwrap();
        store.set_armed(false).unwrap();
        assert!(!store.armed());
    }
}
