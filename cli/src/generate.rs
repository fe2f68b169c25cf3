//! `stiefelctl generate`: manual pages and completions, for packages.

use crate::ending::MEANINGS;
use anyhow::Context;
use clap::{Command, Subcommand};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::fs;
use std::path::{Path, PathBuf};

/// What to generate.
#[derive(Subcommand)]
pub enum Generate {
    /// Write a manual page for each command
    Man {
        /// Folder, made if it is not there
        dir: PathBuf,
    },
    /// Write completions for bash, zsh and fish
    Completions {
        /// Folder, made if it is not there
        dir: PathBuf,
    },
}

/// Generates it.
pub fn run(what: &Generate, program: Command) -> anyhow::Result<()> {
    let program = visible(&program);
    match what {
        Generate::Man { dir } => pages(dir, program),
        Generate::Completions { dir } => completions(dir, program),
    }
}

/// The program without what is hidden, which generators would show.
fn visible(program: &Command) -> Command {
    let arguments = program
        .get_arguments()
        .filter(|argument| !argument.is_hide_set());
    let commands = program
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    Command::new("stiefelctl")
        .version(env!("CARGO_PKG_VERSION"))
        .about(program.get_about().cloned().unwrap_or_default())
        .propagate_version(true)
        .args(arguments.cloned())
        .subcommands(commands.cloned())
}

fn completions(dir: &Path, mut program: Command) -> anyhow::Result<()> {
    make(dir)?;
    let name = program.get_name().to_owned();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut program, &name, dir)
            .with_context(|| format!("cannot write completions into {}", dir.display()))?;
    }
    Ok(())
}

fn pages(dir: &Path, mut program: Command) -> anyhow::Result<()> {
    make(dir)?;
    program.build();
    let name = program.get_name().to_owned();
    let commands: Vec<Command> = program.get_subcommands().cloned().collect();
    write(dir, &name, &whole(program)?)?;
    for command in commands
        .into_iter()
        .filter(|command| command.get_name() != "help")
    {
        let page = format!("{name}-{}", command.get_name());
        // What a page is called on its own, and what is typed.
        let typed = format!("{name} {}", command.get_name());
        let command = command.display_name(&page).bin_name(typed);
        write(dir, &page, &part(command, &page, &name)?)?;
    }
    Ok(())
}

fn make(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))
}

fn write(dir: &Path, page: &str, text: &[u8]) -> anyhow::Result<()> {
    let path = dir.join(format!("{page}.1"));
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// What every page begins with. It has no date, so that the same source gives the same page.
fn title(page: &str) -> Vec<u8> {
    let page = page.to_uppercase();
    let version = env!("CARGO_PKG_VERSION");
    format!(".TH {page} 1 \"\" \"stiefelctl {version}\" \"Stiefelsystem\"\n").into_bytes()
}

/// The page of the program.
fn whole(program: Command) -> anyhow::Result<Vec<u8>> {
    let mut text = title(program.get_name());
    let man = Man::new(program);
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    man.render_subcommands_section(&mut text)?;
    let mut more = Roff::new();
    more.control("SH", ["OUTPUT"]);
    more.text([
        roman("With "),
        bold("--json"),
        roman(
            ", commands write JSON for other programs: fields may be added in later versions, but \
             none is renamed, removed or given another type. Words are those of the D-Bus \
             interface, times are microseconds. Without it, the output is for people and may \
             change at any time.",
        ),
    ]);
    more.control("SH", ["EXIT STATUS"]);
    for (status, meaning) in MEANINGS {
        more.control("TP", []);
        more.text([bold(status.to_string())]);
        more.text([roman(meaning)]);
    }
    more.control("SH", ["ENVIRONMENT"]);
    more.control("TP", []);
    more.text([bold("NO_COLOR")]);
    more.text([roman(
        "If it is set and not empty, there are no colours, also on a terminal.",
    )]);
    more.control("SH", ["EXAMPLES"]);
    let first: Vec<&str> = crate::args::FIRST.lines().collect();
    for line in first {
        more.text([roman(line.trim())]);
        more.control("br", []);
    }
    more.to_writer(&mut text)?;
    see_also(&mut text, &["stiefelsystem", "7"])?;
    Ok(text)
}

/// The page of one of its commands.
fn part(command: Command, page: &str, program: &str) -> anyhow::Result<Vec<u8>> {
    let mut text = title(page);
    let man = Man::new(command);
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    see_also(&mut text, &[program, "1"])?;
    Ok(text)
}

fn see_also(text: &mut Vec<u8>, page: &[&str; 2]) -> anyhow::Result<()> {
    let mut more = Roff::new();
    more.control("SH", ["SEE ALSO"]);
    more.text([bold(page[0]), roman(format!("({})", page[1]))]);
    Ok(more.to_writer(text)?)
}
