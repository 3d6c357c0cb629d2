//! What a few runs say about all of them: means, percentiles, intervals. Not what was measured.
//!
//! Runs with different seeds are independent, so intervals are taken over runs (Student's t); within
//! one run, whose samples depend on each other, nothing is claimed but percentiles. Where there is
//! one series only, as with measurements, percentiles get bootstrap intervals.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use crate::random::Random;

/// Confidence of every interval that is printed.
pub const CONFIDENCE: f64 = 0.95;
/// Standard errors of half an interval of [`CONFIDENCE`] where the error itself is known.
pub const NORMAL: f64 = 1.959_964;
/// Resamples of a bootstrap interval: its ends move by a hundredth of its width from seed to seed.
const RESAMPLES: u32 = 1_000;
/// Samples of a batch in the search for the end of the warm-up.
const BATCH: usize = 5;

/// A number and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean over runs.
    pub mean: f64,
    /// Half the width of the interval; `None` of a single run, which says nothing about others.
    pub half_width: Option<f64>,
    /// Runs.
    pub runs: usize,
}

impl Estimate {
    /// Of one value per run; NaN of none.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        Self::with_confidence(values, CONFIDENCE)
    }

    /// The same with another confidence, between 0 and 1.
    #[must_use]
    pub fn with_confidence(values: &[f64], confidence: f64) -> Self {
        let runs = values.len();
        let mean = mean(values);
        let half_width = (runs > 1).then(|| {
            let freedom = (runs - 1) as f64;
            let spread: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            quantile_t(freedom, confidence) * (spread / freedom / runs as f64).sqrt()
        });
        Self { mean, half_width, runs }
    }

    /// The same where a relative standard error of all values, which no run shows, comes on top of
    /// chance: both are independent, so their squares add up.
    #[must_use]
    pub fn with_error(self, relative: f64) -> Self {
        let model = self.mean * relative * NORMAL;
        Self { half_width: self.half_width.map(|half| half.hypot(model)), ..self }
    }

    /// Half the width over the mean; `None` if it is not known.
    #[must_use]
    pub fn relative(&self) -> Option<f64> {
        let half = self.half_width?;
        if half == 0.0 { Some(0.0) } else { Some(half / self.mean.abs()) }
    }
}

/// The arithmetic mean; NaN of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// How many standard errors the two-sided interval reaches, with so many degrees of freedom.
fn quantile_t(freedom: f64, confidence: f64) -> f64 {
    let distribution = StudentsT::new(0.0, 1.0, freedom).expect("one or more degrees of freedom");
    distribution.inverse_cdf(f64::midpoint(1.0, confidence))
}

/// The value below which `share` of the sorted samples lie, between neighbours in a straight line;
/// NaN of nothing. Source: Hyndman and Fan 1996, type 7.
#[must_use]
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share.clamp(0.0, 1.0) * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most `last`")]
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    let part = place - place.floor();
    sorted[below].mul_add(1.0 - part, sorted[above] * part)
}

/// The interval of a percentile of one series of independent samples, by resampling it.
#[must_use]
pub fn bootstrap(sorted: &[f64], share: f64, random: &mut Random) -> (f64, f64) {
    if sorted.is_empty() {
        return (f64::NAN, f64::NAN);
    }
    let mut drawn = vec![0.0; sorted.len()];
    let mut found: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            for value in &mut drawn {
                let index = random.below(sorted.len() as u64);
                *value = sorted[usize::try_from(index).unwrap_or(0)];
            }
            drawn.sort_by(f64::total_cmp);
            percentile(&drawn, share)
        })
        .collect();
    found.sort_by(f64::total_cmp);
    let tail = (1.0 - CONFIDENCE) / 2.0;
    (percentile(&found, tail), percentile(&found, 1.0 - tail))
}

/// How many of a series' first samples belong to the warm-up: where leaving them out makes the mean
/// of the rest surest. At most half of them. Source: MSER-5 (White 1997).
#[must_use]
pub fn warm_up(samples: &[f64]) -> usize {
    let batches: Vec<f64> = samples.chunks_exact(BATCH).map(mean).collect();
    let (mut sum, mut squares) = (0.0, 0.0);
    let mut best = (f64::INFINITY, 0);
    for (cut, value) in batches.iter().enumerate().rev() {
        sum += value;
        squares += value * value;
        let left = (batches.len() - cut) as f64;
        // Few batches agree by chance.
        if cut <= batches.len() / 2 {
            let spread = (squares - sum * sum / left).max(0.0) / (left * left);
            if spread <= best.0 {
                best = (spread, cut);
            }
        }
    }
    best.1 * BATCH
}

/// How far two series agree in what is more and what is less: 1 if in everything, -1 if in nothing;
/// `None` of fewer than three, or of one that is all the same. Source: Spearman 1904.
#[must_use]
pub fn rank_correlation(one: &[f64], other: &[f64]) -> Option<f64> {
    if one.len() < 3 || one.len() != other.len() {
        return None;
    }
    let (one, other) = (ranks(one), ranks(other));
    let (middle, count) = (mean(&one), one.len());
    let product = |a: &[f64], b: &[f64]| -> f64 {
        (0..count).map(|place| (a[place] - middle) * (b[place] - middle)).sum()
    };
    let spread = (product(&one, &one) * product(&other, &other)).sqrt();
    (spread > 0.0).then(|| product(&one, &other) / spread)
}

/// The place of each value in ascending order, from 1; equal ones share theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |value: &f64| values.iter().filter(|other| *other < value).count();
    let equal = |value: &f64| values.iter().filter(|other| *other == value).count();
    values.iter().map(|it| below(it) as f64 + (equal(it) as f64 + 1.0) / 2.0).collect()
}

/// How evenly values from 0 on are spread: 1 if all are equal, 1 over their number if one has all;
/// `None` if none is above 0. Source: Jain, Chiu, Hawe 1984.
#[must_use]
pub fn fairness(values: &[f64]) -> Option<f64> {
    let sum: f64 = values.iter().sum();
    let squares: f64 = values.iter().map(|value| value * value).sum();
    (squares > 0.0).then(|| sum * sum / (values.len() as f64 * squares))
}

#[cfg(test)]
mod tests;
