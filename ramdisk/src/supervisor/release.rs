//! Telling the lender that its disk is given back (`POST /release`, see [`control`]).

use std::io::{self, Read, Write};
use std::net::{SocketAddr, SocketAddrV6, TcpStream};
use std::time::{Duration, Instant};

use anyhow::bail;
use stiefel_core::control::{self, Refused, Release};
use stiefel_core::net::{CONTROL_PORT, LENDER_ADDRESS};
use stiefel_core::pairing::Name;

/// How long to try. The shutdown waits for us; without our word the lender goes home too, later.
const LIMIT: Duration = Duration::from_secs(10);
/// For each step of one try.
const STEP_LIMIT: Duration = Duration::from_secs(3);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(200);

/// Tells until the lender has answered.
pub(super) fn tell_lender(lender: &Name, epoch: u64, verb: &str) -> anyhow::Result<()> {
    let address = SocketAddrV6::new(LENDER_ADDRESS, CONTROL_PORT, 0, 0);
    let release = Release {
        epoch,
        verb: verb.to_owned(),
    };
    let since = Instant::now();
    loop {
        match post(SocketAddr::V6(address), &release) {
            Ok(Reply::Done) => return Ok(()),
            Ok(Reply::Refused(message)) => {
                bail!("{lender} does not take its disk back: {message}; everything is saved on it")
            }
            Err(error) if since.elapsed() > LIMIT => bail!(
                "the disk is saved, but {lender} cannot be told ({error}); it starts its own \
                 system by itself after a while"
            ),
            Err(_) => std::thread::sleep(AGAIN),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Done,
    Refused(String),
}

fn post(address: SocketAddr, release: &Release) -> io::Result<Reply> {
    let body = serde_json::to_vec(release)?;
    let mut stream = TcpStream::connect_timeout(&address, STEP_LIMIT)?;
    stream.set_read_timeout(Some(STEP_LIMIT))?;
    stream.set_write_timeout(Some(STEP_LIMIT))?;
    let mut request = format!(
        "POST /release HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(body);
    stream.write_all(&request)?;
    let mut answer = Vec::new();
    stream
        .take(control::MAX_BODY_LEN as u64)
        .read_to_end(&mut answer)?;
    parse(&answer)
}

/// 200 is done, 409 is a refusal with its reason; everything else may go better next time.
fn parse(answer: &[u8]) -> io::Result<Reply> {
    let text = String::from_utf8_lossy(answer);
    let strange = || io::Error::new(io::ErrorKind::InvalidData, "its answer is not understood");
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(strange)?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(Reply::Done),
        Some("409") => {
            let refused: Refused = serde_json::from_str(body)?;
            Ok(Reply::Refused(refused.message))
        }
        _ => Err(strange()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv6Addr, TcpListener};
    use std::thread;

    fn talk(answer: &'static str) -> (io::Result<Reply>, String) {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = Vec::new();
            while !heard.ends_with(b"}") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                heard.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(heard).unwrap()
        });
        let reply = post(
            address,
            &Release {
                epoch: 7,
                verb: "poweroff".into(),
            },
        );
        (reply, server.join().unwrap())
    }

    #[test]
    fn the_lender_hears_epoch_and_verb() {
        let (reply, heard) = talk("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"epoch\":7}");
        assert_eq!(reply.unwrap(), Reply::Done);
        assert!(heard.starts_with("POST /release HTTP/1.1\r\n"), "{heard}");
        assert!(
            heard.ends_with("\r\n\r\n{\"epoch\":7,\"verb\":\"poweroff\"}"),
            "{heard}"
        );
        assert!(heard.contains("Content-Length: 29\r\n"));
    }

    #[test]
    fn a_refusal_is_told_apart_from_trouble() {
        let (reply, _) = talk("HTTP/1.1 409 Conflict\r\n\r\n{\"message\":\"another loan\"}");
        assert_eq!(reply.unwrap(), Reply::Refused("another loan".into()));
        assert!(talk("HTTP/1.1 503 Service Unavailable\r\n\r\n").0.is_err());
        assert!(talk("220 mail.example ESMTP\r\n").0.is_err());
    }
}
