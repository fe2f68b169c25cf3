//! The negotiation on a socket.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use stiefel_core::nbd::negotiation::{
    CLIENT_FLAGS_BYTES, MAX_OPTION_BYTES, Negotiation, OPTION_HEADER_BYTES, Opening, OptionHeader,
    Step, greeting,
};
use stiefel_core::nbd::{Export, OutOfStep};

use super::socket::send_all;

/// How long a client may negotiate: a program needs a moment, a person who tries
/// options in a shell a little longer; a stranger must not hold a place for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// Negotiates until the client wants to open an export; `None` when it leaves.
pub(super) fn negotiate(
    socket: &TcpStream,
    export: &Export,
) -> io::Result<Option<(Negotiation, Opening)>> {
    let mut client = Client {
        socket,
        until: Instant::now() + PATIENCE,
    };
    send_all(socket, &greeting(), false)?;
    let mut negotiation =
        Negotiation::begin(client.array::<CLIENT_FLAGS_BYTES>()?).map_err(out_of_step)?;
    loop {
        let header = client.array::<OPTION_HEADER_BYTES>()?;
        let OptionHeader { option, length } = OptionHeader::parse(&header).map_err(out_of_step)?;
        let step = if length > MAX_OPTION_BYTES {
            let step = negotiation.too_big(option);
            if matches!(step, Step::Answer(_)) {
                client.skip(length)?;
            }
            step
        } else {
            let mut data = vec![0; length as usize];
            client.read(&mut data)?;
            negotiation.handle(option, &data, export)
        };
        match step {
            Step::Answer(bytes) => send_all(socket, &bytes, false)?,
            Step::Quit(bytes) => {
                send_all(socket, &bytes, false)?;
                return Ok(None);
            }
            Step::Open(opening) => {
                socket.set_read_timeout(None)?;
                return Ok(Some((negotiation, opening)));
            }
        }
    }
}

/// Reads exactly what is asked for, nothing of what comes behind it, and not for ever.
struct Client<'a> {
    socket: &'a TcpStream,
    until: Instant,
}

impl Client<'_> {
    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<()> {
        let mut left = into;
        while !left.is_empty() {
            let patience = self.until.saturating_duration_since(Instant::now());
            if patience.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.socket.set_read_timeout(Some(patience))?;
            match self.socket.read(left) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => left = &mut left[read..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn skip(&mut self, length: u32) -> io::Result<()> {
        let mut rubbish = [0; 4096];
        let mut left = length as usize;
        while left > 0 {
            let piece = left.min(rubbish.len());
            self.read(&mut rubbish[..piece])?;
            left -= piece;
        }
        Ok(())
    }
}

fn out_of_step(error: OutOfStep) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
