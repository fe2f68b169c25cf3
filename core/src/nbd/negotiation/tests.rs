use super::*;
use crate::nbd::Slot;

const EXPORT: Export = Export {
    size: 1 << 30,
    block_bytes: 4096,
    read_only: false,
    trim: true,
    rotational: false,
};

fn begin() -> Negotiation {
    Negotiation::begin([0, 0, 0, 3]).unwrap()
}

fn string(text: &[u8]) -> Vec<u8> {
    [&length(text.len())[..], text].concat()
}

fn go(name: &[u8], infos: &[u16]) -> Vec<u8> {
    let mut data = string(name);
    data.extend((infos.len() as u16).to_be_bytes());
    data.extend(infos.iter().flat_map(|kind| kind.to_be_bytes()));
    data
}

fn meta(name: &[u8], queries: &[&[u8]]) -> Vec<u8> {
    let mut data = string(name);
    data.extend(length(queries.len()));
    data.extend(queries.iter().flat_map(|query| string(query)));
    data
}

/// The kinds and contents of answers in `bytes`, which must all be for `option`.
fn answers(option: u32, mut bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let mut fields = Fields(bytes);
        assert_eq!(fields.u64(), Some(REPLY_MAGIC));
        assert_eq!(fields.u32(), Some(option));
        let kind = fields.u32().unwrap();
        found.push((kind, fields.string().unwrap().to_vec()));
        bytes = fields.0;
    }
    found
}

fn answered(option: u32, step: Step) -> Vec<(u32, Vec<u8>)> {
    match step {
        Step::Answer(bytes) => answers(option, &bytes),
        other => panic!("{other:?}"),
    }
}

fn kinds(option: u32, step: Step) -> Vec<u32> {
    answered(option, step)
        .into_iter()
        .map(|(kind, _)| kind)
        .collect()
}

#[test]
fn the_greeting_is_the_protocols() {
    assert_eq!(&greeting(), b"NBDMAGICIHAVEOPT\0\x03");
    assert!(Negotiation::begin([0, 0, 0, 4]).is_err());
    assert!(OptionHeader::parse(b"IHAVEOPU\0\0\0\0\0\0\0\0").is_err());
    assert_eq!(
        OptionHeader::parse(b"IHAVEOPT\0\0\0\x07\0\0\0\x06"),
        Ok(OptionHeader {
            option: option::GO,
            length: 6
        })
    );
}

#[test]
fn go_opens_and_tells_size_and_blocks() {
    let mut negotiation = begin();
    let data = go(b"disk/3", &[info::NAME, info::DESCRIPTION, 77]);
    let Step::Open(opening) = negotiation.handle(option::GO, &data, &EXPORT) else {
        panic!()
    };
    assert_eq!(opening.export, ExportName::Slot(Slot::new(3).unwrap()));
    let (bytes, agreed) = negotiation.grant(&opening, &EXPORT);
    assert_eq!(agreed, Agreed::default());
    let told = answers(option::GO, &bytes);
    let kinds: Vec<u32> = told.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(
        kinds,
        [
            reply::INFO,
            reply::INFO,
            reply::INFO,
            reply::INFO,
            reply::ACK
        ]
    );
    assert_eq!(told[0].1[..10], [0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0]);
    assert_eq!(told[0].1[10..], EXPORT.flags(false).to_be_bytes());
    assert_eq!(told[1].1, b"\0\x01disk/3");
    assert_eq!(told[3].1, [0, 3, 0, 0, 0x10, 0, 0, 0, 0x10, 0, 2, 0, 0, 0]);
}

#[test]
fn a_denied_go_says_why() {
    let mut negotiation = begin();
    let Step::Open(opening) = negotiation.handle(option::GO, &go(b"disk", &[]), &EXPORT) else {
        panic!()
    };
    let bytes = negotiation.deny(&opening, "lent to desktop").unwrap();
    assert_eq!(
        answers(option::GO, &bytes),
        [(reply::ERR_POLICY, b"lent to desktop".to_vec())]
    );
}

#[test]
fn info_tells_the_same_and_stays() {
    let mut negotiation = begin();
    let step = negotiation.handle(option::INFO, &go(b"", &[]), &EXPORT);
    assert_eq!(
        kinds(option::INFO, step),
        [reply::INFO, reply::INFO, reply::ACK]
    );
    let step = negotiation.handle(option::INFO, &go(b"other", &[]), &EXPORT);
    assert_eq!(kinds(option::INFO, step), [reply::ERR_UNKNOWN]);
    let step = negotiation.handle(option::GO, &go(b"disk/16", &[]), &EXPORT);
    assert_eq!(kinds(option::GO, step), [reply::ERR_UNKNOWN]);
}

#[test]
fn export_name_has_no_way_to_say_no() {
    let mut negotiation = Negotiation::begin([0; 4]).unwrap();
    let Step::Open(opening) = negotiation.handle(option::EXPORT_NAME, b"disk", &EXPORT) else {
        panic!()
    };
    assert_eq!(negotiation.grant(&opening, &EXPORT).0.len(), 10 + 124);
    assert_eq!(negotiation.deny(&opening, "no"), None);
    assert_eq!(
        negotiation.handle(option::EXPORT_NAME, b"other", &EXPORT),
        Step::Quit(Vec::new())
    );

    let mut negotiation = begin();
    let Step::Open(opening) = negotiation.handle(option::EXPORT_NAME, b"", &EXPORT) else {
        panic!()
    };
    assert_eq!(negotiation.grant(&opening, &EXPORT).0.len(), 10);
}

#[test]
fn list_abort_and_unknown() {
    let mut negotiation = begin();
    let listed = answered(option::LIST, negotiation.handle(option::LIST, &[], &EXPORT));
    assert_eq!(
        listed,
        [
            (reply::SERVER, b"\0\0\0\x04disk".to_vec()),
            (reply::ACK, vec![])
        ]
    );
    assert_eq!(
        kinds(
            option::LIST,
            negotiation.handle(option::LIST, &[0], &EXPORT)
        ),
        [reply::ERR_INVALID]
    );
    for unknown in [0, option::STARTTLS, 4, 11, 12, u32::MAX] {
        let step = negotiation.handle(unknown, &[1, 2, 3], &EXPORT);
        assert_eq!(kinds(unknown, step), [reply::ERR_UNSUP]);
    }
    let Step::Quit(bytes) = negotiation.handle(option::ABORT, &[], &EXPORT) else {
        panic!()
    };
    assert_eq!(answers(option::ABORT, &bytes), [(reply::ACK, vec![])]);
}

#[test]
fn allocation_is_agreed_for_one_export_and_with_chunks() {
    let set = option::SET_META_CONTEXT;
    let mut negotiation = begin();
    let step = negotiation.handle(set, &meta(b"disk", &[ALLOCATION]), &EXPORT);
    assert_eq!(kinds(set, step), [reply::ERR_INVALID]);
    negotiation.handle(option::STRUCTURED_REPLY, &[], &EXPORT);
    let step = negotiation.handle(set, &meta(b"disk", &[b"qemu:dirty", ALLOCATION]), &EXPORT);
    assert_eq!(
        answered(set, step)[0],
        (reply::META_CONTEXT, b"\0\0\0\x01base:allocation".to_vec())
    );

    let mut agreed_for = |name: &[u8]| {
        let Step::Open(opening) = negotiation.handle(option::GO, &go(name, &[]), &EXPORT) else {
            panic!()
        };
        negotiation.grant(&opening, &EXPORT).1
    };
    assert_eq!(
        agreed_for(b"disk"),
        Agreed {
            structured: true,
            allocation: true
        }
    );
    assert_eq!(
        agreed_for(b"disk/1"),
        Agreed {
            structured: true,
            allocation: false
        }
    );

    // What is set anew replaces what was set before, even when it is refused.
    let step = negotiation.handle(set, &meta(b"disk", &[b"base:"]), &EXPORT);
    assert_eq!(kinds(set, step), [reply::ACK]);
    let Step::Open(opening) = negotiation.handle(option::GO, &go(b"disk", &[]), &EXPORT) else {
        panic!()
    };
    assert!(!negotiation.grant(&opening, &EXPORT).1.allocation);
}

#[test]
fn contexts_are_listed_by_name_and_by_family() {
    let list = option::LIST_META_CONTEXT;
    let mut negotiation = begin();
    negotiation.handle(option::STRUCTURED_REPLY, &[], &EXPORT);
    let both = [reply::META_CONTEXT, reply::ACK];
    for queries in [&[][..], &[b"base:".as_slice()], &[ALLOCATION]] {
        let step = negotiation.handle(list, &meta(b"disk", queries), &EXPORT);
        assert_eq!(kinds(list, step), both);
    }
    let step = negotiation.handle(list, &meta(b"disk", &[b"qemu:"]), &EXPORT);
    assert_eq!(kinds(list, step), [reply::ACK]);
    let step = negotiation.handle(list, &meta(b"other", &[]), &EXPORT);
    assert_eq!(kinds(list, step), [reply::ERR_UNKNOWN]);
}

#[test]
fn every_truncation_and_every_surplus_is_invalid() {
    let mut negotiation = begin();
    negotiation.handle(option::STRUCTURED_REPLY, &[], &EXPORT);
    let cases = [
        (option::GO, go(b"disk", &[1, 2, 3])),
        (
            option::LIST_META_CONTEXT,
            meta(b"disk", &[b"base:", ALLOCATION]),
        ),
    ];
    for (option, good) in cases {
        for cut in 0..good.len() {
            // A fresh one each time, because options are counted.
            let step = negotiation.clone().handle(option, &good[..cut], &EXPORT);
            assert_eq!(
                kinds(option, step),
                [reply::ERR_INVALID],
                "{option} cut at {cut}"
            );
        }
        let surplus = [&good[..], &[0]].concat();
        let step = negotiation.handle(option, &surplus, &EXPORT);
        assert_eq!(kinds(option, step), [reply::ERR_INVALID]);
    }
    // Counts and lengths that promise more than any message holds.
    let huge = [&string(b"disk")[..], &[0xff; 4]].concat();
    let step = negotiation.handle(option::LIST_META_CONTEXT, &huge, &EXPORT);
    assert_eq!(kinds(option::LIST_META_CONTEXT, step), [reply::ERR_INVALID]);
}

#[test]
fn options_are_counted() {
    let mut negotiation = begin();
    for _ in 0..MAX_OPTIONS {
        assert!(matches!(
            negotiation.handle(99, &[], &EXPORT),
            Step::Answer(_)
        ));
    }
    assert_eq!(
        negotiation.handle(option::LIST, &[], &EXPORT),
        Step::Quit(Vec::new())
    );
    let mut negotiation = begin();
    assert_eq!(kinds(99, negotiation.too_big(99)), [reply::ERR_TOO_BIG]);
    assert_eq!(
        negotiation.too_big(option::EXPORT_NAME),
        Step::Quit(Vec::new())
    );
}
