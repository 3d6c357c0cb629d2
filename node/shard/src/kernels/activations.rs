//! Input rows rounded to 8 bits per 32 elements.

use super::wide;

/// Elements that share one scale.
const BLOCK: usize = 32;

/// Rounded input rows.
pub(super) struct Activations {
    inputs: usize,
    quants: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<f32>,
}

/// One rounded row.
#[derive(Clone, Copy)]
pub(super) struct ActivationRow<'a> {
    /// `[inputs]`, -127 to 127.
    pub(super) quants: &'a [i8],
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
    fn round(x: &[f32], quants: &mut [i8], scales: &mut [f32], sums: &mut [f32]) = round_body
}

#[inline(always)]
fn round_body(x: &[f32], quants: &mut [i8], scales: &mut [f32], sums: &mut [f32]) {
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer, ties to even.
    const ROUND: f32 = 12_582_912.0;
    let outputs = quants.chunks_exact_mut(BLOCK).zip(scales.iter_mut().zip(sums));
    for (x, (quants, (scale, sum))) in x.chunks_exact(BLOCK).zip(outputs) {
        let largest = x.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        *scale = largest / 127.0;
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let mut total = 0_i32;
        for (quant, value) in quants.iter_mut().zip(x) {
            let rounded = (value * inverse + ROUND) - ROUND;
            #[expect(clippy::cast_possible_truncation, reason = "within -127 to 127 by the scale")]
            let rounded = rounded as i32;
            total += rounded;
            #[expect(clippy::cast_possible_truncation, reason = "within -127 to 127 by the scale")]
            let narrow = rounded as i8;
            *quant = narrow;
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 32 * 127")]
        let total = total as f32;
        *sum = *scale * total;
    }
}
