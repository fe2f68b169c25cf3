use super::*;
use crate::seal::{Broken, CHUNK_LEN, Opener, Sealer};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// What another implementation makes (`tests/interop/protocol/make_vectors.py`).
#[derive(Deserialize)]
struct Vectors {
    secret: Secret,
    #[serde(with = "hex::serde")]
    borrower_nonce: [u8; 32],
    #[serde(with = "hex::serde")]
    lender_nonce: [u8; 32],
    borrower_private_key: Secret,
    lender_private_key: Secret,
    tunnel_private_key: Secret,
    #[serde(with = "hex::serde")]
    request: Vec<u8>,
    #[serde(with = "hex::serde")]
    preamble: [u8; PREAMBLE_LEN],
    preshared_key: Secret,
    #[serde(with = "hex::serde")]
    seal_key: Vec<u8>,
    #[serde(with = "hex::serde")]
    seal_nonce_prefix: Vec<u8>,
    streams: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    length: usize,
    sealed_length: usize,
    #[serde(with = "hex::serde")]
    sealed_sha256: [u8; 32],
    #[serde(with = "hex::serde")]
    first: Vec<u8>,
    #[serde(with = "hex::serde")]
    last: Vec<u8>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../tests/vectors/bundle.json")).unwrap()
}

impl Vectors {
    fn request(&self) -> Request {
        Request {
            nonces: Nonces {
                borrower: self.borrower_nonce,
                lender: self.lender_nonce,
            },
            exchange_key: public_key(&self.borrower_private_key),
            tunnel_key: public_key(&self.tunnel_private_key),
        }
    }

    fn lender_key(&self) -> [u8; 32] {
        public_key(&self.lender_private_key)
    }

    /// What the lender agrees on.
    fn agreed(&self) -> Agreed {
        let request = self.request();
        agree(
            &self.secret,
            &self.lender_private_key,
            &request.exchange_key,
            &request,
            &self.lender_key(),
        )
        .unwrap()
    }
}

fn seal(key: &SealKey, content: &[u8]) -> Vec<u8> {
    let mut sealer = Sealer::new(key);
    let mut chunks: Vec<Vec<u8>> = content.chunks(CHUNK_LEN).map(<[u8]>::to_vec).collect();
    let mut last = chunks.pop().unwrap_or_default();
    chunks
        .iter_mut()
        .for_each(|chunk| sealer.next(chunk).unwrap());
    sealer.last(&mut last).unwrap();
    chunks.push(last);
    chunks.concat()
}

fn open(key: &SealKey, sealed: &[u8]) -> Result<Vec<u8>, Broken> {
    let mut content = vec![];
    let mut opener = Opener::new(key);
    let mut sink = |chunk: &[u8]| -> Result<(), Broken> {
        content.extend_from_slice(chunk);
        Ok(())
    };
    opener.feed(sealed, &mut sink)?;
    opener.finish(&mut sink)?;
    Ok(content)
}

#[test]
fn request_and_preamble_are_those_of_the_other_implementation() {
    let vectors = vectors();
    let request = vectors.request();
    assert_eq!(request.to_bytes(&vectors.secret)[..], vectors.request[..]);
    let keys = RequestKeys::new(&vectors.secret);
    assert_eq!(keys.open(&vectors.request), Some(request));
    assert_eq!(preamble(&vectors.lender_key()), vectors.preamble);
    assert_eq!(read_preamble(&vectors.preamble), Some(vectors.lender_key()));
}

#[test]
fn agreed_keys_are_those_of_the_other_implementation() {
    let vectors = vectors();
    let agreed = vectors.agreed();
    assert_eq!(agreed.seal.0[..16], vectors.seal_key[..]);
    assert_eq!(agreed.seal.0[16..], vectors.seal_nonce_prefix[..]);
    assert_eq!(agreed.preshared_key, vectors.preshared_key);
}

#[test]
fn sealed_streams_are_those_of_the_other_implementation() {
    let vectors = vectors();
    let key = vectors.agreed().seal;
    for stream in &vectors.streams {
        let content: Vec<u8> = (0..stream.length).map(|at| (at % 251) as u8).collect();
        let sealed = seal(&key, &content);
        assert_eq!(sealed.len(), stream.sealed_length);
        assert!(sealed.starts_with(&stream.first), "{} bytes", stream.length);
        assert!(sealed.ends_with(&stream.last), "{} bytes", stream.length);
        assert_eq!(Sha256::digest(&sealed)[..], stream.sealed_sha256);
        assert_eq!(open(&key, &sealed), Ok(content));
    }
    assert_eq!(vectors.streams.len(), 6);
}

#[test]
fn both_ends_agree() {
    let vectors = vectors();
    let ours = vectors.agreed();
    let theirs = agree(
        &vectors.secret,
        &vectors.borrower_private_key,
        &vectors.lender_key(),
        &vectors.request(),
        &vectors.lender_key(),
    )
    .unwrap();
    assert_eq!(*ours.seal.0, *theirs.seal.0);
    assert_eq!(ours.preshared_key, theirs.preshared_key);
}

#[test]
fn keys_change_with_everything_that_they_are_bound_to() {
    let vectors = vectors();
    let agreed = |secret: &Secret, private: &Secret, request: &Request, lender_key: &[u8; 32]| {
        agree(
            secret,
            private,
            &vectors.request().exchange_key,
            request,
            lender_key,
        )
        .unwrap()
    };
    let private = &vectors.lender_private_key;
    let other = Secret::from_bytes([0x77; 32]);
    let with = |change: fn(&mut Request)| {
        let mut request = vectors.request();
        change(&mut request);
        agreed(&vectors.secret, private, &request, &vectors.lender_key())
    };
    let all = [
        vectors.agreed(),
        agreed(&other, private, &vectors.request(), &vectors.lender_key()),
        agreed(
            &vectors.secret,
            &other,
            &vectors.request(),
            &vectors.lender_key(),
        ),
        agreed(&vectors.secret, private, &vectors.request(), &[9; 32]),
        with(|request| request.nonces.borrower[31] ^= 1),
        with(|request| request.nonces.lender[0] ^= 1),
        with(|request| request.exchange_key[5] ^= 1),
        with(|request| request.tunnel_key[5] ^= 1),
    ];
    for (at, one) in all.iter().enumerate() {
        for two in &all[at + 1..] {
            assert_ne!(*one.seal.0, *two.seal.0);
            assert_ne!(one.preshared_key, two.preshared_key);
        }
        assert_ne!(one.seal.0[..16], one.preshared_key.expose()[..16]);
    }
}

#[test]
fn a_key_that_makes_the_result_predictable_is_refused() {
    let vectors = vectors();
    let request = vectors.request();
    // Points of small order (RFC 7748, section 6.1): 0 and 1.
    let mut one = [0; 32];
    one[0] = 1;
    for weak in [[0; 32], one] {
        assert!(
            agree(
                &vectors.secret,
                &vectors.lender_private_key,
                &weak,
                &request,
                &weak
            )
            .is_none()
        );
    }
}

#[test]
fn an_older_bundle_does_not_open_in_a_newer_exchange() {
    let vectors = vectors();
    let recorded = seal(&vectors.agreed().seal, b"old kernel");
    let mut newer = vectors.request();
    newer.nonces.borrower = [0x99; 32];
    // The borrower even uses its key a second time.
    let key = agree(
        &vectors.secret,
        &vectors.borrower_private_key,
        &vectors.lender_key(),
        &newer,
        &vectors.lender_key(),
    )
    .unwrap()
    .seal;
    assert_eq!(open(&key, &recorded), Err(Broken));
}

#[test]
fn who_learns_the_pairings_secret_later_opens_nothing() {
    let vectors = vectors();
    let recorded = seal(&vectors.agreed().seal, b"kernel");
    let guessed = Secret::from_bytes([1; 32]);
    let request = vectors.request();
    let key = agree(
        &vectors.secret,
        &guessed,
        &vectors.lender_key(),
        &request,
        &vectors.lender_key(),
    );
    assert_eq!(open(&key.unwrap().seal, &recorded), Err(Broken));
}

#[test]
fn every_flipped_bit_of_an_answer_is_refused() {
    let vectors = vectors();
    let sealed = seal(&vectors.agreed().seal, b"a kernel and its initramfs");
    let whole = [&vectors.preamble[..], &sealed].concat();
    let received = |bytes: &[u8]| {
        let (clear, sealed) = bytes.split_at(PREAMBLE_LEN);
        let lender_key = read_preamble(clear.try_into().ok()?)?;
        let key = agree(
            &vectors.secret,
            &vectors.borrower_private_key,
            &lender_key,
            &vectors.request(),
            &lender_key,
        )?;
        open(&key.seal, sealed).ok()
    };
    assert!(received(&whole).is_some());
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(received(&flipped), None, "bit {bit}");
    }
}

fn grant() -> Grant {
    Grant {
        lender: "laptop".parse().unwrap(),
        kernel_len: 1,
        initramfs_lens: vec![1],
        cmdline: String::new(),
        tunnel_key: [1; 32],
        epoch: 1,
        disk_size: 1 << 30,
        logical_block: 512,
        patience_secs: 600,
    }
}

#[test]
fn a_grant_beyond_its_limits_is_not_sane() {
    assert!(grant().is_sane());
    let broken: [fn(&mut Grant); 9] = [
        |grant| grant.kernel_len = 0,
        |grant| grant.kernel_len = MAX_PART_LEN + 1,
        |grant| grant.initramfs_lens = vec![],
        |grant| grant.initramfs_lens = vec![1; MAX_PARTS + 1],
        |grant| grant.initramfs_lens[0] = MAX_PART_LEN + 1,
        |grant| grant.logical_block = 256,
        |grant| grant.logical_block = 8192,
        |grant| grant.logical_block = 513,
        |grant| grant.disk_size = 511,
    ];
    for (number, make_wrong) in broken.iter().enumerate() {
        let mut grant = grant();
        make_wrong(&mut grant);
        assert!(!grant.is_sane(), "number {number}");
    }
}

#[test]
fn answers_come_back_from_json() {
    let refused = Answer::Refused {
        lent_to: Some("desk".parse().unwrap()),
        message: "lent to desk".into(),
    };
    for answer in [Answer::Grant(grant()), refused] {
        let json = serde_json::to_string(&answer).unwrap();
        assert_eq!(serde_json::from_str::<Answer>(&json).unwrap(), answer);
    }
}

proptest! {
    #[test]
    fn whatever_arrives_is_no_request(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(RequestKeys::new(&Secret::from_bytes([1; 32])).open(&bytes), None);
        let _ = serde_json::from_slice::<Answer>(&bytes);
    }

    #[test]
    fn whatever_arrives_breaks_the_seal(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8),
    ) {
        let sealed = pieces.concat();
        prop_assert_eq!(open(&vectors().agreed().seal, &sealed), Err(Broken));
    }
}
