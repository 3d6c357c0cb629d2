//! RMS norm. Not layer norm: no model here centres or shifts.
//!
//! Source: Zhang and Sennrich, Root Mean Square Layer Normalization. Gemma's `1 + weight` is already
//! in its GGUF files.

use crate::kernels::{floats, wide};

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

    /// Normalises `x`: `[rows, weight.len()]` f32.
    pub(crate) fn forward(&self, x: &[f32]) -> Vec<f32> {
        let mut out = x.to_vec();
        self.apply(&mut out);
        out
    }

    /// Normalises `x`: `[rows, weight.len()]` f32, in place.
    pub(crate) fn apply(&self, x: &mut [f32]) {
        normalise(x, &self.weight, self.epsilon);
    }
}

wide! {
    fn normalise(x: &mut [f32], weight: &[f32], epsilon: f32) = normalise_body
}

#[inline(always)]
fn normalise_body(x: &mut [f32], weight: &[f32], epsilon: f32) {
    for row in x.chunks_exact_mut(weight.len()) {
        #[expect(clippy::cast_precision_loss, reason = "a row has far fewer than 2^24 elements")]
        let mean = floats(row, row) / weight.len() as f32;
        let factor = 1.0 / (mean + epsilon).sqrt();
        for (value, weight) in row.iter_mut().zip(weight) {
            *value = *value * factor * weight;
        }
    }
}
