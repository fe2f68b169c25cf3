//! `stiefelctl checks`

use crate::client::Client;
use crate::ending::Ending;
use crate::facts::{Check, checks};
use crate::output::{BAD, CARE, FAINT, GOOD, Output, clean, json, say};
use anstyle::Style;
use stiefel_dbus::names;
use stiefel_dbus::words::Verdict;

/// Shows all of them; fails if one forbids to lend the disk.
pub async fn show(client: &Client, output: Output) -> anyhow::Result<()> {
    let checks = checks(&client.properties(names::MANAGER).await?);
    if output.json {
        json(&checks)?;
    } else {
        print(&checks)?;
    }
    match checks.iter().any(blocks) {
        true => Err(Ending::InTheWay.into()),
        false => Ok(()),
    }
}

/// Whether it forbids to lend the disk.
pub fn blocks(check: &Check) -> bool {
    Verdict::from(check.verdict.as_str()) == Verdict::Block
}

/// Prints them, each with what to do about it.
pub fn print<'a>(checks: impl IntoIterator<Item = &'a Check>) -> anyhow::Result<()> {
    for check in checks {
        let (mark, style) = match Verdict::from(check.verdict.as_str()) {
            Verdict::Ok => ("ok  ", GOOD),
            Verdict::Warn | Verdict::Unknown(_) => ("note", CARE),
            Verdict::Block => ("NO  ", BAD),
        };
        one(mark, style, &check.text, &check.hint)?;
    }
    Ok(())
}

/// Prints one finding.
pub fn one(mark: &str, style: Style, text: &str, hint: &str) -> anyhow::Result<()> {
    say!("  {style}{mark}{style:#}  {}", clean(text));
    if !hint.is_empty() {
        say!("        {FAINT}->{FAINT:#} {}", clean(hint));
    }
    Ok(())
}
