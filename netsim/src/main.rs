//! The binary `comity-netsim`: reads the command line and calls the command. Not what commands do.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use comity_netsim::commands::{self, Outcome, link};

/// What a network of institutions would do, and links to try it on.
#[derive(Debug, Parser)]
#[command(name = "comity-netsim", version, about)]
#[command(after_help = "Start here:\n  comity-netsim link --self-test\n\nExit codes: 0 done, 1 \
    failed, 64 used wrongly.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put delay, rate and loss between real nodes: a relay of UDP packets.
    Link(link::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to tell if the terminal is gone.
            let _ = error.print();
            // Help and version are what was asked for; everything else is wrong usage.
            return ExitCode::from(if error.use_stderr() { Outcome::USAGE } else { 0 });
        }
    };
    let Command::Link(args) = cli.command;
    match link::run(&args) {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(error) => {
            commands::note(&format!("comity-netsim: {:#}", anyhow::Error::new(error)));
            ExitCode::from(Outcome::Failed.code())
        }
    }
}
