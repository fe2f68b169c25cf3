//! A lender on standard input and output, for an implementation of the
//! protocol in another language to talk with (`tests/interop/protocol`).
//!
//! Each line is a word and bytes in hexadecimal; so is each answer.
//!
//! | line | answer |
//! |---|---|
//! | `seek` a Seek | `offer` the answer, or `nothing` |
//! | `wake` a Wake | `woken`, or `nothing` |
//! | `request` a request for the bundle | `bundle` preamble and sealed stream, or `nothing` |
//!
//! The arguments are the pairing's secret and a seed for the lender's own random
//! bytes, both in hexadecimal, and a file with the bundle's content.

use std::io::{BufRead, Write};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Instant;
use stiefel_core::bundle;
use stiefel_core::discovery::Standing;
use stiefel_core::discovery::lender::{Answerer, Heard};
use stiefel_core::pairing::{Pairing, PairingId, Policy};
use stiefel_core::seal::{CHUNK_LEN, Sealer};
use stiefel_core::secret::Secret;

type Failure = Box<dyn std::error::Error>;

const BORROWER: SocketAddrV6 =
    SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2), 61570, 0, 2);

struct Peer {
    secret: Secret,
    seed: [u8; 32],
    content: Vec<u8>,
    answerer: Answerer,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [secret, seed, content] = arguments.as_slice() else {
        return Err("usage: peer SECRET SEED CONTENT".into());
    };
    let mut peer = Peer::new(secret, seed, content)?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (word, bytes) = line.split_once(' ').ok_or("a word and bytes")?;
        let answer = peer.answer(word, &hex::decode(bytes)?)?;
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

impl Peer {
    fn new(secret: &str, seed: &str, content: &str) -> Result<Self, Failure> {
        let mut key = [0; 32];
        hex::decode_to_slice(secret, &mut key)?;
        let secret = Secret::from_bytes(key);
        hex::decode_to_slice(seed, &mut key)?;
        let pairing = Pairing {
            id: PairingId::from_bytes([1; 8]),
            name: "desk".parse()?,
            secret: secret.clone(),
            policy: Policy::Ask,
        };
        Ok(Self {
            secret,
            seed: key,
            content: std::fs::read(content)?,
            answerer: Answerer::new("laptop".parse()?, &[pairing]),
        })
    }

    fn answer(&mut self, word: &str, bytes: &[u8]) -> Result<String, Failure> {
        let answer = match word {
            "seek" | "wake" => self.hear(bytes),
            "request" => self.bundle(bytes)?.map(|bundle| ("bundle", bundle)),
            other => return Err(format!("{other}: no such word").into()),
        };
        Ok(match answer {
            Some((word, bytes)) => format!("{word} {}", hex::encode(bytes)),
            None => "nothing".into(),
        })
    }

    fn hear(&mut self, datagram: &[u8]) -> Option<(&'static str, Vec<u8>)> {
        self.seed[0] = self.seed[0].wrapping_add(1);
        let standing = |_| Standing::Asleep;
        let now = Instant::now();
        match self
            .answerer
            .hear(datagram, BORROWER, now, self.seed, standing)
        {
            Heard::Nothing => None,
            Heard::Seek { answer, .. } => Some(("offer", answer.to_vec())),
            Heard::OtherVersion { answer, .. } => Some(("mismatch", answer.to_vec())),
            Heard::Wake { .. } => Some(("woken", vec![])),
        }
    }

    fn bundle(&mut self, request: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let claimed = self.answerer.claim(request, *BORROWER.ip(), Instant::now());
        let Some((_, request)) = claimed else {
            return Ok(None);
        };
        self.seed[1] = self.seed[1].wrapping_add(1);
        let private = Secret::from_bytes(self.seed);
        let public = bundle::public_key(&private);
        let agreed = bundle::agree(
            &self.secret,
            &private,
            &request.exchange_key,
            &request,
            &public,
        )
        .ok_or("a key of small order")?;
        let mut wire = bundle::preamble(&public).to_vec();
        let mut sealer = Sealer::new(&agreed.seal);
        let mut chunks: Vec<Vec<u8>> = self.content.chunks(CHUNK_LEN).map(<[u8]>::to_vec).collect();
        let mut last = chunks.pop().unwrap_or_default();
        for mut chunk in chunks {
            sealer.next(&mut chunk)?;
            wire.extend(chunk);
        }
        sealer.last(&mut last)?;
        wire.extend(last);
        Ok(Some(wire))
    }
}
