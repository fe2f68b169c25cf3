//! The control service, inside the tunnel only: how the lender is, and the end of the loan.

use crate::http;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, StatusCode};
use serde::Serialize;
use std::io;
use std::net::SocketAddrV6;
use stiefel_core::control::{MAX_BODY_LEN, Refused, Release, Released, Status};
use stiefel_core::net::{CONTROL_PORT, LENDER_ADDRESS};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait for the loop.
const QUEUE: usize = 8;

/// What the borrower's supervisor or daemon asks.
#[derive(Debug)]
pub enum Command {
    /// How are you?
    Status {
        /// Takes the answer.
        reply: oneshot::Sender<Status>,
    },
    /// The disk is given back.
    Release {
        /// Which loan, and what the borrower does next.
        release: Release,
        /// Takes the answer, once all is on the disk.
        reply: oneshot::Sender<Result<Released, Refused>>,
    },
}

/// Starts to listen on `interface`, the tunnel.
///
/// # Errors
/// The tunnel is not there, or the port is taken.
pub fn start(interface: &str) -> io::Result<mpsc::Receiver<Command>> {
    let address = SocketAddrV6::new(LENDER_ADDRESS, CONTROL_PORT, 0, 0);
    let listener = TcpListener::from_std(crate::sockets::listen(address, Some(interface))?)?;
    let (sender, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(http::serve(listener, move |request, _| {
        let sender = sender.clone();
        async move {
            let (status, body) = handle(request, sender).await;
            http::answer(status, body)
        }
    }));
    Ok(receiver)
}

async fn handle(request: Request<Incoming>, sender: mpsc::Sender<Command>) -> (StatusCode, Bytes) {
    let asked = (request.method().clone(), request.uri().path().to_owned());
    match (&asked.0, asked.1.as_str()) {
        (&Method::GET, "/status") => {
            let (reply, replied) = oneshot::channel();
            if sender.send(Command::Status { reply }).await.is_err() {
                return ended();
            }
            replied
                .await
                .map_or_else(|_| ended(), |status| json(StatusCode::OK, &status))
        }
        (&Method::POST, "/release") => {
            let body = http::read_body(request.into_body(), MAX_BODY_LEN).await;
            let release = body.and_then(|body| serde_json::from_slice::<Release>(&body).ok());
            let Some(release) = release else {
                let message = "a release has an epoch and a verb".to_owned();
                return json(StatusCode::BAD_REQUEST, &Refused { message });
            };
            let (reply, replied) = oneshot::channel();
            if sender
                .send(Command::Release { release, reply })
                .await
                .is_err()
            {
                return ended();
            }
            match replied.await {
                Ok(Ok(released)) => json(StatusCode::OK, &released),
                Ok(Err(refused)) => json(StatusCode::CONFLICT, &refused),
                Err(_) => ended(),
            }
        }
        _ => (StatusCode::NOT_FOUND, Bytes::new()),
    }
}

fn ended() -> (StatusCode, Bytes) {
    let message = "the lender is on its way home".to_owned();
    json(StatusCode::SERVICE_UNAVAILABLE, &Refused { message })
}

fn json(status: StatusCode, body: &impl Serialize) -> (StatusCode, Bytes) {
    match serde_json::to_vec(body) {
        Ok(body) => (status, body.into()),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()),
    }
}
