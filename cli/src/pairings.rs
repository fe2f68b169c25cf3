//! `stiefelctl pair`, `pairings`, `forget`, `policy`, `rename`

use crate::args::Output;
use crate::client::Client;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Makes a pairing.
pub async fn pair(client: &Client, name: &str, output: Output) -> anyhow::Result<()> {
    let path = client.manager.pair(name).await?;
    let id = client.pairing(&path).await?.id().await?;
    if output.json {
        println!(
            "{}",
            serde_json::json!({ "id": id, "name": name, "path": path.as_str() })
        );
    } else {
        println!("Paired with {name}.");
        println!("Next, write what it boots from: stiefelctl export-boot '{name}' DIR");
    }
    Ok(())
}

/// Lists the pairings.
pub async fn list(client: &Client, output: Output) -> anyhow::Result<()> {
    let pairings = client.pairings().await?;
    if output.json {
        println!("{}", serde_json::to_string_pretty(&pairings)?);
        return Ok(());
    }
    if pairings.is_empty() {
        println!("No machine is paired. Make a pairing with: stiefelctl pair NAME");
    }
    for pairing in pairings {
        println!(
            "{}  {}  {}, seen {}, last loan {}",
            pairing.id,
            pairing.name,
            pairing.policy,
            match pairing.presence.as_str() {
                "searching" => "now".into(),
                _ => ago(pairing.last_seen_usec),
            },
            ago(pairing.last_loan_usec)
        );
    }
    Ok(())
}

/// Destroys one.
pub async fn forget(client: &Client, name: &str) -> anyhow::Result<()> {
    let pairing = client.find(name).await?;
    client.pairing(&pairing.path).await?.forget().await?;
    println!(
        "{} is forgotten; its boot media are of no use any more.",
        pairing.name
    );
    Ok(())
}

/// Changes what its searches bring about.
pub async fn set_policy(client: &Client, name: &str, policy: &str) -> anyhow::Result<()> {
    let pairing = client.find(name).await?;
    client
        .pairing(&pairing.path)
        .await?
        .set_policy(policy)
        .await?;
    println!("{}: {policy}", pairing.name);
    Ok(())
}

/// Renames one.
pub async fn rename(client: &Client, name: &str, new_name: &str) -> anyhow::Result<()> {
    let pairing = client.find(name).await?;
    client
        .pairing(&pairing.path)
        .await?
        .set_name(new_name)
        .await?;
    println!("{} is now called {new_name}.", pairing.name);
    Ok(())
}

fn ago(usec: u64) -> String {
    if usec == 0 {
        return "never".into();
    }
    let then = UNIX_EPOCH + Duration::from_micros(usec);
    let secs = SystemTime::now()
        .duration_since(then)
        .unwrap_or_default()
        .as_secs();
    match secs {
        0..=59 => format!("{secs} s ago"),
        60..=3599 => format!("{} min ago", secs / 60),
        3600..=86_399 => format!("{} h ago", secs / 3600),
        _ => format!("{} days ago", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_never() {
        assert_eq!(ago(0), "never");
        assert!(ago(1).ends_with("days ago"));
    }
}
