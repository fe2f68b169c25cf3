//! `stiefelctl pair`, `pairings`, `forget`, `policy`, `rename`

use crate::ask::{Consent, consent};
use crate::client::Client;
use crate::facts::Pairing;
use crate::human::ago;
use crate::output::{CARE, Cell, FAINT, GOOD, HEAD, Output, PLAIN, Table, json, say};
use serde_json::json;
use stiefel_dbus::names;
use stiefel_dbus::words::{PairingPolicy, Presence};

/// Makes a pairing.
pub async fn pair(client: &Client, name: &str, output: Output) -> anyhow::Result<()> {
    let path = client.manager.pair(name).await?;
    let id = client.pairing(&path).await?.id().await?;
    if output.json {
        return json(&json!({ "id": id, "name": name, "path": path.as_str() }));
    }
    say!("Paired with {name}.");
    say!("Next, make what it boots from: stiefelctl create-usbdrive '{name}' DRIVE");
    Ok(())
}

/// Lists the pairings.
pub async fn list(client: &Client, output: Output) -> anyhow::Result<()> {
    let pairings = client.objects().await?.pairings();
    if output.json {
        return json(&pairings);
    }
    if pairings.is_empty() {
        say!("No machine is paired. Make a pairing with: stiefelctl pair NAME");
        return Ok(());
    }
    let mut table = Table::new(&["NAME", "POLICY", "SEEN", "LAST LOAN", "STICK", "ID"]);
    for pairing in &pairings {
        let policy = match PairingPolicy::from(pairing.policy.as_str()) {
            PairingPolicy::Automatic => HEAD,
            PairingPolicy::Never => FAINT,
            PairingPolicy::Ask | PairingPolicy::Unknown(_) => PLAIN,
        };
        table.row(vec![
            (&pairing.name).into(),
            Cell::new(&pairing.policy, policy),
            seen(pairing),
            ago(pairing.last_loan_usec).into(),
            stick(pairing).into(),
            Cell::new(&pairing.id, FAINT),
        ]);
    }
    table.print()
}

/// Whether it searches, or when it did.
pub fn seen(pairing: &Pairing) -> Cell {
    match Presence::from(pairing.presence.as_str()) {
        Presence::Searching => Cell::new("searching", GOOD),
        Presence::Outdated => Cell::new("searching with an old stick, make it anew", CARE),
        Presence::Away | Presence::Unknown(_) => Cell::new(ago(pairing.last_seen_usec), FAINT),
    }
}

fn stick(pairing: &Pairing) -> String {
    match pairing.last_stick_usec {
        0 => "none".into(),
        made => ago(made),
    }
}

/// Destroys one, if that is meant.
pub async fn forget(client: &Client, name: &str, yes: Consent) -> anyhow::Result<()> {
    let pairing = client.find(name).await?;
    let name = &pairing.name;
    consent(
        yes,
        &format!("Forget {name}? Its boot media will be of no use any more."),
    )?;
    client.pairing(&pairing.path).await?.forget().await?;
    say!("{name} is forgotten; its boot media are of no use any more.");
    Ok(())
}

/// Changes what its searches bring about.
pub async fn set_policy(client: &Client, name: &str, policy: &str) -> anyhow::Result<()> {
    let pairing = client.find(name).await?;
    client
        .set(&pairing.path, names::PAIRING, "Policy", policy)
        .await?;
    say!("{}: {policy}", pairing.name);
    Ok(())
}

/// Renames one.
pub async fn rename(client: &Client, name: &str, new_name: &str) -> anyhow::Result<()> {
    let pairing = client.find(name).await?;
    client
        .set(&pairing.path, names::PAIRING, "Name", new_name)
        .await?;
    say!("{} is now called {new_name}.", pairing.name);
    Ok(())
}
