//! The binary `comity`: reads the command line and calls the command. Not what commands do.

use std::{io, process::ExitCode};

use clap::{Parser, Subcommand};
use comity_node::commands::{
    self, Outcome, account, charter, chat, demo, generate, invite, join, key, log, model, pull,
    roster, status, up, verify,
};
use tracing_subscriber::EnvFilter;

/// What the log shows unless `COMITY_LOG` says otherwise.
const LOG_DEFAULT: &str = "warn";

/// A peer-to-peer network of institutions that run language models together, and prove it.
#[derive(Debug, Parser)]
#[command(name = "comity", version, about)]
#[command(after_help = "Start here:\n  comity demo\n\nCOMITY_LOG sets what is logged to standard \
    error, for example COMITY_LOG=comity_node=debug.\nExit codes: 0 done, 1 failed, 2 incomplete, \
    64 used wrongly.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Let three institutions on this machine answer together, and check their proof.
    Demo(demo::Args),
    /// Run a node.
    Up(up::Args),
    /// Ask a node one thing.
    Generate(generate::Args),
    /// Talk with a model through a node.
    Chat(chat::Args),
    /// Bring a model into the cache.
    Pull(pull::Args),
    /// Look into a model file.
    #[command(subcommand)]
    Model(model::Command),
    /// Make and show keys.
    #[command(subcommand)]
    Key(key::Command),
    /// Write, sign and show the charter of a consortium.
    #[command(subcommand)]
    Charter(charter::Command),
    /// Sign the list of an institution's nodes.
    #[command(subcommand)]
    Roster(roster::Command),
    /// Write the file with which another institution finds this consortium.
    Invite(invite::Args),
    /// Prepare to join a consortium from an invitation.
    Join(join::Args),
    /// Show what institutions computed for each other, from a node's log.
    #[command(subcommand)]
    Account(account::Command),
    /// Show, check and prove what a node recorded.
    #[command(subcommand)]
    Log(log::Command),
    /// Check the proof of an answer, offline.
    Verify(verify::Args),
    /// Show the mesh as a node sees it.
    Status(status::Args),
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
    let filter = EnvFilter::try_from_env("COMITY_LOG").unwrap_or_else(|_| LOG_DEFAULT.into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    match tokio::runtime::Runtime::new() {
        // The runtime is dropped before the exit, so that what is being cleared up is.
        Ok(runtime) => match runtime.block_on(dispatch(cli.command)) {
            Ok(outcome) => ExitCode::from(outcome.code()),
            Err(error) => fail(&error),
        },
        Err(error) => fail(&anyhow::Error::new(error).context("no runtime")),
    }
}

async fn dispatch(command: Command) -> anyhow::Result<Outcome> {
    // Boxed: each command's future is large, and only one of them lives.
    Ok(match command {
        Command::Demo(args) => Box::pin(demo::run(args)).await?,
        Command::Up(args) => Box::pin(up::run(args)).await?,
        Command::Generate(args) => Box::pin(generate::run(args)).await?,
        Command::Chat(args) => Box::pin(chat::run(args)).await?,
        Command::Pull(args) => Box::pin(pull::run(args)).await?,
        Command::Model(command) => Box::pin(model::run(command)).await?,
        Command::Key(command) => Box::pin(key::run(command)).await?,
        Command::Charter(command) => Box::pin(charter::run(command)).await?,
        Command::Roster(command) => Box::pin(roster::run(command)).await?,
        Command::Invite(args) => Box::pin(invite::run(args)).await?,
        Command::Join(args) => Box::pin(join::run(args)).await?,
        Command::Account(command) => Box::pin(account::run(command)).await?,
        Command::Log(command) => Box::pin(log::run(command)).await?,
        Command::Verify(args) => Box::pin(verify::run(args)).await?,
        Command::Status(args) => Box::pin(status::run(args)).await?,
    })
}

fn fail(error: &anyhow::Error) -> ExitCode {
    commands::note(&format!("error: {error:#}"));
    ExitCode::from(Outcome::Failed.code())
}
