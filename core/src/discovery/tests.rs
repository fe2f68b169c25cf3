//! The properties of the search, each with a test that fails without it.

mod arbitrary;
mod hostile;
mod vectors;
mod versions;

use super::borrower::{Heard as Answered, Seeker};
use super::lender::{Answerer, Heard};
use super::{DATAGRAM_LEN, NONCE_LIFETIME, Nonces, Standing};
use crate::bundle::Request;
use crate::keys::HMACS;
use crate::pairing::{Name, Pairing, PairingId, Policy};
use crate::secret::Secret;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, Instant};

const LINK: u32 = 3;
const BORROWER: SocketAddrV6 = address(2);

const fn address(last: u16) -> SocketAddrV6 {
    let host = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last);
    SocketAddrV6::new(host, 50_000, 0, LINK)
}

fn pairing(number: u8) -> Pairing {
    Pairing {
        id: PairingId::from_bytes([number; 8]),
        name: format!("desk {number}").parse().unwrap(),
        secret: Secret::from_bytes([number; 32]),
        policy: Policy::Ask,
    }
}

fn lender_name() -> Name {
    "laptop".parse().unwrap()
}

/// A lender with the pairings 1 to 3, the borrower of pairing 1, and their clock.
struct Table {
    lender: Answerer,
    borrower: Seeker,
    now: Instant,
    nonces: u64,
}

impl Table {
    fn new() -> Self {
        Self::of(&[pairing(1), pairing(2), pairing(3)], &pairing(1))
    }

    fn of(known: &[Pairing], seeking: &Pairing) -> Self {
        Self {
            lender: Answerer::new(lender_name(), known),
            borrower: Seeker::new(seeking),
            now: Instant::now(),
            nonces: 0,
        }
    }

    fn nonce(&mut self) -> [u8; 32] {
        self.nonces += 1;
        let mut nonce = [0x5a; 32];
        nonce[..8].copy_from_slice(&self.nonces.to_be_bytes());
        nonce
    }

    fn seek(&mut self) -> [u8; DATAGRAM_LEN] {
        let nonce = self.nonce();
        self.borrower.ask(LINK, nonce, self.now)
    }

    fn lender_hears(&mut self, datagram: &[u8]) -> Heard {
        self.lender_hears_from(datagram, BORROWER)
    }

    fn lender_hears_from(&mut self, datagram: &[u8], from: SocketAddrV6) -> Heard {
        let nonce = self.nonce();
        self.lender
            .hear(datagram, from, self.now, nonce, |_| Standing::Asleep)
    }

    fn borrower_hears(&mut self, datagram: &[u8]) -> Answered {
        self.borrower.hear(datagram, LINK, self.now)
    }

    /// A Seek and the lender's answer to it.
    fn offer(&mut self) -> [u8; DATAGRAM_LEN] {
        let seek = self.seek();
        match self.lender_hears(&seek) {
            Heard::Seek { answer, .. } => *answer,
            other => panic!("not answered: {other:?}"),
        }
    }

    /// Everything up to the order to wake up, which is still to be sent.
    fn wake(&mut self) -> (Nonces, Vec<u8>) {
        let offer = self.offer();
        match self.borrower_hears(&offer) {
            Answered::Offer { nonces, wake, .. } => (nonces, wake.unwrap()),
            other => panic!("not heard: {other:?}"),
        }
    }
}

#[test]
fn a_paired_borrower_is_answered_and_wakes_its_lender() {
    let mut table = Table::new();
    let seek = table.seek();
    let Heard::Seek {
        pairing: id,
        answer,
    } = table.lender_hears(&seek)
    else {
        panic!("not answered");
    };
    assert_eq!(id, pairing(1).id);
    let Answered::Offer { offer, wake, .. } = table.borrower_hears(&*answer) else {
        panic!("not heard");
    };
    assert_eq!(
        (offer.lender, offer.standing),
        (lender_name(), Standing::Asleep)
    );
    let woken = table.lender_hears(&wake.unwrap());
    assert_eq!(
        woken,
        Heard::Wake {
            pairing: pairing(1).id
        }
    );
}

#[test]
fn every_standing_arrives_and_only_a_sleeper_is_woken() {
    let longest: Name = "n".repeat(48).parse().unwrap();
    for standing in [
        Standing::Asleep,
        Standing::Announced { seconds: 0xabcd },
        Standing::Leaving,
        Standing::Declined,
        Standing::Offering,
        Standing::Lent { to: longest },
    ] {
        let mut table = Table::new();
        let seek = table.seek();
        let nonce = table.nonce();
        let heard = table
            .lender
            .hear(&seek, BORROWER, table.now, nonce, |_| standing.clone());
        let Heard::Seek { answer, .. } = heard else {
            panic!("not answered");
        };
        let Answered::Offer { offer, wake, .. } = table.borrower_hears(&*answer) else {
            panic!("not heard");
        };
        assert_eq!(wake.is_some(), standing == Standing::Asleep);
        assert_eq!(offer.standing, standing);
    }
}

#[test]
fn each_pairing_has_exchanges_of_its_own() {
    let mut table = Table::new();
    for number in [3, 1, 2] {
        let paired = pairing(number);
        table.borrower = Seeker::new(&paired);
        let (_, wake) = table.wake();
        let woken = table.lender_hears(&wake);
        assert_eq!(woken, Heard::Wake { pairing: paired.id });
        let (nonces, _) = table.wake();
        let request = Request {
            nonces,
            exchange_key: [7; 32],
            tunnel_key: [8; 32],
        };
        let bytes = request.to_bytes(&paired.secret);
        let claimed = table.lender.claim(&bytes, *BORROWER.ip(), table.now);
        assert_eq!(claimed, Some((paired.id, request)));
    }
}

#[test]
fn a_stranger_gets_silence() {
    let mut table = Table::of(&[pairing(2), pairing(3)], &pairing(1));
    let seek = table.seek();
    assert_eq!(table.lender_hears(&seek), Heard::Nothing);
}

#[test]
fn forgetting_a_pairing_silences_it_and_leaves_the_others() {
    let mut table = Table::of(&[pairing(2)], &pairing(1));
    let seek = table.seek();
    assert_eq!(table.lender_hears(&seek), Heard::Nothing);
    table.borrower = Seeker::new(&pairing(2));
    table.wake();
}

#[test]
fn a_forbidden_pairing_gets_silence() {
    let never = Pairing {
        policy: Policy::Never,
        ..pairing(1)
    };
    let mut table = Table::of(&[never, pairing(2)], &pairing(1));
    let seek = table.seek();
    assert_eq!(table.lender_hears(&seek), Heard::Nothing);
}

#[test]
fn two_searches_have_nothing_in_common_but_their_kind() {
    let mut table = Table::of(&[pairing(1)], &pairing(1));
    let one = table.borrower.ask(LINK, [0x11; 32], table.now);
    let two = table.borrower.ask(LINK, [0xee; 32], table.now);
    // The head and the zeros at the end are the same for everybody.
    for at in 8..72 {
        assert!(
            one[at..at + 4] != two[at..at + 4],
            "byte {at} tells them apart"
        );
    }
}

#[test]
fn an_answer_is_never_larger_than_its_question() {
    let mut table = Table::new();
    let (seek, offer) = (table.seek(), table.offer());
    assert!(offer.len() <= seek.len());
    // What is shorter by a byte, and what is longer, is no question at all.
    assert_eq!(
        table.lender_hears(&seek[..DATAGRAM_LEN - 1]),
        Heard::Nothing
    );
    assert_eq!(
        table.lender_hears(&[&seek[..], &[0]].concat()),
        Heard::Nothing
    );
}

#[test]
fn a_datagram_costs_at_most_one_mac_for_each_pairing() {
    let mut table = Table::new();
    let cost = |table: &mut Table, datagram: &[u8]| {
        HMACS.set(0);
        table.lender_hears(datagram);
        HMACS.get()
    };
    let (_, wake) = table.wake();
    let mut forged_wake = wake.clone();
    forged_wake[80] ^= 1;
    assert_eq!(cost(&mut table, &forged_wake), 1);
    assert_eq!(cost(&mut table, &wake), 1);
    assert_eq!(cost(&mut table, &wake), 0);
    table.borrower = Seeker::new(&pairing(9));
    let foreign = table.seek();
    assert_eq!(cost(&mut table, &foreign), 3);
    assert_eq!(cost(&mut table, &[0; DATAGRAM_LEN]), 0);
}

#[test]
fn answers_are_rationed_and_strangers_do_not_use_them_up() {
    let mut table = Table::new();
    let answered = |table: &mut Table, seeks: usize| {
        let seeks: Vec<_> = (0..seeks).map(|_| table.seek()).collect();
        let heard = seeks.iter().map(|seek| table.lender_hears(seek));
        heard.filter(|heard| *heard != Heard::Nothing).count()
    };
    assert_eq!(answered(&mut table, 25), 20);
    table.now += Duration::from_millis(99);
    assert_eq!(answered(&mut table, 5), 0);
    table.now += Duration::from_millis(1);
    assert_eq!(answered(&mut table, 5), 1);
    table.now += Duration::from_secs(3600);
    table.borrower = Seeker::new(&pairing(9));
    assert_eq!(answered(&mut table, 1000), 0);
    table.borrower = Seeker::new(&pairing(1));
    assert_eq!(answered(&mut table, 25), 20);
}

#[test]
fn nonces_are_good_for_seconds() {
    let mut table = Table::new();
    let offer = table.offer();
    let (_, wake) = table.wake();
    table.now += NONCE_LIFETIME - Duration::from_millis(1);
    assert_ne!(table.lender_hears(&wake), Heard::Nothing);
    assert_ne!(table.borrower_hears(&offer), Answered::Nothing);

    let offer = table.offer();
    let (_, wake) = table.wake();
    table.now += NONCE_LIFETIME;
    assert_eq!(table.lender_hears(&wake), Heard::Nothing);
    assert_eq!(table.borrower_hears(&offer), Answered::Nothing);
}

#[test]
fn what_is_kept_of_searches_has_limits() {
    let mut table = Table::new();
    let first = table.offer();
    for _ in 0..256 {
        table.seek();
    }
    assert_eq!(table.borrower_hears(&first), Answered::Nothing);

    let first = table.seek();
    table.lender_hears(&first);
    for more in [4095, 1] {
        assert_eq!(table.lender_hears(&first), Heard::Nothing);
        for _ in 0..more {
            table.now += Duration::from_secs(1);
            table.offer();
        }
    }
    assert_ne!(table.lender_hears(&first), Heard::Nothing);
}
