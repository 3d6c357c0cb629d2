//! `comity charter`: writes, changes, signs and shows the charter of a consortium. Not how it spreads.

mod diff;
mod file;
mod propose;
mod show;
pub(super) mod text;

use std::path::PathBuf;

use comity_protocol::{
    charter::{CharterError, SuspensionError},
    id::Digest,
    signed::{NodeKey, SignedError},
    wire::DecodeError,
};

pub(super) use file::CharterFile;
pub use propose::{ProposeArgs, SuspendArgs};
pub use text::TextError;

use super::{FileError, Outcome, print, read_text};
use crate::{
    clock::Clock,
    keys::{self, KeyError},
};

/// Bytes of a charter's text: several times its signed form.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// What `comity charter` is told.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a genesis charter from a text and sign it.
    #[command(after_help = text::EXAMPLE)]
    New {
        /// The consortium in TOML; see below.
        text: PathBuf,
        /// Where the charter goes.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Root key of a founding institution; give it once for each that is at hand.
        #[arg(long, value_name = "FILE")]
        key: Vec<PathBuf>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Add the next version to a charter's file: institutions join or leave, rules change.
    Propose(ProposeArgs),
    /// Add the signatures of more institutions to the newest version.
    #[command(
        after_help = "Example:\n  comity charter sign charter.signed --key root.key\n\nThe file \
        goes from institution to institution; none needs to be online.\n\nExit codes: 0 enough \
        institutions signed, 1 failed, 2 signatures are still missing."
    )]
    Sign {
        /// The charter; it is replaced.
        charter: PathBuf,
        /// Root key of an institution.
        #[arg(long, value_name = "FILE", required = true)]
        key: Vec<PathBuf>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Exclude an institution for up to three days; two others must sign.
    Suspend(SuspendArgs),
    /// Print a charter and who has signed it.
    #[command(
        after_help = "Example:\n  comity charter show charter.signed\n\nExit codes: 0 enough \
        institutions signed, 1 the charter is wrong, 2 signatures are missing."
    )]
    Show {
        /// The charter.
        charter: PathBuf,
        /// Print it as a text, to be edited and proposed as the next version.
        #[arg(long)]
        text: bool,
        /// Print one JSON object.
        #[arg(long, conflicts_with = "text")]
        json: bool,
    },
    /// Say what the newest version changes, and who must agree.
    #[command(after_help = "Example:\n  comity charter diff charter.signed")]
    Diff {
        /// The charter.
        charter: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Verify every version of a charter, from the genesis on, and that it is in force.
    #[command(
        after_help = "Example:\n  comity charter check charter.signed --genesis HASH\n\nExit \
        codes: 0 in force, 1 wrong or expired, 2 signatures are missing."
    )]
    Check {
        /// The charter.
        charter: PathBuf,
        /// Hash of the genesis, as its members read it out.
        #[arg(long)]
        genesis: Option<Digest>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// Why there is no charter.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CharterCommandError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A charter would be overwritten.
    #[error("{0} exists; remove it first, or give another --out")]
    Exists(PathBuf),
    /// The text is not as it should be.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The charter cannot be written as a text.
    #[error("the charter cannot be written as a text")]
    ToText(#[from] toml::ser::Error),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The file is no charter.
    #[error("{path} is no charter")]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
    /// The charter does not hold.
    #[error(transparent)]
    Charter(#[from] CharterError),
    /// The newest version is not signed by enough institutions yet.
    #[error(
        "{path}: version {version} still lacks signatures; sign it, or start from another file"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Version that waits.
        version: u32,
    },
    /// Nothing was said that would change anything.
    #[error("nothing to propose: give a text, --admit, --remove or --revoke")]
    Nothing,
    /// No such institution.
    #[error("the charter lists no institution {0}")]
    Unknown(String),
    /// The suspension cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignedError),
    /// The suspension does not count.
    #[error(transparent)]
    Suspension(#[from] SuspensionError),
}

/// Runs `comity charter`.
///
/// # Errors
/// [`CharterCommandError`]; no file is written then.
#[expect(clippy::unused_async, reason = "every command has this shape")]
pub async fn run(command: Command) -> Result<Outcome, CharterCommandError> {
    match command {
        Command::New { text, out, key, json } => {
            // Signatures gathered from others are not to be lost to a second run.
            if out.exists() {
                return Err(CharterCommandError::Exists(out));
            }
            let name = text.display().to_string();
            let text = read_text(&text, TEXT_BYTES_MAX)?;
            let charter = text::parse(&name, &text, Clock::start().now())?;
            let file = CharterFile::genesis(&out, charter.sign_all(&load_keys(&key)?)?)?;
            file.save()?;
            show::report(&file, json)
        }
        Command::Propose(args) => propose::propose(&args),
        Command::Sign { charter, key, json } => {
            let mut file = CharterFile::open(&charter)?;
            for key in load_keys(&key)? {
                file.sign(&key)?;
            }
            file.save()?;
            show::report(&file, json)
        }
        Command::Suspend(args) => propose::suspend(&args),
        Command::Show { charter, text: true, .. } => {
            print(&text::write(CharterFile::open(&charter)?.newest())?);
            Ok(Outcome::Done)
        }
        Command::Show { charter, json, .. } => show::report(&CharterFile::open(&charter)?, json),
        Command::Diff { charter, json } => diff::report(&CharterFile::open(&charter)?, json),
        Command::Check { charter, genesis, json } => {
            show::check(&CharterFile::open(&charter)?, genesis, Clock::start().now(), json)
        }
    }
}

fn load_keys(paths: &[PathBuf]) -> Result<Vec<NodeKey>, KeyError> {
    paths.iter().map(|path| keys::load(path)).collect()
}

#[cfg(test)]
mod tests;
