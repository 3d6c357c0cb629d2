//! One answer on the terminal: streamed, cancelled, summed up. Not the request that asked for it.

use std::path::PathBuf;

use comity_client::{Client, Event, Finished, GenerateError};
use comity_protocol::{
    receipt::FinishReason,
    request::{Generate, StageInfo, Started},
};
use serde_json::{Value, json};

use super::{FileError, Outcome, note, print, shown, write};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The node brought none.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The proof could not be kept.
    #[error(transparent)]
    File(#[from] FileError),
    /// The proof was to be kept, but the node sent none.
    #[error("the node sent no receipt to keep in {path}")]
    NoReceipt {
        /// Where it was to be kept.
        path: PathBuf,
    },
}

/// How an answer ended.
#[derive(Debug)]
pub enum Ended {
    /// The node ended it, well or badly.
    Finished(Box<Finished>),
    /// The user cancelled it; so much had come.
    Cancelled(String),
}

/// Asks, streams the answer to standard output if `stream`, and stops at Ctrl-C.
///
/// # Errors
/// [`GenerateError`] if the node brought no end.
pub async fn ask(client: &Client, request: Generate, stream: bool) -> Result<Ended, GenerateError> {
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    let mut text = String::new();
    let mut generation = tokio::select! {
        generation = client.generate(request) => generation?,
        _ = &mut interrupted => return Ok(Ended::Cancelled(text)),
    };
    loop {
        let event = tokio::select! {
            event = generation.next() => event,
            // The generation is dropped, which stops the request on the node.
            _ = &mut interrupted => return Ok(Ended::Cancelled(text)),
        };
        match event {
            Some(Ok(Event::Started(_))) => {}
            Some(Ok(Event::Token(token))) => {
                if stream {
                    print(&shown(&token.text));
                }
                text.push_str(&token.text);
            }
            Some(Err(error)) => return Err(error),
            None => break,
        }
    }
    let finished = generation.finish().await?;
    if stream {
        print(&shown(&finished.tail));
    }
    Ok(Ended::Finished(Box::new(finished)))
}

/// Keeps the proof where the user wants it.
///
/// # Errors
/// [`AnswerError`] if there is none or it cannot be written.
pub fn keep(finished: &Finished, path: Option<&PathBuf>) -> Result<(), AnswerError> {
    let Some(path) = path else { return Ok(()) };
    if finished.bundle.is_empty() {
        return Err(AnswerError::NoReceipt { path: path.clone() });
    }
    Ok(write(path, &finished.bundle)?)
}

/// Says how it went, beside the answer.
pub fn sum_up(finished: &Finished) {
    let stages = finished.started.as_ref().map_or(0, |started| started.stages.len());
    note(&format!(
        "[{} tokens over {stages} stages, {:.1} tokens/s, first after {:.0} ms{}]",
        finished.token_ids.len(),
        tokens_per_second(finished),
        finished.first_token.as_secs_f64() * 1e3,
        match finished.cached_tokens {
            0 => String::new(),
            cached => format!(", {cached} prompt tokens cached"),
        },
    ));
    if let Some(cause) = &finished.cause {
        note(&format!("[ended badly: {}]", shown(&cause.to_string())));
    }
}

/// Everything about an answer, for scripts.
#[must_use]
pub fn to_json(finished: &Finished, model: &str, receipt: Option<&PathBuf>) -> Value {
    let started = finished.started.as_ref();
    json!({
        "text": finished.text,
        "token_ids": finished.token_ids,
        "model": model,
        "manifest": started.map(|started| started.manifest.to_string()),
        "session": started.map(|started| started.session.to_string()),
        "prompt_tokens": started.map(|started| started.prompt_tokens),
        "cached_tokens": finished.cached_tokens,
        "stages": started.map_or_else(Vec::new, stages),
        "finish_reason": finished.reason.as_str(),
        "cause": finished.cause.as_ref().map(ToString::to_string),
        "tokens_per_second": tokens_per_second(finished),
        "ttft_ms": finished.first_token.as_secs_f64() * 1e3,
        "receipt": receipt,
    })
}

/// The outcome of a command that brought this answer.
#[must_use]
pub const fn outcome(finished: &Finished) -> Outcome {
    match finished.reason {
        FinishReason::Stop | FinishReason::Length => Outcome::Done,
        FinishReason::Error | FinishReason::Cancelled => Outcome::Incomplete,
    }
}

/// Tokens per second of decoding: the first token ends prefill, so it does not count.
#[must_use]
pub fn tokens_per_second(finished: &Finished) -> f64 {
    let tokens = u32::try_from(finished.token_ids.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let seconds = finished.decode.as_secs_f64();
    if seconds > 0.0 { f64::from(tokens) / seconds } else { 0.0 }
}

fn stages(started: &Started) -> Vec<Value> {
    let stage = |stage: &StageInfo| {
        json!({
            "institution": stage.institution,
            "peer": stage.peer.to_string(),
            "jurisdiction": stage.jurisdiction,
            "blocks": [stage.blocks.start(), stage.blocks.end()],
        })
    };
    started.stages.iter().map(stage).collect()
}
