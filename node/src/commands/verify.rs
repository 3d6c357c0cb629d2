//! `comity verify`: checks a proof offline and says what it shows and what it does not.

use std::path::PathBuf;

use comity_protocol::{
    bundle::{Reader, Report, VerifyError, verify_knowing},
    charter::Chain,
    id::Digest,
    limits::BUNDLE_BYTES_MAX,
    receipt::SystemPrompt,
};
use serde_json::{Value, json};

use super::{
    FileError, Outcome,
    charter::{CharterCommandError, CharterFile},
    date, print, print_json, read, shown,
};
use crate::clock::Clock;

/// What `comity verify` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  comity verify answer.bundle --genesis \
    9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n\nExit codes: 0 the proof \
    holds and is complete, 1 it does not hold, 2 it holds but is incomplete.")]
pub struct Args {
    /// The bundle to check.
    bundle: PathBuf,
    /// Hash of the genesis charter of the consortium you trust, 64 hexadecimal digits.
    #[arg(long, value_name = "HASH")]
    genesis: Digest,
    /// The newest charter you know: what it revokes counts, even if the bundle does not know it.
    #[arg(long, value_name = "FILE")]
    charter: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Why a bundle could not be checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyCommandError {
    /// The bundle cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The charter cannot be read.
    #[error(transparent)]
    Charter(#[from] CharterCommandError),
}

/// Runs `comity verify`. A bundle that does not hold is no error: it is the answer.
///
/// # Errors
/// [`VerifyCommandError`] if a file cannot be read.
#[expect(clippy::unused_async, reason = "every command has this shape")]
pub async fn run(args: Args) -> Result<Outcome, VerifyCommandError> {
    // One byte more than a bundle may have is a fault of the bundle, which `verify` names.
    let bytes = read(&args.bundle, BUNDLE_BYTES_MAX + 1)?;
    let known = args.charter.as_deref().map(CharterFile::open).transpose()?;
    let chain = known.as_ref().map(CharterFile::complete).transpose()?;
    let charters = chain.map_or(&[][..], Chain::signed);
    let reader = Reader { genesis: &args.genesis, charters, now: Clock::start().now() };
    let verdict = verify_knowing(&bytes, reader);
    if args.json {
        print_json(&to_json(&verdict));
    } else {
        print(&match &verdict {
            Ok(report) => describe(report),
            Err(error) => {
                format!("FAILED: {}: {}\ncode: {}\n", error.field, error.fault, error.code())
            }
        });
    }
    Ok(match verdict {
        Ok(report) if report.complete => Outcome::Done,
        Ok(_) => Outcome::Incomplete,
        Err(_) => Outcome::Failed,
    })
}

fn describe(report: &Report) -> String {
    let mut lines = vec![
        if report.complete { "VERIFIED" } else { "VERIFIED, BUT INCOMPLETE" }.to_owned(),
        format!("consortium  {}", report.consortium),
        format!("model       {} (manifest {})", report.model.name, report.manifest),
        format!("policy      {}", report.policy),
        format!(
            "answer      {} tokens after {} of prompt, ended: {}",
            report.output_tokens, report.prompt_tokens, report.finish_reason,
        ),
        format!(
            "home        {} ({}), node in {}",
            report.home.institution, report.home.legal_name, report.home.jurisdiction,
        ),
    ];
    lines.push(format!(
        "program     {}, first token after {} ms",
        report.software, report.first_token_ms
    ));
    lines.push(format!("system      {}", system_prompt(report)));
    lines.push(format!("client      {}", client(report)));
    lines.push(format!("kept until  {}", date(report.retained_until)));
    lines.extend(report.stages.iter().enumerate().map(|(index, stage)| {
        let signed = if stage.signed { "" } else { ", last span UNSIGNED" };
        let cached = match stage.cached {
            0 => String::new(),
            cached => format!(", the first {cached} kept from an earlier session"),
        };
        format!(
            "stage {index:<6}{} ({}), node in {}, blocks {}, {} positions{cached}, {} rows of {} \
             parameters{signed}",
            stage.place.institution,
            stage.place.legal_name,
            stage.place.jurisdiction,
            stage.blocks,
            stage.positions,
            stage.computed,
            stage.parameters,
        )
    }));
    lines.extend(report.cosigned.iter().map(|(institution, at)| {
        format!("witness     {institution} saw it in home's log on {}", date(*at))
    }));
    lines.push("verified:".to_owned());
    lines.extend(report.verified().iter().map(|what| format!("  + {what}")));
    lines.push("not checked:".to_owned());
    lines.extend(report.not_checked().iter().map(|what| format!("  - {what}")));
    shown(&(lines.join("\n") + "\n"))
}

fn system_prompt(report: &Report) -> String {
    match (report.system_prompt_by, &report.system_prompt) {
        (SystemPrompt::None, _) => "none: the prompt is raw text".to_owned(),
        (SystemPrompt::Template, _) => "only what the model's template adds".to_owned(),
        (SystemPrompt::Client, Some(text)) => format!("the client's: {text:?}"),
        (SystemPrompt::Client, None) => "the client's; the bundle does not show it".to_owned(),
    }
}

fn client(report: &Report) -> String {
    match report.client {
        Some(key) => key.to_string(),
        None if report.opened => "whoever holds the node's token".to_owned(),
        None => "a pseudonym that the bundle does not open".to_owned(),
    }
}

fn to_json(verdict: &Result<Report, VerifyError>) -> Value {
    let report = match verdict {
        Ok(report) => report,
        Err(error) => {
            return json!({
                "verified": false,
                "complete": false,
                "field": error.field,
                "code": error.code(),
                "error": error.fault.to_string(),
            });
        }
    };
    let stages = report.stages.iter().map(|stage| {
        json!({
            "institution": stage.place.institution,
            "peer": stage.place.peer.to_string(),
            "jurisdiction": stage.place.jurisdiction.to_string(),
            "parent_country": stage.place.parent_country.to_string(),
            "blocks": [stage.blocks.start(), stage.blocks.end()],
            "positions": stage.positions,
            "cached": stage.cached,
            "computed": stage.computed,
            "parameters": stage.parameters,
            "signed": stage.signed,
        })
    });
    let cosigned = report
        .cosigned
        .iter()
        .map(|(institution, at)| json!({ "institution": institution, "at_ms": at.as_ms() }));
    json!({
        "verified": true,
        "complete": report.complete,
        "witnessed": report.witnessed,
        "cosigned": cosigned.collect::<Vec<_>>(),
        "consortium": report.consortium,
        "receipt": report.receipt.to_string(),
        "session": report.session.to_string(),
        "model": report.model.name,
        "manifest": report.manifest.to_string(),
        "numeric_class": report.numeric_class,
        "policy": report.policy,
        "home": {
            "institution": report.home.institution,
            "peer": report.home.peer.to_string(),
            "jurisdiction": report.home.jurisdiction.to_string(),
        },
        "stages": stages.collect::<Vec<_>>(),
        "opened_at_ms": report.opened_at.as_ms(),
        "closed_at_ms": report.closed_at.as_ms(),
        "prompt_tokens": report.prompt_tokens,
        "output_tokens": report.output_tokens,
        "finish_reason": report.finish_reason.as_str(),
        "cause": report.cause.map(|cause| cause.as_str()),
        "filters": report.filters,
        "software": report.software,
        "system_prompt_by": report.system_prompt_by.as_str(),
        "system_prompt": report.system_prompt,
        "retained_until_ms": report.retained_until.as_ms(),
        "first_token_ms": report.first_token_ms,
        "client": report.client.map(|key| key.to_string()),
        "acknowledged_by": report.acknowledged_by.map(|key| key.to_string()),
        "checked": report.verified(),
        "not_checked": report.not_checked(),
    })
}
