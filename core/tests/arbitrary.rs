//! Every parser of bytes from outside: whatever comes, no panic, and what is
//! accepted keeps the rules.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use stiefel_core::nbd::negotiation::{
    MAX_OPTION_BYTES, MAX_OPTIONS, Negotiation, OptionHeader, REPLY_MAGIC, Step,
};
use stiefel_core::nbd::transmission::{Command, Range, Request};
use stiefel_core::nbd::{Agreed, Export, ExportName, MAX_PAYLOAD_BYTES};
use stiefel_core::net::MacAddress;
use stiefel_core::pairing::{Name, PairingId};
use stiefel_core::stick::error_log::{ErrorLog, LEN, Record};
use stiefel_core::stick::{Serial, Volume};
use stiefel_core::ticket::Ticket;
use stiefel_core::{bundle, control, supervisor};

const EXPORT: Export = Export {
    size: 1 << 40,
    block_bytes: 512,
    read_only: false,
    trim: true,
    rotational: false,
};

/// JSON that has the words of our formats in it, mostly in the wrong places.
fn json() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "version",
        "role",
        "serve",
        "fetch",
        "attach",
        "lender",
        "pairing",
        "secret",
        "answer",
        "grant",
        "refused",
        "epoch",
        "verb",
        "ask",
        "status",
        "release",
        "kernel_len",
        "desk",
    ]);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:e}")),
        word.clone().prop_map(|word| format!("\"{word}\"")),
        "\"[^\"\\\\]{0,20}\"".prop_map(|text| text),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec((word.clone(), inner), 0..6).prop_map(|all| {
                let fields: Vec<String> = all
                    .iter()
                    .map(|(key, value)| format!("\"{key}\":{value}"))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

/// Reads a server's answers to options as a client does; `None` if they are out of step.
fn replies(mut bytes: &[u8], option: u32) -> Option<usize> {
    let mut count = 0;
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at_checked(20)?;
        let number = |at: usize| Some(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let magic = u64::from_be_bytes(head[..8].try_into().ok()?);
        if magic != REPLY_MAGIC || number(8)? != option {
            return None;
        }
        bytes = rest.split_at_checked(number(16)? as usize)?.1;
        count += 1;
    }
    Some(count)
}

fn ranges(command: Command) -> Option<Range> {
    match command {
        Command::Read { range, .. }
        | Command::Write { range, .. }
        | Command::Trim { range, .. }
        | Command::WriteZeroes { range, .. }
        | Command::Cache { range }
        | Command::BlockStatus { range, .. } => Some(range),
        Command::Flush | Command::Disconnect => None,
    }
}

proptest! {
    #[test]
    fn options_are_answered_in_step(
        flags in 0..4_u32,
        options in prop::collection::vec(
            (0..12_u32, prop::collection::vec(any::<u8>(), 0..64), 0..10_u32, 0..4_u16),
            0..40,
        ),
    ) {
        let mut negotiation = Negotiation::begin(flags.to_be_bytes()).unwrap();
        for (option, tail, length, count) in options {
            // A name's length that fits or does not, the name, and what follows.
            let mut data = length.to_be_bytes().to_vec();
            data.extend(b"disk/1".iter().take(length as usize));
            data.extend(count.to_be_bytes());
            data.extend(tail);
            match negotiation.handle(option, &data, &EXPORT) {
                Step::Answer(bytes) => prop_assert!(replies(&bytes, option).is_some_and(|count| count > 0)),
                Step::Quit(bytes) => prop_assert!(replies(&bytes, option).is_some()),
                Step::Open(opening) => {
                    let (bytes, _) = negotiation.grant(&opening, &EXPORT);
                    prop_assert!(!bytes.is_empty());
                    if let Some(denial) = negotiation.deny(&opening, "no") {
                        prop_assert_eq!(replies(&denial, option), Some(1));
                        prop_assert!(replies(&bytes, option).is_some());
                    }
                }
            }
        }
    }

    #[test]
    fn options_come_to_an_end(option in any::<u32>(), data in prop::collection::vec(any::<u8>(), 0..32)) {
        let mut negotiation = Negotiation::begin([0; 4]).unwrap();
        let ended = (0..=MAX_OPTIONS).any(|_| matches!(negotiation.handle(option, &data, &EXPORT), Step::Quit(_)));
        let opened = matches!(negotiation.handle(option, &data, &EXPORT), Step::Open(_));
        prop_assert!(ended && !opened);
        let _ = Negotiation::begin([0; 4]).unwrap().too_big(option);
    }

    #[test]
    fn headers_are_read_or_refused(bytes in any::<[u8; 16]>(), request in any::<[u8; 28]>(), name in prop::collection::vec(any::<u8>(), 0..12)) {
        if let Ok(header) = OptionHeader::parse(&bytes) {
            prop_assert_eq!(&header.option.to_be_bytes(), &bytes[8..12]);
        }
        if let Ok(parsed) = Request::parse(&request) {
            prop_assert_eq!(parsed.encode(), request);
        }
        if let Some(export) = ExportName::parse(&name) {
            prop_assert!(name.is_empty() || export.to_string().as_bytes() == name);
        }
    }

    #[test]
    fn what_may_be_done_lies_on_the_disk(
        (flags, command) in (0..64_u16, 0..10_u16),
        (blocks_before_end, unaligned) in (0..100_000_u64, prop_oneof![Just(0), 0..512_u64]),
        length in prop_oneof![(0..100_000_u32).prop_map(|blocks| blocks.wrapping_mul(512)), any::<u32>()],
        (read_only, structured, allocation) in any::<(bool, bool, bool)>(),
    ) {
        let export = Export { read_only, ..EXPORT };
        let agreed = Agreed { structured, allocation };
        let offset = (export.size - blocks_before_end * 512).wrapping_add(unaligned);
        let request = Request { flags, command, cookie: 1, offset, length };
        let Ok(command) = request.check(&export, &agreed) else { return Ok(()) };
        if let Some(range) = ranges(command) {
            prop_assert!(range.length > 0 && range.length % 512 == 0 && range.offset % 512 == 0);
            prop_assert!(range.offset + u64::from(range.length) <= export.size);
        }
        let moves = matches!(command, Command::Read { .. } | Command::Write { .. });
        prop_assert!(!moves || length <= MAX_PAYLOAD_BYTES);
        let writes = matches!(command, Command::Write { .. } | Command::Trim { .. } | Command::WriteZeroes { .. });
        prop_assert!(!(writes && read_only));
    }

    #[test]
    fn json_is_read_or_refused(text in json()) {
        if let Ok(ticket) = Ticket::from_json(text.as_bytes()) {
            prop_assert_eq!(Ticket::from_json(&ticket.to_json().unwrap()).unwrap(), ticket);
        }
        let _ = serde_json::from_str::<bundle::Answer>(&text);
        let _ = serde_json::from_str::<control::Release>(&text);
        let _ = serde_json::from_str::<control::Status>(&text);
        let _ = serde_json::from_str::<supervisor::Question>(&text);
        let _ = serde_json::from_str::<supervisor::Answer>(&text);
    }

    #[test]
    fn errors_about_tickets_quote_nothing_of_them(secret in "[0-9a-f]{64}", cut in 0..200_usize) {
        let text = format!(
            r#"{{"version":1,"role":"fetch","pairing":{{"id":"0000000000000001","name":"desk","secret":"{secret}"}}}}"#
        );
        let cut = &text[..cut.min(text.len())];
        let error = Ticket::from_json(cut.as_bytes()).unwrap_err().to_string();
        prop_assert!(!error.contains(&secret[..8]), "{}", error);
    }

    #[test]
    fn volumes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 512), ours in any::<bool>()) {
        let mut sector: [u8; 512] = bytes.try_into().unwrap();
        if ours {
            sector[11..14].copy_from_slice(&[0, 2, 1]);
            sector[16] = 2;
            sector[44..48].copy_from_slice(&[2, 0, 0, 0]);
            sector[82..90].copy_from_slice(b"FAT32   ");
            sector[510..].copy_from_slice(&[0x55, 0xaa]);
        }
        let volume = Volume::of(&sector);
        prop_assert!(volume.is_some() || !ours);
        if let Some(volume) = volume {
            prop_assert_eq!(volume.log_at() % 4096, 0);
            prop_assert!(!volume.is_one_piece(&sector));
        }
    }

    #[test]
    fn whatever_an_error_log_holds_it_keeps_its_length(
        lines in prop::collection::vec("(=== )?[a-z\u{fc} ]{0,30}", 0..12),
        times in 1..40_usize,
        error in "[a-z\u{fc}\u{1b}\n ]{0,40}",
    ) {
        let serial = Serial(7);
        let text: String = lines.iter().map(|line| format!("\n{}", line.repeat(times))).collect();
        let mut bytes = format!("Stiefelsystem error log {serial}{text}\n").into_bytes();
        bytes.resize(bytes.len().max(LEN), b' ');
        if let Ok(mut log) = ErrorLog::parse(&bytes, serial) {
            log.add(&Record { error: error.clone(), machine: error, ..Record::default() });
            let again = log.to_bytes();
            prop_assert_eq!(again.len(), LEN);
            prop_assert_eq!(ErrorLog::parse(&again, serial), Ok(log));
        }
    }

    #[test]
    fn words_have_one_form(text in "\\PC{0,60}") {
        if let Ok(name) = text.parse::<Name>() {
            prop_assert_eq!(name.as_str(), &text);
        }
        if let Ok(id) = text.parse::<PairingId>() {
            prop_assert_eq!(id.to_string(), text.clone());
        }
        if let Ok(address) = text.parse::<MacAddress>() {
            prop_assert_eq!(address.to_string(), text.to_lowercase());
        }
        if let Some(name) = Name::lossy(&text) {
            prop_assert_eq!(name.as_str().parse::<Name>().unwrap(), name);
        }
    }
}

// An option is read into memory before it is handled.
const _: () = assert!(MAX_OPTION_BYTES <= 64 << 10);
