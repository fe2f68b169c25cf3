//! A bundle that was altered, cut, mixed up or recorded earlier is refused as a
//! whole: the borrower gets nothing of it that it could start. Needs root.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod lab;

use lab::{pairing, two_machines};
use std::fs::File;
use std::io::Write;
use std::net::{Ipv6Addr, SocketAddr};
use stiefel_core::bundle::{Answer, Grant, PREAMBLE_LEN, REQUEST_LEN, agree, public_key};
use stiefel_core::discovery::Standing;
use stiefel_core::net::BOOT_PORT;
use stiefel_core::pairing::Pairing;
use stiefel_core::secret::Secret;
use stiefel_linux::memfd;
use stiefel_server::boot::seal_all;
use stiefel_server::discovery::{Answerer, Found, Seeker};
use stiefel_server::fetch::{FetchError, fetch};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Makes what is sent of the honest answer (preamble, then chunks) and of all earlier ones.
type Tampering = fn(Vec<Vec<u8>>, &[Vec<Vec<u8>>]) -> Vec<u8>;

/// The first one is honest.
const TAMPERINGS: [(&str, Tampering); 15] = [
    ("honest", |pieces, _| pieces.concat()),
    ("nothing at all", |_, _| vec![]),
    ("half a preamble", |pieces, _| pieces[0][..20].to_vec()),
    ("the preamble only", |pieces, _| pieces[0].clone()),
    ("another key", |mut pieces, _| {
        pieces[0][8] ^= 1;
        pieces.concat()
    }),
    ("the ignored bit of the key", |mut pieces, _| {
        pieces[0][PREAMBLE_LEN - 1] ^= 0x80;
        pieces.concat()
    }),
    ("a bit of the first chunk", |mut pieces, _| {
        pieces[1][1000] ^= 0x10;
        pieces.concat()
    }),
    ("a bit of the last chunk", |mut pieces, _| {
        pieces.last_mut().unwrap()[0] ^= 1;
        pieces.concat()
    }),
    ("without the last chunk", |mut pieces, _| {
        pieces.pop();
        pieces.concat()
    }),
    ("without the last byte", |pieces, _| {
        let whole = pieces.concat();
        whole[..whole.len() - 1].to_vec()
    }),
    ("without a chunk in the middle", |mut pieces, _| {
        pieces.remove(2);
        pieces.concat()
    }),
    ("two chunks in the wrong order", |mut pieces, _| {
        pieces.swap(2, 3);
        pieces.concat()
    }),
    ("more behind the end", |mut pieces, _| {
        pieces.push(vec![0; 100]);
        pieces.concat()
    }),
    ("an earlier answer", |_, earlier| earlier[0].concat()),
    ("the chunks of an earlier answer", |pieces, earlier| {
        [pieces[0].clone(), earlier[0][1..].concat()].concat()
    }),
];

const LENS: [usize; 2] = [300_001, 70_003];

fn file(len: usize) -> File {
    let mut file = memfd::create("part").unwrap();
    file.write_all(&vec![7; len]).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    file
}

/// The answer to `request` in pieces, as an honest lender sends it.
fn honest(
    answerer: &mut Answerer,
    desk: &Pairing,
    request: &[u8],
    peer: SocketAddr,
) -> Vec<Vec<u8>> {
    let SocketAddr::V6(peer) = peer else {
        panic!("not by IPv6");
    };
    let (_, request) = answerer.claim(request, peer).unwrap();
    let private = Secret::from_bytes([3; 32]);
    let public = public_key(&private);
    let agreed = agree(
        &desk.secret,
        &private,
        &request.exchange_key,
        &request,
        &public,
    )
    .unwrap();
    let grant = Answer::Grant(Grant {
        lender: "laptop".parse().unwrap(),
        kernel_len: LENS[0] as u64,
        initramfs_lens: vec![LENS[1] as u64],
        cmdline: String::new(),
        tunnel_key: [9; 32],
        epoch: 1,
        disk_size: 1 << 30,
        logical_block: 512,
        patience_secs: 600,
    });
    let mut pieces = vec![];
    seal_all(
        &public,
        &agreed.seal,
        &grant,
        LENS.map(file).into(),
        &mut |piece| {
            pieces.push(piece);
            Ok(())
        },
    )
    .unwrap();
    pieces
}

async fn read_request(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![];
    loop {
        stream.read_buf(&mut bytes).await.unwrap();
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(body) = head.map(|at| &bytes[at + 4..])
            && body.len() == REQUEST_LEN
        {
            return body.to_vec();
        }
    }
}

#[test]
fn nothing_but_the_whole_and_genuine_bundle_is_taken() {
    let desk = pairing(1, "desk");
    let known = desk.clone();
    let (done, mut finished) = oneshot::channel::<()>();
    two_machines(
        move || async move {
            let name = "laptop".parse().unwrap();
            let filter = Box::new(|link: &stiefel_linux::links::Link| link.is_ethernet);
            let mut answerer = Answerer::open(name, std::slice::from_ref(&known), filter).unwrap();
            answerer.set_standing(Standing::Offering);
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, BOOT_PORT))
                .await
                .unwrap();
            let mut earlier = vec![];
            let mut tamperings = TAMPERINGS.iter();
            loop {
                tokio::select! {
                    event = answerer.next() => drop(event.unwrap()),
                    accepted = listener.accept() => {
                        let (mut stream, peer) = accepted.unwrap();
                        let request = read_request(&mut stream).await;
                        let pieces = honest(&mut answerer, &known, &request, peer);
                        let (_, tamper) = tamperings.next().unwrap();
                        let body = tamper(pieces.clone(), &earlier);
                        earlier.push(pieces);
                        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                        stream.write_all(head.as_bytes()).await.unwrap();
                        // A borrower that has seen enough hangs up.
                        let _ = stream.write_all(&body).await;
                    }
                    _ = &mut finished => break,
                }
            }
            assert!(tamperings.next().is_none());
        },
        move || async move {
            for (what, _) in TAMPERINGS {
                let mut seeker = Seeker::open(&desk, Box::new(|l| l.is_ethernet)).unwrap();
                let Found::Lender {
                    nonces, address, ..
                } = seeker.next().await.unwrap()
                else {
                    panic!("one version only");
                };
                let fetched = fetch(address, &desk, nonces, |_, _| {}).await;
                match fetched {
                    Ok(_) => assert_eq!(what, "honest"),
                    Err(FetchError::Broken(_)) => assert_ne!(what, "honest"),
                    Err(error) => panic!("{what}: {error}"),
                }
            }
            done.send(()).unwrap();
        },
    );
}
