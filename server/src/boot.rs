//! The boot service: hands the sealed bundle to a borrower that asks for it rightly.
//!
//! `POST /bundle` on the lender's link-local addresses. Whatever else is asked,
//! by whomever, is answered with an empty 404.

use crate::http::{self, Body};
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv6Addr, SocketAddrV6};
use stiefel_core::bundle::{Answer, REQUEST_LEN, preamble};
use stiefel_core::net::BOOT_PORT;
use stiefel_core::seal::{CHUNK_LEN, SealKey, Sealer};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait for the loop.
const QUEUE: usize = 4;
/// Sealed chunks that wait for the network: what makes memory flat.
const CHUNKS_IN_FLIGHT: usize = 4;

/// Somebody asks for the bundle; nothing is verified yet.
#[derive(Debug)]
pub struct Asked {
    /// The request, [`REQUEST_LEN`] bytes.
    pub request: Vec<u8>,
    /// Who asks.
    pub from: SocketAddrV6,
    /// Takes the answer; dropping it is a 404.
    pub reply: oneshot::Sender<Sealed>,
}

/// An answer, ready to be sealed and sent.
pub struct Sealed {
    /// The lender's public key of this exchange.
    pub exchange_key: [u8; 32],
    /// Seals this answer and no other.
    pub seal: SealKey,
    /// The beginning.
    pub answer: Answer,
    /// The files that follow, with lengths as in `answer`.
    pub files: Vec<File>,
    /// Told once the last byte has been handed to the network.
    pub sent: Option<oneshot::Sender<()>>,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealed").finish_non_exhaustive()
    }
}

/// Starts to listen; what is asked comes out of the receiver.
///
/// # Errors
/// The port is taken.
pub fn start() -> io::Result<mpsc::Receiver<Asked>> {
    let address = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, BOOT_PORT, 0, 0);
    let listener = TcpListener::from_std(crate::sockets::listen(address, None)?)?;
    let (sender, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(http::serve(listener, move |request, from| {
        let sender = sender.clone();
        async move {
            match bundle(request, from, sender).await {
                Some(response) => response,
                None => http::answer(StatusCode::NOT_FOUND, Bytes::new()),
            }
        }
    }));
    Ok(receiver)
}

async fn bundle(
    request: Request<Incoming>,
    from: SocketAddrV6,
    sender: mpsc::Sender<Asked>,
) -> Option<Response<Body>> {
    let fitting = request.method() == Method::POST
        && request.uri().path() == "/bundle"
        && from.ip().is_unicast_link_local();
    if !fitting {
        return None;
    }
    let request = http::read_body(request.into_body(), REQUEST_LEN).await?;
    let (reply, replied) = oneshot::channel();
    let asked = Asked {
        request: request.to_vec(),
        from,
        reply,
    };
    sender.send(asked).await.ok()?;
    let sealed = replied.await.ok()?;
    let (chunks, body) = Channel::<Bytes, io::Error>::new(CHUNKS_IN_FLIGHT);
    tokio::task::spawn_blocking(move || stream(sealed, chunks));
    Some(Response::new(body.boxed_unsync()))
}

/// Reads, seals and sends; a borrower that goes away ends it.
fn stream(sealed: Sealed, mut chunks: Sender<Bytes, io::Error>) {
    let runtime = tokio::runtime::Handle::current();
    let mut send = |bytes: Vec<u8>| {
        runtime
            .block_on(chunks.send_data(bytes.into()))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    };
    let told = sealed.sent;
    match seal_all(
        &sealed.exchange_key,
        &sealed.seal,
        &sealed.answer,
        sealed.files,
        &mut send,
    ) {
        Ok(()) => {
            if let Some(told) = told {
                // Whoever wanted to know may have gone.
                let _ = told.send(());
            }
        }
        Err(error) => chunks.abort(error),
    }
}

/// The whole answer as it is on the wire, in pieces, to `send`.
///
/// # Errors
/// A file cannot be read or has not the announced length, or `send` fails.
pub fn seal_all(
    exchange_key: &[u8; 32],
    seal: &SealKey,
    answer: &Answer,
    files: Vec<File>,
    send: &mut dyn FnMut(Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let json = serde_json::to_vec(answer)?;
    let len = u32::try_from(json.len()).map_err(io::Error::other)?;
    let head = [&len.to_be_bytes()[..], &json].concat();
    let lens: Vec<u64> = match answer {
        Answer::Grant(grant) => [&[grant.kernel_len], &grant.initramfs_lens[..]].concat(),
        Answer::Refused { .. } => vec![],
    };
    if lens.len() != files.len() {
        return Err(io::Error::other(
            "files and announced lengths differ in number",
        ));
    }
    let mut content: Box<dyn Read> = Box::new(io::Cursor::new(head));
    for (file, len) in files.into_iter().zip(lens) {
        content = Box::new(content.chain(Exactly { file, left: len }));
    }
    send(preamble(exchange_key).to_vec())?;
    let mut sealer = Sealer::new(seal);
    loop {
        let mut chunk = Vec::with_capacity(CHUNK_LEN + stiefel_core::seal::TAG_LEN);
        let read = content
            .by_ref()
            .take(CHUNK_LEN as u64)
            .read_to_end(&mut chunk)?;
        if read < CHUNK_LEN {
            sealer.last(&mut chunk).map_err(io::Error::other)?;
            return send(chunk);
        }
        sealer.next(&mut chunk).map_err(io::Error::other)?;
        send(chunk)?;
    }
}

/// A file of which exactly so many bytes are read; a shorter one is an error,
/// so that never the wrong bytes follow.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| buffer.len().min(left));
        if most == 0 {
            return Ok(0);
        }
        match self.file.read(&mut buffer[..most])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.left -= read as u64;
                Ok(read)
            }
        }
    }
}
