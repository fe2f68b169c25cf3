//! Pairing files: the secret of a pairing, for a machine that has no stick of it.
//!
//! It is the ticket of a stick, as JSON. Whoever has it can borrow the disk.

use crate::client::Client;
use crate::ending::complain;
use crate::export;
use crate::output::{Output, json, say};
use anyhow::{Context, bail};
use clap::Args;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use stiefel_core::cpio;
use stiefel_core::ticket::{FetchTicket, MAX_TICKET_LEN, TICKET_PATH, Ticket};
use zeroize::Zeroizing;

/// Whose, and where to.
#[derive(Args)]
pub struct ExportArgs {
    /// Name or id of the pairing
    name: String,
    /// A file that is not there yet; gets the permissions 0600
    file: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// Writes the file of a pairing.
pub async fn export(client: &Client, args: ExportArgs) -> anyhow::Result<()> {
    let pairing = client.find(&args.name).await?;
    let told = args.file.display();
    // Before the secret is asked for, so that it is not given out in vain.
    let mut options = OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    let mut file = options
        .open(&args.file)
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                anyhow::anyhow!("{told} is there already; name another")
            }
            _ => anyhow::Error::new(error).context(format!("cannot write {told}")),
        })?;
    let written = async {
        let proxy = client.pairing(&pairing.path).await?;
        let archive = Zeroizing::new(export::read(proxy.export_ticket().await?.into())?);
        let ticket = cpio::find(&archive, TICKET_PATH)
            .context("the daemon's ticket is not understood; are both of one version?")?;
        file.write_all(ticket)?;
        file.sync_all().context("cannot write the file")
    };
    if let Err(error) = written.await {
        let _ = std::fs::remove_file(&args.file);
        return Err(error);
    }
    if args.output.json {
        return json(&serde_json::json!({ "pairing": pairing.name, "file": args.file }));
    }
    say!("{told} lets a machine borrow as {}.", pairing.name);
    say!("Whoever has it can borrow this machine's disk. Keep it as a key.");
    Ok(())
}

/// Reads such a file.
///
/// # Errors
/// It cannot be read, or is none; nothing of it is quoted.
pub fn read(path: &Path) -> anyhow::Result<FetchTicket> {
    let told = path.display();
    let file = File::open(path).with_context(|| format!("cannot open {told}"))?;
    let about = file.metadata()?;
    if !about.is_file() {
        bail!("{told} is no file; make one on the lender with: stiefelctl export-pairing");
    }
    if about.mode() & 0o077 != 0 {
        complain(&format!(
            "others may read {told}, and borrow with it; better: chmod 600 {told}"
        ))?;
    }
    let mut json = Zeroizing::new(Vec::with_capacity(usize::try_from(about.len())? + 1));
    file.take(MAX_TICKET_LEN as u64 + 1)
        .read_to_end(&mut json)?;
    match Ticket::from_json(&json) {
        Ok(Ticket::Fetch(ticket)) => Ok(*ticket),
        Ok(Ticket::Serve(_) | Ticket::Attach(_)) => bail!("{told} belongs to a running loan"),
        Err(error) => bail!(
            "{told} is no pairing file ({error}); make one on the lender with: stiefelctl export-pairing"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use stiefel_core::pairing::{Pairing, PairingId};
    use stiefel_core::secret::Secret;

    #[test]
    fn only_a_pairing_file_is_taken_for_one_and_nothing_of_it_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("desk.pairing");
        let ticket = FetchTicket {
            pairing: Pairing {
                id: PairingId::from_bytes([1; 8]),
                name: "desk".parse().unwrap(),
                secret: Secret::from_bytes([0xab; 32]),
                policy: Default::default(),
            },
            lender: "laptop".parse().unwrap(),
        };
        let json = Ticket::Fetch(Box::new(ticket.clone())).to_json().unwrap();
        std::fs::write(&path, &json).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read(&path).unwrap(), ticket);
        std::fs::write(&path, &json[..json.len() - 3]).unwrap();
        let error = format!("{:#}", read(&path).unwrap_err());
        assert!(error.contains("export-pairing"), "{error}");
        assert!(!error.contains("abab"), "{error}");
        assert!(read(folder.path()).is_err());
    }
}
