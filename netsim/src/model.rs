//! A toy model whose every answer is known: pure functions of tokens and positions. Not a network.

use std::collections::BTreeMap;

use comity_protocol::{
    block::BlockRange, id::Digest, prefix::RowDigests, sampler::Sampler, tensor::Hidden,
};

/// Elements of one row.
pub const HIDDEN: usize = 8;
/// Token ids.
pub const VOCAB: u32 = 32;

/// Hidden state of one position.
pub type Row = [f32; HIDDEN];

/// KV cache of a range of blocks: each block's inputs by position.
#[derive(Debug, Default)]
pub struct Cache(BTreeMap<u32, Vec<Row>>);

/// The row a token starts as.
#[must_use]
pub fn embed(token: u32) -> Row {
    std::array::from_fn(|i| small(token * 37 + small_index(i) * 11))
}

/// One logit per token id.
#[must_use]
pub fn head(row: &Row) -> Vec<f32> {
    let logit = |token: u32| {
        let weights = embed(token * 5 + 3);
        row.iter().zip(weights).map(|(value, weight)| value * weight * 4.0).sum()
    };
    (0..VOCAB).map(logit).collect()
}

/// The rows of `tokens`, `[tokens, HIDDEN]`.
#[must_use]
pub fn embeddings(tokens: &[u32]) -> Option<Hidden> {
    let values: Vec<f32> = tokens.iter().flat_map(|token| embed(*token)).collect();
    Hidden::from_values(&values, HIDDEN).ok()
}

/// The rows of `hidden`.
#[must_use]
pub fn rows(hidden: &Hidden) -> Vec<Row> {
    hidden.values().as_chunks::<HIDDEN>().0.to_vec()
}

impl Cache {
    /// Forgets `start` and all after it, then runs `blocks` over `rows` from there on.
    pub fn run(&mut self, blocks: BlockRange, start: u32, rows: &mut [Row]) {
        for block in blocks.start()..blocks.end() {
            let held = self.0.entry(block).or_default();
            held.truncate(start as usize);
            for (position, row) in (start..).zip(rows.iter_mut()) {
                held.push(*row);
                let seen = small_index(held.len());
                *row = std::array::from_fn(|i| {
                    let sum: f32 = held.iter().map(|row| row[i]).sum();
                    let mean = sum / f32::from(u16::try_from(seen).unwrap_or(u16::MAX));
                    let mixed = row[i] * 0.5 + row[(i + 1) % HIDDEN] * 0.75 + mean * 0.7;
                    let mixed = mixed + small(block * 13 + position * 7 + small_index(i));
                    mixed - (mixed / 2.0).round() * 2.0
                });
            }
        }
    }
}

/// What crosses the boundaries of `blocks` for each of `tokens`: the rows received and sent.
#[must_use]
pub fn crossing(blocks: BlockRange, tokens: &[u32]) -> (Vec<Row>, Vec<Row>) {
    let mut rows: Vec<Row> = tokens.iter().map(|token| embed(*token)).collect();
    if let Ok(before) = BlockRange::new(0, blocks.start()) {
        Cache::default().run(before, 0, &mut rows);
    }
    let received = rows.clone();
    Cache::default().run(blocks, 0, &mut rows);
    (received, rows)
}

/// What a stage remembers of a position's rows.
#[must_use]
pub fn digests(received: &Row, sent: &Row) -> RowDigests {
    let digest = |row: &Row| Digest::of(row.map(f32::to_le_bytes).as_flattened());
    RowDigests { input: digest(received), output: digest(sent) }
}

/// The answer, computed here and now by one cache.
#[must_use]
pub fn answer(blocks: BlockRange, prompt: &[u32], sampler: &Sampler, tokens: u32) -> Vec<u32> {
    let (mut cache, mut seen) = (Cache::default(), prompt.to_vec());
    let mut rows: Vec<Row> = prompt.iter().map(|token| embed(*token)).collect();
    let mut start = 0;
    for _ in 0..tokens {
        cache.run(blocks, start, &mut rows);
        let Some(last) = rows.last() else { break };
        start = small_index(seen.len());
        let Ok(token) = sampler.sample(&head(last), &seen, start) else { break };
        seen.push(token);
        rows = vec![embed(token)];
    }
    seen.split_off(prompt.len())
}

fn small_index(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// A value in `[-1, 1)` that `number` decides.
fn small(number: u32) -> f32 {
    let mixed = number.wrapping_mul(0x9E37_79B1);
    let byte = u16::try_from((mixed ^ (mixed >> 15)) >> 20).unwrap_or(0);
    f32::from(byte) / 2_048.0 - 1.0
}
