//! The control service, inside the tunnel only: how the lender is, and the end of the loan.

use crate::http;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, StatusCode};
use serde::Serialize;
use std::io;
use std::net::SocketAddrV6;
use std::time::Duration;
use stiefel_core::control::{MAX_BODY_LEN, NEWS_WAIT, Refused, Release, Released, Status};
use stiefel_core::net::{CONTROL_PORT, LENDER_ADDRESS};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// How often somebody who waits for news makes us look: batteries tell of changes by
/// themselves on some machines only.
const LOOK_EVERY: Duration = Duration::from_secs(1);
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
            let query = request.uri().query().unwrap_or_default();
            let known = query
                .strip_prefix("news=")
                .and_then(|news| news.parse().ok());
            let status = match tokio::time::timeout(NEWS_WAIT, news(&sender, known)).await {
                Ok(status) => status,
                Err(_) => status(&sender).await,
            };
            status.map_or_else(ended, |status| json(StatusCode::OK, &status))
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

/// The status, as soon as its news are others than the known ones.
async fn news(sender: &mpsc::Sender<Command>, known: Option<u64>) -> Option<Status> {
    loop {
        let status = status(sender).await?;
        if Some(status.news) != known {
            return Some(status);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// `None` when nobody answers any more.
async fn status(sender: &mpsc::Sender<Command>) -> Option<Status> {
    let (reply, replied) = oneshot::channel();
    sender.send(Command::Status { reply }).await.ok()?;
    Some(replied.await.ok()?.with_news())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn status_with(on_ac: bool) -> Status {
        let json = r#"{"lender":"laptop","loan":"held","epoch":3,"held_secs":7,
            "battery_percent":50.0,"on_ac":true,"read_bytes":1,"written_bytes":2,
            "memory_bytes":3}"#;
        let status: Status = serde_json::from_str(json).unwrap();
        Status { on_ac, ..status }
    }

    #[tokio::test]
    async fn news_are_answered_when_there_are_any() {
        let (sender, mut commands) = mpsc::channel(1);
        // The charger is unplugged between the second and the third look.
        let lender = tokio::spawn(async move {
            let mut looks = 0;
            while let Some(Command::Status { reply }) = commands.recv().await {
                looks += 1;
                reply.send(status_with(looks < 3)).unwrap();
            }
            looks
        });
        let first = news(&sender, None).await.unwrap();
        assert!(first.on_ac);
        let second = news(&sender, Some(first.news)).await.unwrap();
        assert!(!second.on_ac);
        assert_ne!(first.news, second.news);
        drop(sender);
        assert_eq!(lender.await.unwrap(), 3);
    }
}
