//! `stiefelctl links`, `link`

use crate::client::Client;
use crate::facts::Link;
use crate::human::speed;
use crate::output::{CARE, Cell, FAINT, Output, PLAIN, Table, json, say};
use crate::status::{policy_style, state_style};
use anyhow::bail;
use stiefel_dbus::names;

/// Lists the wired interfaces.
pub async fn list(client: &Client, output: Output) -> anyhow::Result<()> {
    let links = client.objects().await?.links();
    if output.json {
        return json(&links);
    }
    if links.is_empty() {
        say!("There is no wired interface.");
        return Ok(());
    }
    let mut table = Table::new(&["INTERFACE", "POLICY", "STATE", "SPEED", "ADDRESS", "DEVICE"]);
    for link in &links {
        let policy = match link.managed {
            true => Cell::new(&link.policy, policy_style(link)),
            false => Cell::new(format!("{}, kept for lending", link.policy), CARE),
        };
        table.row(vec![
            (&link.interface).into(),
            policy,
            Cell::new(&link.state, state_style(link)),
            Cell::new(speed(link.speed_mbps), PLAIN),
            (&link.hardware_address).into(),
            Cell::new(device(link), FAINT),
        ]);
    }
    table.print()
}

fn device(link: &Link) -> String {
    let parts = [&link.bus, &link.device_id, &link.driver];
    let there: Vec<&str> = parts
        .into_iter()
        .map(String::as_str)
        .filter(|text| !text.is_empty())
        .collect();
    there.join(" ")
}

/// Changes what one is used for.
pub async fn set_policy(client: &Client, name: &str, policy: &str) -> anyhow::Result<()> {
    let links = client.objects().await?.links();
    let wanted = |link: &&Link| link.interface == name || link.hardware_address == name;
    let Some(link) = links.iter().find(wanted) else {
        let there: Vec<_> = links.iter().map(|link| link.interface.as_str()).collect();
        bail!(
            "no wired interface is called {name}; there are: {}",
            there.join(", ")
        );
    };
    client
        .set(&link.path, names::LINK, "Policy", policy)
        .await?;
    say!("{}: {policy}", link.interface);
    Ok(())
}
