//! The patterns of modules.alias: those of fnmatch(3) without flags.
//!
//! Not the globs of file names: a `/` is a character like any other (BIOS dates in `dmi:`
//! aliases have some), and braces and a leading `!` mean nothing. That is why none of the
//! libraries for path globs is right here; see `docs/decisions/0002-own-matcher-for-aliases.md`.

/// How many bytes of the pattern stand for themselves, up to its first special character.
pub(super) fn literal_length(pattern: &str) -> usize {
    pattern
        .bytes()
        .position(|b| matches!(b, b'*' | b'?' | b'[' | b'\\'))
        .unwrap_or(pattern.len())
}

/// Whether the whole text is as the pattern says: `*` any run, `?` one byte, `[a-z]` one of
/// a set, `[!a]` or `[^a]` none of it, `\` takes the next byte as it is. A bracket that is
/// never closed stands for itself.
///
/// Linear in the text for each `*`: on a mismatch only the last `*` is tried again.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            retry = Some((p, t));
            continue;
        }
        let step = match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some(_), Some(&byte)) => one(&pattern[p..], byte),
            (None, Some(_)) | (Some(_), None) => None,
        };
        match (step, &mut retry) {
            (Some(length), _) => {
                p += length;
                t += 1;
            }
            (None, Some((after, from))) if *from < text.len() => {
                *from += 1;
                (p, t) = (*after, *from);
            }
            (None, _) => return false,
        }
    }
}

/// The length of the pattern's first element when it takes this byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern {
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (escaped == byte).then_some(2),
        [b'[', ref rest @ ..] => match set(rest, byte) {
            Some((length, found)) => found.then_some(length + 1),
            None => (byte == b'[').then_some(1),
        },
        [literal, ..] => (literal == byte).then_some(1),
        [] => None,
    }
}

/// Reads a set behind its `[`: its length with the `]`, and whether it takes the byte.
fn set(rest: &[u8], byte: u8) -> Option<(usize, bool)> {
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let mut at = start;
    let mut found = false;
    loop {
        let low = *rest.get(at)?;
        // A `]` in the first place is a member.
        if low == b']' && at > start {
            return Some((at + 1, found != negated));
        }
        match (rest.get(at + 1), rest.get(at + 2)) {
            (Some(b'-'), Some(&high)) if high != b']' => {
                found |= (low..=high).contains(&byte);
                at += 3;
            }
            _ => {
                found |= low == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_real_modules() {
        let cases = [
            (
                "pci:v00008086d000010D3sv*sd*bc*sc*i*",
                "pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00",
                true,
            ),
            (
                "pci:v00008086d000010D3sv*sd*bc*sc*i*",
                "pci:v00008086d000010D4sv00008086sd00000000bc02sc00i00",
                false,
            ),
            (
                "pci:v*d*sv*sd*bc0Csc03i30*",
                "pci:v00001B36d0000000Dsv0sd0bc0Csc03i30",
                true,
            ),
            (
                "usb:v0BDAp8152d*dc*dsc*dp*ic*isc*ip*in*",
                "usb:v0BDAp8152d2000dc00dsc00dp00icFFisc00ip00in00",
                true,
            ),
            ("usb:v0430p0[1-3]*", "usb:v0430p02", true),
            ("usb:v0430p0[1-3]*", "usb:v0430p04", false),
            ("usb:v*p*d*dc*dsc*dp*ic03isc*ip*in*", "usb:v1d*p0", false),
            (
                "mdio:00000000000000000111????",
                "mdio:000000000000000001111010",
                true,
            ),
            (
                "mdio:00000000000000000111????",
                "mdio:00000000000000000111101",
                false,
            ),
            (
                "dmi:*:bd*:svnDell*",
                "dmi:bvnX:bd04/01/2014:svnDell/Inc.:",
                true,
            ),
            ("virtio:d00000001v*", "virtio:d00000001v00001AF4", true),
            ("acpi*:PNP0C0A:*", "acpi:PNP0C0A:", true),
            (
                "hid:b0003g*v0000046Dp0000C52B",
                "hid:b0003g0001v0000046Dp0000C52B",
                true,
            ),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn special_characters() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**a**", "ba", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXcYb", false),
            ("?", "", false),
            ("[!a]", "b", true),
            ("[^a]", "a", false),
            ("[]]", "]", true),
            ("[a-]", "-", true),
            ("[", "[", true),
            ("[a", "[a", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("{a,b}", "a", false),
            ("!a", "b", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn many_stars_stay_quick() {
        let pattern = format!("{}b", "*a".repeat(50));
        assert!(!matches(&pattern, &"a".repeat(5_000)));
    }

    #[test]
    fn the_literal_part_ends_at_the_first_special_character() {
        assert_eq!(literal_length("pci:v00*"), 7);
        assert_eq!(literal_length("platform:x"), 10);
        assert_eq!(literal_length("*"), 0);
    }
}
