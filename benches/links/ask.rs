//! One answer and when its tokens came. Not over what.

use std::time::Instant;

use comity_client::{Event, Finished};
use comity_protocol::request::Generate;
use comity_shard::Tokenizer;

use crate::{harness::Bench, ring::Ring};

/// Some 50 tokens that ask for an answer which does not end soon.
pub(crate) const PROMPT: &str = "The following is a long and careful description of the city of \
    Amsterdam, its canals, its houses, its museums and the people who live there, written by a \
    traveller who stayed for a whole year and wrote down something new on every single day. \
    Chapter one. When I";

/// When things came, seconds since the request was sent.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    /// One per token.
    pub(crate) tokens: Vec<f64>,
    pub(crate) ids: Vec<u32>,
}

impl Times {
    pub(crate) fn first(&self) -> f64 {
        self.tokens[0]
    }

    /// Seconds between tokens, in order.
    pub(crate) fn gaps(&self) -> Vec<f64> {
        self.tokens.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Decoded tokens per second.
    pub(crate) fn rate(&self) -> f64 {
        let gaps = self.gaps();
        gaps.len() as f64 / gaps.iter().sum::<f64>()
    }
}

/// Asks, tells `token` how many tokens there are whenever one came, and checks the proof.
pub(crate) async fn ask(ring: &Ring, prompt: &str, tokens: u32, token: impl FnMut(usize)) -> Times {
    ask_for(ring, ring.request(prompt, tokens), token).await
}

/// The same for any request.
pub(crate) async fn ask_for(ring: &Ring, request: Generate, mut token: impl FnMut(usize)) -> Times {
    let begun = Instant::now();
    let mut generation = ring.client.generate(request).await.expect("it is taken");
    let mut times = Vec::new();
    while let Some(event) = generation.next().await {
        if let Event::Token(_) = event.expect("the answer goes on") {
            times.push(begun.elapsed().as_secs_f64());
            token(times.len());
        }
    }
    let finished: Finished = generation.finish().await.expect("the answer ends");
    ring.check(&finished);
    Times { tokens: times, ids: finished.token_ids }
}

/// A prompt of exactly `tokens` tokens that begins with `start`.
pub(crate) fn prompt(bench: &Bench, start: &str, tokens: usize) -> String {
    let tokenizer = Tokenizer::load(&bench.file).expect("the tokenizer loads");
    let count = |text: &str| tokenizer.encode_prompt(text).expect("it is text").len();
    let mut text = start.to_owned();
    while count(&text) + count(PROMPT) + 1 < tokens {
        text.push(' ');
        text.push_str(PROMPT);
    }
    while count(&text) < tokens {
        text.push_str(" day");
    }
    assert_eq!(count(&text), tokens, "a common word is one token");
    text
}
