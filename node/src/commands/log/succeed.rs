//! `comity log succeed`: gives a log that must not go on a successor. Not what that takes
//! (`crate::succession`).

use std::{fs, path::PathBuf};

use comity_protocol::{
    id::PeerKey,
    log::succession::SuccessionReason,
    signed::Signed,
    wire::{DecodeError, Wire as _},
};
use serde_json::json;

use super::{
    super::{FileError, Outcome, charter::CharterCommandError, print, print_json, read, write},
    CharterFile,
};
use crate::{
    clock::Clock,
    config::{Config, ConfigError},
    governance::{Archive, ArchiveError},
    keys::{self, KeyError},
    succession::{Parts, SucceedError, Succeeded, done},
};

/// What `comity log succeed` is told.
#[derive(Debug, clap::Args)]
pub struct SucceedArgs {
    /// Configuration of the node, which must be stopped.
    #[arg(long, default_value = "comity.toml")]
    config: PathBuf,
    /// The institution's roster key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Why.
    #[arg(long, value_enum)]
    reason: Reason,
    /// The node whose log is over, if neither its key nor a roster of one node tells.
    #[arg(long, value_name = "PEER")]
    from: Option<PeerKey>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Why a log has a successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Reason {
    /// What is left of it is an old copy.
    Restored,
    /// The node ran twice, from two copies of its folder.
    Cloned,
    /// The node's key is lost, or others may have it.
    KeyLost,
}

/// Why a log got no successor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SucceedCommandError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The charter's file.
    #[error(transparent)]
    Charter(#[from] CharterCommandError),
    /// The charters kept in the data folder.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The data folder cannot be made.
    #[error("cannot make {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The roster's file holds something else.
    #[error("{path} holds no signed roster")]
    Roster {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
    /// The roster key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The succession.
    #[error(transparent)]
    Succeed(#[from] SucceedError),
}

/// Runs `comity log succeed`.
pub(super) async fn run(args: &SucceedArgs) -> Result<Outcome, SucceedCommandError> {
    let config = Config::load(&args.config)?;
    let charter = CharterFile::open(&config.charter)?;
    charter.complete()?;
    let (folder, now) = (&config.data_dir, Clock::start().now());
    let made = fs::create_dir_all(folder);
    made.map_err(|source| SucceedCommandError::Folder { path: folder.clone(), source })?;
    let (_, chain, _) = Archive::open(folder, &charter.signed())?;
    let roster = Signed::decode(&read(&config.roster, Signed::BYTES_MAX)?)
        .map_err(|source| SucceedCommandError::Roster { path: config.roster.clone(), source })?;
    let key = keys::load(&args.key)?;
    let reason = match args.reason {
        Reason::Restored => SuccessionReason::Restored,
        Reason::Cloned => SuccessionReason::Cloned,
        Reason::KeyLost => SuccessionReason::KeyLost,
    };
    let (chain, roster, key) = (&chain, &roster, &key);
    let (institution, from) = (config.institution.as_str(), args.from);
    let parts = Parts { folder, chain, institution, key, roster, from, reason, now };
    let succeeded = parts.succeed().await?;
    write(&config.roster, &succeeded.roster.encode())?;
    done(folder)?;
    report(args.json, &config, &succeeded);
    Ok(Outcome::Done)
}

fn report(json: bool, config: &Config, Succeeded { said, ended, .. }: &Succeeded) {
    let roster = config.roster.display();
    if json {
        return print_json(&json!({
            "from": said.from.to_string(),
            "to": said.to.to_string(),
            "reason": said.reason.as_str(),
            "records": said.records,
            "seen": said.seen,
            "ended": ended,
            "roster": roster.to_string(),
        }));
    }
    print(&format!(
        "the log of node {} is over: {} records are left in {}, others have seen {}\n\
         node {} goes on; {roster} lists it now: put it into the roster's text as well\n",
        said.from,
        said.records,
        ended.display(),
        said.seen,
        said.to,
    ));
}
