//! stiefelctl: everything that the daemon can do or knows, from a terminal.

mod args;
mod ask;
mod checks;
mod client;
mod drives;
mod ending;
mod export;
mod facts;
mod generate;
mod human;
mod interrupt;
mod jobs;
mod lend;
mod links;
mod loan;
mod monitor;
mod output;
mod pairings;
mod report;
mod serve;
mod settings;
mod status;
mod update;

fn main() -> std::process::ExitCode {
    args::main()
}
