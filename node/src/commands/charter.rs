//! `comity charter`: writes, signs and shows the genesis of a consortium. Not what follows from it.

pub(super) mod text;

use std::path::{Path, PathBuf};

use comity_protocol::{
    charter::{Charter, CharterError, SignedCharter},
    limits::SIGNED_BYTES_MAX,
    signed::NodeKey,
    wire::{DecodeError, Wire as _},
};
use serde_json::{Value, json};

pub use text::TextError;

use super::{FileError, Outcome, date, print, print_json, read, read_text, shown, write};
use crate::{
    clock::Clock,
    keys::{self, KeyError},
};

/// Bytes of a charter's text: several times its signed form.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// Bytes of a charter with all its signatures.
const CHARTER_BYTES_MAX: usize = 2 * SIGNED_BYTES_MAX;

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
    /// Add the signatures of more institutions to a charter.
    #[command(
        after_help = "Example:\n  comity charter sign charter.bin --key root.key\n\nExit codes: \
        0 every institution signed, 1 failed, 2 signatures are still missing."
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
    /// Print a charter and who has signed it.
    #[command(after_help = "Example:\n  comity charter show charter.bin\n\nExit codes: 0 every \
        institution signed, 1 the charter is wrong, 2 signatures are missing.")]
    Show {
        /// The charter.
        charter: PathBuf,
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
            let keys = key.iter().map(|path| keys::load(path)).collect::<Result<Vec<_>, _>>()?;
            let signed = charter.sign_all(&keys)?;
            write(&out, &signed.encode())?;
            report(&signed, json)
        }
        Command::Sign { charter: path, key, json } => {
            let mut signed = load(&path)?;
            let keys = key.iter().map(|path| keys::load(path));
            for key in keys.collect::<Result<Vec<NodeKey>, _>>()? {
                signed.sign(&key)?;
            }
            write(&path, &signed.encode())?;
            report(&signed, json)
        }
        Command::Show { charter, json } => report(&load(&charter)?, json),
    }
}

/// Reads a charter, whoever signed it.
pub(super) fn load(path: &Path) -> Result<SignedCharter, CharterCommandError> {
    let bytes = read(path, CHARTER_BYTES_MAX)?;
    SignedCharter::decode(&bytes)
        .map_err(|source| CharterCommandError::Decode { path: path.to_owned(), source })
}

/// Shows a charter and says whether it is in order.
fn report(signed: &SignedCharter, json: bool) -> Result<Outcome, CharterCommandError> {
    let charter = signed.unverified()?;
    let verdict = signed.verify_genesis();
    if json {
        print_json(&to_json(signed, &charter, verdict.is_ok()));
    } else {
        print(&shown(&describe(signed, &charter)));
    }
    match verdict {
        Ok(_) => Ok(Outcome::Done),
        Err(CharterError::Missing { .. }) => Ok(Outcome::Incomplete),
        Err(error) => Err(error.into()),
    }
}

fn describe(signed: &SignedCharter, charter: &Charter) -> String {
    let mut lines = vec![
        format!("consortium  {}", charter.name),
        format!("genesis     {}", signed.hash()),
        format!("in force    from {} to {}", date(charter.created_at), date(charter.expires_at)),
        "institutions".to_owned(),
    ];
    lines.extend(charter.institutions.iter().map(|institution| {
        let signed = signed.signatures.iter().any(|(key, _)| *key == institution.root_key);
        format!(
            "  {:<24} {} (parent in {})  {}  {}",
            institution.id,
            institution.country,
            institution.parent_country,
            institution.legal_name,
            if signed { "signed" } else { "HAS NOT SIGNED" },
        )
    }));
    let policies: Vec<_> = charter.policies.iter().map(|policy| policy.name.as_str()).collect();
    lines.push(format!("policies    {}", if_any(&policies.join(", "), "none")));
    let models: Vec<_> = charter.models.iter().map(ToString::to_string).collect();
    lines.push(format!("models      {}", if_any(&models.join(", "), "any")));
    lines.join("\n") + "\n"
}

fn if_any(text: &str, otherwise: &str) -> String {
    if text.is_empty() { otherwise } else { text }.to_owned()
}

fn to_json(signed: &SignedCharter, charter: &Charter, complete: bool) -> Value {
    let institutions = charter.institutions.iter().map(|institution| {
        json!({
            "id": institution.id,
            "legal_name": institution.legal_name,
            "country": institution.country.to_string(),
            "parent_country": institution.parent_country.to_string(),
            "root_key": institution.root_key.to_string(),
            "roster_key": institution.roster_key.to_string(),
            "signed": signed.signatures.iter().any(|(key, _)| *key == institution.root_key),
        })
    });
    json!({
        "name": charter.name,
        "genesis": signed.hash().to_string(),
        "created_at_ms": charter.created_at.as_ms(),
        "expires_at_ms": charter.expires_at.as_ms(),
        "complete": complete,
        "institutions": institutions.collect::<Vec<_>>(),
        "policies": charter.policies.iter().map(|policy| &policy.name).collect::<Vec<_>>(),
        "models": charter.models.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
