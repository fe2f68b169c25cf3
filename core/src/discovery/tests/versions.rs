//! Two versions of the protocol that meet are told so, both of them.

use super::*;
use crate::discovery::VERSION;
use crate::discovery::wire::{Keys, peek_seek};

fn keys(number: u8) -> Keys {
    Keys::new(&pairing(number).secret)
}

#[test]
fn a_lender_learns_of_another_version_and_answers_with_its_own() {
    for theirs in (0..=u8::MAX).filter(|version| *version != VERSION) {
        let mut table = Table::new();
        let seek = keys(1).seek(theirs, &[4; 32]);
        let Heard::OtherVersion {
            pairing: id,
            version,
            answer,
        } = table.lender_hears(&seek)
        else {
            panic!("version {theirs} is not heard");
        };
        assert_eq!((id, version), (pairing(1).id, theirs));
        assert_eq!(keys(1).open_mismatch(&*answer), Some(VERSION));
        assert_eq!(table.lender_hears(&seek), Heard::Nothing, "repeated");
    }
}

#[test]
fn a_borrower_learns_of_another_version() {
    for theirs in (0..=u8::MAX).filter(|version| *version != VERSION) {
        let mut table = Table::new();
        let (_, nonce) = peek_seek(&table.seek()).unwrap();
        let answer = keys(1).mismatch(theirs, &nonce);
        assert_eq!(
            table.borrower_hears(&answer),
            Answered::OtherVersion { version: theirs }
        );
        assert_eq!(table.borrower_hears(&answer), Answered::Nothing, "repeated");
    }
}

#[test]
fn nobody_can_pretend_another_version() {
    let mut table = Table::new();
    let seek = table.seek();
    let (_, nonce) = peek_seek(&seek).unwrap();
    for version in (0..=u8::MAX).filter(|version| *version != VERSION) {
        let mut other = seek;
        other[4] = version;
        assert_eq!(table.lender_hears(&other), Heard::Nothing);
        let foreign = keys(9).mismatch(version, &nonce);
        assert_eq!(table.borrower_hears(&foreign), Answered::Nothing);
    }
    let genuine = keys(1).mismatch(2, &nonce);
    for bit in 0..genuine.len() * 8 {
        let mut flipped = genuine;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            table.borrower_hears(&flipped),
            Answered::Nothing,
            "bit {bit}"
        );
    }
}

#[test]
fn another_version_wakes_nobody_and_gets_no_bundle() {
    let mut table = Table::new();
    let seek = keys(1).seek(2, &[4; 32]);
    let Heard::OtherVersion { .. } = table.lender_hears(&seek) else {
        panic!("not heard");
    };
    // No exchange is open behind a mismatch, whatever the other end makes up.
    let nonces = Nonces {
        borrower: [4; 32],
        lender: [0; 32],
    };
    assert_eq!(table.lender_hears(&keys(1).wake(&nonces)), Heard::Nothing);
}
