//! Whatever arrives: no panic, and nobody who lacks the secret is answered.

use super::*;
use crate::discovery::Offer;
use proptest::prelude::*;

/// Bytes that look like a message of ours to begin with, or like nothing.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let head = prop_oneof![
        (any::<u8>(), 0..6_u8)
            .prop_map(|(version, kind)| vec![b'S', b'T', b'F', b'L', version, kind, 0, 0]),
        (1..3_u8, 0..4_u8)
            .prop_map(|(version, kind)| vec![b'S', b'T', b'F', b'B', version, kind, 0, 0]),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    let len = prop_oneof![0..300_usize, Just(72), Just(104), Just(168), Just(192)];
    (
        head,
        len,
        any::<u8>(),
        prop::collection::vec(any::<u8>(), 64),
    )
        .prop_map(|(mut bytes, len, fill, random)| {
            bytes.extend(random);
            bytes.resize(len, if fill < 128 { 0 } else { fill });
            bytes
        })
}

proptest! {
    #[test]
    fn whatever_arrives_is_silence(bytes in datagram()) {
        let mut table = Table::new();
        table.wake();
        prop_assert_eq!(table.lender_hears(&bytes), Heard::Nothing);
        prop_assert_eq!(table.borrower_hears(&bytes), Answered::Nothing);
        prop_assert!(table.lender.claim(&bytes, *BORROWER.ip(), table.now).is_none());
    }

    #[test]
    fn a_paired_lender_that_says_anything_does_no_harm(plain in prop::collection::vec(any::<u8>(), 104)) {
        // What a newer lender may put into its Offer is decoded or refused.
        let _ = Offer::decode(&plain);
    }
}
