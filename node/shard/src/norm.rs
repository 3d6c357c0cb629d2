//! RMS norm. Not layer norm: no model here centres or shifts.
//!
//! Source: Zhang and Sennrich, Root Mean Square Layer Normalization. Gemma's `1 + weight` is already
//! in its GGUF files.

use crate::kernels::{Compute, Kernel, LANES, Lanes, sum};

/// An RMS norm over rows of `weight.len()` elements.
#[derive(Debug)]
pub(crate) struct RmsNorm {
    weight: Vec<f32>,
    epsilon: f32,
}

impl RmsNorm {
    pub(crate) const fn new(weight: Vec<f32>, epsilon: f32) -> Self {
        Self { weight, epsilon }
    }

    /// Resident bytes of the weights.
    pub(crate) const fn bytes(&self) -> u64 {
        (self.weight.len() * size_of::<f32>()) as u64
    }

    /// Normalises `x`: `[rows, weight.len()]` f32, into `out`.
    pub(crate) fn forward(&self, compute: &Compute, x: &[f32], out: &mut Vec<f32>) {
        out.clear();
        out.extend_from_slice(x);
        self.apply(compute, out);
    }

    /// Normalises `x`: `[rows, weight.len()]` f32, in place.
    pub(crate) fn apply(&self, compute: &Compute, x: &mut [f32]) {
        compute.each(x.chunks_exact_mut(self.weight.len()), |row| {
            compute.run(Normalise { row, weight: &self.weight, epsilon: self.epsilon });
        });
    }
}

struct Normalise<'a> {
    row: &'a mut [f32],
    weight: &'a [f32],
    epsilon: f32,
}

impl Kernel for Normalise<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (chunks, tail) = self.row.as_chunks::<LANES>();
        let mut squares = L::splat(0.0);
        for chunk in chunks {
            let values = L::load(chunk);
            squares = L::fma(values, values, squares);
        }
        let mut total = sum::<L>(squares);
        for value in tail {
            total += value * value;
        }
        #[expect(clippy::cast_precision_loss, reason = "a row has far fewer than 2^24 elements")]
        let mean = total / self.weight.len() as f32;
        let factor = 1.0 / (mean + self.epsilon).sqrt();
        for i in 0..self.row.len() {
            self.row[i] = self.row[i] * factor * self.weight[i];
        }
    }
}
