//! A small HTTP/1.1 server around one handler, with a limit on everything.

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// A body as answers have it.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Connections at once; a pair of machines needs two.
const MAX_CONNECTIONS: usize = 16;
/// A request comes in one packet; who takes longer is not one of ours.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest request head, bytes (the least that hyper takes).
const MAX_HEAD_LEN: usize = 8 << 10;

/// Serves until the listener is lost; the handler gets request and peer.
pub(crate) async fn serve<H, F>(listener: TcpListener, handler: H) -> io::Error
where
    H: Fn(Request<Incoming>, SocketAddrV6) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else {
            return io::Error::other("the connection limit was closed");
        };
        let (stream, peer) = match listener.accept().await {
            Ok((stream, SocketAddr::V6(peer))) => (stream, peer),
            Ok((_, SocketAddr::V4(_))) => continue,
            // A connection that ended before it was accepted; anything else is final.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return error,
        };
        let handler = handler.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = handler(request, peer);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(MAX_HEAD_LEN)
                .keep_alive(false)
                .auto_date_header(false)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            // A peer that breaks off is its own affair.
            drop((served, permit));
        });
    }
}

/// A request's body of at most `limit` bytes, or `None` if it is longer, late, or broken off.
pub(crate) async fn read_body(body: Incoming, limit: usize) -> Option<Bytes> {
    let whole = Limited::new(body, limit).collect();
    let collected = tokio::time::timeout(HEAD_TIMEOUT, whole).await.ok()?;
    Some(collected.ok()?.to_bytes())
}

/// An answer with a small body.
pub(crate) fn answer(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response
}

fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into())
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}
