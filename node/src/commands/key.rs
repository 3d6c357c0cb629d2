//! `comity key`: identities of nodes, clients and institutions. Not what they sign.

use std::path::PathBuf;

use serde_json::json;

use super::{Outcome, print, print_json};
use crate::keys::{self, KeyError};

/// What `comity key` is told.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a new key and print its public half.
    #[command(after_help = "Example:\n  comity key new root.key")]
    New(Args),
    /// Print the public half of a key.
    #[command(after_help = "Example:\n  comity key show data/node.key --json")]
    Show(Args),
}

/// Which key.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The key file, readable by its owner alone.
    file: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs `comity key`.
///
/// # Errors
/// [`KeyError`]; an existing file is never overwritten.
#[expect(clippy::unused_async, reason = "every command has this shape")]
pub async fn run(command: Command) -> Result<Outcome, KeyError> {
    let (key, args) = match command {
        Command::New(args) => (keys::create(&args.file)?, args),
        Command::Show(args) => (keys::load(&args.file)?, args),
    };
    let public = key.public();
    if args.json {
        print_json(&json!({ "public": public.to_string(), "file": args.file }));
    } else {
        print(&format!("{public}\n"));
    }
    Ok(Outcome::Done)
}
