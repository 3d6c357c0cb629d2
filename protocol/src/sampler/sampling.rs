//! Sampling parameters and what they may be. Not sampling.

use crate::limits::{MAX_TOKENS_DEFAULT, POSITIONS_MAX, STOP_BYTES_MAX, STOPS_MAX, VOCAB_MAX};

/// One, in millionths.
pub const MILLION: u32 = 1_000_000;
/// Highest temperature, in millionths. Past 5 every model is noise.
pub const TEMPERATURE_MAX: u32 = 5 * MILLION;
/// Strongest repetition penalty, in millionths.
pub const REPETITION_PENALTY_MAX: u32 = 10 * MILLION;

/// How tokens are drawn. Fractions are millionths, so that no float is ever signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampling {
    /// Temperature in millionths; 0 is greedy; at most [`TEMPERATURE_MAX`].
    pub temperature: u32,
    /// Keep the k best tokens; 0 keeps all.
    pub top_k: u32,
    /// Keep the smallest set of this probability, in millionths; 1 to [`MILLION`], which keeps all.
    pub top_p: u32,
    /// Drop tokens below this share of the best one's probability, in millionths; at most
    /// [`MILLION`].
    pub min_p: u32,
    /// Weakens tokens seen, in millionths; [`MILLION`] is none; 1 to [`REPETITION_PENALTY_MAX`].
    pub repetition_penalty: u32,
    /// Seed of the noise.
    pub seed: u64,
    /// Most tokens of the answer; 1 or more.
    pub max_tokens: u32,
    /// Strings that end the answer; at most [`STOPS_MAX`] of 1 to [`STOP_BYTES_MAX`] bytes.
    pub stop: Vec<String>,
}

/// Why parameters are not accepted.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SamplingError {
    /// A fraction is NaN, infinite or outside its bounds.
    #[error("{field}: {value} is not a number from {min} to {max}")]
    Fraction {
        /// Parameter at fault.
        field: &'static str,
        /// Value given.
        value: f64,
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
    /// An integer is outside its bounds.
    #[error("{field}: {value} is not from {min} to {max}")]
    Range {
        /// Parameter at fault.
        field: &'static str,
        /// Value given.
        value: u32,
        /// Least value.
        min: u32,
        /// Greatest value.
        max: u32,
    },
    /// Too many stop strings.
    #[error("stop: {got} strings, more than {STOPS_MAX}")]
    Stops {
        /// Strings given.
        got: usize,
    },
    /// A stop string is empty or too long.
    #[error("stop: a string of {got} bytes; 1 to {STOP_BYTES_MAX} are allowed")]
    Stop {
        /// Its bytes.
        got: usize,
    },
}

impl SamplingError {
    /// Name of the parameter at fault.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Fraction { field, .. } | Self::Range { field, .. } => field,
            Self::Stops { .. } | Self::Stop { .. } => "stop",
        }
    }
}

impl Default for Sampling {
    /// Greedy, nothing filtered, nothing penalised.
    fn default() -> Self {
        Self {
            temperature: 0,
            top_k: 0,
            top_p: MILLION,
            min_p: 0,
            repetition_penalty: MILLION,
            seed: 0,
            max_tokens: MAX_TOKENS_DEFAULT,
            stop: Vec::new(),
        }
    }
}

impl Sampling {
    /// Sets the temperature, 0 to 5.
    ///
    /// # Errors
    /// [`SamplingError::Fraction`] if it is NaN, negative or too high.
    pub fn with_temperature(mut self, value: f64) -> Result<Self, SamplingError> {
        self.temperature = millionths(value, 0, TEMPERATURE_MAX, "temperature")?;
        Ok(self)
    }

    /// Sets top-p, above 0 to 1.
    ///
    /// # Errors
    /// [`SamplingError::Fraction`] if it is NaN or outside.
    pub fn with_top_p(mut self, value: f64) -> Result<Self, SamplingError> {
        self.top_p = millionths(value, 1, MILLION, "top_p")?;
        Ok(self)
    }

    /// Sets min-p, 0 to 1.
    ///
    /// # Errors
    /// [`SamplingError::Fraction`] if it is NaN or outside.
    pub fn with_min_p(mut self, value: f64) -> Result<Self, SamplingError> {
        self.min_p = millionths(value, 0, MILLION, "min_p")?;
        Ok(self)
    }

    /// Sets the repetition penalty, above 0 to 10; 1 is none.
    ///
    /// # Errors
    /// [`SamplingError::Fraction`] if it is NaN or outside.
    pub fn with_repetition_penalty(mut self, value: f64) -> Result<Self, SamplingError> {
        self.repetition_penalty =
            millionths(value, 1, REPETITION_PENALTY_MAX, "repetition_penalty")?;
        Ok(self)
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`SamplingError`] naming the first parameter outside its bounds.
    pub fn check(&self) -> Result<(), SamplingError> {
        let bounds = [
            ("temperature", self.temperature, 0, TEMPERATURE_MAX),
            ("top_k", self.top_k, 0, VOCAB_MAX),
            ("top_p", self.top_p, 1, MILLION),
            ("min_p", self.min_p, 0, MILLION),
            ("repetition_penalty", self.repetition_penalty, 1, REPETITION_PENALTY_MAX),
            ("max_tokens", self.max_tokens, 1, POSITIONS_MAX),
        ];
        for (field, value, min, max) in bounds {
            if value < min || value > max {
                return Err(SamplingError::Range { field, value, min, max });
            }
        }
        if self.stop.len() > STOPS_MAX {
            return Err(SamplingError::Stops { got: self.stop.len() });
        }
        let lengths = self.stop.iter().map(String::len);
        match lengths.into_iter().find(|bytes| !(1..=STOP_BYTES_MAX).contains(bytes)) {
            Some(got) => Err(SamplingError::Stop { got }),
            None => Ok(()),
        }
    }
}

/// The nearest whole number of millionths.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded by `min` and `max` first"
)]
fn millionths(value: f64, min: u32, max: u32, field: &'static str) -> Result<u32, SamplingError> {
    let scaled = (value * f64::from(MILLION)).round();
    if scaled >= f64::from(min) && scaled <= f64::from(max) && value >= 0.0 {
        return Ok(scaled as u32);
    }
    let fraction = |bound: u32| f64::from(bound) / f64::from(MILLION);
    Err(SamplingError::Fraction { field, value, min: fraction(min), max: fraction(max) })
}
