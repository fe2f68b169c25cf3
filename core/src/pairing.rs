//! A pairing: a lender and one boot medium that share a secret.

use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest name of a pairing or a machine, bytes of UTF-8: what fits into an offer.
pub const MAX_NAME_LEN: usize = 48;

/// Names a pairing in files, on the bus and in commands: 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PairingId([u8; 8]);

impl PairingId {
    /// Makes an id of 8 random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for PairingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for PairingId {
    type Err = BadPairing;

    fn from_str(text: &str) -> Result<Self, BadPairing> {
        let mut bytes = [0; 8];
        let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        hex::decode_to_slice(text, &mut bytes)
            .ok()
            .filter(|()| !upper)
            .ok_or(BadPairing::Id)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for PairingId {
    type Error = BadPairing;

    fn try_from(text: String) -> Result<Self, BadPairing> {
        text.parse()
    }
}

impl From<PairingId> for String {
    fn from(id: PairingId) -> Self {
        id.to_string()
    }
}

/// A name that people see: 1 to 48 bytes, no characters that control (how others are shown, or
/// anything else), no blanks at its ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Makes a name of what is at hand, e.g. a host name: drops what a name
    /// must not have and shortens it. `None` if nothing is left.
    #[must_use]
    pub fn lossy(text: &str) -> Option<Self> {
        let mut clean: String = text.chars().filter(|c| !controls(*c)).collect();
        while clean.trim().len() > MAX_NAME_LEN {
            clean.pop();
        }
        clean.trim().parse().ok()
    }
}

/// Control characters, and those that end a line or turn the direction of what follows, and so
/// make a name look like another (Unicode Technical Report 36).
pub(crate) fn controls(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = BadPairing;

    fn from_str(text: &str) -> Result<Self, BadPairing> {
        let fine = (1..=MAX_NAME_LEN).contains(&text.len())
            && text.trim() == text
            && !text.chars().any(controls);
        fine.then(|| Self(text.to_owned())).ok_or(BadPairing::Name)
    }
}

impl TryFrom<String> for Name {
    type Error = BadPairing;

    fn try_from(text: String) -> Result<Self, BadPairing> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

/// What a search of this pairing may bring about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Somebody at the lender has to say yes.
    #[default]
    Ask,
    /// It starts by itself after the countdown, unless somebody says no.
    Automatic,
    /// Its searches are not answered.
    Never,
}

/// A lender and one boot medium that share a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    /// Names it on the bus and in files.
    pub id: PairingId,
    /// What the person called the borrower.
    pub name: Name,
    /// The secret that both have; all keys come from it.
    pub secret: Secret,
    /// What a search of it may bring about.
    #[serde(default)]
    pub policy: Policy,
}

/// Why a text is no pairing id or no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPairing {
    /// Not 16 lower-case hexadecimal digits.
    #[error("a pairing's id has 16 lower-case hexadecimal digits")]
    Id,
    /// Empty, too long, or with characters that a name must not have.
    #[error(
        "a name has 1 to {MAX_NAME_LEN} bytes, no control characters, and no blanks at its ends"
    )]
    Name,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for bad in ["", " a", "a ", "a\nb", "a\u{202e}b", &"x".repeat(49)] {
            assert_eq!(bad.parse::<Name>(), Err(BadPairing::Name), "{bad:?}");
        }
        assert_eq!("Büro-PC 2".parse::<Name>().unwrap().as_str(), "Büro-PC 2");
    }

    #[test]
    fn a_host_name_becomes_a_name() {
        assert_eq!(Name::lossy("lap\u{202e}top").unwrap().as_str(), "laptop");
        assert_eq!(Name::lossy(" lap\ttop\n").unwrap().as_str(), "laptop");
        assert_eq!(Name::lossy(&"ü".repeat(60)).unwrap().as_str().len(), 48);
        assert_eq!(Name::lossy("\n"), None);
    }

    #[test]
    fn ids_have_one_form() {
        let id = PairingId::from_bytes([0xab; 8]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "ab", "ABABABABABABABAB", "../etc/passwd123"] {
            assert_eq!(bad.parse::<PairingId>(), Err(BadPairing::Id), "{bad:?}");
        }
    }
}
