//! The ticket: what crosses a kexec.
//!
//! It is one JSON file, mode 0600, in a small cpio archive behind the ramdisk,
//! and tells the ramdisk which role to play. The ramdisk removes it as soon as
//! it has read it. Secrets travel here and nowhere else: never on a kernel
//! command line.

use crate::net::MacAddress;
use crate::pairing::{Name, Pairing, PairingId};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;
use std::time::Duration;

/// Where the ticket is in the initramfs, without a leading slash.
pub const TICKET_PATH: &str = "stiefel/ticket.json";
/// Folder of the files that a serve ticket brings along for the borrower.
pub const BUNDLE_DIR: &str = "stiefel/bundle";
/// The lent system's kernel, in [`BUNDLE_DIR`].
pub const BUNDLE_KERNEL: &str = "stiefel/bundle/vmlinuz";
/// The lent system's own initramfs, in [`BUNDLE_DIR`].
pub const BUNDLE_INITRAMFS: &str = "stiefel/bundle/initrd.img";
/// The ramdisk itself, once more, in [`BUNDLE_DIR`].
pub const BUNDLE_RAMDISK: &str = "stiefel/bundle/ramdisk.img";
/// Where the lent system has the list of what it would start from when it was lent. It lies on
/// the lent disk, so that the borrower can compare; there is no secret in it.
pub const LENT_BOOT_FILES: &str = "/var/lib/stiefelsystem/lent-boot-files";
/// Longest ticket, bytes; room for hundreds of pairings.
pub const MAX_TICKET_LEN: usize = 1 << 20;
/// Version of the ticket's format. Both ends come from one build, so any other is an error.
pub const TICKET_VERSION: u32 = 1;

/// Which role the ramdisk plays, with all that it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub enum Ticket {
    /// On the lender, after the hand-off: serve the disk.
    Serve(Box<ServeTicket>),
    /// On the borrower, from the stick: find the lender and fetch its system.
    Fetch(Box<FetchTicket>),
    /// On the borrower, before the lent system's own init: attach the disk.
    Attach(Box<AttachTicket>),
}

/// What *serve* needs of the system that it takes over from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServeTicket {
    /// The lender's name, for the borrower's screen.
    pub lender: Name,
    /// All pairings that are not forbidden; others than the promised one are told who has the disk.
    pub pairings: Vec<Pairing>,
    /// The only pairing that may borrow, or `None` for the first that comes.
    pub promised_to: Option<PairingId>,
    /// The disk to serve.
    pub disk: DiskIdentity,
    /// Command line of the lent system; see [`crate::cmdline::lent`].
    pub cmdline: String,
    /// The NICs to use, or empty for all wired ones.
    pub links: Vec<MacAddress>,
    /// How long to wait for whom.
    pub limits: Limits,
}

/// Names a disk so that it is found again by another kernel, never by `/dev` name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskIdentity {
    /// World-wide id of the kernel (`/sys/block/X/wwid` or `device/wwid`), if it has one.
    pub wwid: Option<String>,
    /// Serial number, if it has one.
    pub serial: Option<String>,
    /// GUID of its GPT, lower case, if it has one.
    pub gpt: Option<String>,
    /// Size in bytes; must always agree.
    pub size: u64,
}

impl DiskIdentity {
    /// Whether a disk with the identity `other` is this one: the sizes agree,
    /// at least one name that both have agrees, and none differs.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let pairs = [
            (&self.wwid, &other.wwid),
            (&self.serial, &other.serial),
            (&self.gpt, &other.gpt),
        ];
        let known = || {
            pairs
                .iter()
                .filter_map(|(a, b)| Some((a.as_ref()?, b.as_ref()?)))
        };
        self.size == other.size && known().next().is_some() && known().all(|(a, b)| a == b)
    }

    /// Whether the disk has any name at all; one without is never lent.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.wwid.is_some() || self.serial.is_some() || self.gpt.is_some()
    }
}

/// How long a lender waits before it goes home by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// For a first borrower, seconds.
    pub offer_secs: u32,
    /// For a borrower that has vanished, e.g. by a pulled cable, seconds; 0: until a person
    /// at the lender decides.
    pub patience_secs: u32,
}

/// How long the borrower's system stands still before its programs get errors, where the lender
/// has no limit of its own: a lunch fits in.
const FREEZE_SECS: u32 = 3600;

impl Limits {
    /// How long a lender waits for a borrower that has vanished; `None`: until a person decides.
    #[must_use]
    pub fn patience(self) -> Option<Duration> {
        let secs = Some(self.patience_secs).filter(|secs| *secs > 0)?;
        Some(Duration::from_secs(secs.into()))
    }

    /// How long a borrower waits for a lender that has vanished, seconds; never 0.
    #[must_use]
    pub fn freeze_secs(self) -> u32 {
        match self.patience_secs {
            0 => FREEZE_SECS,
            // Nobody is there any longer than that.
            secs => secs,
        }
    }
}

impl Default for Limits {
    /// Ten minutes for a desktop's firmware and a walk to the other room; and whoever had the
    /// disk may have unsaved work, so that only a person gives it up.
    fn default() -> Self {
        Self {
            offer_secs: 600,
            patience_secs: 0,
        }
    }
}

/// What *fetch* needs: the pairing whose stick it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchTicket {
    /// Id, name and secret; the policy is the lender's business.
    pub pairing: Pairing,
    /// The lender's name, for the screen.
    pub lender: Name,
}

/// What *attach* needs to reach the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachTicket {
    /// The lender's name, for the screen.
    pub lender: Name,
    /// Keys and addresses of this loan.
    pub session: Session,
    /// The NIC over which the lender was found.
    pub link: MacAddress,
    /// The disk's size in bytes.
    pub disk_size: u64,
    /// The disk's logical block size in bytes: the unit of its partition table.
    pub logical_block: u32,
    /// How long to wait for a lender that has vanished, seconds.
    pub patience_secs: u32,
    /// What to start when the disk is there: the lent system's own init.
    pub init: String,
}

/// The borrower's end of the tunnel of one loan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Our private WireGuard key.
    pub private_key: Secret,
    /// The lender's public WireGuard key.
    #[serde(with = "hex::serde")]
    pub lender_key: [u8; 32],
    /// WireGuard's pre-shared key.
    pub preshared_key: Secret,
    /// The lender's link-local address on our [`AttachTicket::link`].
    pub lender_address: Ipv6Addr,
    /// Number of the loan's fence: a lender refuses an older one.
    pub epoch: u64,
}

/// Why a ticket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadTicket {
    /// Not the JSON that it should be.
    #[error(
        "the ticket cannot be read (line {line}, column {column}); make the boot medium or the hand-off again"
    )]
    Syntax {
        /// Line of the first mistake.
        line: usize,
        /// Column of the first mistake.
        column: usize,
    },
    /// Made by another version of Stiefelsystem.
    #[error(
        "the ticket has version {0}, this ramdisk reads version {TICKET_VERSION}; make the boot medium again"
    )]
    Version(u32),
    /// Longer than a ticket ever is.
    #[error("the ticket is longer than {MAX_TICKET_LEN} bytes")]
    TooLong,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(flatten)]
    ticket: &'a Ticket,
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

impl Ticket {
    /// The ticket as it is written into [`TICKET_PATH`].
    ///
    /// # Errors
    /// None in practice: no key or value of a ticket is beyond JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Written {
            version: TICKET_VERSION,
            ticket: self,
        })
    }

    /// Reads what [`Ticket::to_json`] wrote.
    ///
    /// # Errors
    /// Not a ticket, or one of another version; the error quotes nothing of it.
    pub fn from_json(json: &[u8]) -> Result<Self, BadTicket> {
        if json.len() > MAX_TICKET_LEN {
            return Err(BadTicket::TooLong);
        }
        let syntax = |error: serde_json::Error| BadTicket::Syntax {
            line: error.line(),
            column: error.column(),
        };
        let VersionOnly { version } = serde_json::from_slice(json).map_err(syntax)?;
        if version != TICKET_VERSION {
            return Err(BadTicket::Version(version));
        }
        serde_json::from_slice(json).map_err(syntax)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch() -> Ticket {
        Ticket::Fetch(Box::new(FetchTicket {
            pairing: Pairing {
                id: PairingId::from_bytes([1; 8]),
                name: "desk".parse().unwrap(),
                secret: Secret::from_bytes([2; 32]),
                policy: Default::default(),
            },
            lender: "lap".parse().unwrap(),
        }))
    }

    #[test]
    fn comes_back_from_json() {
        let ticket = fetch();
        let json = ticket.to_json().unwrap();
        assert_eq!(Ticket::from_json(&json).unwrap(), ticket);
    }

    #[test]
    fn another_version_is_named_and_nothing_quoted() {
        let json = String::from_utf8(fetch().to_json().unwrap()).unwrap();
        let other = json.replace("\"version\":1", "\"version\":2");
        assert!(matches!(
            Ticket::from_json(other.as_bytes()),
            Err(BadTicket::Version(2))
        ));
        let broken = json.replace("\"lender\"", "\"lendr\"");
        let error = Ticket::from_json(broken.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(!error.contains("0202"), "{error}");
    }

    #[test]
    fn a_disk_is_found_by_its_names_only() {
        let disk = DiskIdentity {
            wwid: Some("eui.1".into()),
            serial: None,
            gpt: Some("g".into()),
            size: 10,
        };
        assert!(disk.is(&disk.clone()));
        let nameless = DiskIdentity {
            size: 10,
            ..Default::default()
        };
        assert!(!disk.is(&nameless) && !nameless.is(&nameless) && !nameless.is_named());
        let copy = DiskIdentity {
            wwid: Some("eui.2".into()),
            ..disk.clone()
        };
        assert!(!disk.is(&copy), "a clone with the same partition table");
        let grown = DiskIdentity {
            size: 11,
            ..disk.clone()
        };
        assert!(!disk.is(&grown));
    }
}
