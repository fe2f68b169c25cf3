//! Asks a lender for its bundle and takes it in, verified chunk by chunk.
//!
//! Nothing of it is used before the last chunk has been verified: kernel and
//! initramfs go into files in memory, which are handed out only then.

mod unpack;

use crate::sockets::random;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::fs::File;
use std::io;
use std::net::SocketAddrV6;
use std::time::Duration;
use stiefel_core::bundle::{self, Grant, agree, public_key};
use stiefel_core::discovery::Nonces;
use stiefel_core::net::BOOT_PORT;
use stiefel_core::pairing::{Name, Pairing};
use stiefel_core::seal::{Broken, Opener};
use stiefel_core::secret::Secret;
use tokio::net::TcpStream;
use tokio::time::timeout;
use unpack::Unpacked;

/// How long a lender may be silent before we give up; the search finds it again.
const SILENCE: Duration = Duration::from_secs(15);

/// A whole and authentic bundle.
pub struct Fetched {
    /// What the lender said of it.
    pub grant: Grant,
    /// The lent system's kernel, in memory.
    pub kernel: File,
    /// All initramfs parts joined, each padded to 4 bytes, in memory; ready for one more archive.
    pub initramfs: File,
    /// Our private key for the tunnel.
    pub private_key: Secret,
    /// WireGuard's pre-shared key.
    pub preshared_key: Secret,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The lender gives it to nobody or to somebody else.
    #[error("{message}")]
    Refused {
        /// Who has the disk, if somebody has.
        lent_to: Option<Name>,
        /// What the lender says.
        message: String,
    },
    /// What arrived is not what the lender sent.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The lender sent what it should not.
    #[error("the lender's answer is not understood: {0}; make the stick again with its version")]
    Nonsense(&'static str),
    /// The lender does not know this exchange; it is too late or repeated.
    #[error("the lender did not accept the request; asking again")]
    NotAccepted,
    /// It cannot be reached, or memory is full.
    #[error("cannot fetch the bundle: {0}")]
    Io(#[from] io::Error),
}

/// Fetches the bundle from the lender at `address`, which has answered the
/// search with `nonces`. `progress` gets bytes so far and, once known, in all.
///
/// # Errors
/// See [`FetchError`]; nothing of a bundle that is not whole and authentic is returned.
pub async fn fetch(
    address: SocketAddrV6,
    pairing: &Pairing,
    nonces: Nonces,
    mut progress: impl FnMut(u64, Option<u64>),
) -> Result<Fetched, FetchError> {
    let exchange_private = Secret::from_bytes(random()?);
    let private_key = Secret::from_bytes(random()?);
    let request = bundle::Request {
        nonces,
        exchange_key: public_key(&exchange_private),
        tunnel_key: public_key(&private_key),
    };
    let mut body = ask(address, request.to_bytes(&pairing.secret)).await?;

    let mut preamble = Vec::with_capacity(bundle::PREAMBLE_LEN);
    let rest = loop {
        let Some(data) = body.next().await? else {
            return Err(Broken.into());
        };
        let take = data.len().min(bundle::PREAMBLE_LEN - preamble.len());
        preamble.extend_from_slice(&data[..take]);
        if preamble.len() == bundle::PREAMBLE_LEN {
            break data.slice(take..);
        }
    };
    let lender_key = preamble
        .as_slice()
        .try_into()
        .ok()
        .and_then(bundle::read_preamble)
        .ok_or(FetchError::Nonsense("it does not begin like a bundle"))?;
    let agreed = agree(
        &pairing.secret,
        &exchange_private,
        &lender_key,
        &request,
        &lender_key,
    )
    .ok_or(Broken)?;

    let mut opener = Opener::new(&agreed.seal);
    let mut unpacked = Unpacked::new()?;
    opener.feed(&rest, |chunk| unpacked.take(chunk))?;
    while let Some(data) = body.next().await? {
        opener.feed(&data, |chunk| unpacked.take(chunk))?;
        progress(unpacked.taken(), unpacked.expected());
    }
    opener.finish(|chunk| unpacked.take(chunk))?;
    let (grant, kernel, initramfs) = unpacked.finish()?;
    Ok(Fetched {
        grant,
        kernel,
        initramfs,
        private_key,
        preshared_key: agreed.preshared_key,
    })
}

/// An answer's body, and the connection that drives it.
struct Answering {
    body: hyper::body::Incoming,
    connection: tokio::task::JoinHandle<()>,
}

impl Answering {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let frame = timeout(SILENCE, self.body.frame())
                .await
                .map_err(|_| io::Error::other("the lender has gone silent"))?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(io::Error::other(error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

async fn ask(
    address: SocketAddrV6,
    request: [u8; bundle::REQUEST_LEN],
) -> Result<Answering, FetchError> {
    let boot = SocketAddrV6::new(*address.ip(), BOOT_PORT, 0, address.scope_id());
    let late = |_| io::Error::other("the lender does not answer");
    let stream = timeout(SILENCE, TcpStream::connect(boot))
        .await
        .map_err(late)??;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let connection = tokio::spawn(async move {
        // Its errors come out of the body as well.
        let _ = connection.await;
    });
    let request = Request::post("/bundle")
        .header(hyper::header::HOST, "lender")
        .body(Full::new(Bytes::copy_from_slice(&request)))
        .map_err(io::Error::other)?;
    let response = timeout(SILENCE, sender.send_request(request))
        .await
        .map_err(late)?
        .map_err(io::Error::other)?;
    if response.status() != StatusCode::OK {
        connection.abort();
        return Err(FetchError::NotAccepted);
    }
    Ok(Answering {
        body: response.into_body(),
        connection,
    })
}
