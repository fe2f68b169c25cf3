use super::*;

const EXPORT: Export = Export {
    size: 1 << 30,
    block_bytes: 512,
    read_only: false,
    trim: true,
    rotational: false,
};
const ALL: Agreed = Agreed {
    structured: true,
    allocation: true,
};
const NONE: Agreed = Agreed {
    structured: false,
    allocation: false,
};

fn request(command: u16, flags: u16, offset: u64, length: u32) -> Request {
    Request {
        flags,
        command,
        cookie: 7,
        offset,
        length,
    }
}

fn check(command: u16, flags: u16, offset: u64, length: u32) -> Result<Command, WireError> {
    request(command, flags, offset, length).check(&EXPORT, &ALL)
}

#[test]
fn what_is_encoded_is_parsed() {
    let written = Request {
        flags: 1,
        command: 1,
        cookie: 0x0102_0304_0506_0708,
        offset: 0x1122,
        length: 0x3344,
    };
    let bytes = written.encode();
    assert_eq!(bytes[..8], [0x25, 0x60, 0x95, 0x13, 0, 1, 0, 1]);
    assert_eq!(Request::parse(&bytes), Ok(written));
    let mut wrong = bytes;
    wrong[0] ^= 1;
    assert!(Request::parse(&wrong).is_err());
}

#[test]
fn ranges_are_inside_and_aligned() {
    let end = EXPORT.size;
    for command in [
        command::READ,
        command::WRITE,
        command::TRIM,
        command::WRITE_ZEROES,
        command::CACHE,
        command::BLOCK_STATUS,
    ] {
        let beyond = match command {
            command::WRITE | command::WRITE_ZEROES => WireError::NoSpace,
            _ => WireError::Invalid,
        };
        assert!(check(command, 0, 0, 512).is_ok());
        assert!(check(command, 0, end - 512, 512).is_ok());
        assert_eq!(check(command, 0, end, 512), Err(beyond));
        assert_eq!(check(command, 0, end - 512, 1024), Err(beyond));
        assert_eq!(check(command, 0, u64::MAX - 511, 512), Err(beyond));
        assert_eq!(check(command, 0, 0, 0), Err(WireError::Invalid));
        assert_eq!(check(command, 0, 1, 512), Err(WireError::Invalid));
        assert_eq!(check(command, 0, 512, 511), Err(WireError::Invalid));
    }
}

#[test]
fn only_payloads_are_bounded() {
    assert!(check(command::READ, 0, 0, MAX_PAYLOAD_BYTES).is_ok());
    assert_eq!(
        check(command::READ, 0, 0, MAX_PAYLOAD_BYTES + 512),
        Err(WireError::Invalid)
    );
    assert_eq!(
        check(command::WRITE, 0, 0, MAX_PAYLOAD_BYTES + 512),
        Err(WireError::Invalid)
    );
    assert!(check(command::TRIM, 0, 0, 1 << 30).is_ok());
    assert!(check(command::WRITE_ZEROES, 0, 0, 1 << 30).is_ok());
}

#[test]
fn each_command_takes_its_own_flags_only() {
    use command_flag::*;
    let allowed = [
        (command::READ, FUA | DF),
        (command::WRITE, FUA),
        (command::FLUSH, FUA),
        (command::TRIM, FUA),
        (command::CACHE, FUA),
        (command::WRITE_ZEROES, FUA | NO_HOLE | FAST_ZERO),
        (command::BLOCK_STATUS, FUA | REQ_ONE),
    ];
    for (command, allowed) in allowed {
        let length = if command == command::FLUSH { 0 } else { 512 };
        for bit in 0..16 {
            let flag = 1 << bit;
            let outcome = check(command, flag, 0, length);
            assert_eq!(
                outcome.is_ok(),
                allowed & flag != 0,
                "command {command}, flag {flag}"
            );
        }
    }
}

#[test]
fn what_was_not_agreed_on_is_refused() {
    assert!(
        request(command::READ, 0, 0, 512)
            .check(&EXPORT, &NONE)
            .is_ok()
    );
    let whole = request(command::READ, command_flag::DF, 0, 512);
    assert_eq!(whole.check(&EXPORT, &NONE), Err(WireError::Invalid));
    let status = request(command::BLOCK_STATUS, 0, 0, 512);
    assert_eq!(status.check(&EXPORT, &NONE), Err(WireError::Invalid));
    let no_trim = Export {
        trim: false,
        ..EXPORT
    };
    assert_eq!(
        request(command::TRIM, 0, 0, 512).check(&no_trim, &ALL),
        Err(WireError::Invalid)
    );
}

#[test]
fn a_read_only_export_is_not_written_to() {
    let export = Export {
        read_only: true,
        ..EXPORT
    };
    for command in [command::WRITE, command::TRIM, command::WRITE_ZEROES] {
        assert_eq!(
            request(command, 0, 0, 512).check(&export, &ALL),
            Err(WireError::NotPermitted)
        );
    }
    assert_eq!(
        request(command::FLUSH, 0, 0, 0).check(&export, &ALL),
        Ok(Command::Flush)
    );
    let fua = request(command::READ, command_flag::FUA, 0, 512);
    assert_eq!(fua.check(&export, &ALL), Err(WireError::Invalid));
}

#[test]
fn unknown_commands_are_refused_and_have_no_payload() {
    for command in 8..=u16::MAX {
        let request = request(command, 0, 0, 512);
        assert_eq!(request.check(&EXPORT, &ALL), Err(WireError::Invalid));
        assert_eq!(request.payload_bytes(), 0);
    }
    assert_eq!(
        request(command::WRITE, 0xffff, 3, u32::MAX).payload_bytes(),
        u32::MAX
    );
}

#[test]
fn flush_has_no_range() {
    assert_eq!(check(command::FLUSH, 0, 0, 0), Ok(Command::Flush));
    assert_eq!(check(command::FLUSH, 0, 512, 0), Err(WireError::Invalid));
    assert_eq!(check(command::FLUSH, 0, 0, 512), Err(WireError::Invalid));
}

#[test]
fn replies_are_the_protocols_bytes() {
    let ok = simple_reply(0x0102_0304_0506_0708, Ok(()));
    assert_eq!(
        ok,
        [0x67, 0x44, 0x66, 0x98, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
    );
    let failed = simple_reply(0, Err(WireError::NotSupported));
    assert_eq!(failed[4..8], [0, 0, 0, 95]);

    let data = data_chunk(
        1,
        Range {
            offset: 0x200,
            length: 0x400,
        },
        true,
    );
    assert_eq!(data[..8], [0x66, 0x8e, 0x33, 0xef, 0, 1, 0, 1]);
    assert_eq!(data[16..], [0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 2, 0]);

    let failed = error_chunk(1, WireError::Io, None);
    assert_eq!(failed[4..8], [0, 1, 0x80, 1]);
    assert_eq!(failed[16..], [0, 0, 0, 6, 0, 0, 0, 5, 0, 0]);
    let failed = error_chunk(1, WireError::Io, Some(512));
    assert_eq!(failed[4..8], [0, 1, 0x80, 2]);
    assert_eq!(
        failed[16..],
        [0, 0, 0, 14, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0]
    );

    let status = block_status(
        1,
        &[
            Extent {
                length: 512,
                hole: false,
            },
            Extent {
                length: 1024,
                hole: true,
            },
        ],
    );
    assert_eq!(status[4..8], [0, 1, 0, 5]);
    assert_eq!(
        status[16..],
        [
            0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 3
        ]
    );
}
