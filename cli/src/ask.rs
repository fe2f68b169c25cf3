//! Asks before something is done that cannot be undone.

use crate::ending::Ending;
use crate::output::clean;
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
    match given.yes {
        true => Ok(()),
        false => ask(question, "--yes"),
    }
}

/// The same where a script has to name what is meant: `known_by` is what it has to say, `what`
/// is that in words.
pub fn consent_to(
    given: Option<&str>,
    known_by: &str,
    what: &str,
    question: &str,
) -> anyhow::Result<()> {
    match given {
        Some(named) if named == known_by => Ok(()),
        Some(named) => bail!("--yes names {named}, but this is {what}; nothing was done"),
        None => ask(question, &format!("--yes '{}'", clean(known_by))),
    }
}

fn ask(question: &str, words: &str) -> anyhow::Result<()> {
    if !stdin().is_terminal() || !stderr().is_terminal() {
        bail!("this cannot be undone, and nobody is here to be asked; if it is meant, add {words}");
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
