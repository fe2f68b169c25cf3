//! Somebody on the link who is not paired, or repeats what he has heard, over a
//! real cable between two network namespaces. Needs root.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod lab;

use lab::{pairing, two_machines};
use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddrV6, TcpStream, UdpSocket};
use std::time::{Duration, Instant};
use stiefel_core::bundle::{REQUEST_LEN, Request};
use stiefel_core::discovery::borrower::{Heard, Seeker as Rules};
use stiefel_core::discovery::{DATAGRAM_LEN, Nonces, Standing};
use stiefel_core::net::{BOOT_PORT, DISCOVERY_GROUP, DISCOVERY_PORT};
use stiefel_core::pairing::Pairing;
use stiefel_linux::links::Links;
use stiefel_server::boot;
use stiefel_server::discovery::{Answerer, Event, Found, Seeker};
use tokio::sync::oneshot;

/// Long enough that only a hang reaches it.
const FOREVER: Duration = Duration::from_secs(60);
/// All that a stranger learns from the boot service.
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

fn lender(known: &[Pairing], standing: Standing) -> Answerer {
    let name = "laptop".parse().unwrap();
    let mut answerer = Answerer::open(name, known, Box::new(|l| l.is_ethernet)).unwrap();
    answerer.set_standing(standing);
    answerer
}

/// The scout finds out where the lender is, so that its searches don't count.
fn scout() -> Pairing {
    pairing(2, "scout")
}

/// What a lender takes notice of, but for the scout, until the other end has finished.
async fn events(mut answerer: Answerer, mut finished: oneshot::Receiver<()>) -> Vec<&'static str> {
    let scout = scout().id;
    let mut events = vec![];
    loop {
        let event = tokio::select! {
            event = answerer.next() => event.unwrap(),
            _ = &mut finished => return events,
        };
        let (event, pairing) = match event {
            Event::Seen { pairing, .. } => ("seen", pairing),
            Event::Wake { pairing, .. } => ("wake", pairing),
            Event::OtherVersion { pairing, .. } => ("other version", pairing),
        };
        if pairing != scout {
            events.push(event);
        }
    }
}

/// Where the lender is, once the link works.
async fn found() -> SocketAddrV6 {
    let mut seeker = Seeker::open(&scout(), Box::new(|l| l.is_ethernet)).unwrap();
    match seeker.next().await.unwrap() {
        Found::Lender { address, .. } => address,
        Found::OtherVersion { .. } => panic!("one version only"),
    }
}

/// Somebody with a socket of his own.
struct Somebody {
    socket: UdpSocket,
    link: u32,
    nonce: u8,
}

impl Somebody {
    fn new(source: Ipv6Addr, link: u32) -> Self {
        let socket = UdpSocket::bind(SocketAddrV6::new(source, 0, 0, link)).unwrap();
        socket.set_read_timeout(Some(FOREVER)).unwrap();
        Self {
            socket,
            link,
            nonce: 0,
        }
    }

    fn multicast(&self, datagram: &[u8]) {
        let group = SocketAddrV6::new(DISCOVERY_GROUP, DISCOVERY_PORT, 0, self.link);
        self.socket.send_to(datagram, group).unwrap();
    }

    fn question(&mut self, rules: &mut Rules) -> [u8; DATAGRAM_LEN] {
        self.nonce += 1;
        rules.ask(self.link, [self.nonce; 32], Instant::now())
    }

    /// The next datagram must be the answer to the newest question of `rules`:
    /// the lender answers in order, so nothing before it was answered.
    fn answer(&self, rules: &mut Rules) -> (Nonces, Option<Vec<u8>>) {
        let mut buffer = [0; 2048];
        let len = self.socket.recv(&mut buffer).unwrap();
        match rules.hear(&buffer[..len], self.link, Instant::now()) {
            Heard::Offer { nonces, wake, .. } => (nonces, wake),
            other => panic!("{len} bytes: {other:?}"),
        }
    }
}

#[test]
fn strangers_get_silence() {
    let desk = pairing(1, "desk");
    let known = desk.clone();
    let (done, finished) = oneshot::channel();
    two_machines(
        move || async move {
            let events = events(lender(&[known, scout()], Standing::Offering), finished).await;
            assert_eq!(events, ["seen"]);
        },
        move || async move {
            let address = found().await;
            let link = address.scope_id();
            let mut somebody = Somebody::new(Ipv6Addr::UNSPECIFIED, link);
            let mut rules = Rules::new(&desk);
            let genuine = somebody.question(&mut rules);
            let foreign = somebody.question(&mut Rules::new(&pairing(9, "stranger")));
            let mut altered = genuine;
            altered[20] ^= 1;
            let longer = [&genuine[..], &[0]].concat();
            for stray in [
                &[][..],
                &[0],
                &[0xff; DATAGRAM_LEN],
                &[0; 1400],
                &foreign,
                &altered,
                &longer,
                &genuine[..DATAGRAM_LEN - 1],
            ] {
                somebody.multicast(stray);
                somebody.socket.send_to(stray, address).unwrap();
            }
            somebody.multicast(&genuine);
            somebody.answer(&mut rules);
            done.send(()).unwrap();
        },
    );
}

#[test]
fn what_was_heard_once_does_nothing_again_or_from_elsewhere() {
    let desk = pairing(1, "desk");
    let known = desk.clone();
    let (done, finished) = oneshot::channel();
    two_machines(
        move || async move {
            let events = events(lender(&[known, scout()], Standing::Asleep), finished).await;
            // The repeated ones would show up between these.
            assert_eq!(events, ["seen", "seen", "wake", "seen"]);
        },
        move || async move {
            let address = found().await;
            let link = address.scope_id();
            let [here, elsewhere] =
                [1, 2].map(|host| Ipv6Addr::new(0xfe80, 0, 0, 0, 0xbad, 0, 0, host));
            let mut links = Links::open().unwrap();
            links.add_address(link, here, 64).unwrap();
            links.add_address(link, elsewhere, 64).unwrap();
            let mut somebody = Somebody::new(here, link);
            let attacker = Somebody::new(elsewhere, link);
            let mut rules = Rules::new(&desk);

            let first = somebody.question(&mut rules);
            somebody.multicast(&first);
            let (_, wake) = somebody.answer(&mut rules);
            let wake = wake.unwrap();
            attacker.multicast(&wake);
            attacker.socket.send_to(&wake, address).unwrap();
            attacker.multicast(&first);
            let second = somebody.question(&mut rules);
            somebody.multicast(&second);
            somebody.answer(&mut rules);

            somebody.socket.send_to(&wake, address).unwrap();
            somebody.socket.send_to(&wake, address).unwrap();
            somebody.multicast(&first);
            somebody.multicast(&second);
            let third = somebody.question(&mut rules);
            somebody.multicast(&third);
            somebody.answer(&mut rules);
            attacker.socket.set_nonblocking(true).unwrap();
            assert!(
                attacker.socket.recv(&mut [0; 2048]).is_err(),
                "the attacker was answered"
            );
            done.send(()).unwrap();
        },
    );
}

/// Sends `bytes` to the boot service and returns all that comes back.
fn told(address: SocketAddrV6, bytes: &[u8]) -> String {
    let boot = SocketAddrV6::new(*address.ip(), BOOT_PORT, 0, address.scope_id());
    let mut stream = TcpStream::connect(boot).unwrap();
    stream.set_read_timeout(Some(FOREVER)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let len = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: lender\r\ncontent-length: {len}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

#[test]
fn strangers_learn_nothing_from_the_boot_service() {
    let desk = pairing(1, "desk");
    let known = desk.clone();
    let (done, mut finished) = oneshot::channel();
    two_machines(
        move || async move {
            let mut answerer = lender(&[known, scout()], Standing::Offering);
            let mut requests = boot::start().unwrap();
            let mut claimed = 0;
            loop {
                tokio::select! {
                    event = answerer.next() => drop(event.unwrap()),
                    asked = requests.recv() => {
                        let asked = asked.unwrap();
                        claimed += usize::from(answerer.claim(&asked.request, asked.from).is_some());
                    }
                    _ = &mut finished => break,
                }
            }
            assert_eq!(claimed, 1, "only the genuine request, and once");
        },
        move || async move {
            let address = found().await;
            let mut somebody = Somebody::new(Ipv6Addr::UNSPECIFIED, address.scope_id());
            let mut rules = Rules::new(&desk);
            let question = somebody.question(&mut rules);
            somebody.multicast(&question);
            let (nonces, _) = somebody.answer(&mut rules);
            let request = Request {
                nonces,
                exchange_key: [7; 32],
                tunnel_key: [8; 32],
            };
            let genuine = request.to_bytes(&desk.secret);
            let foreign = request.to_bytes(&scout().secret);
            let mut altered = genuine;
            altered[100] ^= 1;
            for wrong in [
                b"GET / HTTP/1.1\r\nhost: lender\r\n\r\n".to_vec(),
                b"GET /bundle HTTP/1.1\r\nhost: lender\r\n\r\n".to_vec(),
                post("/", &genuine),
                post("/bundle", &[]),
                post("/bundle", &[0; REQUEST_LEN]),
                post("/bundle", &foreign),
                post("/bundle", &altered),
                post("/bundle", &[&genuine[..], &[0]].concat()),
                // The genuine one, which the test's lender claims and drops, and the same again.
                post("/bundle", &genuine),
                post("/bundle", &genuine),
            ] {
                assert_eq!(told(address, &wrong), NOT_FOUND);
            }
            done.send(()).unwrap();
        },
    );
}
