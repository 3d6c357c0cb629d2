//! `comity generate`: one prompt, one answer.

use std::{io::Read as _, path::PathBuf};

use bytes::Bytes;
use comity_protocol::{
    limits::{REQUEST_BYTES_MAX, STAGES_MAX},
    request::{ChatMessage, Generate, Prompt},
    sampler::SamplingError,
};
use serde_json::json;

use super::{
    Outcome,
    answer::{self, AnswerError, Ended},
    connect::{ConnectArgs, ReachError},
    note,
    policy::PolicyArgs,
    print, print_json, pull,
    sampling::SamplingArgs,
};

/// What `comity generate` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  comity generate --token data/client.token \"Why is the sky \
    blue?\"\n  comity generate --token data/client.token --only-in NL,DE \
    --pin-first 2 \"Who was Grotius?\"\n  echo \"Once upon a time\" | comity generate --raw \
    --max-tokens 64 --json -")]
pub struct Args {
    /// What to ask; - reads it from standard input.
    prompt: String,
    #[command(flatten)]
    ask: AskArgs,
    /// Print one JSON object at the end, and nothing else.
    #[arg(long)]
    json: bool,
}

/// What to ask for, whoever asks.
#[derive(Debug, Clone, clap::Args)]
pub struct AskArgs {
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
    /// Name of the model, or the digest of its manifest.
    #[arg(long, default_value = pull::DEFAULT)]
    pub(super) model: String,
    /// What the model is told before the conversation.
    #[arg(long, value_name = "TEXT", conflicts_with = "raw")]
    pub(super) system: Option<String>,
    /// Take the text as it is, without the model's chat template.
    #[arg(long)]
    pub(super) raw: bool,
    /// Split the model over at least so many stages.
    #[arg(long, value_name = "N", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u32).range(..=STAGES_MAX as i64))]
    pub(super) stages: u32,
    /// Where to keep the proof of the answer.
    #[arg(long, value_name = "FILE")]
    pub(super) receipt: Option<PathBuf>,
    #[command(flatten)]
    pub(super) policy: PolicyArgs,
    #[command(flatten)]
    pub(super) sampling: SamplingArgs,
}

/// Why nothing was generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateCommandError {
    /// Standard input cannot be read.
    #[error("standard input cannot be read")]
    Input(#[source] std::io::Error),
    /// The sampling parameters are not accepted.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// The node was not reached.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// There is no answer.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// Runs `comity generate`.
///
/// # Errors
/// [`GenerateCommandError`] if there is no answer.
pub async fn run(args: Args) -> Result<Outcome, GenerateCommandError> {
    let text = if args.prompt == "-" { read_stdin()? } else { args.prompt };
    let prompt = if args.ask.raw {
        Prompt::Raw(text)
    } else {
        let system = args.ask.system.iter().map(|text| message("system", text));
        Prompt::Chat(system.chain([message("user", &text)]).collect())
    };
    let request = args.ask.request(prompt)?;
    let client = args.ask.connect.connect().await?;
    let ended = answer::ask(&client, request, !args.json).await;
    client.close().await;
    let outcome = match ended.map_err(AnswerError::from)? {
        Ended::Finished(finished) => {
            if !args.json {
                print("\n");
                answer::sum_up(&finished);
            }
            answer::keep(&finished, args.ask.receipt.as_ref())?;
            if args.json {
                let receipt = args.ask.receipt.as_ref();
                print_json(&answer::to_json(&finished, &args.ask.model, receipt));
            }
            answer::outcome(&finished)
        }
        Ended::Cancelled(text) => {
            if args.json {
                print_json(&json!({ "text": text, "finish_reason": "cancelled" }));
            } else {
                note("\n[cancelled]");
            }
            Outcome::Incomplete
        }
    };
    Ok(outcome)
}

impl AskArgs {
    /// The request for an answer to `prompt`.
    pub(super) fn request(&self, prompt: Prompt) -> Result<Generate, SamplingError> {
        Ok(Generate {
            model: self.model.clone(),
            prompt,
            sampling: self.sampling.sampling()?,
            policy: self.policy.name(),
            nonce: Bytes::new(),
            stages_min: self.stages,
            rules: self.policy.rules().map(Box::new),
        })
    }
}

pub(super) fn message(role: &str, content: &str) -> ChatMessage {
    ChatMessage { role: role.to_owned(), content: content.to_owned() }
}

/// Standard input up to the longest request; what is longer is refused when it is sent.
fn read_stdin() -> Result<String, GenerateCommandError> {
    let mut text = String::new();
    std::io::stdin()
        .take(REQUEST_BYTES_MAX as u64 + 1)
        .read_to_string(&mut text)
        .map_err(GenerateCommandError::Input)?;
    Ok(text)
}
