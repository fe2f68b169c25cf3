//! Leaves out what looks like a key or a password.
//!
//! Nothing that is packed should have one. This is for what people write where it does not
//! belong: into a configuration file, onto the kernel's command line, into the name of a
//! network.

/// What stands where something was left out.
const LEFT_OUT: &str = "(left out)";
/// Hexadecimal digits in a row: 16 bytes, the shortest key in use.
const MIN_HEX: usize = 32;
/// Characters of a key of 32 bytes in base64, without padding.
const BASE64: usize = 43;
/// Names of what is secret.
const SECRETS: [&str; 7] = [
    "secret",
    "passw",
    "passphrase",
    "psk",
    "token",
    "key",
    "private",
];

/// How secrets could be written in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In any way; only keys themselves can be told.
    Text,
    /// As `name=value` or `name = "value"`, too.
    Settings,
}

/// The text without its secrets, and how many there were.
pub fn scrub(text: &str, kind: Kind) -> (String, usize) {
    let mut count = 0;
    let mut clean = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let line = match kind {
            Kind::Text => line.to_owned(),
            Kind::Settings => without_values(line, &mut count),
        };
        clean += &without_keys(&line, &mut count);
    }
    (clean, count)
}

/// Leaves out the values of secret names: up to the end of the line where there are blanks
/// around the `=`, else up to the next blank outside of quotes.
fn without_values(line: &str, count: &mut usize) -> String {
    let mut clean = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('=') {
        let (before, after) = rest.split_at(at + 1);
        clean += before;
        rest = after;
        let name = before[..at].trim_end();
        let name = name.rsplit(char::is_whitespace).next().unwrap_or_default();
        if !is_secret(name) {
            continue;
        }
        let spaced = before[..at].ends_with(' ') || after.starts_with(' ');
        let end = match spaced {
            true => after.trim_end_matches(['\r', '\n']).len(),
            false => end_of_word(after),
        };
        if !after[..end].trim().is_empty() {
            *count += 1;
            clean += LEFT_OUT;
            rest = &after[end..];
        }
    }
    clean + rest
}

fn end_of_word(text: &str) -> usize {
    let mut quoted = false;
    let end = text.find(|letter: char| {
        quoted ^= letter == '"';
        letter == '\n' || letter.is_whitespace() && !quoted
    });
    end.unwrap_or(text.len())
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETS.iter().any(|secret| name.contains(secret))
}

/// Leaves out what can hardly be anything but a key: many hexadecimal digits, or base64 of 32 bytes.
fn without_keys(line: &str, count: &mut usize) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut rest = line;
    let in_word = |letter: char| letter.is_ascii_alphanumeric() || "+/-_".contains(letter);
    while let Some(start) = rest.find(in_word) {
        clean += &rest[..start];
        rest = &rest[start..];
        let end = rest.find(|letter| !in_word(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if is_base64_key(word, after) {
            *count += 1;
            clean += LEFT_OUT;
            rest = after.strip_prefix('=').unwrap_or(after);
        } else {
            clean += &without_hex(word, count);
            rest = after;
        }
    }
    clean + rest
}

fn is_base64_key(word: &str, after: &str) -> bool {
    let has = |kind: fn(&char) -> bool| word.chars().any(|letter| kind(&letter));
    word.len() == BASE64
        && (after.starts_with('=')
            || has(char::is_ascii_uppercase)
                && has(char::is_ascii_lowercase)
                && has(char::is_ascii_digit))
}

fn without_hex(word: &str, count: &mut usize) -> String {
    let mut clean = String::with_capacity(word.len());
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest
            .find(|letter: char| !letter.is_ascii_hexdigit())
            .unwrap_or(rest.len());
        if end >= MIN_HEX {
            *count += 1;
            clean += LEFT_OUT;
        } else {
            clean += &rest[..end];
        }
        // The letter that is none goes along.
        let next = rest[end..]
            .chars()
            .next()
            .map_or(end, |letter| end + letter.len_utf8());
        clean += &rest[end..next];
        rest = &rest[next..];
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
    const WIREGUARD: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

    fn clean(text: &str, kind: Kind) -> String {
        scrub(text, kind).0
    }

    #[test]
    fn keys_are_left_out_wherever_they_are() {
        for key in [HEX, &HEX[..32], WIREGUARD, WIREGUARD.trim_end_matches('=')] {
            for text in [
                key.to_owned(),
                format!("a {key} b"),
                format!("{{\"x\":\"{key}\"}}\n"),
                format!("x:{key}."),
            ] {
                let (clean, count) = scrub(&text, Kind::Text);
                assert_eq!(count, 1, "{text}");
                assert!(!clean.contains(&key[..20]), "{clean}");
                assert_eq!(clean, text.replace(key, LEFT_OUT));
            }
        }
    }

    #[test]
    fn values_of_secret_names_are_left_out_of_settings() {
        for (text, expected) in [
            ("psk = \"my dog\"\n", "psk =(left out)\n"),
            (
                "ro password=hunter2 quiet\n",
                "ro password=(left out) quiet\n",
            ),
            ("a=1 wifi.psk=\"my dog\" b=2", "a=1 wifi.psk=(left out) b=2"),
            (
                "rd.luks.key=/keys/x rd.luks.uuid=7",
                "rd.luks.key=(left out) rd.luks.uuid=7",
            ),
            ("Token=x=y z", "Token=(left out) z"),
            ("interface = \"lan0\"\n", "interface = \"lan0\"\n"),
            ("root=UUID=77 key=", "root=UUID=77 key="),
        ] {
            assert_eq!(clean(text, Kind::Settings), expected);
        }
        assert_eq!(clean("password=hunter2", Kind::Text), "password=hunter2");
    }

    #[test]
    fn what_is_no_key_stays() {
        for text in [
            "root=UUID=8f3e2c1a-0d4b-4a59-9a1e-1f2d3c4b5a69 ro",
            "2026-11-20T09:50:36.123456+00:00 host stiefeld[1]: takes a step: HoldSleep",
            "/usr/lib/modules/6.12.107/kernel/drivers/net/ethernet/realtek/r8169.ko.xz",
            "52:54:00:00:00:01 0123456789abcdef (pairing) 32 GB äöü",
            "",
        ] {
            assert_eq!(scrub(text, Kind::Text), (text.to_owned(), 0));
        }
    }

    #[test]
    fn nothing_is_lost_between_lines() {
        let text = "a = 1\r\n\nkeyring = \"x\"\nend";
        assert_eq!(
            clean(text, Kind::Settings),
            "a = 1\r\n\nkeyring =(left out)\nend"
        );
    }
}
