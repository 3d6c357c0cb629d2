//! Answers over links with distance, a rate and loss. Not the software alone: see `pipeline`.
//!
//! Real nodes in one process, each behind a relay of `comity-netsim` that others reach it by, so that
//! every hop crosses one link. All parts run unless some are named:
//! `cargo bench --bench links -- decode guesses prefill turns streams shared hops`.

#[path = "links/ask.rs"]
mod ask;
#[path = "links/decode.rs"]
mod decode;
#[path = "links/guesses.rs"]
mod guesses;
mod harness;
#[path = "links/hops.rs"]
mod hops;
#[path = "links/load.rs"]
mod load;
#[path = "links/network.rs"]
mod network;
#[path = "links/prefill.rs"]
mod prefill;
mod ring;
#[path = "links/shared.rs"]
mod shared;
#[path = "links/streams.rs"]
mod streams;
#[path = "links/turns.rs"]
mod turns;

use harness::{Bench, say};

/// Rounds over all that a part compares.
const ROUNDS: usize = 5;
/// Stages of every ring, and so hops of a token: the last returns to home.
const STAGES: u32 = 3;
/// Rate of every link that has one, Mbit/s.
const RATE_MBIT: f64 = 100.0;

fn main() {
    if harness::begin("links") {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(Box::pin(run()));
    }
}

async fn run() {
    let bench = Bench::model().await;
    let named: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|name| name == part);
    say(&format!("{STAGES} stages, {ROUNDS} rounds, medians (least to most)"));
    if wanted("decode") {
        decode::run(&bench).await;
    }
    if wanted("guesses") {
        guesses::run(&bench).await;
    }
    if wanted("prefill") {
        prefill::run(&bench).await;
    }
    if wanted("turns") {
        turns::run(&bench).await;
    }
    if wanted("streams") {
        streams::run(&bench).await;
    }
    if wanted("shared") {
        shared::run(&bench).await;
    }
    if wanted("hops") {
        hops::run().await;
    }
}
