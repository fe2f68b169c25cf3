//! Shutdown hook of a system that runs from a lent disk: gives the disk back.
//!
//! systemd runs what is in `system-shutdown/` as its last step, with the kind of shutdown as
//! the argument, when nothing is mounted for writing any more (systemd-shutdown(8)). On a
//! system that runs from its own disk there is no supervisor, and nothing to do.
//!
//! With the argument `compare` it is run a little earlier, by a unit that stops after all others
//! and before `/boot` is unmounted. It finds out whether this system would restart with the
//! files that it was lent with; only then the lender keeps the loan over a restart.

use std::fs;
use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::mm::{MlockAllFlags, mlockall};
use stiefel_core::control::{RENEWS, RESTARTS};
use stiefel_core::supervisor::{Answer, LINE_LIMIT, Question, SOCKET_NAME};
use stiefel_core::ticket::LENT_BOOT_FILES;
use stiefel_linux::boot_files;

/// A cable that is out just now may come back; systemd waits for ninety seconds.
const LIMIT: Duration = Duration::from_secs(80);
/// There from the comparison on, if nothing has changed. It is in memory, and so outlives the disk.
const UNCHANGED: &str = "/run/stiefel-boot-files-unchanged";

fn main() {
    let verb = std::env::args().nth(1).unwrap_or_else(|| "poweroff".into());
    if verb == "compare" {
        return compare(Path::new("/"), Path::new(UNCHANGED));
    }
    // This program lies on the disk that it gives back: all of it must be in memory before.
    if let Err(error) = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE) {
        println!("stiefel: cannot lock memory ({error}); the disk is given back all the same");
    }
    let verb = onward(verb, Path::new(UNCHANGED).exists());
    match release(verb) {
        Ok(None) => {}
        Ok(Some(Answer::Released)) => println!("stiefel: the disk is given back"),
        Ok(Some(Answer::Refused { message })) => println!("stiefel: {message}"),
        Ok(Some(Answer::Status(_) | Answer::Lender(_))) => {
            println!("stiefel: the supervisor talks of other things")
        }
        Err(error) => println!("stiefel: the supervisor cannot be asked: {error}"),
    }
}

/// What the lender is told that comes next.
fn onward(verb: String, unchanged: bool) -> String {
    match verb == RESTARTS && !unchanged {
        true => RENEWS.into(),
        false => verb,
    }
}

/// Leaves a mark if the boot files are those that the system was lent with.
fn compare(root: &Path, mark: &Path) {
    let lent = fs::read_to_string(root.join(LENT_BOOT_FILES.trim_start_matches('/')));
    let now = boot_files::list(root);
    match (lent, now) {
        (Ok(lent), Ok(now)) if lent == now => {
            if let Err(error) = fs::write(mark, "") {
                println!("stiefel: cannot write {}: {error}", mark.display());
            }
        }
        (Ok(_), Ok(_)) => println!(
            "stiefel: the boot files have changed: a restart begins with the lender's own system"
        ),
        (Err(error), _) => println!("stiefel: what was lent is not known: {error}"),
        (_, Err(error)) => println!("stiefel: {error}"),
    }
}

/// `None` when there is no supervisor.
fn release(verb: String) -> io::Result<Option<Answer>> {
    let address = SocketAddr::from_abstract_name(SOCKET_NAME)?;
    let mut stream = match UnixStream::connect_addr(&address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(None),
        stream => stream?,
    };
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let mut line = serde_json::to_vec(&Question::Release { verb })?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = Vec::new();
    stream.take(LINE_LIMIT as u64).read_to_end(&mut answer)?;
    Ok(Some(serde_json::from_slice(&answer)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_keeps_the_loan_only_with_the_same_boot_files() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let mark = at("mark");
        fs::create_dir_all(at("boot")).unwrap();
        fs::create_dir_all(at("var/lib/stiefelsystem")).unwrap();
        fs::write(at("boot/vmlinuz"), "one").unwrap();
        compare(root.path(), &mark);
        assert!(!mark.exists(), "nobody knows what was lent");
        let lent = at(LENT_BOOT_FILES.trim_start_matches('/'));
        fs::write(lent, boot_files::list(root.path()).unwrap()).unwrap();
        fs::write(at("boot/vmlinuz-new"), "two").unwrap();
        compare(root.path(), &mark);
        assert!(!mark.exists(), "there is another kernel");
        fs::remove_file(at("boot/vmlinuz-new")).unwrap();
        compare(root.path(), &mark);
        assert!(mark.exists());
        assert_eq!(onward("reboot".into(), true), "reboot");
        assert_eq!(onward("reboot".into(), false), "renew");
        assert_eq!(onward("poweroff".into(), false), "poweroff");
    }
}
