//! The model in one loop: what the node's answer takes without the node.

use std::time::Instant;

use comity_protocol::{block::BlockRange, id::SessionId, receipt::Sampling, sampler::Sampler};
use comity_shard::{Home, Shard, Tokenizer};

use super::{Sample, harness::Bench};

/// The one session.
const SESSION: SessionId = SessionId([1; 16]);
/// Positions the session may reach: prompt and answer, with room.
const POSITIONS: u32 = 512;

/// The whole model and the prompt.
pub(super) struct Alone {
    shard: Shard,
    home: Home,
    sampler: Sampler,
    prompt: Vec<u32>,
    hidden_size: usize,
}

impl Alone {
    pub(super) fn load(bench: &Bench, prompt: &str) -> Self {
        let manifest = bench.file.manifest().expect("the model can be read");
        let all = BlockRange::new(0, manifest.block_count).expect("some blocks");
        let tokenizer = Tokenizer::load(&bench.file).expect("the tokenizer loads");
        Self {
            shard: Shard::load(&bench.file, all, &manifest).expect("the blocks load"),
            home: Home::load(&bench.file, &manifest).expect("embedding and head load"),
            sampler: Sampler::new(&Sampling::default()).expect("the default is allowed"),
            prompt: tokenizer.encode_prompt(prompt).expect("the prompt is text"),
            hidden_size: manifest.hidden_size as usize,
        }
    }

    pub(super) const fn prompt_tokens(&self) -> usize {
        self.prompt.len()
    }

    /// Makes `count` tokens.
    pub(super) fn answer(&mut self, count: usize) -> (Sample, Vec<u32>) {
        self.shard.open_session(SESSION, POSITIONS).expect("the cache holds a small session");
        let mut seen = self.prompt.clone();
        let begin = Instant::now();
        let mut first = None;
        let mut start = 0;
        for _ in 0..count {
            let rows = self.home.embed(&seen[start..]).expect("tokens of the vocabulary");
            let from = u32::try_from(start).expect("few positions");
            let rows = self.shard.forward(&SESSION, from, &rows).expect("a step");
            let last = &rows[rows.len() - self.hidden_size..];
            let logits = self.home.logits(last).expect("logits");
            start = seen.len();
            let position = u32::try_from(start).expect("few positions");
            seen.push(self.sampler.sample(&logits, &seen, position).expect("a token"));
            first.get_or_insert_with(Instant::now);
        }
        let first = first.expect("one token or more");
        let decoded = count.saturating_sub(1).max(1) as f64;
        let sample = Sample {
            first: (first - begin).as_secs_f64(),
            token: first.elapsed().as_secs_f64() / decoded,
            proof: 0.0,
        };
        self.shard.close_session(&SESSION);
        (sample, seen.split_off(self.prompt.len()))
    }
}
