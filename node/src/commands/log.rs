//! `comity log`: shows, checks, exports, proves and erases what a node recorded. Not what running
//! nodes do with their logs (`crate::log`, `crate::checkpoints`).
//!
//! The folder may be a running node's: records are only read. Erasing and holding change the
//! proofs that are kept beside the log, never the log.

mod check;
mod export;
mod prove;
mod record;
mod succeed;

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
};

use comity_protocol::{
    charter::Chain,
    id::SessionId,
    receipt::Record,
    signed::{Signed, SignedError},
    wire::{DecodeError, Wire as _},
};
use serde_json::json;

pub use check::{Checked, Fault};
pub use export::{Day, DayError, ExportArgs, Format, Regulation, document};
pub use prove::{ProveError, Proved};
pub use succeed::{SucceedArgs, SucceedCommandError};

use super::{
    FileError, Outcome,
    charter::{CharterCommandError, CharterFile},
    date, note, print, print_json, shown, write,
};
use crate::{
    bodies::{Bodies, BodyError, EraseError},
    clock::Clock,
    governance::CHARTER_FILE,
    keys::{self, KeyError},
    log,
    node::KEY_FILE,
};
use record::{Author, to_json};

/// What `comity log` does.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Print one line for each record.
    #[command(after_help = "Example:\n  comity log show --data north/comity-data")]
    Show(Args),
    /// Check every record, the hashes and the checkpoints.
    #[command(after_help = "Example:\n  comity log check --data north/comity-data\n\nExit codes: \
        0 everything holds, 1 something does not, and the first such thing is named.")]
    Check(Args),
    /// Print the records as JSON: one object for each, or a document that a regulation asks for. No
    /// record holds a prompt or an answer.
    #[command(
        after_help = "Examples:\n  comity log export --data north/comity-data\n  comity log \
        export --format ai-act --data north/comity-data\n  comity log export --format ropa --from \
        2026-01-01 --to 2026-12-31 --data north/comity-data\n\nThe documents say with each group \
        which article it answers, and under \"missing\" what the records do not say. They are no \
        legal advice."
    )]
    Export(ExportArgs),
    /// Write the proof of a session, for anyone to check that its receipt is in a witnessed log.
    #[command(after_help = "Example:\n  comity log prove 000102030405060708090a0b0c0d0e0f \
        --data north/comity-data --out answer.bundle\n  comity verify answer.bundle --genesis \
        HASH\n\nExit codes: 0 the proof is written, 2 too few institutions have cosigned it yet.")]
    Prove(ProveArgs),
    /// Erase prompt, answer and salt of a session. Its records and its proof stay.
    #[command(after_help = "Example:\n  comity log erase 000102030405060708090a0b0c0d0e0f \
        --data north/comity-data")]
    Erase(SessionArgs),
    /// Give a log that must not go on a successor, under a new node key.
    #[command(after_help = "Example:\n  comity log succeed --config north/comity.toml --key \
        north/roster.key --reason restored\n\nFor a node that was restored from an old copy or ran \
        twice, or whose key is lost. Stop it first. The old log is kept under ended/ in the data \
        folder; the new one begins with the institution's signed word about it; the signed roster \
        lists the new key in place of the old. If it breaks off, run it again.")]
    Succeed(SucceedArgs),
    /// Forbid to erase a session, for a legal hold.
    #[command(after_help = "Examples:\n  comity log hold 000102030405060708090a0b0c0d0e0f \
        --data north/comity-data\n  comity log hold 000102030405060708090a0b0c0d0e0f --release \
        --data north/comity-data")]
    Hold(HoldArgs),
}

/// Which log.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The node's data folder; the node may be running.
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Which session of which log.
#[derive(Debug, clap::Args)]
pub struct SessionArgs {
    /// The session, 32 hexadecimal digits, as `comity log show` prints it.
    session: SessionId,
    #[command(flatten)]
    log: Args,
}

/// What `comity log prove` is told.
#[derive(Debug, clap::Args)]
pub struct ProveArgs {
    #[command(flatten)]
    of: SessionArgs,
    /// Where the bundle goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What `comity log hold` is told.
#[derive(Debug, clap::Args)]
pub struct HoldArgs {
    #[command(flatten)]
    of: SessionArgs,
    /// End the hold.
    #[arg(long)]
    release: bool,
}

/// Why `comity log` failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogCommandError {
    /// The log cannot be read.
    #[error("the log in {folder} cannot be read")]
    Read {
        /// The data folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A record is no signed statement.
    #[error("record {0} is no signed statement; comity log check says more")]
    Decode(u64, #[source] DecodeError),
    /// A record says nothing that a record may say.
    #[error("record {0} cannot be read; comity log check says more")]
    Signed(u64, #[source] SignedError),
    /// The node's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The charter kept in the folder.
    #[error(transparent)]
    Charter(#[from] CharterCommandError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no proof.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// What is kept of a session.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A period was given for the plain records.
    #[error("--from and --to go with --format ai-act and --format ropa")]
    Period,
    /// A log got no successor.
    #[error(transparent)]
    Succeed(#[from] Box<SucceedCommandError>),
    /// A session is not erased.
    #[error(transparent)]
    Erase(#[from] EraseError),
}

/// Runs `comity log`.
///
/// # Errors
/// [`LogCommandError`]. A log that does not hold is none for `check`: it is the answer.
pub async fn run(command: Command) -> Result<Outcome, LogCommandError> {
    match command {
        Command::Show(args) => each(&args.data, |record, said| {
            if args.json { print_json(&object(record, said)) } else { print(&line(record, said)) }
        }),
        Command::Export(args) => export::run(&args),
        Command::Check(args) => check(&args),
        Command::Prove(args) => prove(&args),
        Command::Succeed(args) => Ok(succeed::run(&args).await.map_err(Box::new)?),
        Command::Erase(SessionArgs { session, log }) => {
            let erased = Bodies::new(&log.data).erase(&session)?;
            Ok(told(log.json, &session, if erased { "erased" } else { "erased already" }))
        }
        Command::Hold(HoldArgs { of: SessionArgs { session, log }, release }) => {
            Bodies::new(&log.data).hold(&session, !release)?;
            Ok(told(log.json, &session, if release { "released" } else { "held" }))
        }
    }
}

fn each(
    folder: &Path,
    mut show: impl FnMut(&log::Record, &Record),
) -> Result<Outcome, LogCommandError> {
    let failed = |source| LogCommandError::Read { folder: folder.to_owned(), source };
    for record in log::read(folder).map_err(failed)? {
        let record = record.map_err(failed)?;
        let sequence = record.position.sequence;
        let signed = Signed::decode(&record.bytes)
            .map_err(|source| LogCommandError::Decode(sequence, source))?;
        let said = Record::unverified(&signed)
            .map_err(|source| LogCommandError::Signed(sequence, source))?;
        show(&record, &said);
    }
    Ok(Outcome::Done)
}

fn line(record: &log::Record, said: &Record) -> String {
    let at = said.at().map_or_else(|| "-".to_owned(), date);
    let session = said.session().map_or_else(|| "-".to_owned(), |session| session.to_string());
    format!("{:>8}  {at:<29}  {:<13}  {session}\n", record.position.sequence, said.kind())
}

fn object(record: &log::Record, said: &Record) -> serde_json::Value {
    json!({
        "sequence": record.position.sequence,
        "digest": record.position.digest.to_string(),
        "previous": record.position.previous.to_string(),
        "kind": said.kind(),
        "at_ms": said.at().map(|at| at.as_ms()),
        "session": said.session().map(|session| session.to_string()),
        "says": to_json(said),
    })
}

/// Checks the whole log in the data folder `folder`: what holds, or the first thing that does not.
///
/// # Errors
/// [`LogCommandError`] if the node's key or charter cannot be read.
pub fn checked(folder: &Path) -> Result<Result<Checked, Fault>, LogCommandError> {
    let (author, chain) = author(folder)?;
    Ok(check::check(folder, author, &chain))
}

fn check(args: &Args) -> Result<Outcome, LogCommandError> {
    let checked = match checked(&args.data)? {
        Ok(checked) => checked,
        Err(fault) => {
            let fault = with_causes(&fault);
            if args.json {
                print_json(&json!({ "holds": false, "fault": fault }));
            } else {
                print(&shown(&format!("FAILED: {fault}\n")));
            }
            return Ok(Outcome::Failed);
        }
    };
    let rate = checked.records as f64 / checked.seconds.max(1e-9);
    if args.json {
        print_json(&json!({
            "holds": true,
            "records": checked.records,
            "root": checked.root.to_string(),
            "signed": checked.signed,
            "witnessed": checked.witnessed,
            "open": checked.open,
            "records_per_second": rate,
        }));
    } else {
        let Checked { records, root, signed, witnessed, open, .. } = checked;
        print(&format!(
            "{records} records hold ({rate:.0} a second), {open} requests open\nroot {root}\n\
             newest checkpoint of {signed} records, newest witnessed one of {witnessed}\n"
        ));
    }
    Ok(Outcome::Done)
}

/// An error with everything that led to it.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text += &format!(": {next}");
        cause = next.source();
    }
    text
}

/// The kept bundle of `session` in the data folder `folder` with the proof that its receipt is in
/// the log, and how many cosignatures the charter asks for; `None` if no checkpoint covers it yet.
///
/// # Errors
/// [`LogCommandError`].
pub fn proof(
    folder: &Path,
    session: &SessionId,
) -> Result<Option<(Proved, usize)>, LogCommandError> {
    let (author, chain) = author(folder)?;
    let (charter, now) = (chain.current(), Clock::start().now());
    let proved = prove::prove(folder, session, author, charter, now)?;
    Ok(proved.map(|proved| (proved, charter.witnesses as usize)))
}

fn prove(args: &ProveArgs) -> Result<Outcome, LogCommandError> {
    let SessionArgs { session, log } = &args.of;
    let Some((proved, wanted)) = proof(&log.data, session)? else {
        note("no checkpoint covers the session yet: try again in a few seconds");
        return Ok(Outcome::Incomplete);
    };
    write(&args.out, &proved.bundle)?;
    let got = proved.cosigned.len();
    if log.json {
        print_json(&json!({
            "file": args.out,
            "sequence": proved.sequence,
            "checkpoint": proved.size,
            "cosigned": proved.cosigned,
            "witnesses": wanted,
        }));
    } else {
        let (out, by) = (args.out.display(), proved.cosigned.join(", "));
        let by = if by.is_empty() { "nobody" } else { &by };
        print(&format!(
            "{out}: record {} under a checkpoint of {} records, cosigned by {by} ({got} of \
             {wanted} asked for)\n",
            proved.sequence, proved.size
        ));
    }
    Ok(if got < wanted { Outcome::Incomplete } else { Outcome::Done })
}

/// Whose log is in `folder`, and the charters that the node knew.
fn author(folder: &Path) -> Result<(Author, Chain), LogCommandError> {
    let node = keys::load(&folder.join(KEY_FILE))?.public();
    let charter = CharterFile::open(&folder.join(CHARTER_FILE))?;
    let chain = charter.complete()?;
    Ok((Author { genesis: chain.genesis(), node }, chain.clone()))
}

fn told(json: bool, session: &SessionId, what: &str) -> Outcome {
    if json {
        print_json(&json!({ "session": session.to_string(), "is": what }));
    } else {
        print(&format!("{session}: {what}\n"));
    }
    Outcome::Done
}

#[cfg(test)]
mod tests;
