//! stiefelctl: everything that the daemon can do or knows, from a terminal.

mod args;
mod client;
mod export;
mod jobs;
mod lend;
mod links;
mod monitor;
mod pairings;
mod serve;
mod status;
mod update;

fn main() -> std::process::ExitCode {
    args::main()
}
