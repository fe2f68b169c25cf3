//! Names of the service, its objects, its interfaces and its errors.

/// Well-known name of the daemon on the system bus.
pub const SERVICE: &str = "org.stiefelsystem.Stiefel1";
/// The object of the Manager, of the hand-off, of the settings, and of the loan.
pub const ROOT: &str = "/org/stiefelsystem/Stiefel1";
/// Parent of the pairings; as a borrower it means any of them.
pub const PAIRINGS: &str = "/org/stiefelsystem/Stiefel1/pairings";
/// Parent of the links.
pub const LINKS: &str = "/org/stiefelsystem/Stiefel1/links";
/// Parent of the drives.
pub const DRIVES: &str = "/org/stiefelsystem/Stiefel1/drives";
/// Parent of the jobs.
pub const JOBS: &str = "/org/stiefelsystem/Stiefel1/jobs";
/// Interface of the machine as a whole.
pub const MANAGER: &str = "org.stiefelsystem.Stiefel1.Manager";
/// Interface of the hand-off.
pub const HANDOFF: &str = "org.stiefelsystem.Stiefel1.HandOff";
/// Interface of the loan, on a system that runs from a lent disk.
pub const LOAN: &str = "org.stiefelsystem.Stiefel1.Loan";
/// Interface of what people prefer.
pub const SETTINGS: &str = "org.stiefelsystem.Stiefel1.Settings";
/// Interface of a pairing.
pub const PAIRING: &str = "org.stiefelsystem.Stiefel1.Pairing";
/// Interface of a link.
pub const LINK: &str = "org.stiefelsystem.Stiefel1.Link";
/// Interface of a removable drive.
pub const DRIVE: &str = "org.stiefelsystem.Stiefel1.Drive";
/// Interface of a job.
pub const JOB: &str = "org.stiefelsystem.Stiefel1.Job";
/// What all our errors begin with.
pub const ERROR_PREFIX: &str = "org.stiefelsystem.Stiefel1.Error.";
/// What all our polkit actions begin with.
pub const ACTION_PREFIX: &str = "org.stiefelsystem.stiefel1.";

/// The object of a pairing.
#[must_use]
pub fn pairing_path(id: &str) -> String {
    format!("{PAIRINGS}/{id}")
}

/// The object of a job.
#[must_use]
pub fn job_path(number: u32) -> String {
    format!("{JOBS}/{number}")
}

/// The object of a link: bytes of `interface` other than ASCII letters and
/// digits are written as `_` and two hexadecimal digits.
#[must_use]
pub fn link_path(interface: &str) -> String {
    child(LINKS, interface)
}

/// The object of a drive, by the kernel's name of it, e.g. `sdb`; written as a link's.
#[must_use]
pub fn drive_path(name: &str) -> String {
    child(DRIVES, name)
}

fn child(parent: &str, name: &str) -> String {
    let mut path = format!("{parent}/");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("_{byte:02x}"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_paths_are_valid_and_distinct() {
        assert_eq!(
            link_path("en_x0.5"),
            "/org/stiefelsystem/Stiefel1/links/en_5fx0_2e5"
        );
        assert_ne!(link_path("a_5f"), link_path("a_"));
    }
}
