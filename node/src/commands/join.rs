//! `comity join`: a newcomer's keys, files and application, from an invitation. Not its admission.

use std::{fs, io, path::PathBuf};

use comity_protocol::{
    charter::{Chain, CharterError, Institution, InstitutionKeys},
    control::Invitation,
    id::Digest,
    limits::CHAIN_BYTES_MAX,
    policy::Country,
    wire::{DecodeError, Wire as _},
};
use serde_json::json;

use super::{FileError, Outcome, charter::text, fingerprint, note, print, print_json, read, write};
use crate::{
    config::Config,
    keys::{self, KeyError},
    node::KEY_FILE,
};

/// What `comity join` is told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  comity join delta.invite --genesis HASH --dir delta --id uni-delta \
    --legal-name \"University of Delta\" --country PT\n\nHASH is what the inviting member read out. \
    Makes keys, a configuration to be completed, and institution.toml: send that back, and sign the \
    charter that admits you with root.key."
)]
pub struct Args {
    /// The invitation.
    invitation: PathBuf,
    /// Hash of the genesis, as the inviting member read it out; spaces do not matter.
    #[arg(long, value_name = "HASH")]
    genesis: String,
    /// Folder for the newcomer's files; it must not exist.
    #[arg(long)]
    dir: PathBuf,
    /// Id of the institution: lower-case letters, digits and '-'.
    #[arg(long)]
    id: String,
    /// Its legal name.
    #[arg(long)]
    legal_name: String,
    /// Country it is established in, such as PT.
    #[arg(long)]
    country: Country,
    /// Country of its ultimate parent, if another.
    #[arg(long)]
    parent_country: Option<Country>,
    /// How to reach people; give it once for each.
    #[arg(long)]
    contact: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Why nothing was prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is no invitation.
    #[error("{path} is no invitation")]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
    /// What was read out is no hash.
    #[error("--genesis: a hash has 64 hexadecimal digits")]
    Genesis,
    /// The charter does not hold, or is another consortium's.
    #[error("the invitation is not what was read out, or does not hold")]
    Charter(#[source] CharterError),
    /// The folder exists.
    #[error("{0} exists; give another --dir")]
    Exists(PathBuf),
    /// The folder cannot be made.
    #[error("{path} cannot be made")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The application cannot be written as a text.
    #[error("the application cannot be written as a text")]
    Text(#[from] toml::ser::Error),
}

/// Runs `comity join`.
///
/// # Errors
/// [`JoinError`]; nothing is written unless the invitation holds.
#[expect(clippy::unused_async, reason = "every command has this shape")]
pub async fn run(args: Args) -> Result<Outcome, JoinError> {
    let bytes = read(&args.invitation, CHAIN_BYTES_MAX)?;
    let invitation = Invitation::decode(&bytes)
        .map_err(|source| JoinError::Decode { path: args.invitation.clone(), source })?;
    let spoken: String = args.genesis.chars().filter(|char| !char.is_whitespace()).collect();
    let genesis: Digest = spoken.parse().map_err(|_| JoinError::Genesis)?;
    let chain =
        Chain::verify(&invitation.charters.charters, Some(&genesis)).map_err(JoinError::Charter)?;
    if args.dir.exists() {
        return Err(JoinError::Exists(args.dir));
    }
    let institution = prepare(&args, &invitation)?;
    let (dir, name) = (args.dir.display(), &chain.current().name);
    if args.json {
        print_json(&json!({
            "dir": args.dir,
            "consortium": name,
            "genesis": genesis.to_string(),
            "institution": institution.id,
            "root_key": institution.root_key.to_string(),
        }));
        return Ok(Outcome::Done);
    }
    print(&format!(
        "{dir}: keys, configuration and application of {} to {name}\nfingerprint {}\n",
        institution.id,
        fingerprint(&genesis),
    ));
    note(&format!(
        "next: send {dir}/institution.toml to a member; sign the charter they propose (comity charter \
         sign FILE --key {dir}/root.key) and put it at {dir}/charter.signed; complete {dir}/roster.toml \
         and {dir}/comity.toml; keep the keys where nobody else can read them"
    ));
    Ok(Outcome::Done)
}

/// Makes the newcomer's files.
fn prepare(args: &Args, invitation: &Invitation) -> Result<Institution, JoinError> {
    let data = args.dir.join("comity-data");
    fs::create_dir_all(&data)
        .map_err(|source| JoinError::Folder { path: args.dir.clone(), source })?;
    let key = |file: &str| keys::create(&args.dir.join(file)).map(|key| key.public());
    let keys = InstitutionKeys {
        root: key("root.key")?,
        roster: key("roster.key")?,
        witness: key("witness.key")?,
    };
    let node = keys::create(&data.join(KEY_FILE))?.public();
    let institution = Institution {
        parent_country: args.parent_country.unwrap_or(args.country),
        contacts: args.contact.clone(),
        ..Institution::new(&args.id, &args.legal_name, args.country, keys)
    };
    let file = |name: &str, bytes: &[u8]| write(&args.dir.join(name), bytes);
    file("charter.signed", &invitation.charters.encode())?;
    file("institution.toml", text::application(&institution)?.as_bytes())?;
    let roster = format!(
        "institution = \"{}\"\n\n[[node]]\npeer = \"{node}\"\njurisdiction = \"{}\"\n\
         roles = [\"home\", \"stage\"]\n# control_addresses = [\"/ip4/.../udp/4700/quic-v1\"]\n",
        args.id, args.country,
    );
    file("roster.toml", roster.as_bytes())?;
    file("comity.toml", config(&args.id, &invitation.control_addresses).as_bytes())?;
    Ok(institution)
}

/// The example configuration with what is known filled in.
fn config(id: &str, peers: &[String]) -> String {
    let peers: Vec<_> = peers.iter().map(|peer| format!("{peer:?}")).collect();
    let peers = format!("peers = [{}]", peers.join(", "));
    let line = |line: &str| {
        if line.starts_with("institution = ") {
            return format!("institution = {id:?}\n");
        }
        match line {
            "peers = []" => format!("{peers}\n"),
            line => format!("{line}\n"),
        }
    };
    Config::example().lines().map(line).collect()
}

#[cfg(test)]
mod tests;
