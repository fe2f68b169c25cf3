//! stiefelctl: everything that the daemon can do or knows, from a terminal.

mod args;
mod ask;
mod borrow;
mod checks;
mod client;
mod drives;
mod ending;
mod entry;
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
mod pairing_file;
mod pairings;
mod report;
mod serve;
mod settings;
mod status;
mod update;

fn main() -> std::process::ExitCode {
    args::main()
}
