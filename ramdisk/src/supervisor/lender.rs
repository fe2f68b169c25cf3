//! Asks the lender how it is (`GET /status`, see [`control`]), on a thread of its own: the
//! answer may take half a minute, and the disk cannot wait for it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, SocketAddrV6, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use stiefel_core::control::{self, NEWS_WAIT};
use stiefel_core::net::{CONTROL_PORT, LENDER_ADDRESS};
use stiefel_core::supervisor::Answer;

use super::control::Asker;

/// For each step but the wait for news.
const STEP_LIMIT: Duration = Duration::from_secs(3);
/// All memory of ours is locked, and a question needs little.
const STACK: usize = 128 << 10;
/// Questions at the same time; one is usual.
const MOST: usize = 4;
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// Asks for other news than these, and tells the asker.
pub(super) fn relay(asker: Asker, news: u64) {
    if UNDER_WAY.fetch_add(1, Ordering::Relaxed) >= MOST {
        UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
        return refuse(asker, "too many ask how the lender is");
    }
    let address = SocketAddr::V6(SocketAddrV6::new(LENDER_ADDRESS, CONTROL_PORT, 0, 0));
    let asking = move || {
        match get(address, news) {
            Ok(status) => asker.tell(&Answer::Lender(Box::new(status))),
            Err(error) => refuse(asker, &format!("the lender does not answer: {error}")),
        }
        UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
    };
    let started = thread::Builder::new().stack_size(STACK).spawn(asking);
    if started.is_err() {
        // The asker is gone with what was to run.
        UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells the asker that there is no answer.
pub(super) fn refuse(asker: Asker, why: &str) {
    asker.tell(&Answer::Refused {
        message: why.to_owned(),
    });
}

fn get(address: SocketAddr, news: u64) -> io::Result<control::Status> {
    let mut stream = TcpStream::connect_timeout(&address, STEP_LIMIT)?;
    stream.set_read_timeout(Some(NEWS_WAIT + STEP_LIMIT))?;
    stream.set_write_timeout(Some(STEP_LIMIT))?;
    let request =
        format!("GET /status?news={news} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream
        .take(control::MAX_BODY_LEN as u64)
        .read_to_end(&mut answer)?;
    let strange = || io::Error::new(io::ErrorKind::InvalidData, "its answer is not understood");
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(strange)?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(serde_json::from_str(body)?),
        _ => Err(strange()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv6Addr, TcpListener};

    fn ask(answer: &'static str) -> (io::Result<control::Status>, String) {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let lender = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = Vec::new();
            while !heard.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                heard.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(heard).unwrap()
        });
        (get(address, 7), lender.join().unwrap())
    }

    #[test]
    fn the_lender_is_asked_for_news() {
        let (status, heard) = ask(
            "HTTP/1.1 200 OK\r\n\r\n{\"lender\":\"laptop\",\"loan\":\"held\",\"epoch\":3,\
             \"held_secs\":7,\"battery_percent\":50.0,\"on_ac\":false,\"read_bytes\":1,\
             \"written_bytes\":2,\"memory_bytes\":3,\"news\":9}",
        );
        let status = status.unwrap();
        assert_eq!((status.battery_percent, status.news), (Some(50.0), 9));
        assert!(
            heard.starts_with("GET /status?news=7 HTTP/1.1\r\n"),
            "{heard}"
        );
        assert!(ask("HTTP/1.1 503 No\r\n\r\n{}").0.is_err());
        assert!(ask("220 mail.example ESMTP\r\n").0.is_err());
    }
}
