//! `comity roster`: an institution signs the list of its nodes.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use comity_protocol::{
    id::{Digest, PeerKey},
    roster::{Role, Roster, RosterError, RosterNode},
    signed::{Domain, NodeKey, Signed, SignedError},
    time::Timestamp,
    wire::Wire as _,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    FileError, Outcome,
    charter::{
        CharterCommandError, CharterFile,
        text::{Place, TextError, toml},
    },
    date, print, print_json, read_text, write,
};
use crate::{
    clock::Clock,
    keys::{self, KeyError},
};

/// Bytes of a roster's text.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// Hours a roster holds unless its text says otherwise: the most there may be.
const HOURS_DEFAULT: u16 = 72;
/// Seconds of an hour.
const HOUR: u64 = 3_600;

/// What `comity roster` is told.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Sign the list of an institution's nodes.
    #[command(after_help = "Example:\n  comity roster sign roster.toml --charter charter.bin \
        --key roster.key --out roster.bin\n\nThe text:\n  institution = \"uni-north\"\n  hours = \
        72\n\n  [[node]]\n  peer = \"<64 hexadecimal digits, from comity key show>\"\n  \
        jurisdiction = \"NL\"\n  roles = [\"home\", \"stage\", \"witness\"]\n  # control_addresses")]
    Sign(SignArgs),
}

/// What `comity roster sign` is told.
#[derive(Debug, clap::Args)]
pub struct SignArgs {
    /// The nodes in TOML; see below.
    text: PathBuf,
    /// The consortium's charter.
    #[arg(long, value_name = "FILE")]
    charter: PathBuf,
    /// The institution's roster key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the signed roster goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Why there is no roster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RosterCommandError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The text is not as it should be.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The charter cannot be read.
    #[error(transparent)]
    Load(#[from] CharterCommandError),
    /// The roster cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignedError),
    /// No member would believe the roster.
    #[error(transparent)]
    Roster(#[from] RosterError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RosterText {
    institution: String,
    #[serde(default = "hours_default")]
    hours: u16,
    node: Vec<NodeText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeText {
    peer: String,
    jurisdiction: String,
    roles: Vec<RoleText>,
    #[serde(default)]
    control_addresses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RoleText {
    Home,
    Stage,
    Witness,
}

const fn hours_default() -> u16 {
    HOURS_DEFAULT
}

/// Runs `comity roster`.
///
/// # Errors
/// [`RosterCommandError`]; no file is written then.
#[expect(clippy::unused_async, reason = "every command has this shape")]
pub async fn run(command: Command) -> Result<Outcome, RosterCommandError> {
    let Command::Sign(args) = command;
    let charter = CharterFile::open(&args.charter)?;
    let (chain, now) = (charter.complete()?, Clock::start().now());
    let (hash, charter) = (chain.genesis(), chain.current());
    let name = args.text.display().to_string();
    let roster = parse(&name, &read_text(&args.text, TEXT_BYTES_MAX)?, now)?;
    let signed = sign(&roster, &hash, &keys::load(&args.key)?)?;
    // What no member would believe is not handed out.
    Roster::verify(&signed, charter, &hash, now)?;
    write(&args.out, &signed.encode())?;
    if args.json {
        print_json(&json!({
            "institution": roster.institution,
            "sequence": roster.sequence,
            "expires_at_ms": roster.expires_at.as_ms(),
            "nodes": roster.nodes.iter().map(|node| node.peer.to_string()).collect::<Vec<_>>(),
            "file": args.out,
        }));
    } else {
        let (nodes, institution) = (roster.nodes.len(), &roster.institution);
        let (out, until) = (args.out.display(), date(roster.expires_at));
        print(&format!("{out}: {nodes} nodes of {institution} until {until}\n"));
    }
    Ok(Outcome::Done)
}

fn sign(roster: &Roster, charter: &Digest, key: &NodeKey) -> Result<Signed, SignedError> {
    key.sign(Domain::ROSTER, charter, roster)
}

/// The roster that `text` describes, issued `now`; the time is its sequence number too.
fn parse(file: &str, text: &str, now: Timestamp) -> Result<Roster, TextError> {
    let text: RosterText = toml(file, text)?;
    let nodes = text.node.iter().map(|text| node(file, text));
    let mut nodes = nodes.collect::<Result<Vec<_>, _>>()?;
    nodes.sort_by_key(|node| node.peer);
    Ok(Roster {
        institution: text.institution,
        sequence: now.as_ms(),
        issued_at: now,
        expires_at: now + Duration::from_secs(u64::from(text.hours) * HOUR),
        nodes,
    })
}

fn node(file: &str, text: &NodeText) -> Result<RosterNode, TextError> {
    let place = Place { file, of: &text.peer };
    let role = |role: &RoleText| match role {
        RoleText::Home => Role::Home,
        RoleText::Stage => Role::Stage,
        RoleText::Witness => Role::Witness,
    };
    Ok(RosterNode {
        peer: place.parse::<PeerKey>("peer", &text.peer)?,
        jurisdiction: place.parse("jurisdiction", &text.jurisdiction)?,
        roles: text.roles.iter().map(role).collect::<BTreeSet<_>>(),
        control_addresses: text.control_addresses.clone(),
    })
}

#[cfg(test)]
mod tests;
