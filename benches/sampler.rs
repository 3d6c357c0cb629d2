//! Drawing a token, against the decode step that makes its logits. Not the answer's quality.

mod harness;

use std::cell::RefCell;

use comity_protocol::{block::BlockRange, id::SessionId, receipt::Sampling, sampler::Sampler};
use comity_shard::{Home, Shard};
use harness::{Bench, Op, say};

/// The one session.
const SESSION: SessionId = SessionId([1; 16]);
/// Positions before the one that is drawn.
const PROMPT: &[u32] = &[2, 651, 2_134, 576, 573, 3_413, 603];
/// Parameters compared: name, temperature in millionths, top-k, top-p in millionths.
const CASES: [(&str, u32, u32, u32); 4] = [
    ("greedy", 0, 0, 1_000_000),
    ("T = 0.8", 800_000, 0, 1_000_000),
    ("T = 0.8, top-k 40", 800_000, 40, 1_000_000),
    ("T = 0.8, top-p 0.95", 800_000, 0, 950_000),
];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if harness::begin("sampler") {
        run(&Bench::model().await);
    }
}

fn run(bench: &Bench) {
    let manifest = bench.file.manifest().expect("the model can be read");
    let range = BlockRange::new(0, manifest.block_count).expect("some blocks");
    let mut shard = Shard::load(&bench.file, range, &manifest).expect("the blocks load");
    let home = Home::load(&bench.file, &manifest).expect("embedding and head load");
    shard.open_session(SESSION, 64).expect("the cache holds a small session");
    let prompt: Vec<u32> = PROMPT.iter().map(|token| token % manifest.vocab_size).collect();
    let embedded = home.embed(&prompt).expect("tokens of the vocabulary");
    let rows = shard.forward(&SESSION, 0, &embedded).expect("a prefill");
    let hidden = manifest.hidden_size as usize;
    let logits = home.logits(&rows[rows.len() - hidden..]).expect("logits");
    let (start, row) = (prompt.len() - 1, &embedded[embedded.len() - hidden..]);
    let shard = RefCell::new(shard);
    let step = Op::new("decode step, all blocks and head", || {
        let start = u32::try_from(start).expect("a short prompt");
        let rows = shard.borrow_mut().forward(&SESSION, start, row).expect("a step");
        home.logits(&rows)
    });
    let mut ops = vec![step];
    for (name, temperature, top_k, top_p) in CASES {
        let sampling = Sampling { temperature, top_k, top_p, seed: 7, ..Sampling::default() };
        let sampler = Sampler::new(&sampling).expect("parameters in bounds");
        let (logits, seen) = (&logits, &prompt);
        ops.push(Op::new(format!("draw, {name}"), move || sampler.sample(logits, seen, 7)));
    }
    let spreads = harness::time(&mut ops);
    say(&format!(
        "\n{} tokens\n\n{:<36}{:>12}{:>12}{:>12}{:>12}",
        manifest.vocab_size, "", "median us", "least", "most", "of the step"
    ));
    let base = spreads[0].median;
    for (op, spread) in ops.iter().zip(&spreads) {
        let [median, least, most] =
            [spread.median, spread.least, spread.most].map(|seconds| seconds * 1e6);
        let share = format!("{:.2} %", spread.median / base * 100.0);
        say(&format!("{:<36}{median:>12.0}{least:>12.0}{most:>12.0}{share:>12}", op.name));
    }
}
