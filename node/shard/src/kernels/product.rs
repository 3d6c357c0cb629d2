//! Products of packed weights with input rows. Not how the work is shared out: `kernels`.
//!
//! Per output: integer sums of a block of 32 inputs are exact; the f32 sum runs over blocks in
//! ascending order, the scaled sum first, then the minimum's share, each one fused multiply-add. So
//! neither other rows nor other tiles change a bit.

use std::ops::Range;

use super::{
    activations::{Activations, Planes},
    format::{Format, TILE},
    lanes::{InstructionSet, Kernel, Lanes},
    weights::Weights,
};
use crate::{gguf::GgmlType, pool::Shared};

/// Input rows of one inner loop at most: as many as registers hold sums for.
const ROWS: usize = 8;

/// Blocks by which memory is asked for before it is used: about 100 ns of reading, across the pages
/// at whose ends the processor's own prefetching stops.
const PREFETCH_BLOCKS: usize = 6;

/// Runs code for rows 0 to `N - 1`, `N` at most 8, written out: a loop would keep its sums in memory.
macro_rules! each_row {
    ($n:ident, |$row:ident| $body:expr) => {
        each_row!($n, $row, $body, 0, 1, 2, 3, 4, 5, 6, 7)
    };
    ($n:ident, $row:ident, $body:expr, $($index:literal),*) => {
        $(if $n > $index {
            const fn index<const N: usize>() -> usize {
                if $index < N { $index } else { 0 }
            }
            let $row = index::<$n>();
            $body;
        })*
    };
}

/// Some tiles of a product.
pub(super) struct Tiles<'a> {
    pub(super) weights: &'a Weights,
    pub(super) tiles: Range<usize>,
    /// `[rows, inputs]`, read by float kinds.
    pub(super) floats: &'a [f32],
    /// The same rounded, read by quantised kinds.
    pub(super) rounded: &'a Activations,
    pub(super) rows: usize,
    /// `[rows, outputs]`; this piece writes the columns of its tiles.
    pub(super) out: &'a Shared<'a, f32>,
}

impl Tiles<'_> {
    /// Computes the tiles with the instructions of `set`.
    pub(super) fn run(&self, set: InstructionSet) {
        for tile in self.tiles.clone() {
            match self.weights.kind {
                GgmlType::F32 => set.run(FloatTile::<4> { of: self, tile }),
                GgmlType::F16 | GgmlType::Bf16 => set.run(FloatTile::<2> { of: self, tile }),
                GgmlType::Q4_0 => self.tile::<4, true, false>(set, tile),
                GgmlType::Q4_1 => self.tile::<4, true, true>(set, tile),
                GgmlType::Q5_0 => self.tile::<5, true, false>(set, tile),
                GgmlType::Q5_1 => self.tile::<5, true, true>(set, tile),
                GgmlType::Q8_0 => self.tile::<8, true, false>(set, tile),
                GgmlType::Q4K => self.tile::<4, false, true>(set, tile),
                GgmlType::Q5K => self.tile::<5, false, true>(set, tile),
                GgmlType::Q6K => self.tile::<6, false, false>(set, tile),
                GgmlType::Q2K | GgmlType::Q3K => {
                    unreachable!("`Weights::supports` keeps these kinds from this module")
                }
            }
        }
    }

    /// One tile of a quantised kind, rows in the largest groups there are.
    fn tile<const BITS: u32, const HALF: bool, const MINIMUM: bool>(
        &self,
        set: InstructionSet,
        tile: usize,
    ) {
        let mut first = 0;
        while first < self.rows {
            // A kernel of its own for each group size: one large function takes minutes to compile.
            match self.rows - first {
                8.. => set.run(Rows::<BITS, HALF, MINIMUM, 8> { of: self, tile, first }),
                4.. => set.run(Rows::<BITS, HALF, MINIMUM, 4> { of: self, tile, first }),
                2.. => set.run(Rows::<BITS, HALF, MINIMUM, 2> { of: self, tile, first }),
                _ => set.run(Rows::<BITS, HALF, MINIMUM, 1> { of: self, tile, first }),
            }
            first += 1 << (self.rows - first).min(ROWS).ilog2();
        }
    }

    #[inline(always)]
    fn write<L: Lanes>(&self, tile: usize, row: usize, sums: L::Floats) {
        let outputs = self.weights.outputs;
        let from = tile * TILE;
        let width = TILE.min(outputs - from);
        let mut values = [0.0; TILE];
        L::store(sums, &mut values);
        // SAFETY: each tile belongs to one piece, and pieces write only their tiles' columns.
        #[expect(unsafe_code, reason = "columns of a row-major matrix are no slice")]
        let out = unsafe { self.out.slice(row * outputs + from, width) };
        out.copy_from_slice(&values[..width]);
    }
}

/// One tile's outputs for `N` rows from `first` on, from weights of `BITS` bits with scales in
/// binary16 (`HALF`) or f32, with a minimum (`MINIMUM`) or an offset.
struct Rows<'a, const BITS: u32, const HALF: bool, const MINIMUM: bool, const N: usize> {
    of: &'a Tiles<'a>,
    tile: usize,
    first: usize,
}

impl<const BITS: u32, const HALF: bool, const MINIMUM: bool, const N: usize> Kernel
    for Rows<'_, BITS, HALF, MINIMUM, N>
{
    #[inline(always)]
    fn run<L: Lanes>(self) {
        if L::MANY_SUMS {
            return self.rows::<L, N>(self.first);
        }
        for first in self.first..self.first + N {
            self.rows::<L, 1>(first);
        }
    }
}

impl<const BITS: u32, const HALF: bool, const MINIMUM: bool, const N: usize>
    Rows<'_, BITS, HALF, MINIMUM, N>
{
    #[inline(always)]
    fn rows<L: Lanes, const M: usize>(&self, first: usize) {
        let Some(format) = Format::of(self.of.weights.kind) else { return };
        let (tile, blocks) = (self.tile, self.of.weights.inputs / 32);
        let lines = self.of.weights.quants.bytes().as_chunks::<64>().0;
        let lines = lines[tile * blocks * BITS as usize..].chunks_exact(BITS as usize);
        let bytes = format.scale_bytes();
        let scales = self.of.weights.scales.bytes()[tile * blocks * bytes..].chunks_exact(bytes);
        let mut sums = [L::splat(0.0); M];
        for (block, (lines, scales)) in (0..blocks).zip(lines.zip(scales)) {
            for line in 0..BITS as usize {
                L::prefetch(lines.as_flattened(), PREFETCH_BLOCKS * 64 * BITS as usize + 64 * line);
            }
            L::prefetch(scales, PREFETCH_BLOCKS * bytes);
            let weights = quants::<L, BITS>(lines);
            let scale = scale_at::<L, HALF>(scales, 0);
            // A second scale, or the minimum.
            let second = if BITS == 6 || MINIMUM { scale_at::<L, HALF>(scales, 1) } else { scale };
            let Some((planes, x)) = self.of.rounded.rows::<M>(block, first) else { return };
            each_row!(M, |row| {
                let (planes, x, offset) = (&planes[row], x[row], -format.offset);
                let step = L::splat(x.step);
                let (scale, second_step) = (L::mul(scale, step), L::mul(second, step));
                if BITS == 6 {
                    // Scales are per 16 inputs here, the activations' totals per 32.
                    let low = dots::<L, 0, 4>(&weights, planes, offset * x.totals[0]);
                    let high = dots::<L, 4, 8>(&weights, planes, offset * x.totals[1]);
                    sums[row] = L::fma(scale, L::to_floats(low), sums[row]);
                    sums[row] = L::fma(second_step, L::to_floats(high), sums[row]);
                } else {
                    let total = x.totals[0] + x.totals[1];
                    let dot = dots::<L, 0, 8>(&weights, planes, offset * total);
                    sums[row] = L::fma(scale, L::to_floats(dot), sums[row]);
                }
                if MINIMUM {
                    sums[row] = L::fma(second, L::splat(x.sum), sums[row]);
                }
            });
        }
        each_row!(M, |row| self.of.write::<L>(tile, first + row, sums[row]));
    }
}

/// One tile's outputs for every row, from float weights of `BYTES` bytes.
struct FloatTile<'a, const BYTES: usize> {
    of: &'a Tiles<'a>,
    tile: usize,
}

impl<const BYTES: usize> Kernel for FloatTile<'_, BYTES> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (weights, size) = (self.of.weights, TILE * BYTES);
        let inputs = weights.inputs;
        let weights = &weights.quants.bytes()[self.tile * inputs * size..][..inputs * size];
        for (row, x) in self.of.floats.chunks_exact(inputs).enumerate() {
            // Four sums, because one would wait for itself at every step.
            let mut sums = [L::splat(0.0); 4];
            for (input, (x, weights)) in x.iter().zip(weights.chunks_exact(size)).enumerate() {
                let weights = self.weights::<L>(weights);
                let sum = &mut sums[input % 4];
                *sum = L::fma(L::splat(*x), weights, *sum);
            }
            let sum = L::add(L::add(sums[0], sums[1]), L::add(sums[2], sums[3]));
            self.of.write::<L>(self.tile, row, sum);
        }
    }
}

impl<const BYTES: usize> FloatTile<'_, BYTES> {
    #[inline(always)]
    fn weights<L: Lanes>(&self, bytes: &[u8]) -> L::Floats {
        if BYTES == 4 {
            bytes.first_chunk().map_or_else(|| L::splat(0.0), L::load_single)
        } else if self.of.weights.kind == GgmlType::F16 {
            bytes.first_chunk().map_or_else(|| L::splat(0.0), L::load_half)
        } else {
            bytes.first_chunk().map_or_else(|| L::splat(0.0), L::load_bfloat)
        }
    }
}

/// The eight groups of one block, one unsigned byte per weight.
#[inline(always)]
fn quants<L: Lanes, const BITS: u32>(lines: &[[u8; 64]]) -> [L::Bytes; 8] {
    if BITS == 8 {
        return std::array::from_fn(|group| L::load_bytes(&lines[group]));
    }
    let mut groups = [L::load_bytes(&lines[0]); 8];
    for line in 0..4 {
        let both = L::load_bytes(&lines[line]);
        groups[line] = L::low_halves(both);
        groups[line + 4] = L::high_halves(both);
    }
    if BITS == 5 {
        let bits = L::load_bytes(&lines[4]);
        groups[0] = L::with_high_bits::<0x01, 0>(groups[0], bits);
        groups[1] = L::with_high_bits::<0x02, 1>(groups[1], bits);
        groups[2] = L::with_high_bits::<0x04, 2>(groups[2], bits);
        groups[3] = L::with_high_bits::<0x08, 3>(groups[3], bits);
        groups[4] = L::with_high_bits::<0x10, 4>(groups[4], bits);
        groups[5] = L::with_high_bits::<0x20, 5>(groups[5], bits);
        groups[6] = L::with_high_bits::<0x40, 6>(groups[6], bits);
        groups[7] = L::with_high_bits::<0x80, 7>(groups[7], bits);
    }
    if BITS == 6 {
        for half in 0..2 {
            let (bits, first) = (L::load_bytes(&lines[4 + half]), 4 * half);
            groups[first] = L::with_high_bits::<0x03, 0>(groups[first], bits);
            groups[first + 1] = L::with_high_bits::<0x0c, 2>(groups[first + 1], bits);
            groups[first + 2] = L::with_high_bits::<0x30, 4>(groups[first + 2], bits);
            groups[first + 3] = L::with_high_bits::<0xc0, 6>(groups[first + 3], bits);
        }
    }
    groups
}

/// `start` plus the exact products of groups `FROM..TO` with both planes of a row's block.
#[inline(always)]
fn dots<L: Lanes, const FROM: usize, const TO: usize>(
    weights: &[L::Bytes; 8],
    planes: &Planes,
    start: i32,
) -> L::Ints {
    let (mut high, mut low) = (L::splat_int(0), L::splat_int(start));
    for group in FROM..TO {
        high = L::dot(high, weights[group], planes[group]);
        low = L::dot(low, weights[group], planes[8 + group]);
    }
    L::add_ints(L::times_128(high), low)
}

/// Value `slot` of a block's scales and minimums.
#[inline(always)]
fn scale_at<L: Lanes, const HALF: bool>(scales: &[u8], slot: usize) -> L::Floats {
    let zero = L::splat(0.0);
    if HALF {
        scales[slot * 32..].first_chunk().map_or(zero, L::load_half)
    } else {
        scales[slot * 64..].first_chunk().map_or(zero, L::load_single)
    }
}
