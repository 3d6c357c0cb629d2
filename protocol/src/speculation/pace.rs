//! How long a way round the ring takes, by the guesses it carries. Not whose fault that is.

use std::time::Duration;

/// How far one observation moves the estimate.
const STEP: f64 = 0.2;
/// Assumed cost of a guess until it is measured, as a share of a way round without any: too high
/// rather than too low, for one guess is enough to measure it.
const ASSUMED_SHARE: f64 = 0.25;
/// Shortest way round, seconds: keeps rates finite where the clock has not moved.
const LEAST: f64 = 1e-4;

/// `base + step · guesses`, and the draft model's own time for each guess.
#[derive(Debug, Default)]
pub(super) struct Pace {
    base: Option<f64>,
    step: f64,
    model: f64,
    /// Whether the draft model has read the prompt.
    warm: bool,
}

impl Pace {
    /// Normalised least mean squares over `[1, guesses]`; a single late way round counts at most
    /// twice the estimate.
    pub(super) fn observe(&mut self, guesses: u32, took: Duration) {
        let (took, guesses) = (took.as_secs_f64(), f64::from(guesses));
        let Some(base) = &mut self.base else {
            let base = (took / (1.0 + ASSUMED_SHARE * guesses)).max(LEAST);
            (self.base, self.step) = (Some(base), base * ASSUMED_SHARE);
            return;
        };
        let expected = *base + self.step * guesses;
        let error = (took - expected).clamp(-expected, expected);
        let gain = STEP * error / (1.0 + guesses * guesses);
        *base = (*base + gain).max(LEAST);
        self.step = (self.step + gain * guesses).max(0.0);
    }

    /// The first draft tells nothing: most of its time went into reading the prompt.
    pub(super) fn observe_model(&mut self, guesses: usize, took: Duration) {
        let Ok(guesses) = u32::try_from(guesses) else { return };
        if !std::mem::replace(&mut self.warm, true) {
            return;
        }
        if guesses > 0 {
            let each = took.as_secs_f64() / f64::from(guesses);
            let known = self.model > 0.0;
            self.model = if known { self.model + STEP * (each - self.model) } else { each };
        }
    }

    pub(super) const fn is_known(&self) -> bool {
        self.base.is_some()
    }

    /// Seconds of a way round with this many guesses.
    pub(super) fn seconds(&self, guesses: usize, from_model: bool) -> f64 {
        let guesses = f64::from(u32::try_from(guesses).unwrap_or(u32::MAX));
        let each = self.step + if from_model { self.model } else { 0.0 };
        self.base.unwrap_or(LEAST) + each * guesses
    }
}
