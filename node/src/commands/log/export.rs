//! `comity log export`: records as JSON, and the documents that regulations ask for. Not what stands
//! in those (`comity_protocol::regulation`).

mod day;

use std::path::Path;

use comity_protocol::{
    charter::Chain,
    receipt::Record,
    regulation::{Evidence, Kept, Period, ai_act, ropa},
    signed::Signed,
    wire::Wire as _,
};
use serde_json::{Value, json};

pub use self::day::{Day, DayError};
use super::{LogCommandError, Outcome, author, each, object, print, print_json, record::Author};
use crate::{
    bodies::{Bodies, BodyError},
    log,
};

/// What `comity log export` is told.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    #[command(flatten)]
    log: super::Args,
    /// How.
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
    /// For ai-act and ropa: only what began on this day or later (YYYY-MM-DD, UTC).
    #[arg(long, value_name = "DAY")]
    from: Option<Day>,
    /// For ai-act and ropa: only what began on this day or earlier (YYYY-MM-DD, UTC).
    #[arg(long, value_name = "DAY")]
    to: Option<Day>,
}

/// How records are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object for each line.
    Json,
    /// Record-keeping under the EU AI Act, Art. 12, 19 and 26.
    AiAct,
    /// Record of processing activities under the GDPR, Art. 30.
    Ropa,
}

/// A regulation that has a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regulation {
    /// The EU AI Act.
    AiAct,
    /// The GDPR.
    Gdpr,
}

/// Runs `comity log export`.
pub(super) fn run(args: &ExportArgs) -> Result<Outcome, LogCommandError> {
    let ExportArgs { log, format, from, to } = args;
    let regulation = match format {
        Format::AiAct => Regulation::AiAct,
        Format::Ropa => Regulation::Gdpr,
        Format::Json if from.is_some() || to.is_some() => return Err(LogCommandError::Period),
        Format::Json => return each(&log.data, |record, said| print_json(&object(record, said))),
    };
    let document = document(&log.data, regulation, day::period(*from, *to))?;
    if log.json {
        print_json(&document);
    } else {
        print(&format!("{document:#}\n"));
    }
    Ok(Outcome::Done)
}

/// The document of `regulation` about what began within `period`, from the data folder `folder`.
///
/// # Errors
/// [`LogCommandError`].
pub fn document(
    folder: &Path,
    regulation: Regulation,
    period: Period,
) -> Result<Value, LogCommandError> {
    let (author, chain) = author(folder)?;
    let evidence = gather(folder, author, chain, period)?;
    Ok(match regulation {
        Regulation::AiAct => json!(ai_act(&evidence)),
        Regulation::Gdpr => json!(ropa(&evidence)),
    })
}

/// What the data folder `folder` says. Each record must be of `author`; a kept proof counts for the
/// receipt that the log has.
pub(super) fn gather(
    folder: &Path,
    author: Author,
    chain: Chain,
    period: Period,
) -> Result<Evidence, LogCommandError> {
    let failed = |source| LogCommandError::Read { folder: folder.to_owned(), source };
    let mut evidence = Evidence::new(chain.clone(), author.node, period);
    for record in log::read(folder).map_err(failed)? {
        let record = record.map_err(failed)?;
        let sequence = record.position.sequence;
        let signed = Signed::decode(&record.bytes)
            .map_err(|source| LogCommandError::Decode(sequence, source))?;
        let said = Record::open(&signed, &author.genesis, &author.node)
            .map_err(|source| LogCommandError::Signed(sequence, source))?;
        evidence.record(signed.payload_digest(), said);
    }
    let (bodies, closed) = (Bodies::new(folder), evidence.closed().collect::<Vec<_>>());
    for session in closed {
        let bundle = match bodies.load(&session) {
            Ok(bundle) => bundle,
            Err(BodyError::Unknown(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let kept = Kept::of(&bundle, bodies.held(&session)?, &chain);
        evidence.kept(&session, kept);
    }
    Ok(evidence)
}
