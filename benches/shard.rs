//! Time of the model's parts on this machine. Not of a session: see `pipeline`.

mod harness;

use std::cell::RefCell;

use comity_protocol::{block::BlockRange, id::SessionId};
use comity_shard::{Home, Shard};
use harness::{Bench, Op, Spread, say};

/// Blocks of the shard that is measured: a third of the default model's.
const BLOCKS: u32 = 10;
/// Positions of a prefill step, and held before a single position is measured.
const POSITIONS: u32 = 128;
/// The one session.
const SESSION: SessionId = SessionId([1; 16]);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if harness::begin("shard") {
        run(&Bench::model().await);
    }
}

fn run(bench: &Bench) {
    let manifest = bench.file.manifest().expect("the model can be read");
    let blocks = BLOCKS.min(manifest.block_count);
    let range = BlockRange::new(0, blocks).expect("some blocks");
    let mut shard = Shard::load(&bench.file, range, &manifest).expect("the blocks load");
    let home = Home::load(&bench.file, &manifest).expect("embedding and head load");
    let weights = shard.weight_bytes();
    shard.open_session(SESSION, 2 * POSITIONS).expect("the cache holds a small session");

    let tokens: Vec<u32> = (0..POSITIONS).map(|token| token % manifest.vocab_size).collect();
    let prompt = home.embed(&tokens).expect("tokens of the vocabulary");
    let row = home.embed(&tokens[..1]).expect("a token of the vocabulary");
    let last = shard.forward(&SESSION, 0, &prompt).expect("a prefill");
    let last = &last[last.len() - manifest.hidden_size as usize..];
    // A step replaces the positions held from its start on, so every call does the same work.
    let shard = RefCell::new(shard);
    let mut ops = [
        Op::new(format!("{blocks} blocks, {POSITIONS} positions from 0"), || {
            shard.borrow_mut().forward(&SESSION, 0, &prompt)
        }),
        Op::new(format!("{blocks} blocks, 1 position at {POSITIONS}"), || {
            shard.borrow_mut().forward(&SESSION, POSITIONS, &row)
        }),
        Op::new("final norm and head, 1 position", || home.logits(last)),
        Op::new(format!("embedding, {POSITIONS} tokens"), || home.embed(&tokens)),
    ];
    let spreads = harness::time(&mut ops);
    say(&format!(
        "\n{:<36}{:>12}{:>12}{:>12}{:>14}{:>14}",
        "", "median us", "least", "most", "positions/s", "weights GB/s"
    ));
    let positions = f64::from(POSITIONS);
    let work = [
        (positions, Some(weights)),
        (1.0, Some(weights)),
        (1.0, Some(home.weight_bytes())),
        (positions, None),
    ];
    for ((op, spread), (positions, weights)) in ops.iter().zip(spreads).zip(work) {
        line(&op.name, spread, positions, weights);
    }
    say(
        "weights GB/s: bytes of weights over time of one call, once however many positions share it",
    );
}

fn line(name: &str, spread: Spread, positions: f64, weights: Option<u64>) {
    let [median, least, most] =
        [spread.median, spread.least, spread.most].map(|seconds| seconds * 1e6);
    let rate = positions / spread.median;
    let weights = weights
        .map_or_else(String::new, |bytes| format!("{:.2}", bytes as f64 / spread.median / 1e9));
    say(&format!("{name:<36}{median:>12.0}{least:>12.0}{most:>12.0}{rate:>14.1}{weights:>14}"));
}
