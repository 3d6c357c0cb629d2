//! Input rows rounded to 14 bits per 32 elements.
//!
//! ggml rounds to 8 bits. Products with 14 cost the same where 16-bit multiply-add is the unit, a
//! lane's four products with 8-bit weights still sum below 2^24, so converting the sum to f32 is
//! exact, and logits of small models move by hundredths instead of by one.

use super::wide;

/// Elements that share one scale.
const BLOCK: usize = 32;
/// Steps from zero to a block's largest value: 4 products of it with 128 stay below 2^24.
const STEPS: f32 = 8_191.0;

/// Rounded input rows.
pub(super) struct Activations {
    inputs: usize,
    quants: Vec<i16>,
    scales: Vec<f32>,
    sums: Vec<f32>,
}

/// One rounded row.
#[derive(Clone, Copy)]
pub(super) struct ActivationRow<'a> {
    /// `[inputs]`, `-STEPS` to `STEPS`.
    pub(super) quants: &'a [i16],
    /// `[inputs / 32]`: value of one step.
    pub(super) scales: &'a [f32],
    /// `[inputs / 32]`: sum of the block's rounded values.
    pub(super) sums: &'a [f32],
}

impl Activations {
    /// Rounds `x`: `[rows, inputs]`, `inputs` a multiple of 32.
    pub(super) fn new(x: &[f32], inputs: usize) -> Self {
        let blocks = x.len() / BLOCK;
        let mut made = Self {
            inputs,
            quants: vec![0; x.len()],
            scales: vec![0.0; blocks],
            sums: vec![0.0; blocks],
        };
        round(x, &mut made.quants, &mut made.scales, &mut made.sums);
        made
    }

    #[inline(always)]
    pub(super) fn row(&self, index: usize) -> ActivationRow<'_> {
        let (inputs, blocks) = (self.inputs, self.inputs / BLOCK);
        ActivationRow {
            quants: &self.quants[index * inputs..(index + 1) * inputs],
            scales: &self.scales[index * blocks..(index + 1) * blocks],
            sums: &self.sums[index * blocks..(index + 1) * blocks],
        }
    }
}

wide! {
    fn round(x: &[f32], quants: &mut [i16], scales: &mut [f32], sums: &mut [f32]) = round_body
}

#[inline(always)]
fn round_body(x: &[f32], quants: &mut [i16], scales: &mut [f32], sums: &mut [f32]) {
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer, ties to even.
    const ROUND: f32 = 12_582_912.0;
    let outputs = quants.chunks_exact_mut(BLOCK).zip(scales.iter_mut().zip(sums));
    for (x, (quants, (scale, sum))) in x.chunks_exact(BLOCK).zip(outputs) {
        let largest = x.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        // `max` skips NaN: without this a block of NaN would round to zeros and vanish.
        let finite = x.iter().fold(true, |finite, value| finite & value.is_finite());
        *scale = if finite { largest / STEPS } else { f32::NAN };
        let inverse = if largest > 0.0 { STEPS / largest } else { 0.0 };
        let mut total = 0_i32;
        for (quant, value) in quants.iter_mut().zip(x) {
            let rounded = (value * inverse + ROUND) - ROUND;
            #[expect(clippy::cast_possible_truncation, reason = "within STEPS by the scale")]
            let rounded = rounded as i32;
            total += rounded;
            #[expect(clippy::cast_possible_truncation, reason = "within STEPS by the scale")]
            let narrow = rounded as i16;
            *quant = narrow;
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 32 * 8,191")]
        let total = total as f32;
        *sum = *scale * total;
    }
}
