//! `comity chat`: a conversation at the terminal. Not one the node remembers: each turn carries all.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Read as _},
    thread,
};

use comity_client::Client;
use comity_protocol::{
    limits::{MESSAGES_MAX, REQUEST_BYTES_MAX},
    request::{ChatMessage, Prompt},
    sampler::SamplingError,
};
use tokio::sync::mpsc;

use super::{
    Outcome,
    answer::{self, AnswerError, Ended},
    connect::ReachError,
    generate::{AskArgs, message},
    note, print, print_json,
};

/// Lines read ahead of the conversation: a person types one, a pipe waits.
const LINES_AHEAD: usize = 1;

/// What `comity chat` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  comity chat --token data/client.token --system \"Answer \
    briefly.\"\n\nCtrl-C stops an answer; at the prompt, Ctrl-C, Ctrl-D or /quit leaves. /new \
    starts over.\n--receipt FILE keeps the proof of the last answer.")]
pub struct Args {
    #[command(flatten)]
    ask: AskArgs,
    /// Print one JSON object per answer, and nothing else.
    #[arg(long)]
    json: bool,
}

/// Why the conversation ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The sampling parameters are not accepted.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// The node was not reached.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// The proof could not be kept.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// No thread for the keyboard could be started.
    #[error("standard input cannot be read")]
    Input(#[source] io::Error),
}

/// What was said so far.
#[derive(Debug, Clone)]
pub(crate) enum History {
    /// Turns, for the model's template.
    Chat(Vec<ChatMessage>),
    /// One text that goes on.
    Raw(String),
}

/// Runs `comity chat`.
///
/// # Errors
/// [`ChatError`]; an answer that fails only ends its turn.
pub async fn run(args: Args) -> Result<Outcome, ChatError> {
    // Checked before anything is asked.
    args.ask.sampling.sampling()?;
    let client = args.ask.connect.connect().await?;
    let mut lines = keyboard().map_err(ChatError::Input)?;
    let mut history = History::new(&args.ask);
    let mut outcome = Outcome::Done;
    while let Some(line) = next_line(&args, &mut lines).await {
        match line.trim() {
            "" => {}
            "/quit" | "/exit" => break,
            "/new" => history = History::new(&args.ask),
            text => outcome = turn(&args, &client, &mut history, text).await?,
        }
    }
    client.close().await;
    Ok(outcome)
}

/// One question and its answer.
async fn turn(
    args: &Args,
    client: &Client,
    history: &mut History,
    text: &str,
) -> Result<Outcome, ChatError> {
    let mut asked = history.clone();
    if !asked.ask(text) {
        note("[the conversation is full; /new starts over]");
        return Ok(Outcome::Incomplete);
    }
    let request = args.ask.request(asked.prompt())?;
    let outcome = match answer::ask(client, request, !args.json).await {
        Ok(Ended::Finished(finished)) => {
            asked.answer(&finished.text);
            *history = asked;
            if args.json {
                let receipt = args.ask.receipt.as_ref();
                print_json(&answer::to_json(&finished, &args.ask.model, receipt));
            } else {
                print("\n");
                answer::sum_up(&finished);
            }
            answer::keep(&finished, args.ask.receipt.as_ref())?;
            answer::outcome(&finished)
        }
        Ok(Ended::Cancelled(text)) => {
            // What was seen stays said; a question without an answer was never asked.
            if !text.is_empty() {
                asked.answer(&text);
                *history = asked;
            }
            note("\n[cancelled]");
            Outcome::Incomplete
        }
        Err(error) => {
            note(&format!("[{error}]"));
            Outcome::Failed
        }
    };
    Ok(outcome)
}

impl History {
    fn new(args: &AskArgs) -> Self {
        if args.raw {
            return Self::Raw(String::new());
        }
        Self::Chat(args.system.iter().map(|text| message("system", text)).collect())
    }

    /// Adds a question; false if the conversation has no room for it and its answer.
    fn ask(&mut self, text: &str) -> bool {
        match self {
            Self::Chat(messages) if messages.len() + 2 > MESSAGES_MAX => false,
            Self::Chat(messages) => {
                messages.push(message("user", text));
                true
            }
            Self::Raw(whole) => {
                whole.push_str(text);
                true
            }
        }
    }

    fn answer(&mut self, text: &str) {
        match self {
            Self::Chat(messages) => messages.push(message("assistant", text)),
            Self::Raw(whole) => whole.push_str(text),
        }
    }

    fn prompt(&self) -> Prompt {
        match self {
            Self::Chat(messages) => Prompt::Chat(messages.clone()),
            Self::Raw(whole) => Prompt::Raw(whole.clone()),
        }
    }
}

/// The next line; `None` at the end of input or at Ctrl-C.
async fn next_line(args: &Args, lines: &mut mpsc::Receiver<String>) -> Option<String> {
    if !args.json && io::stdin().is_terminal() {
        print("> ");
    }
    tokio::select! {
        line = lines.recv() => line,
        _ = tokio::signal::ctrl_c() => None,
    }
}

/// Reads lines on a thread of its own, which the end of the program need not wait for.
fn keyboard() -> io::Result<mpsc::Receiver<String>> {
    let (sender, lines) = mpsc::channel(LINES_AHEAD);
    thread::Builder::new().name("keyboard".to_owned()).spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = String::new();
            let read = (&mut input).take(REQUEST_BYTES_MAX as u64).read_line(&mut line);
            if !matches!(read, Ok(1..)) || sender.blocking_send(line).is_err() {
                break;
            }
        }
    })?;
    Ok(lines)
}

#[cfg(test)]
mod tests;
