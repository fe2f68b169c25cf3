//! `stiefelctl links`, `link`

use crate::args::Output;
use crate::client::{Client, Link};
use anyhow::bail;
use stiefel_dbus::proxy::LinkProxy;

/// Lists the wired interfaces.
pub async fn list(client: &Client, output: Output) -> anyhow::Result<()> {
    let links = client.links().await?;
    if output.json {
        println!("{}", serde_json::to_string_pretty(&links)?);
        return Ok(());
    }
    if links.is_empty() {
        println!("There is no wired interface.");
    }
    for link in links {
        println!("{}", in_one_line(&link));
    }
    Ok(())
}

/// Changes what one is used for.
pub async fn set_policy(client: &Client, name: &str, policy: &str) -> anyhow::Result<()> {
    let links = client.links().await?;
    let wanted = |link: &&Link| link.interface == name || link.hardware_address == name;
    let Some(link) = links.iter().find(wanted) else {
        let there: Vec<_> = links.iter().map(|link| link.interface.as_str()).collect();
        bail!(
            "no wired interface is called {name}; there are: {}",
            there.join(", ")
        );
    };
    LinkProxy::builder(&client.bus)
        .path(link.path.clone())?
        .build()
        .await?
        .set_policy(policy)
        .await?;
    println!("{}: {policy}", link.interface);
    Ok(())
}

fn in_one_line(link: &Link) -> String {
    let mut parts = vec![link.policy.clone(), link.state.clone()];
    if link.speed_mbps > 0 {
        parts.push(format!("{} Mbit/s", link.speed_mbps));
    }
    if !link.managed {
        parts.push("kept for lending".into());
    }
    parts.push(link.hardware_address.clone());
    let device = [&link.bus, &link.device_id, &link.driver];
    let device: Vec<&str> = device
        .into_iter()
        .map(String::as_str)
        .filter(|text| !text.is_empty())
        .collect();
    if !device.is_empty() {
        parts.push(device.join(" "));
    }
    format!("{}  {}", link.interface, parts.join(", "))
}
