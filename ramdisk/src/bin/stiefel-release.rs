//! Shutdown hook of a system that runs from a lent disk: gives the disk back.
//!
//! systemd runs what is in `system-shutdown/` as its last step, with the kind of shutdown as
//! the argument, when nothing is mounted for writing any more (systemd-shutdown(8)). On a
//! system that runs from its own disk there is no supervisor, and nothing to do.

use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use rustix::mm::{MlockAllFlags, mlockall};
use stiefel_core::supervisor::{Answer, LINE_LIMIT, Question, SOCKET_NAME};

/// The supervisor gives up after ten seconds; systemd would wait for ninety.
const LIMIT: Duration = Duration::from_secs(30);

fn main() {
    // This program lies on the disk that it gives back: all of it must be in memory before.
    if let Err(error) = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE) {
        println!("stiefel: cannot lock memory ({error}); the disk is given back all the same");
    }
    let verb = std::env::args().nth(1).unwrap_or_else(|| "poweroff".into());
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
