//! Softmax and weighted values of one row's heads over one tile of keys.

use std::ops::Range;

use comity_protocol::prefix::PAGE_POSITIONS;

use crate::{
    kernels::{LANES, Lanes, sum},
    kv_cache::{HeadPage, PAGE_GROUPS},
    math,
};

/// Positions of one tile, at absolute multiples: small enough to share one row's attention over
/// threads, large enough that merging costs little.
pub(super) const TILE_POSITIONS: u32 = 128;
/// Vectors of values that one inner loop sums for each head.
const VECTORS: usize = 4;

/// Query heads that share one kv head, at one position.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'a> {
    /// `[group * size]`.
    pub(super) queries: &'a [f32],
    /// Elements of a head.
    pub(super) size: usize,
    /// Elements of a head's values in the cache.
    pub(super) width: usize,
    /// Factor on `q · k`.
    pub(super) scale: f32,
}

/// Attends over `positions`, which lie in one tile; `state` is `[group, 2 + size]`.
#[inline(always)]
pub(super) fn attend<'a, L: Lanes>(
    query: &Query<'_>,
    page: impl Fn(u32) -> HeadPage<'a>,
    positions: Range<u32>,
    state: &mut [f32],
) {
    let group = query.queries.len() / query.size;
    let mut head = 0;
    while head + 3 <= group {
        heads::<L, 3>(query, head, &page, positions.clone(), state);
        head += 3;
    }
    if head + 2 <= group {
        heads::<L, 2>(query, head, &page, positions.clone(), state);
        head += 2;
    }
    if head < group {
        heads::<L, 1>(query, head, &page, positions, state);
    }
}

/// `H` heads from `first` on.
#[inline(always)]
fn heads<'a, L: Lanes, const H: usize>(
    query: &Query<'_>,
    first: usize,
    page: &impl Fn(u32) -> HeadPage<'a>,
    positions: Range<u32>,
    state: &mut [f32],
) {
    let size = query.size;
    let mut scores = [[f32::NEG_INFINITY; TILE_POSITIONS as usize]; H];
    let base = positions.start / TILE_POSITIONS * TILE_POSITIONS;
    let (first_page, last_page) =
        (positions.start / PAGE_POSITIONS, (positions.end - 1) / PAGE_POSITIONS);
    for index in first_page..=last_page {
        let from = (index * PAGE_POSITIONS - base) as usize;
        score_page::<L, H>(query, first, &page(index), from, &mut scores);
    }
    let seen = (positions.start - base) as usize..(positions.end - base) as usize;
    for (head, scores) in scores.iter_mut().enumerate() {
        // Outside, the page holds other positions' keys or none.
        scores[..seen.start].fill(f32::NEG_INFINITY);
        scores[seen.end..].fill(f32::NEG_INFINITY);
        let state = &mut state[(first + head) * (2 + size)..];
        (state[0], state[1]) = soften::<L>(scores);
    }
    let mut vector = 0;
    while vector < query.width / LANES {
        if vector + VECTORS <= query.width / LANES {
            weigh::<L, H, VECTORS>(query, (first, vector), page, positions.clone(), &scores, state);
            vector += VECTORS;
        } else {
            weigh::<L, H, 1>(query, (first, vector), page, positions.clone(), &scores, state);
            vector += 1;
        }
    }
}

/// `scale * (q · k)` of one page's positions; a lane sums its position's elements in order.
#[inline(always)]
fn score_page<L: Lanes, const H: usize>(
    query: &Query<'_>,
    first: usize,
    page: &HeadPage<'_>,
    from: usize,
    scores: &mut [[f32; TILE_POSITIONS as usize]; H],
) {
    let size = query.size;
    let mut sums = [[L::splat(0.0); PAGE_GROUPS]; H];
    let queries = &query.queries[first * size..(first + H) * size];
    let keys = &page.keys[..PAGE_GROUPS * size];
    for element in 0..size {
        for group in 0..PAGE_GROUPS {
            let keys = L::load_half(&keys[group * size + element]);
            for head in 0..H {
                let query = L::splat(queries[head * size + element]);
                sums[head][group] = L::fma(query, keys, sums[head][group]);
            }
        }
    }
    for head in 0..H {
        for group in 0..PAGE_GROUPS {
            let scaled = L::mul(sums[head][group], L::splat(query.scale));
            let to = &mut scores[head][from + group * LANES..];
            if let Some(to) = to.first_chunk_mut() {
                L::store(scaled, to);
            }
        }
    }
}

/// Replaces scores by `e^(score - largest)`; returns the largest and the sum.
#[inline(always)]
fn soften<L: Lanes>(scores: &mut [f32; TILE_POSITIONS as usize]) -> (f32, f32) {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for scores in scores.as_chunks::<LANES>().0 {
        for i in 0..LANES {
            // Not `max`, whose care for NaN costs more than the rest; a NaN shows in the sum.
            lanes[i] = if scores[i] > lanes[i] { scores[i] } else { lanes[i] };
        }
    }
    let mut largest = lanes[0];
    for lane in lanes {
        largest = largest.max(lane);
    }
    for score in scores.iter_mut() {
        *score = math::exp(*score - largest);
    }
    let mut total = L::splat(0.0);
    for scores in scores.as_chunks::<LANES>().0 {
        total = L::add(total, L::load(scores));
    }
    (largest, sum::<L>(total))
}

/// Sums values times weights over `positions` in order, `V` vectors from `(head, vector)` on.
#[inline(always)]
fn weigh<'a, L: Lanes, const H: usize, const V: usize>(
    query: &Query<'_>,
    (first, vector): (usize, usize),
    page: &impl Fn(u32) -> HeadPage<'a>,
    positions: Range<u32>,
    weights: &[[f32; TILE_POSITIONS as usize]; H],
    state: &mut [f32],
) {
    let vectors = query.width / LANES;
    let base = positions.start / TILE_POSITIONS * TILE_POSITIONS;
    let mut sums = [[L::splat(0.0); V]; H];
    let (first_page, last_page) =
        (positions.start / PAGE_POSITIONS, (positions.end - 1) / PAGE_POSITIONS);
    for index in first_page..=last_page {
        let start = index * PAGE_POSITIONS;
        let values = page(index).values;
        let (from, to) = (positions.start.max(start), positions.end.min(start + PAGE_POSITIONS));
        for position in from..to {
            let values = &values[(position - start) as usize * vectors + vector..][..V];
            let values: [L::Floats; V] = std::array::from_fn(|v| L::load_half(&values[v]));
            for head in 0..H {
                let weight = L::splat(weights[head][(position - base) as usize]);
                for v in 0..V {
                    sums[head][v] = L::fma(weight, values[v], sums[head][v]);
                }
            }
        }
    }
    for (head, sums) in sums.into_iter().enumerate() {
        for (v, sum) in sums.into_iter().enumerate() {
            let mut floats = [0.0; LANES];
            L::store(sum, &mut floats);
            let from = (vector + v) * LANES;
            let width = LANES.min(query.size - from);
            let at = (first + head) * (2 + query.size) + 2 + from;
            state[at..at + width].copy_from_slice(&floats[..width]);
        }
    }
}
