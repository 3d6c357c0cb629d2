//! Causal grouped-query attention of new positions over a session's cache. Not its projections.

use std::ops::Range;

use rayon::prelude::*;

use crate::{
    kernels::{floats, wide},
    kv_cache::{KvCache, Run},
    math,
};

/// Multiply-adds below which attention runs on the calling thread. Changes speed only.
const PARALLEL_MIN: usize = 1 << 18;

/// What one block's attention needs to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attention {
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_size: usize,
    /// Factor on `q · k`.
    pub(crate) scale: f32,
    /// How many positions, itself included, a position sees.
    pub(crate) window: Option<u32>,
}

impl Attention {
    /// Attends from positions `start..` over the cache of `block`, which already holds them.
    ///
    /// `queries`: `[positions, heads * head_size]` f32, rotated. Returns the same shape. Every
    /// position and head is computed alone, over keys in ascending order of position.
    pub(crate) fn forward(
        &self,
        cache: &KvCache,
        block: usize,
        start: u32,
        queries: &[f32],
    ) -> Vec<f32> {
        let (size, group) = (self.head_size, self.heads / self.kv_heads);
        let mut out = vec![0.0; queries.len()];
        let rows = queries.len() / (self.heads * size);
        let one = |index: usize, out: &mut [f32]| {
            let (row, head) = (index / self.heads, index % self.heads);
            #[expect(clippy::cast_possible_truncation, reason = "positions are u32")]
            let seen = self.seen(start + row as u32);
            let query = &queries[index * size..(index + 1) * size];
            let runs: Vec<_> = cache.runs(block, head / group, seen).collect();
            attend(query, &runs, self.scale, out);
        };
        let work = 2 * queries.len() * (start as usize + rows);
        if work < PARALLEL_MIN {
            out.chunks_exact_mut(size).enumerate().for_each(|(index, out)| one(index, out));
        } else {
            out.par_chunks_exact_mut(size).enumerate().for_each(|(index, out)| one(index, out));
        }
        out
    }

    /// Positions that `position` sees.
    fn seen(&self, position: u32) -> Range<u32> {
        let first = self.window.map_or(0, |window| (position + 1).saturating_sub(window));
        first..position + 1
    }
}

wide! {
    fn attend(query: &[f32], runs: &[Run<'_>], scale: f32, out: &mut [f32]) = attend_body
}

/// Softmax of `scale * (query · keys)`, then the weighted sum of values, for one head.
#[inline(always)]
fn attend_body(query: &[f32], runs: &[Run<'_>], scale: f32, out: &mut [f32]) {
    // Loops, not iterator adapters: closures inside those are not compiled for wide instructions.
    let size = query.len();
    let mut scores = Vec::new();
    for run in runs {
        for key in run.keys.chunks_exact(size) {
            scores.push(floats(query, key) * scale);
        }
    }
    let largest = scores.iter().fold(f32::NEG_INFINITY, |largest, &score| largest.max(score));
    for score in &mut scores {
        *score = math::exp(*score - largest);
    }
    let total = scores.iter().fold(0.0, |total, score| total + score);
    let mut weights = scores.iter();
    for run in runs {
        for (value, weight) in run.values.chunks_exact(size).zip(&mut weights) {
            for (out, value) in out.iter_mut().zip(value) {
                *out = weight.mul_add(*value, *out);
            }
        }
    }
    for out in out {
        *out /= total;
    }
}
