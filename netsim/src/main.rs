//! The binary `comity-netsim`: reads the command line and calls the command. Not what commands do.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use comity_netsim::commands::{
    self, Outcome, buy, calibrate, fail, link, plan, run, sweep, validate,
};

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
    /// Simulate a consortium: tokens per second and times, with intervals.
    Run(run::Args),
    /// Vary numbers of a scenario.
    Sweep(sweep::Args),
    /// Put two scenarios side by side.
    Compare(sweep::CompareArgs),
    /// Find who should hold which blocks.
    Plan(plan::Args),
    /// Say what is left without each node, site, institution and country.
    Fail(fail::Args),
    /// Rank what could be bought.
    Buy(buy::Args),
    /// Fit devices, software and lines to what a real mesh was measured at.
    Calibrate(calibrate::Args),
    /// Put predictions beside what was measured.
    Validate(validate::Args),
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
    let outcome = match cli.command {
        Command::Link(args) => link::run(&args).map_err(anyhow::Error::new),
        Command::Run(args) => run::run(&args).map_err(anyhow::Error::new),
        Command::Sweep(args) => sweep::run(&args).map_err(anyhow::Error::new),
        Command::Compare(args) => sweep::compare(&args).map_err(anyhow::Error::new),
        Command::Plan(args) => plan::run(&args).map_err(anyhow::Error::new),
        Command::Fail(args) => fail::run(&args).map_err(anyhow::Error::new),
        Command::Buy(args) => buy::run(&args).map_err(anyhow::Error::new),
        Command::Calibrate(args) => calibrate::run(&args).map_err(anyhow::Error::new),
        Command::Validate(args) => validate::run(&args).map_err(anyhow::Error::new),
    };
    match outcome {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(error) => {
            commands::note(&format!("comity-netsim: {error:#}"));
            ExitCode::from(Outcome::Failed.code())
        }
    }
}
