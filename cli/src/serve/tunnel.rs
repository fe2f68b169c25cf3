//! A tunnel for `stiefelctl serve`, to the machine of a pairing.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use stiefel_core::bundle::public_key;
use stiefel_core::net::{BORROWER_ADDRESS, LENDER_ADDRESS, TUNNEL_PORT, TUNNEL_PREFIX};
use stiefel_core::pairing::Pairing;
use stiefel_core::standalone::TunnelKeys;
use stiefel_server::tunnel::Tunnel;

/// Where the daemon keeps its pairings, for root only.
const PAIRINGS: &str = "/var/lib/stiefelsystem/pairings";

/// Makes the tunnel and listens in it; writes the other side's half, if that is asked for.
pub fn open(pairing: &str, config: Option<&Path>) -> anyhow::Result<(TcpListener, Tunnel)> {
    let pairing = find(Path::new(PAIRINGS), pairing)?;
    let keys = TunnelKeys::of(&pairing.secret);
    if let Some(path) = config {
        write_config(path, &keys)?;
    }
    let tunnel = Tunnel::open(&keys).context(
        "cannot make the tunnel; it needs root, a kernel with WireGuard, and one disk at a time",
    )?;
    let listener = tunnel.listen().context("cannot listen in the tunnel")?;
    Ok((listener, tunnel))
}

/// The pairing with this name or id.
fn find(folder: &Path, wanted: &str) -> anyhow::Result<Pairing> {
    let entries = fs::read_dir(folder).with_context(|| {
        format!(
            "cannot read {}; run this as root, on a machine that is paired",
            folder.display()
        )
    })?;
    let mut found = Vec::new();
    for entry in entries {
        // What is no pairing is the daemon's to complain about.
        let pairing = fs::read(entry?.path());
        let pairing = pairing.map(|text| serde_json::from_slice::<Pairing>(&text));
        if let Ok(Ok(pairing)) = pairing
            && (pairing.name.as_str() == wanted || pairing.id.to_string() == wanted)
        {
            found.push(pairing);
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(pairing), true) => Ok(pairing),
        (Some(_), false) => bail!("several pairings are called {wanted}; name one by its id"),
        (None, _) => bail!("no pairing is called {wanted}; `stiefelctl pairings` lists them"),
    }
}

/// Makes the file, 0600; never changes one that is there.
fn write_config(path: &Path, keys: &TunnelKeys) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(config(keys).as_bytes()));
    written.with_context(|| {
        format!(
            "cannot write {}; name a file that is not there yet",
            path.display()
        )
    })
}

/// As `wg-quick` reads it.
fn config(keys: &TunnelKeys) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "# Put in this machine's address as the other one reaches it.\n\
         [Interface]\n\
         PrivateKey = {}\n\
         Address = {BORROWER_ADDRESS}/{TUNNEL_PREFIX}\n\n\
         [Peer]\n\
         PublicKey = {}\n\
         PresharedKey = {}\n\
         AllowedIPs = {LENDER_ADDRESS}/128\n\
         Endpoint = ADDRESS:{TUNNEL_PORT}\n",
        base64(keys.borrower.expose()),
        base64(&public_key(&keys.lender)),
        base64(keys.preshared.expose()),
    );
    text
}

/// A key as WireGuard's tools write it (RFC 4648, section 4).
fn base64(key: &[u8; 32]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(44);
    for three in key.chunks(3) {
        let mut bits = 0_u32;
        for at in 0..3 {
            bits = bits << 8 | u32::from(three.get(at).copied().unwrap_or(0));
        }
        for digit in 0..=three.len() {
            let value = bits >> (18 - 6 * digit) & 63;
            text.push(char::from(DIGITS[value as usize]));
        }
    }
    // 32 bytes are two more than fill their digits.
    text.push('=');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use stiefel_core::secret::Secret;

    #[test]
    fn keys_are_written_as_by_wireguards_tools() {
        // As `base64` of coreutils writes them.
        assert_eq!(
            base64(&[0; 32]),
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        );
        assert_eq!(
            base64(&std::array::from_fn(|at| (at * 8 + 3) as u8)),
            "AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2+Pr8/s="
        );
    }

    #[test]
    fn the_other_machine_gets_its_half() {
        let keys = TunnelKeys::of(&Secret::from_bytes([7; 32]));
        let text = config(&keys);
        let line = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(" = "));
            lines.find(|(key, _)| *key == name).unwrap().1.to_owned()
        };
        assert_eq!(line("PrivateKey"), base64(keys.borrower.expose()));
        assert_eq!(line("PublicKey"), base64(&public_key(&keys.lender)));
        assert_eq!(line("PresharedKey"), base64(keys.preshared.expose()));
        assert_eq!(line("Address"), "fd73:7469:6566:656c::2/64");
        assert_eq!(line("AllowedIPs"), "fd73:7469:6566:656c::1/128");
        assert_eq!(line("Endpoint"), "ADDRESS:61572");
        assert!(!text.contains(&base64(keys.lender.expose())));
    }

    #[test]
    fn a_pairing_is_found_by_name_or_id_if_it_is_the_only_one() {
        let folder = std::env::temp_dir().join(format!("stiefelctl-tunnel-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        for (id, name) in [(1, "desk"), (2, "office"), (3, "office")] {
            let text = format!(
                r#"{{"id": "000000000000000{id}", "name": "{name}", "secret": "{}"}}"#,
                "07".repeat(32)
            );
            fs::write(folder.join(format!("{id}.json")), text).unwrap();
        }
        fs::write(folder.join("4.json"), "nonsense").unwrap();
        let outcome = |wanted: &str| find(&folder, wanted).map(|pairing| pairing.id.to_string());
        assert_eq!(outcome("desk").unwrap(), "0000000000000001");
        assert_eq!(outcome("0000000000000003").unwrap(), "0000000000000003");
        let several = outcome("office").unwrap_err().to_string();
        assert!(several.contains("several"), "{several}");
        let nobody = outcome("attic").unwrap_err().to_string();
        assert!(nobody.contains("no pairing"), "{nobody}");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_file_is_secret_and_nothing_is_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("stiefelctl-conf-{}", std::process::id()));
        let keys = TunnelKeys::of(&Secret::from_bytes([7; 32]));
        write_config(&path, &keys).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        write_config(&path, &keys).unwrap_err();
        fs::remove_file(&path).unwrap();
    }
}
