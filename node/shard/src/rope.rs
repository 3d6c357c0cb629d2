//! Rotary position embedding. Not attention.
//!
//! Source: Su et al., RoFormer; angles are computed in f64 and rounded once, unlike ggml, which
//! multiplies f32 angles up frequency by frequency.

use crate::{config::RopePairs, math};

/// Cosine and sine per frequency at one position.
pub(crate) type Angles = Vec<(f32, f32)>;

/// Angles of one rope: per frequency, radians per position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rope {
    head_size: usize,
    pairs: RopePairs,
    frequencies: Vec<f64>,
}

impl Rope {
    /// A rope over the first `dims` elements of each head; `factors` divide the frequencies.
    pub(crate) fn new(
        shape: (usize, u32),
        (base, scale): (f32, f32),
        pairs: RopePairs,
        factors: Option<&[f32]>,
    ) -> Self {
        let (head_size, dims) = shape;
        let frequency = |i: u32| {
            let exponent = -2.0 * f64::from(i) / f64::from(dims);
            let factor = factors.and_then(|factors| factors.get(i as usize)).copied();
            math::power(f64::from(base), exponent) * f64::from(scale)
                / f64::from(factor.unwrap_or(1.0))
        };
        Self { head_size, pairs, frequencies: (0..dims / 2).map(frequency).collect() }
    }

    /// Which elements of a head it rotates together.
    pub(crate) const fn pairs(&self) -> RopePairs {
        self.pairs
    }

    /// Cosine and sine per frequency at absolute `position`.
    pub(crate) fn angles(&self, position: u32) -> Angles {
        let angle = |frequency: &f64| {
            let (sine, cosine) = math::sin_cos(frequency * f64::from(position));
            #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
            let pair = (cosine as f32, sine as f32);
            pair
        };
        self.frequencies.iter().map(angle).collect()
    }

    /// Rotates every head of `x`: `[heads * head_size]`, one position, in place.
    pub(crate) fn rotate(&self, x: &mut [f32], angles: &[(f32, f32)]) {
        for head in x.chunks_exact_mut(self.head_size) {
            for (i, &(cosine, sine)) in angles.iter().enumerate() {
                let (first, second) = match self.pairs {
                    RopePairs::Adjacent => (2 * i, 2 * i + 1),
                    RopePairs::Halves => (i, i + angles.len()),
                };
                let (a, b) = (head[first], head[second]);
                head[first] = a * cosine - b * sine;
                head[second] = a * sine + b * cosine;
            }
        }
    }
}
