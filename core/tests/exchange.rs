//! One whole exchange through the public interface, from the first question to
//! the last byte of the bundle, by two ends that share nothing but the wire.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, Instant};
use stiefel_core::bundle::{self, Agreed, Answer, Grant, PREAMBLE_LEN, Request};
use stiefel_core::discovery::borrower::{self, Seeker};
use stiefel_core::discovery::lender::{self, Answerer};
use stiefel_core::discovery::{Nonces, Standing};
use stiefel_core::pairing::{Pairing, PairingId, Policy};
use stiefel_core::seal::{Broken, CHUNK_LEN, Opener, Sealer};
use stiefel_core::secret::Secret;

const LINK: u32 = 2;
const BORROWER: SocketAddrV6 =
    SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2), 61570, 0, LINK);

fn pairing() -> Pairing {
    Pairing {
        id: PairingId::from_bytes([1; 8]),
        name: "desk".parse().unwrap(),
        secret: Secret::from_bytes([2; 32]),
        policy: Policy::Automatic,
    }
}

/// The lender: in its own system first, then in the ramdisk, which knows
/// nothing of what was said before.
struct Lender {
    answerer: Answerer,
    standing: Standing,
    nonce: u8,
}

impl Lender {
    fn new(standing: Standing) -> Self {
        Self {
            answerer: Answerer::new("laptop".parse().unwrap(), &[pairing()]),
            standing,
            nonce: 100,
        }
    }

    fn hear(&mut self, datagram: &[u8], now: Instant) -> lender::Heard {
        self.nonce += 1;
        let standing = self.standing.clone();
        self.answerer
            .hear(datagram, BORROWER, now, [self.nonce; 32], |_| {
                standing.clone()
            })
    }

    /// What is sent over TCP for `request`: preamble and sealed stream.
    fn answer(&mut self, request: &[u8], files: &[&[u8]], now: Instant) -> (Vec<u8>, Agreed) {
        let (id, request) = self.answerer.claim(request, *BORROWER.ip(), now).unwrap();
        assert_eq!(id, pairing().id);
        let private = Secret::from_bytes([51; 32]);
        let public = bundle::public_key(&private);
        let secret = pairing().secret;
        let agreed = bundle::agree(&secret, &private, &request.exchange_key, &request, &public);
        let agreed = agreed.unwrap();

        let grant = Answer::Grant(Grant {
            lender: "laptop".parse().unwrap(),
            kernel_len: files[0].len() as u64,
            initramfs_lens: files[1..].iter().map(|file| file.len() as u64).collect(),
            cmdline: "root=UUID=1 rdinit=/stiefel/init".into(),
            tunnel_key: bundle::public_key(&Secret::from_bytes([52; 32])),
            epoch: 7,
            disk_size: 1 << 40,
            logical_block: 512,
            patience_secs: 600,
        });
        let json = serde_json::to_vec(&grant).unwrap();
        let mut content = u32::try_from(json.len()).unwrap().to_be_bytes().to_vec();
        content.extend(json);
        content.extend(files.concat());

        let mut wire = bundle::preamble(&public).to_vec();
        let mut sealer = Sealer::new(&agreed.seal);
        let mut chunks = content.chunks(CHUNK_LEN).map(<[u8]>::to_vec).peekable();
        while let Some(mut chunk) = chunks.next() {
            if chunks.peek().is_none() {
                sealer.last(&mut chunk).unwrap();
                wire.extend(chunk);
                return (wire, agreed);
            }
            sealer.next(&mut chunk).unwrap();
            wire.extend(chunk);
        }
        unreachable!("the content is never empty");
    }
}

/// What a borrower hears when it asks `lender` now.
fn search(
    seeker: &mut Seeker,
    lender: &mut Lender,
    nonce: u8,
    now: Instant,
) -> (Standing, Nonces, Option<Vec<u8>>) {
    let seek = seeker.ask(LINK, [nonce; 32], now);
    let lender::Heard::Seek { answer, .. } = lender.hear(&seek, now) else {
        panic!("not answered");
    };
    match seeker.hear(&*answer, LINK, now) {
        borrower::Heard::Offer {
            offer,
            nonces,
            wake,
        } => (offer.standing, nonces, wake),
        other => panic!("not heard: {other:?}"),
    }
}

#[test]
fn from_the_first_question_to_the_last_byte() {
    let mut now = Instant::now();
    let mut seeker = Seeker::new(&pairing());

    let mut lender = Lender::new(Standing::Asleep);
    let (standing, _, wake) = search(&mut seeker, &mut lender, 1, now);
    assert_eq!(standing, Standing::Asleep);
    let woken = lender.hear(&wake.unwrap(), now);
    assert_eq!(
        woken,
        lender::Heard::Wake {
            pairing: pairing().id
        }
    );

    // The lender goes into its ramdisk; the borrower keeps asking.
    lender.standing = Standing::Leaving;
    now += Duration::from_secs(1);
    let (standing, _, wake) = search(&mut seeker, &mut lender, 2, now);
    assert_eq!((standing, wake), (Standing::Leaving, None));

    let mut lender = Lender::new(Standing::Offering);
    now += Duration::from_secs(20);
    let (standing, nonces, _) = search(&mut seeker, &mut lender, 3, now);
    assert_eq!(standing, Standing::Offering);

    let exchange = Secret::from_bytes([61; 32]);
    let request = Request {
        nonces,
        exchange_key: bundle::public_key(&exchange),
        tunnel_key: bundle::public_key(&Secret::from_bytes([62; 32])),
    };
    let kernel = vec![0xe9; 2 * CHUNK_LEN + 17];
    let initramfs = vec![0x1f; CHUNK_LEN];
    let sent = request.to_bytes(&pairing().secret);
    let (wire, theirs) = lender.answer(&sent, &[&kernel, &initramfs], now);

    let (clear, sealed) = wire.split_at(PREAMBLE_LEN);
    let lender_key = bundle::read_preamble(clear.try_into().unwrap()).unwrap();
    let secret = pairing().secret;
    let ours = bundle::agree(&secret, &exchange, &lender_key, &request, &lender_key).unwrap();
    assert_eq!(ours.preshared_key, theirs.preshared_key);

    let mut content = vec![];
    let mut sink = |chunk: &[u8]| -> Result<(), Broken> {
        content.extend_from_slice(chunk);
        Ok(())
    };
    let mut opener = Opener::new(&ours.seal);
    for piece in sealed.chunks(1460) {
        opener.feed(piece, &mut sink).unwrap();
    }
    opener.finish(&mut sink).unwrap();

    let (len, rest) = content.split_at(4);
    let (json, files) = rest.split_at(u32::from_be_bytes(len.try_into().unwrap()) as usize);
    let Answer::Grant(grant) = serde_json::from_slice(json).unwrap() else {
        panic!("refused");
    };
    assert!(grant.is_sane());
    assert_eq!(files[..grant.kernel_len as usize], kernel);
    assert_eq!(files[grant.kernel_len as usize..], initramfs);

    // The same request once more is nobody's.
    assert!(lender.answerer.claim(&sent, *BORROWER.ip(), now).is_none());
}
