//! How the program ends: an exit status for scripts, a reason for people.

use crate::output::ReaderGone;
use std::process::ExitCode;
use zbus::{DBusError, fdo};

/// It failed, or was refused for another reason than those below.
const FAILED: u8 = 1;
/// The daemon does not run, or does not answer.
const NO_DAEMON: u8 = 3;
/// Whoever asked may not do that.
const NOT_ALLOWED: u8 = 4;
/// A check forbids to lend the disk.
const IN_THE_WAY: u8 = 5;
/// It had begun, and somebody called it off or nobody agreed in time.
const CALLED_OFF: u8 = 6;
/// Ctrl-C, as a shell tells it.
const INTERRUPTED: u8 = 130;

/// What the exit status means, for the manual; the 2 is clap's.
pub const MEANINGS: [(u8, &str); 8] = [
    (0, "Done. Also when whoever reads the output has gone."),
    (
        FAILED,
        "It failed or was refused; the error output says why, and what to do.",
    ),
    (2, "The command line is not understood."),
    (
        NO_DAEMON,
        "The daemon does not run or does not answer, or there is no bus.",
    ),
    (NOT_ALLOWED, "You may not do that; polkit decides."),
    (
        IN_THE_WAY,
        "Something forbids to lend the disk, see stiefelctl checks.",
    ),
    (
        CALLED_OFF,
        "A hand-off or a job was called off, or nobody agreed in time.",
    ),
    (
        INTERRUPTED,
        "Interrupted with Ctrl-C; what went on was called off or left alone.",
    ),
];

/// Another end than by an error.
#[derive(Debug, thiserror::Error)]
pub enum Ending {
    /// A check forbids to lend the disk; everything is said already.
    #[error("")]
    InTheWay,
    /// Somebody called it off, or nobody agreed.
    #[error("{0}")]
    CalledOff(String),
    /// Ctrl-C, and what came of it.
    #[error("{0}")]
    Interrupted(String),
}

/// Says what went wrong, if anything did.
pub fn tell(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    if error.is::<ReaderGone>() {
        return ExitCode::SUCCESS;
    }
    let (status, text) = judge(&error);
    if !text.is_empty() {
        // Standard error may be gone as well.
        let _ = complain(&text);
    }
    status.into()
}

/// Tells people something that does not belong to the output.
///
/// # Errors
/// Nobody listens.
pub fn complain(text: &str) -> std::io::Result<()> {
    use std::io::Write;
    writeln!(std::io::stderr(), "stiefelctl: {text}")
}

/// What went wrong, for a person, with what to do about it.
pub fn explain(error: &anyhow::Error) -> String {
    judge(error).1
}

fn judge(error: &anyhow::Error) -> (u8, String) {
    if let Some(ending) = error.downcast_ref() {
        let status = match ending {
            Ending::InTheWay => IN_THE_WAY,
            Ending::CalledOff(_) => CALLED_OFF,
            Ending::Interrupted(_) => INTERRUPTED,
        };
        return (status, ending.to_string());
    }
    let bus_error = error
        .downcast_ref::<zbus::Error>()
        .map(|error| match error {
            zbus::Error::MethodError(name, text, _) => {
                (name.to_string(), text.clone().unwrap_or_default())
            }
            zbus::Error::FDO(error) => fdo_parts(error),
            other => (String::new(), other.to_string()),
        })
        .or_else(|| error.downcast_ref::<fdo::Error>().map(fdo_parts));
    match bus_error {
        None => (FAILED, format!("{error:#}")),
        Some((name, text)) => judge_bus_error(&name, text),
    }
}

fn fdo_parts(error: &fdo::Error) -> (String, String) {
    match error {
        fdo::Error::ZBus(zbus::Error::MethodError(name, text, _)) => {
            (name.to_string(), text.clone().unwrap_or_default())
        }
        other => {
            let text = other.description().unwrap_or_default().to_owned();
            (other.name().to_string(), text)
        }
    }
}

fn judge_bus_error(name: &str, text: String) -> (u8, String) {
    let not_started =
        name.contains(".Error.Spawn.") || name.starts_with("org.freedesktop.systemd1.");
    match name.rsplit('.').next().unwrap_or_default() {
        "AccessDenied" | "InteractiveAuthorizationRequired" | "AuthFailed" => (
            NOT_ALLOWED,
            format!("{text}; run it as root, e.g. with sudo"),
        ),
        "ServiceUnknown" | "NameHasNoOwner" => (
            NO_DAEMON,
            format!("the daemon does not run ({text}); see: systemctl status stiefeld"),
        ),
        _ if not_started => (
            NO_DAEMON,
            format!("the daemon does not start ({text}); see: systemctl status stiefeld"),
        ),
        "NoReply" | "Timeout" | "TimedOut" => (
            NO_DAEMON,
            format!("the daemon does not answer ({text}); see: journalctl -u stiefeld"),
        ),
        "FileNotFound" | "NoServer" | "Disconnected" => (
            NO_DAEMON,
            format!("there is no bus ({text}); does dbus run?"),
        ),
        "" => (
            NO_DAEMON,
            format!("{text}; does the system bus run? see: systemctl status dbus"),
        ),
        "Blocked" => (IN_THE_WAY, text),
        _ => (FAILED, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_own_status() {
        for (name, status) in [
            ("org.stiefelsystem.Stiefel1.Error.Blocked", IN_THE_WAY),
            ("org.stiefelsystem.Stiefel1.Error.NotPaired", FAILED),
            ("org.freedesktop.DBus.Error.AccessDenied", NOT_ALLOWED),
            ("org.freedesktop.DBus.Error.Spawn.ChildExited", NO_DAEMON),
            ("org.freedesktop.systemd1.NoSuchUnit", NO_DAEMON),
            ("org.freedesktop.DBus.Error.NoReply", NO_DAEMON),
        ] {
            assert_eq!(judge_bus_error(name, "so".into()).0, status, "{name}");
        }
    }

    #[test]
    fn the_manual_knows_every_status() {
        let known = MEANINGS.map(|(status, _)| status);
        for status in [
            FAILED,
            NO_DAEMON,
            NOT_ALLOWED,
            IN_THE_WAY,
            CALLED_OFF,
            INTERRUPTED,
        ] {
            assert!(known.contains(&status));
        }
    }
}
