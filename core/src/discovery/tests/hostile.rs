//! Messages that are repeated, reflected, moved, forged or altered do nothing.

use super::*;
use crate::discovery::Offer;
use crate::discovery::wire::{Keys, peek_seek};

/// The exchange's request for the bundle, as the borrower of pairing `number` makes it.
fn request(nonces: Nonces, number: u8) -> Vec<u8> {
    let request = Request {
        nonces,
        exchange_key: [7; 32],
        tunnel_key: [8; 32],
    };
    request.to_bytes(&pairing(number).secret).to_vec()
}

fn claimed(table: &mut Table, request: &[u8], from: SocketAddrV6) -> bool {
    table.lender.claim(request, *from.ip(), table.now).is_some()
}

fn each_flipped_bit(message: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..message.len() * 8).map(|bit| {
        let mut flipped = message.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (bit, flipped)
    })
}

#[test]
fn a_repeated_seek_is_not_answered_again() {
    let mut table = Table::new();
    let seek = table.seek();
    assert_ne!(table.lender_hears(&seek), Heard::Nothing);
    assert_eq!(table.lender_hears(&seek), Heard::Nothing);
    table.now += Duration::from_secs(3600);
    assert_eq!(table.lender_hears(&seek), Heard::Nothing);
    assert_eq!(table.lender_hears_from(&seek, address(9)), Heard::Nothing);
}

#[test]
fn a_repeated_offer_is_not_heard_again() {
    let mut table = Table::new();
    let offer = table.offer();
    assert_ne!(table.borrower_hears(&offer), Answered::Nothing);
    assert_eq!(table.borrower_hears(&offer), Answered::Nothing);
}

#[test]
fn an_offer_of_an_earlier_exchange_is_not_heard_in_a_later_one() {
    let mut table = Table::new();
    let old = table.offer();
    assert_ne!(table.borrower_hears(&old), Answered::Nothing);
    let new = table.offer();
    assert_eq!(table.borrower_hears(&old), Answered::Nothing);
    assert_ne!(table.borrower_hears(&new), Answered::Nothing);
}

#[test]
fn an_offer_on_another_link_is_not_heard() {
    let mut table = Table::new();
    let offer = table.offer();
    let heard = table.borrower.hear(&offer, LINK + 1, table.now);
    assert_eq!(heard, Answered::Nothing);
    assert_ne!(table.borrower_hears(&offer), Answered::Nothing);
}

#[test]
fn a_wake_works_once() {
    let mut table = Table::new();
    let (_, wake) = table.wake();
    assert_ne!(table.lender_hears(&wake), Heard::Nothing);
    assert_eq!(table.lender_hears(&wake), Heard::Nothing);
}

#[test]
fn a_wake_of_an_earlier_exchange_does_not_work_in_a_later_one() {
    let mut table = Table::new();
    let (_, old) = table.wake();
    table.now += NONCE_LIFETIME;
    let (_, new) = table.wake();
    assert_eq!(table.lender_hears(&old), Heard::Nothing);
    assert_ne!(table.lender_hears(&new), Heard::Nothing);
}

#[test]
fn a_request_works_once_and_for_seconds() {
    let mut table = Table::new();
    let (nonces, _) = table.wake();
    let bytes = request(nonces, 1);
    assert!(claimed(&mut table, &bytes, BORROWER));
    assert!(!claimed(&mut table, &bytes, BORROWER));

    let (nonces, _) = table.wake();
    table.now += NONCE_LIFETIME;
    assert!(!claimed(&mut table, &request(nonces, 1), BORROWER));
}

#[test]
fn from_another_address_nothing_goes_on() {
    let mut table = Table::new();
    let (nonces, wake) = table.wake();
    let bytes = request(nonces, 1);
    assert_eq!(table.lender_hears_from(&wake, address(9)), Heard::Nothing);
    assert!(!claimed(&mut table, &bytes, address(9)));
    assert!(claimed(&mut table, &bytes, BORROWER));
}

#[test]
fn a_message_sent_to_the_wrong_end_does_nothing() {
    let mut table = Table::new();
    let seek = table.seek();
    let offer = table.offer();
    let (nonces, wake) = table.wake();
    let bytes = request(nonces, 1);
    for at_borrower in [&seek[..], &wake, &bytes] {
        assert_eq!(table.borrower_hears(at_borrower), Answered::Nothing);
    }
    for at_lender in [&offer[..], &bytes] {
        assert_eq!(table.lender_hears(at_lender), Heard::Nothing);
    }
    for at_boot_service in [&seek[..], &offer, &wake] {
        assert!(!claimed(&mut table, at_boot_service, BORROWER));
    }
}

#[test]
fn a_message_of_one_kind_never_passes_for_another() {
    // The kind is in the sixth byte; a MAC over it and a key of its own for
    // each purpose would both have to fail.
    let mut table = Table::new();
    let seek = table.seek();
    let (_, wake) = table.wake();
    for kind in 0..=u8::MAX {
        for message in [&seek[..], &wake] {
            let mut other = message.to_vec();
            if other[5] == kind {
                continue;
            }
            other[5] = kind;
            assert_eq!(table.lender_hears(&other), Heard::Nothing, "kind {kind}");
            assert_eq!(
                table.borrower_hears(&other),
                Answered::Nothing,
                "kind {kind}"
            );
        }
    }
}

#[test]
fn a_message_of_one_pairing_does_nothing_in_the_exchange_of_another() {
    let mut table = Table::new();
    let (nonces, _) = table.wake();
    let forged = Keys::new(&pairing(2).secret).wake(&nonces);
    assert_eq!(table.lender_hears(&forged), Heard::Nothing);
    assert!(!claimed(&mut table, &request(nonces, 2), BORROWER));

    // An answer to our question by somebody who has another pairing's secret.
    let seek = table.seek();
    let (_, nonce) = peek_seek(&seek).unwrap();
    let offer = Keys::new(&pairing(2).secret)
        .offer(
            &Nonces {
                borrower: nonce,
                lender: [1; 32],
            },
            &Offer {
                lender: lender_name(),
                standing: Standing::Offering,
            },
        )
        .unwrap();
    assert_eq!(table.borrower_hears(&offer), Answered::Nothing);
}

#[test]
fn the_halves_of_two_exchanges_do_not_fit_together() {
    let mut table = Table::new();
    let (one, _) = table.wake();
    let (two, _) = table.wake();
    let crossed = Nonces {
        borrower: one.borrower,
        lender: two.lender,
    };
    let keys = Keys::new(&pairing(1).secret);
    assert_eq!(table.lender_hears(&keys.wake(&crossed)), Heard::Nothing);
    assert!(!claimed(&mut table, &request(crossed, 1), BORROWER));
    assert_ne!(table.lender_hears(&keys.wake(&one)), Heard::Nothing);
}

#[test]
fn every_flipped_bit_is_refused() {
    let mut table = Table::new();
    let seek = table.seek();
    for (bit, flipped) in each_flipped_bit(&seek) {
        assert_eq!(
            table.lender_hears(&flipped),
            Heard::Nothing,
            "Seek, bit {bit}"
        );
    }
    let offer = table.offer();
    for (bit, flipped) in each_flipped_bit(&offer) {
        assert_eq!(
            table.borrower_hears(&flipped),
            Answered::Nothing,
            "Offer, bit {bit}"
        );
    }
    let (nonces, wake) = table.wake();
    for (bit, flipped) in each_flipped_bit(&wake) {
        assert_eq!(
            table.lender_hears(&flipped),
            Heard::Nothing,
            "Wake, bit {bit}"
        );
    }
    let bytes = request(nonces, 1);
    for (bit, flipped) in each_flipped_bit(&bytes) {
        assert!(
            !claimed(&mut table, &flipped, BORROWER),
            "Request, bit {bit}"
        );
    }
    // None of the forgeries has spoilt what it was made of.
    assert_ne!(table.lender_hears(&seek), Heard::Nothing);
    assert_ne!(table.borrower_hears(&offer), Answered::Nothing);
    assert!(claimed(&mut table, &bytes, BORROWER));
}

#[test]
fn every_cut_and_every_tail_is_refused() {
    let mut table = Table::new();
    let seek = table.seek();
    let offer = table.offer();
    let (nonces, wake) = table.wake();
    let bytes = request(nonces, 1);
    let variants = |message: &[u8]| {
        let longer = [message, &[0]].concat();
        let mut all: Vec<Vec<u8>> = (0..message.len())
            .map(|len| message[..len].to_vec())
            .collect();
        all.push(longer);
        all
    };
    for wrong in variants(&seek).into_iter().chain(variants(&wake)) {
        assert_eq!(
            table.lender_hears(&wrong),
            Heard::Nothing,
            "{} bytes",
            wrong.len()
        );
    }
    for wrong in variants(&offer) {
        assert_eq!(
            table.borrower_hears(&wrong),
            Answered::Nothing,
            "{} bytes",
            wrong.len()
        );
    }
    for wrong in variants(&bytes) {
        assert!(
            !claimed(&mut table, &wrong, BORROWER),
            "{} bytes",
            wrong.len()
        );
    }
}
