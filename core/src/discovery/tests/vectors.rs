//! The bytes of the search, as another implementation makes them
//! (`tests/interop/protocol/make_vectors.py`).

use super::*;
use crate::discovery::Offer;
use crate::discovery::wire::Keys;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    secret: Secret,
    seeks: Vec<Short>,
    mismatches: Vec<Short>,
    offers: Vec<Answer>,
    wake: Order,
}

#[derive(Deserialize)]
struct Short {
    version: u8,
    #[serde(with = "hex::serde")]
    nonce: [u8; 32],
    #[serde(with = "hex::serde")]
    datagram: Vec<u8>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(with = "hex::serde")]
    borrower_nonce: [u8; 32],
    #[serde(with = "hex::serde")]
    lender_nonce: [u8; 32],
    lender: Name,
    standing: String,
    seconds: u16,
    lent_to: String,
    #[serde(with = "hex::serde")]
    datagram: Vec<u8>,
}

#[derive(Deserialize)]
struct Order {
    #[serde(with = "hex::serde")]
    borrower_nonce: [u8; 32],
    #[serde(with = "hex::serde")]
    lender_nonce: [u8; 32],
    #[serde(with = "hex::serde")]
    datagram: Vec<u8>,
}

impl Answer {
    fn offer(&self) -> Offer {
        let standing = match self.standing.as_str() {
            "asleep" => Standing::Asleep,
            "announced" => Standing::Announced {
                seconds: self.seconds,
            },
            "leaving" => Standing::Leaving,
            "declined" => Standing::Declined,
            "offering" => Standing::Offering,
            "lent" => Standing::Lent {
                to: self.lent_to.parse().unwrap(),
            },
            other => panic!("{other} is no standing"),
        };
        Offer {
            lender: self.lender.clone(),
            standing,
        }
    }
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../tests/vectors/discovery.json")).unwrap()
}

#[test]
fn seeks_and_mismatches_are_those_of_the_other_implementation() {
    let vectors = vectors();
    let keys = Keys::new(&vectors.secret);
    for Short {
        version,
        nonce,
        datagram,
    } in &vectors.seeks
    {
        assert_eq!(keys.seek(*version, nonce)[..], datagram[..]);
        assert!(keys.verify_seek(datagram.as_slice().try_into().unwrap()));
    }
    for Short {
        version,
        nonce,
        datagram,
    } in &vectors.mismatches
    {
        assert_eq!(keys.mismatch(*version, nonce)[..], datagram[..]);
        assert_eq!(keys.open_mismatch(datagram), Some(*version));
    }
    assert_eq!((vectors.seeks.len(), vectors.mismatches.len()), (2, 2));
}

#[test]
fn offers_are_those_of_the_other_implementation() {
    let vectors = vectors();
    let keys = Keys::new(&vectors.secret);
    for answer in &vectors.offers {
        let nonces = Nonces {
            borrower: answer.borrower_nonce,
            lender: answer.lender_nonce,
        };
        let made = keys.offer(&nonces, &answer.offer()).unwrap();
        assert_eq!(made[..], answer.datagram[..], "{}", answer.standing);
        assert_eq!(
            keys.open_offer(&answer.datagram),
            Some((nonces, answer.offer()))
        );
    }
    assert_eq!(vectors.offers.len(), 6, "one for each standing");
}

#[test]
fn the_wake_is_that_of_the_other_implementation() {
    let vectors = vectors();
    let keys = Keys::new(&vectors.secret);
    let nonces = Nonces {
        borrower: vectors.wake.borrower_nonce,
        lender: vectors.wake.lender_nonce,
    };
    assert_eq!(keys.wake(&nonces)[..], vectors.wake.datagram[..]);
    assert!(keys.verify_wake(&vectors.wake.datagram));
}
