//! Causal grouped-query attention of new positions over sessions' caches. Not its projections.
//!
//! Keys are read in tiles at fixed absolute positions: a tile gives a maximum, a sum and weighted
//! values, and tiles are merged in ascending order. So a position's bytes do not depend on how its
//! prefill was chunked, nor on which threads took which tiles.

mod tile;

use std::ops::Range;

use comity_protocol::prefix::PAGE_POSITIONS;

use crate::{
    kernels::{Compute, Kernel, Lanes},
    kv_cache::KvCache,
    pool::Shared,
};
use tile::{Query, TILE_POSITIONS, attend};

/// Positions times heads below which attention stays on the calling thread: a few microseconds.
/// Changes speed only.
const PARALLEL_MIN: usize = 256;
/// Parts a part-hungry pool wants per thread before tiles are shared out too.
const PARTS_PER_THREAD: usize = 4;

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

/// One new position of one session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Index of the session among a pass's caches.
    pub(crate) session: usize,
    pub(crate) position: u32,
}

/// Where queries find keys and values: the caches of a pass's sessions, and the block's place in
/// them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) caches: &'a [&'a mut KvCache],
    pub(crate) slot: usize,
    pub(crate) rows: &'a [Row],
}

/// Partial results of one row and kv head over some tiles.
///
/// Per query head of the group: maximum, sum, then `[head_size]` weighted values.
struct Part<'a> {
    attention: &'a Attention,
    cache: &'a KvCache,
    slot: usize,
    kv_head: usize,
    /// `[group * head_size]`.
    queries: &'a [f32],
    positions: Range<u32>,
    out: &'a mut [f32],
}

impl Attention {
    /// Attends from the context's rows over its caches, which already hold them.
    ///
    /// `queries`: `[rows, heads * head_size]` f32, rotated; `out` gets the same shape. `partial` is
    /// memory to reuse.
    pub(crate) fn forward(
        &self,
        compute: &Compute,
        context: Context<'_>,
        queries: &[f32],
        partial: &mut Vec<f32>,
        out: &mut Vec<f32>,
    ) {
        let width = self.group() * self.head_size;
        out.resize(queries.len(), 0.0);
        let rows = context.rows;
        let units = rows.len() * self.kv_heads;
        let reads: usize = rows.iter().map(|row| seen(self.window, row.position).len()).sum();
        let parts = if reads * self.heads < PARALLEL_MIN { 1 } else { units };
        let threads = compute.pool().threads();
        if parts > 1 && threads > 1 && units < threads * PARTS_PER_THREAD {
            return self.forward_by_tiles(compute, context, queries, partial, out);
        }
        let out = Shared::new(out.as_mut_slice());
        compute.pool().run(parts, &|part| {
            let mut state = vec![0.0; self.state_floats()];
            for unit in units * part / parts..units * (part + 1) / parts {
                let row = rows[unit / self.kv_heads];
                let queries = &queries[unit * width..(unit + 1) * width];
                compute.run(Part {
                    attention: self,
                    cache: context.caches[row.session],
                    slot: context.slot,
                    kv_head: unit % self.kv_heads,
                    queries,
                    positions: seen(self.window, row.position),
                    out: &mut state,
                });
                // SAFETY: units are disjoint, and each belongs to one part.
                #[expect(unsafe_code, reason = "parts write disjoint ranges")]
                let out = unsafe { out.slice(unit * width, width) };
                compute.run(Finish { size: self.head_size, state: &state, out });
            }
        });
    }

    /// The same for few rows: every tile of every row and kv head is a part of its own.
    fn forward_by_tiles(
        &self,
        compute: &Compute,
        context: Context<'_>,
        queries: &[f32],
        partial: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let (width, floats) = (self.group() * self.head_size, self.state_floats());
        let rows = context.rows;
        let units = rows.len() * self.kv_heads;
        let tiles: Vec<(usize, Range<u32>)> = (0..units)
            .flat_map(|unit| {
                let seen = seen(self.window, rows[unit / self.kv_heads].position);
                tiles(seen).map(move |tile| (unit, tile))
            })
            .collect();
        partial.resize(tiles.len() * floats, 0.0);
        let states = Shared::new(partial.as_mut_slice());
        compute.pool().run(tiles.len(), &|index| {
            let (unit, positions) = tiles[index].clone();
            let row = rows[unit / self.kv_heads];
            // SAFETY: each part has a range of its own.
            #[expect(unsafe_code, reason = "parts write disjoint ranges")]
            let out = unsafe { states.slice(index * floats, floats) };
            compute.run(Part {
                attention: self,
                cache: context.caches[row.session],
                slot: context.slot,
                kv_head: unit % self.kv_heads,
                queries: &queries[unit * width..(unit + 1) * width],
                positions,
                out,
            });
        });
        let mut states = tiles.iter().zip(partial.chunks_exact_mut(floats)).peekable();
        while let Some(((unit, _), first)) = states.next() {
            while let Some((_, next)) = states.next_if(|((other, _), _)| other == unit) {
                compute.run(Merge { size: self.head_size, state: first, next });
            }
            let out = &mut out[unit * width..(unit + 1) * width];
            compute.run(Finish { size: self.head_size, state: first, out });
        }
    }

    /// Query heads per kv head.
    const fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    const fn state_floats(&self) -> usize {
        self.group() * (2 + self.head_size)
    }
}

/// Positions that `position` sees through a window.
pub(crate) fn seen(window: Option<u32>, position: u32) -> Range<u32> {
    let first = window.map_or(0, |window| (position + 1).saturating_sub(window));
    first..position + 1
}

/// The tiles that `positions` touch, cut to them.
fn tiles(positions: Range<u32>) -> impl Iterator<Item = Range<u32>> {
    let (first, last) = (positions.start / TILE_POSITIONS, (positions.end - 1) / TILE_POSITIONS);
    (first..=last).map(move |tile| {
        let from = tile * TILE_POSITIONS;
        from.max(positions.start)..(from + TILE_POSITIONS).min(positions.end)
    })
}

impl Kernel for Part<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let mut next = vec![0.0; self.out.len()];
        for (index, positions) in tiles(self.positions.clone()).enumerate() {
            let state = if index == 0 { &mut *self.out } else { &mut next[..] };
            let query = Query {
                queries: self.queries,
                size: self.attention.head_size,
                width: self.cache.shape().head_width(),
                scale: self.attention.scale,
            };
            let page = |page: u32| self.cache.page(self.slot, self.kv_head, page as usize);
            attend::<L>(&query, page, positions, state);
            if index > 0 {
                merge::<L>(self.attention.head_size, self.out, &next);
            }
        }
    }
}

/// Adds the state of later positions.
struct Merge<'a> {
    size: usize,
    state: &'a mut [f32],
    next: &'a [f32],
}

impl Kernel for Merge<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        merge::<L>(self.size, self.state, self.next);
    }
}

#[inline(always)]
fn merge<L: Lanes>(size: usize, state: &mut [f32], next: &[f32]) {
    let heads = state.chunks_exact_mut(2 + size).zip(next.chunks_exact(2 + size));
    for (state, next) in heads {
        let largest = state[0].max(next[0]);
        let (before, after) =
            (crate::math::exp(state[0] - largest), crate::math::exp(next[0] - largest));
        state[0] = largest;
        for i in 1..2 + size {
            state[i] = state[i] * before + next[i] * after;
        }
    }
}

/// Divides by the sum.
struct Finish<'a> {
    size: usize,
    state: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Finish<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let heads =
            self.out.chunks_exact_mut(self.size).zip(self.state.chunks_exact(2 + self.size));
        for (out, state) in heads {
            for i in 0..out.len() {
                out[i] = state[2 + i] / state[1];
            }
        }
    }
}

const _: () = assert!(TILE_POSITIONS.is_multiple_of(PAGE_POSITIONS));
