//! Several answers at once: distance should be hidden behind others' tokens.

use std::time::Instant;

use futures::future::join_all;

use crate::{
    ROUNDS,
    ask::{PROMPT, Times, ask},
    harness::{Bench, Spread, say},
    load::{Load, undisturbed},
    network::{Link, Network},
};

/// Requests at once.
const STREAMS: usize = 16;
/// Tokens of each answer.
const TOKENS: u32 = 64;
const LINK: Link = Link { round_trip: 50.0, loss: 0.0 };

/// What all streams of one round took.
struct Sample {
    /// Tokens of all answers over the time of all, prefill included.
    rate: f64,
    /// Longest wait for a first token, seconds.
    first: f64,
    /// Processors that were busy.
    busy: f64,
}

pub(crate) async fn run(bench: &Bench) {
    let networks = [Network::direct(bench).await, Network::start(bench, LINK).await];
    let mut samples = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (network, samples) in networks.iter().zip(&mut samples) {
            let sample = undisturbed(async || answers(network).await).await;
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    table(&networks, &samples);
    for network in networks {
        network.stop().await;
    }
}

fn table(networks: &[Network], samples: &[Vec<Sample>]) {
    say(&format!(
        "\nstreams, {STREAMS} at once, {TOKENS} tokens each\n{:<20}{:>28}{:>28}{:>24}",
        "", "tokens/s", "last first token, ms", "busy processors"
    ));
    for (network, samples) in networks.iter().zip(samples) {
        let rate = Spread::of(samples.iter().map(|sample| sample.rate));
        let first = Spread::of(samples.iter().map(|sample| sample.first * 1e3));
        let busy = Spread::of(samples.iter().map(|sample| sample.busy));
        say(&format!(
            "{:<20}{:>28}{:>28}{:>24}",
            network.link.map_or_else(|| "no link".to_owned(), Link::name),
            format!("{:.1} ({:.1} to {:.1})", rate.median, rate.least, rate.most),
            format!("{:.0} ({:.0} to {:.0})", first.median, first.least, first.most),
            format!("{:.2} ({:.2} to {:.2})", busy.median, busy.least, busy.most),
        ));
    }
    let pairs = samples[1].iter().zip(&samples[0]);
    let ratio = Spread::of(pairs.map(|(with, without)| with.rate / without.rate));
    say(&format!(
        "with over without link, same round: {:.3} ({:.3} to {:.3})",
        ratio.median, ratio.least, ratio.most
    ));
}

async fn answers(network: &Network) -> Sample {
    let (begun, load) = (Instant::now(), Load::begin());
    let answers: Vec<Times> = join_all((0..STREAMS).map(|stream| async move {
        // Unlike prompts, so that nothing could be shared.
        ask(&network.ring, &format!("{stream}. {PROMPT}"), TOKENS, |_| ()).await
    }))
    .await;
    let elapsed = begun.elapsed().as_secs_f64();
    let tokens: usize = answers.iter().map(|times| times.tokens.len()).sum();
    Sample {
        rate: tokens as f64 / elapsed,
        first: answers.iter().map(Times::first).fold(0.0, f64::max),
        busy: load.own(),
    }
}
