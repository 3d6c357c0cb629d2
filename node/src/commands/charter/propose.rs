//! `comity charter propose` and `suspend`: what the members decide next. Not their signatures' count.

use std::{path::PathBuf, time::Duration};

use comity_protocol::{
    charter::{Charter, Institution, Revocation, Revoked, Suspension, Suspensions},
    id::PeerKey,
    signed::Domain,
    time::Timestamp,
};
use serde_json::json;

use super::{CharterCommandError, CharterFile, TEXT_BYTES_MAX, load_keys, show, text};
use crate::{
    clock::Clock,
    commands::{Outcome, date, print, print_json, read_text},
};

/// Hours a suspension lasts unless told otherwise: the most there may be.
const HOURS_DEFAULT: u16 = 72;
/// Seconds of an hour.
const HOUR: u64 = 3_600;

/// What `comity charter propose` is told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comity charter propose charter.signed --admit delta/institution.toml \
    --key north/root.key\n  comity charter propose charter.signed --remove uni-delta --reason \"broke \
    the rules\"\n  comity charter show charter.signed --text > next.toml; edit it; comity charter \
    propose charter.signed next.toml\n\nJoining, leaving and revoking need more than half of the \
    institutions, any other change two thirds: of those before and of those after. Who joins signs \
    too.\n\nExit codes: 0 enough institutions signed, 1 failed, 2 signatures are still missing."
)]
pub struct ProposeArgs {
    /// The charter; the new version is added to it.
    charter: PathBuf,
    /// The next version in TOML, as `comity charter show --text` prints it; without it, the present
    /// one with the changes below.
    text: Option<PathBuf>,
    /// An institution to admit, as `comity join` writes it.
    #[arg(long, value_name = "FILE")]
    admit: Vec<PathBuf>,
    /// An institution to remove. Receipts that its nodes sign from now on are void.
    #[arg(long, value_name = "ID")]
    remove: Vec<String>,
    /// A node to revoke, by its key.
    #[arg(long, value_name = "PEER")]
    revoke: Vec<PeerKey>,
    /// Why, for people: kept with what is removed and revoked.
    #[arg(long, default_value = "")]
    reason: String,
    /// Root key of an institution that agrees.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What `comity charter suspend` is told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  comity charter suspend charter.signed uni-delta --reason \"key stolen\" \
    --key north/root.key\n\nRun it again with the key of a second institution: then it counts. Who \
    has signed one cannot sign another for a week.\n\nExit codes: 0 in force, 1 failed, 2 a \
    signature is missing."
)]
pub struct SuspendArgs {
    /// The charter; the suspension is added to it.
    charter: PathBuf,
    /// Institution to suspend.
    institution: String,
    /// Why, for people.
    #[arg(long)]
    reason: String,
    /// For how long.
    #[arg(long, default_value_t = HOURS_DEFAULT, value_parser = clap::value_parser!(u16).range(1..=72))]
    hours: u16,
    /// Root key of an institution that agrees.
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Adds the next version.
pub(super) fn propose(args: &ProposeArgs) -> Result<Outcome, CharterCommandError> {
    if args.text.is_none()
        && args.admit.is_empty()
        && args.remove.is_empty()
        && args.revoke.is_empty()
    {
        return Err(CharterCommandError::Nothing);
    }
    let file = CharterFile::open(&args.charter)?;
    let charter = next(args, &file, text::whole_seconds(Clock::start().now()))?;
    let file = file.propose(&charter, &load_keys(&args.key)?)?;
    file.save()?;
    show::report(&file, args.json)
}

/// The version that `args` ask for.
fn next(
    args: &ProposeArgs,
    file: &CharterFile,
    now: Timestamp,
) -> Result<Charter, CharterCommandError> {
    let chain = file.complete()?;
    let mut charter = match &args.text {
        Some(path) => {
            let text = read_text(path, TEXT_BYTES_MAX)?;
            text::parse(&path.display().to_string(), &text, now)?
        }
        None => Charter { created_at: now, ..chain.current().clone() },
    };
    // A clock that is a little behind must not hold people up.
    charter.created_at = now.max(chain.current().created_at);
    charter.version = chain.current().version + 1;
    charter.previous = Some(chain.hash());
    for path in &args.admit {
        let text = read_text(path, TEXT_BYTES_MAX)?;
        charter.institutions.extend(text::institutions(&path.display().to_string(), &text)?);
    }
    charter.institutions.sort_by(|a, b| a.id.cmp(&b.id));
    let revocation = || Revocation { at: charter.created_at, reason: args.reason.clone() };
    for id in &args.remove {
        let before = charter.institutions.len();
        charter.institutions.retain(|Institution { id: other, .. }| other != id);
        if charter.institutions.len() == before {
            return Err(CharterCommandError::Unknown(id.clone()));
        }
        charter.revocations.insert(Revoked::Institution(id.clone()), revocation());
    }
    for peer in &args.revoke {
        charter.revocations.insert(Revoked::Peer(*peer), revocation());
    }
    Ok(charter)
}

/// Adds signatures under a suspension: under one of the same institution that waits, or a new one.
pub(super) fn suspend(args: &SuspendArgs) -> Result<Outcome, CharterCommandError> {
    let mut file = CharterFile::open(&args.charter)?;
    let now = Clock::start().now();
    let chain = file.complete()?;
    if chain.current().institution(&args.institution).is_none() {
        return Err(CharterCommandError::Unknown(args.institution.clone()));
    }
    let mut known = Suspensions::default();
    for signed in &file.suspensions {
        // One that is over, or whose signer left, is of no more use.
        let _ = known.insert(now, chain, signed);
    }
    let proposed = known.proposed(chain.current());
    let same = |it: &Suspension| it.institution == args.institution && it.until > now;
    let waiting = proposed.iter().find(|(it, signers)| same(it) && signers.len() < 2);
    let suspension = waiting.map_or_else(|| new_suspension(args, now), |(it, _)| (*it).clone());
    for key in load_keys(&args.key)? {
        let signed = key.sign(Domain::SUSPENSION, &chain.genesis(), &suspension)?;
        known.insert(now, chain, &signed)?;
    }
    let in_force = known.in_force(now, chain.current()).contains_key(&args.institution);
    // In the order in which files and messages have them.
    file.suspensions = known.signed().cloned().collect();
    file.save()?;
    let (institution, until) = (&args.institution, suspension.until);
    if args.json {
        let until_ms = until.as_ms();
        let report =
            json!({ "institution": institution, "in_force": in_force, "until_ms": until_ms });
        print_json(&report);
    } else if in_force {
        print(&format!("{institution} is suspended until {}\n", date(until)));
    } else {
        print(&format!("{institution}: another institution must sign before it is suspended\n"));
    }
    Ok(if in_force { Outcome::Done } else { Outcome::Incomplete })
}

fn new_suspension(args: &SuspendArgs, now: Timestamp) -> Suspension {
    Suspension {
        institution: args.institution.clone(),
        from: now,
        until: now + Duration::from_secs(u64::from(args.hours) * HOUR),
        reason: args.reason.clone(),
    }
}
