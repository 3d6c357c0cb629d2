//! Input rows rounded to 14 bits per 32 elements, as two planes of signed bytes.
//!
//! ggml rounds to 8 bits. With 14 the logits of small models move by hundredths instead of tenths,
//! and byte products, the widest integer unit there is, still do the work: `x = 128 * high + low`.

use std::ops::Range;

use super::lanes::{InstructionSet, Kernel, Lanes};
use crate::pool::{Pool, Shared};

/// Elements that share one scale.
pub(crate) const BLOCK: usize = 32;
/// Steps from zero to a block's largest value.
const STEPS: f32 = 8_191.0;
/// Largest value of a block that is rounded to zeros; steps of less have no finite inverse.
const SMALLEST: f32 = 1e-30;
/// Rows below which the calling thread rounds alone. Changes speed only.
const PARALLEL_ROWS: usize = 16;
/// Rows of one part.
const ROWS_PER_PART: usize = 8;

/// One rounded block: the high planes of eight groups of four elements, then the low planes.
pub(super) type Planes = [[i8; 4]; 16];

/// What a block's products need beside its planes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scale {
    /// Value of one step.
    pub(super) step: f32,
    /// Sums of the rounded values of the first and the last 16 elements, in steps.
    pub(super) totals: [i32; 2],
    /// Their sum as a value.
    pub(super) sum: f32,
}

/// Rounded input rows; the memory is kept from call to call.
///
/// `[blocks, rows]`: a kernel reads one block of several rows at a time.
#[derive(Debug, Default)]
pub(crate) struct Activations {
    rows: usize,
    planes: Vec<Planes>,
    scales: Vec<Scale>,
}

impl Activations {
    /// Rounds `x`: `[rows, inputs]`, `inputs` a multiple of 32.
    pub(crate) fn round(&mut self, set: InstructionSet, pool: &Pool, x: &[f32], inputs: usize) {
        let (blocks, rows) = (x.len() / BLOCK, x.len() / inputs);
        self.rows = rows;
        self.planes.resize(blocks, [[0; 4]; 16]);
        self.scales.resize(blocks, Scale::default());
        let (planes, scales) =
            (Shared::new(self.planes.as_mut_slice()), Shared::new(self.scales.as_mut_slice()));
        let parts = if rows < PARALLEL_ROWS { 1 } else { rows / ROWS_PER_PART };
        pool.run(parts, &|part| {
            let rows = rows * part / parts..rows * (part + 1) / parts;
            set.run(Round { x, inputs, rows, planes: &planes, scales: &scales });
        });
    }

    /// Planes and scales of block `block` in `N` rows from `first` on.
    #[inline(always)]
    pub(super) fn rows<const N: usize>(
        &self,
        block: usize,
        first: usize,
    ) -> Option<(&[Planes; N], &[Scale; N])> {
        let at = block * self.rows + first;
        Some((self.planes.get(at..)?.first_chunk()?, self.scales.get(at..)?.first_chunk()?))
    }
}

struct Round<'a> {
    x: &'a [f32],
    inputs: usize,
    rows: Range<usize>,
    planes: &'a Shared<'a, Planes>,
    scales: &'a Shared<'a, Scale>,
}

impl Kernel for Round<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (rows, blocks) = (self.x.len() / self.inputs, self.inputs / BLOCK);
        for row in self.rows {
            let x = &self.x[row * self.inputs..(row + 1) * self.inputs];
            for (block, x) in x.as_chunks::<BLOCK>().0.iter().enumerate().take(blocks) {
                let at = block * rows + row;
                // SAFETY: each row belongs to one part, and each block of a row has its own place.
                #[expect(unsafe_code, reason = "parts write disjoint elements")]
                let (planes, scale) =
                    unsafe { (self.planes.slice(at, 1), self.scales.slice(at, 1)) };
                scale[0] = round(x, &mut planes[0]);
            }
        }
    }
}

#[inline(always)]
fn round(x: &[f32; BLOCK], planes: &mut Planes) -> Scale {
    // Adding 1.5 * 2^23 rounds to the nearest integer, ties to even, and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let mut magnitudes = [0_u32; BLOCK];
    for i in 0..BLOCK {
        magnitudes[i] = x[i].to_bits() & 0x7fff_ffff;
    }
    // Magnitudes order like their bits, infinity and NaN above all: nothing vanishes.
    let mut largest = 0;
    for magnitude in magnitudes {
        largest = largest.max(magnitude);
    }
    let largest = f32::from_bits(largest);
    if !largest.is_finite() {
        *planes = [[0; 4]; 16];
        return Scale { step: f32::NAN, totals: [0; 2], sum: f32::NAN };
    }
    // Zeros, and values so small that they end as zeros.
    let inverse = if largest > SMALLEST { STEPS / largest } else { 0.0 };
    let (mut high, mut low, mut totals) = ([0_i8; BLOCK], [0_i8; BLOCK], [0; 2]);
    for i in 0..BLOCK {
        let steps = (x[i] * inverse + ROUND).to_bits().wrapping_sub(ROUND.to_bits());
        let steps = steps.cast_signed();
        totals[i / 16] += steps;
        let upper = (steps + 64) >> 7;
        #[expect(clippy::cast_possible_truncation, reason = "-64 to 64 by the scale")]
        let planes = (upper as i8, (steps - (upper << 7)) as i8);
        (high[i], low[i]) = planes;
    }
    let (upper, lower) = planes.split_at_mut(8);
    upper.copy_from_slice(high.as_chunks::<4>().0);
    lower.copy_from_slice(low.as_chunks::<4>().0);
    let step = largest / STEPS;
    #[expect(clippy::cast_precision_loss, reason = "at most 32 * 8,191")]
    let sum = step * (totals[0] + totals[1]) as f32;
    Scale { step, totals, sum }
}
