//! Whole answers over 1, 2 and 3 stages on loopback, and what of a token's time is not the model.
//! Not a network: distances and loss are `comity-netsim`'s part.
//!
//! Real nodes in one process. Beside them, in the same rounds, the model alone: the same tokens
//! through the same kernels in one loop without node, session or socket.

#[path = "pipeline/alone.rs"]
mod alone;
mod harness;
#[path = "pipeline/receipts.rs"]
mod receipts;
mod ring;

use std::time::Instant;

use alone::Alone;
use comity_client::{Event, Finished};
use harness::{Bench, ROUNDS, Spread, say};
use ring::Ring;

/// Stages compared; the first is the baseline.
const STAGES: [u32; 3] = [1, 2, 3];
/// Tokens of one answer.
const TOKENS: u32 = 48;
/// Asks for an answer that does not end soon.
const PROMPT: &str = "The following is a long and careful description of the city of Amsterdam, \
    its canals, its houses, its museums and the people who live there, written by a traveller who \
    stayed for a whole year and wrote down something new on every single day. Chapter one. When I";

/// One answer's figures, seconds.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// From the request's arrival to the first token.
    first: f64,
    /// One decoded token.
    token: f64,
    /// From the last token's arrival at the client to the proof's.
    proof: f64,
}

/// A ring and the figures of its answers.
struct Measured {
    ring: Ring,
    samples: Vec<Sample>,
}

fn main() {
    if harness::begin("pipeline") {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(Box::pin(run(&runtime)));
    }
}

async fn run(runtime: &tokio::runtime::Runtime) {
    let bench = Bench::model().await;
    let mut rings = Vec::new();
    for stages in STAGES {
        rings.push(Measured { ring: Ring::start(&bench, stages).await, samples: Vec::new() });
    }
    // Warms caches and connections, and says which tokens the model alone must make.
    let mut expected = None;
    for ring in &mut rings {
        let finished = ring.ask().await;
        let tokens = expected.get_or_insert_with(|| finished.token_ids.clone());
        assert_eq!(*tokens, finished.token_ids, "any split gives the same tokens");
        ring.samples.clear();
    }
    let expected = expected.expect("there are rings");
    let mut alone = Alone::load(&bench, PROMPT);
    let (_, tokens) = alone.answer(expected.len());
    assert_eq!(tokens, expected, "the model alone gives the same tokens");
    let mut samples = Vec::new();
    let mut proof = None;
    for round in 0..ROUNDS {
        samples.push(alone.answer(expected.len()).0);
        for place in 0..rings.len() {
            // Whoever comes first in one round comes later in the next.
            let measured = &mut rings[(place + round) % STAGES.len()];
            let finished = measured.ask().await;
            assert_eq!(finished.token_ids, expected, "every round gives the same tokens");
            if measured.ring.stages == STAGES[STAGES.len() - 1] {
                proof = Some((finished.bundle, measured.ring.demo.genesis));
            }
        }
    }
    report(alone.prompt_tokens(), expected.len(), &samples, &rings);
    let (bundle, genesis) = proof.expect("there are rings");
    let token = Spread::of(rings[0].samples.iter().map(|sample| sample.token)).median;
    tokio::task::block_in_place(|| {
        let costs = receipts::measure(runtime, &bundle, &genesis, bench.file.config().hidden_size);
        receipts::report(&costs, token, expected.len(), &STAGES);
    });
    for measured in rings {
        measured.ring.stop().await;
    }
}

impl Measured {
    /// Asks once, checks the proof, and keeps the figures.
    async fn ask(&mut self) -> Finished {
        let request = self.ring.request(PROMPT, TOKENS);
        let mut generation = self.ring.client.generate(request).await.expect("it is taken");
        let mut last = Instant::now();
        while let Some(event) = generation.next().await {
            if let Event::Token(_) = event.expect("the answer goes on") {
                last = Instant::now();
            }
        }
        let proof = last.elapsed().as_secs_f64();
        let finished = generation.finish().await.expect("the answer ends");
        self.ring.check(&finished);
        let decoded = finished.token_ids.len().checked_sub(1).filter(|&decoded| decoded > 0);
        let decoded = decoded.expect("an answer of more than one token");
        let token = finished.decode.as_secs_f64() / decoded as f64;
        self.samples.push(Sample { first: finished.first_token.as_secs_f64(), token, proof });
        finished
    }
}

/// "1 stage", "2 stages".
fn stages(count: u32) -> String {
    format!("{count} stage{}", if count == 1 { "" } else { "s" })
}

fn report(prompt: usize, answer: usize, alone: &[Sample], rings: &[Measured]) {
    let over =
        |samples: &[Sample], value: fn(&Sample) -> f64| Spread::of(samples.iter().map(value));
    say(&format!(
        "\n{prompt} prompt tokens, {answer} tokens of answer, {ROUNDS} interleaved rounds, medians \
         (least to most)\n\n{:<16}{:>26}{:>12}{:>12}{:>14}{:>12}",
        "", "tokens/s", "ms/token", "first ms", "of one stage", "proof ms"
    ));
    let base = &rings[0].samples;
    let lines = rings.iter().map(|of| (stages(of.ring.stages), &of.samples[..]));
    for (name, samples) in std::iter::once(("model alone".to_owned(), alone)).chain(lines) {
        let rate = over(samples, |sample| 1.0 / sample.token);
        let ratio = Spread::of(samples.iter().zip(base).map(|(one, base)| base.token / one.token));
        let rate = format!("{:.1} ({:.1} to {:.1})", rate.median, rate.least, rate.most);
        say(&format!(
            "{name:<16}{rate:>26}{:>12.2}{:>12.0}{:>14.2}{:>12.1}",
            over(samples, |sample| sample.token).median * 1e3,
            over(samples, |sample| sample.first).median * 1e3,
            ratio.median,
            over(samples, |sample| sample.proof).median * 1e3,
        ));
    }
    say("\nsoftware per token, of which per hop (a ring of n stages has n hops over sockets):");
    let extra = |samples: &[Sample], than: &[Sample]| {
        Spread::of(samples.iter().zip(than).map(|(one, than)| (one.token - than.token) * 1e6))
    };
    let node = extra(base, alone);
    say(&format!(
        "  1 stage over the model alone   {:>8.0} us ({:.0} to {:.0}), no socket between stages",
        node.median, node.least, node.most
    ));
    for Measured { ring, samples } in rings.iter().filter(|of| of.ring.stages > 1) {
        let (spread, hops) = (extra(samples, base), f64::from(ring.stages));
        say(&format!(
            "  {} stages over 1 stage          {:>8.0} us ({:.0} to {:.0}), {:.0} us per hop",
            ring.stages,
            spread.median,
            spread.least,
            spread.most,
            spread.median / hops
        ));
    }
}
