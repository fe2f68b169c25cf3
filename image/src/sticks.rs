//! Which sticks were made here, so that an old one can be told from a new one without it.
//!
//! `sticks.json` in the state folder: one line of knowledge for each stick, by the GUID of its
//! partition, which stays when the stick is refreshed. No secret is in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use stiefel_core::pairing::{Name, PairingId};

use crate::Error;
use crate::replace::Replacement;
use crate::stick::Found;

/// Sticks that are remembered: each of 64 pairings may have two.
const LIMIT: usize = 128;
/// Permission bits: who borrows is nobody else's business.
const MODE: u32 = 0o600;

/// A stick, or the image of one, that was made here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// GUID of its partition, 32 hexadecimal digits in the order of the bytes on it.
    pub stick: String,
    /// Whose it is.
    pub pairing: PairingId,
    /// What the pairing was called then.
    pub name: Name,
    /// Release of the kernel on it.
    pub kernel: String,
    /// Version of the program that made it.
    pub made_by: String,
    /// When, microseconds since the epoch.
    pub made_usec: u64,
}

/// Remembers a stick that was just made with a kernel.
///
/// # Errors
/// The disk is full or read-only.
pub fn note(state: &Path, found: &Found, name: &Name, kernel: &str) -> Result<(), Error> {
    let stick = hex(found.guid);
    let mut all = read(state);
    all.retain(|made| made.stick != stick);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    all.push(Made {
        stick,
        pairing: found.pairing,
        name: name.clone(),
        kernel: kernel.to_owned(),
        made_by: env!("CARGO_PKG_VERSION").to_owned(),
        made_usec: since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(0)),
    });
    let surplus = all.len().saturating_sub(LIMIT);
    all.drain(..surplus);
    let json = serde_json::to_vec(&all).map_err(|error| Error::Random(error.to_string()))?;
    Replacement::new(path(state), MODE)?.fill(&json)?.commit()
}

/// Sticks of pairings that are still there, and whose kernel is none of these, or whose program
/// is another version of ours. One that was made again is not old because it was before.
#[must_use]
pub fn old(state: &Path, releases: &[String]) -> Vec<Made> {
    let mut all = read(state);
    all.retain(|made| {
        let paired = state.join(format!("pairings/{}.json", made.pairing));
        let current = releases.contains(&made.kernel) && made.made_by == env!("CARGO_PKG_VERSION");
        !current && paired.exists()
    });
    all
}

/// What is not understood is not remembered.
fn read(state: &Path) -> Vec<Made> {
    let bytes = fs::read(path(state)).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn path(state: &Path) -> PathBuf {
    state.join("sticks.json")
}

fn hex(guid: [u8; 16]) -> String {
    guid.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(guid: u8, pairing: u8) -> Found {
        Found {
            pairing: PairingId::from_bytes([pairing; 8]),
            guid: [guid; 16],
        }
    }

    #[test]
    fn a_stick_is_old_when_its_kernel_is_and_its_pairing_is_not_forgotten() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path();
        let name: Name = "desk".parse().unwrap();
        let releases = ["6.12".to_owned()];
        assert_eq!(old(folder, &releases), []);
        fs::create_dir(folder.join("pairings")).unwrap();
        fs::write(folder.join("pairings/0101010101010101.json"), "").unwrap();
        note(folder, &found(1, 1), &name, "6.1").unwrap();
        note(folder, &found(2, 1), &name, "6.12").unwrap();
        note(folder, &found(3, 2), &name, "6.1").unwrap();
        let told: Vec<String> = old(folder, &releases)
            .into_iter()
            .map(|m| m.stick)
            .collect();
        assert_eq!(told, ["01".repeat(16)]);
        note(folder, &found(1, 1), &name, "6.12").unwrap();
        assert_eq!(old(folder, &releases), []);
    }

    #[test]
    fn no_more_than_a_limit_are_remembered_and_a_broken_file_costs_nothing_else() {
        let state = tempfile::tempdir().unwrap();
        let name: Name = "desk".parse().unwrap();
        fs::write(path(state.path()), "[{").unwrap();
        for guid in 0..=LIMIT as u8 {
            note(state.path(), &found(guid, 1), &name, "6.1").unwrap();
        }
        let all = read(state.path());
        assert_eq!(all.len(), LIMIT);
        assert_eq!(all[0].stick, "01".repeat(16), "the oldest went");
    }
}
