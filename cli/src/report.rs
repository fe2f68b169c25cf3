//! `stiefelctl report`: what somebody needs to know who is to find out what went wrong.
//!
//! Everything is read as text and goes through [`scrub`] before it is packed; what cannot be
//! read is named, and the rest is packed all the same.

mod archive;
mod collect;
mod scrub;

use crate::client::Client;
use crate::human::bytes;
use crate::output::{FAINT, HEAD, Output, Table, clean, json, say};
use crate::{loan, settings, status};
use anyhow::Context;
use clap::Args;
use collect::Finding;
use serde_json::json;
use std::path::PathBuf;

/// Where to.
#[derive(Args)]
pub struct ReportArgs {
    /// The archive to write [default: stiefel-report.tar.gz, with a number if that is there]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Root folder of the system that is looked at
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    root: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// Packs it, also if the daemon does not run.
pub async fn run(bus: Option<&str>, args: ReportArgs) -> anyhow::Result<()> {
    let mut findings = ask(bus).await;
    findings.extend(collect::all(&args.root));
    let mut left_out = 0;
    for finding in &mut findings {
        if let Ok(text) = &mut finding.content {
            let (clean, count) = scrub::scrub(text, finding.kind);
            *text = clean;
            left_out += count;
        }
    }
    findings.insert(0, collect::contents(&findings, left_out));
    let (path, size) = archive::write(args.out.as_deref(), &findings)?;
    let packed = || findings.iter().filter(|finding| finding.content.is_ok());
    let missing = || {
        findings
            .iter()
            .filter_map(|one| Some((one, one.content.as_ref().err()?)))
    };
    if args.output.json {
        return json(&json!({
            "file": path,
            "bytes": size,
            "packed": packed().map(|one| &one.name).collect::<Vec<_>>(),
            "missing": missing()
                .map(|(one, why)| json!({ "name": one.name, "why": why }))
                .collect::<Vec<_>>(),
            "left_out": left_out,
        }));
    }
    let size = bytes(size);
    say!(
        "{HEAD}Packed {}{HEAD:#} ({size}), readable by nobody else:",
        path.display()
    );
    let mut table = Table::headless(2);
    packed().for_each(|one| table.row(vec![(&one.name).into(), one.about.into()]));
    table.print()?;
    for (one, why) in missing() {
        say!("  {FAINT}not there: {} ({}){FAINT:#}", one.name, clean(why));
    }
    say!("{left_out} passages that look like keys or passwords were left out.");
    say!("It names this machine's devices and pairings: look through it before you pass it on.");
    Ok(())
}

/// What the daemon knows.
async fn ask(bus: Option<&str>) -> Vec<Finding> {
    let client = Client::connect(bus).await;
    let status = async { pretty(&status::read(client.as_ref().map_err(told)?).await) };
    let settings = async { pretty(&settings::read(client.as_ref().map_err(told)?).await) };
    let loan = async { pretty(&loan::read(client.as_ref().map_err(told)?).await) };
    vec![
        Finding::new("status.json", "what the daemon knows", status.await),
        Finding::new("settings.json", "what is set", settings.await),
        Finding::new(
            "loan.json",
            "the lent disk that this system runs from",
            loan.await,
        ),
    ]
}

fn pretty(known: &anyhow::Result<impl serde::Serialize>) -> Result<String, String> {
    let known = known.as_ref().map_err(told)?;
    let text = serde_json::to_string_pretty(known).context("cannot write JSON");
    text.map_err(|error| told(&error))
}

fn told(error: &anyhow::Error) -> String {
    crate::ending::explain(error)
}
