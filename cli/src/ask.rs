//! Asks before something is done that cannot be undone.

use crate::ending::Ending;
use anyhow::bail;
use clap::Args;
use std::io::{IsTerminal, Write, stderr, stdin};

/// Whether somebody has agreed already.
#[derive(Args, Clone, Copy)]
pub struct Consent {
    /// Do not ask first
    #[arg(long, short)]
    pub yes: bool,
}

/// Returns if somebody agrees. A script has to say so beforehand.
pub fn consent(given: Consent, question: &str) -> anyhow::Result<()> {
    if given.yes {
        return Ok(());
    }
    if !stdin().is_terminal() || !stderr().is_terminal() {
        bail!("this cannot be undone, and nobody is here to be asked; if it is meant, add --yes");
    }
    write!(stderr(), "{question} [y/N] ")?;
    stderr().flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Ending::CalledOff("nothing was done".into()).into()),
    }
}
