//! Answers to several clients at once: tokens per second of all together, over 1 and 3 stages on
//! loopback. Not a single answer: see `pipeline`.

mod harness;
mod ring;

use std::time::Instant;

use comity_client::Event;
use futures::future::join_all;
use harness::{Bench, Spread, say};
use ring::Ring;

/// Stages compared.
const STAGES: [u32; 2] = [1, 3];
/// Requests at once.
const STREAMS: [usize; 3] = [1, 4, 16];
/// Tokens of each answer.
const TOKENS: u32 = 64;
/// Rounds over all combinations.
const ROUNDS: usize = 5;
/// About 128 tokens, and an answer that does not end soon.
const PROMPT: &str = "The following is a long and careful description of the city of Amsterdam, \
    its canals, its houses, its museums and the people who live there, written by a traveller who \
    stayed for a whole year and wrote down something new on every single day. It tells of markets \
    in the early morning, of boats that carry flowers and cheese, of students on bicycles in the \
    rain, of painters and printers, of quiet courtyards behind heavy doors, and of long evenings \
    by the water when the lights of the bridges come on one after the other and nobody is in a \
    hurry to go home. Chapter one. When I";

/// What all streams of one round took.
struct Sample {
    /// Tokens of all answers over the time of all.
    rate: f64,
    /// Longest wait for a first token, seconds.
    first: f64,
}

fn main() {
    if harness::begin("streams") {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(Box::pin(run()));
    }
}

async fn run() {
    let bench = Bench::model().await;
    let mut rings = Vec::new();
    for stages in STAGES {
        rings.push(Ring::start(&bench, stages).await);
    }
    let mut samples: Vec<_> = STAGES
        .into_iter()
        .flat_map(|stages| STREAMS.map(|streams| (stages, streams, Vec::new())))
        .collect();
    for _ in 0..ROUNDS {
        for (stages, streams, samples) in &mut samples {
            let ring = rings.iter().find(|ring| ring.stages == *stages).expect("it was started");
            samples.push(answers(ring, *streams).await);
        }
    }
    say(&format!("\n{:<12}{:>10}{:>28}{:>24}", "", "streams", "tokens/s", "last first token, ms"));
    for (stages, streams, samples) in samples {
        let rate = Spread::of(samples.iter().map(|sample| sample.rate));
        let first = Spread::of(samples.iter().map(|sample| sample.first * 1e3));
        say(&format!(
            "{:<12}{streams:>10}{:>28}{:>24}",
            format!("{stages} stages"),
            format!("{:.0} ({:.0} to {:.0})", rate.median, rate.least, rate.most),
            format!("{:.0} ({:.0} to {:.0})", first.median, first.least, first.most),
        ));
    }
    for ring in rings {
        ring.stop().await;
    }
}

/// Asks `streams` times at once; every proof is checked after the time is taken.
async fn answers(ring: &Ring, streams: usize) -> Sample {
    let begun = Instant::now();
    let answers = join_all((0..streams).map(|stream| async move {
        // Unlike prompts, so that nothing could be shared.
        let request = ring.request(&format!("{stream}. {PROMPT}"), TOKENS);
        let mut generation = ring.client.generate(request).await.expect("it is taken");
        let mut first = None;
        while let Some(event) = generation.next().await {
            if let Event::Token(_) = event.expect("the answer goes on") {
                first.get_or_insert_with(|| begun.elapsed().as_secs_f64());
            }
        }
        (first, generation.finish().await.expect("the answer ends"))
    }))
    .await;
    let elapsed = begun.elapsed().as_secs_f64();
    let tokens: usize = answers.iter().map(|(_, finished)| finished.token_ids.len()).sum();
    answers.iter().for_each(|(_, finished)| ring.check(finished));
    let first = answers.iter().filter_map(|(first, _)| *first).fold(0.0, f64::max);
    Sample { rate: tokens as f64 / elapsed, first }
}
