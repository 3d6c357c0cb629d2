//! `comity invite`: the file with which a newcomer finds the consortium. Admission is the charter's.

use std::path::PathBuf;

use comity_protocol::{charter::SignedChain, control::Invitation, wire::Wire as _};
use serde_json::json;

use super::{
    FileError, Outcome,
    charter::{CharterCommandError, CharterFile},
    fingerprint, print, print_json, write,
};
use crate::{
    config::{Config, ConfigError},
    keys::{self, KeyError},
    net::control::{self, ControlError},
    node::KEY_FILE,
};

/// What `comity invite` is told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  comity invite --config north/comity.toml --out delta.invite\n\nSend the \
    file to the newcomer, and read the fingerprint out to them over the telephone. The file admits \
    nobody: after `comity join` the members propose and sign a charter that does."
)]
pub struct Args {
    /// Configuration of the node that the newcomer is to call.
    #[arg(long, default_value = "comity.toml")]
    config: PathBuf,
    /// Where the invitation goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Why there is no invitation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The charter.
    #[error(transparent)]
    Charter(#[from] CharterCommandError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The node's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The node's addresses.
    #[error(transparent)]
    Address(#[from] ControlError),
}

/// Runs `comity invite`.
///
/// # Errors
/// [`InviteError`]; no file is written then.
#[expect(clippy::unused_async, reason = "every command has this shape")]
pub async fn run(args: Args) -> Result<Outcome, InviteError> {
    let config = Config::load(&args.config)?;
    let charter = CharterFile::open(&config.charter)?;
    let chain = charter.complete()?;
    let node = keys::load_or_create(&config.data_dir.join(KEY_FILE))?;
    let section = config.control;
    let addresses = if section.advertise.is_empty() { section.listen } else { section.advertise };
    let invitation = Invitation {
        // Suspensions are told by the nodes; a file may be old.
        charters: SignedChain { charters: chain.signed().to_vec(), suspensions: Vec::new() },
        control_addresses: control::with_identity(&addresses, &node.public())?,
    };
    write(&args.out, &invitation.encode())?;
    let (genesis, out) = (chain.genesis(), args.out.display().to_string());
    if args.json {
        print_json(&json!({
            "file": out,
            "genesis": genesis.to_string(),
            "control_addresses": invitation.control_addresses,
        }));
    } else {
        let fingerprint = fingerprint(&genesis);
        print(&format!(
            "{out}: {} of {}\nread out    {fingerprint}\n",
            chain.current().name,
            invitation.control_addresses.join(", "),
        ));
    }
    Ok(Outcome::Done)
}
