//! Sampling parameters on the command line. Not sampling.
//!
//! Every value is checked as it is parsed, so that a wrong one is a usage error that names its flag.

use comity_protocol::{
    limits::{MAX_TOKENS_DEFAULT, POSITIONS_MAX, VOCAB_MAX},
    sampler::{Sampling, SamplingError},
};

/// How the answer is drawn.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingArgs {
    /// 0 always takes the best token; higher is more varied; at most 5.
    #[arg(long, value_name = "T", default_value = "0", value_parser = temperature)]
    #[arg(allow_hyphen_values = true)]
    temperature: f64,
    /// Keep only the K best tokens; 0 keeps all.
    #[arg(long, value_name = "K", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u32).range(..=i64::from(VOCAB_MAX)))]
    top_k: u32,
    /// Keep the fewest tokens that share this probability, above 0 to 1.
    #[arg(long, value_name = "P", default_value = "1", value_parser = top_p)]
    #[arg(allow_hyphen_values = true)]
    top_p: f64,
    /// Drop tokens less likely than this share of the best, 0 to 1.
    #[arg(long, value_name = "P", default_value = "0", value_parser = min_p)]
    #[arg(allow_hyphen_values = true)]
    min_p: f64,
    /// Weakens tokens already seen; 1 does not; at most 10.
    #[arg(long, value_name = "R", default_value = "1", value_parser = repetition_penalty)]
    #[arg(allow_hyphen_values = true)]
    repetition_penalty: f64,
    /// The same seed draws the same answer.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Most tokens of the answer.
    #[arg(long, value_name = "N", default_value_t = MAX_TOKENS_DEFAULT)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(POSITIONS_MAX)))]
    max_tokens: u32,
    /// Text that ends the answer; may be given up to 16 times.
    #[arg(long, value_name = "TEXT", value_parser = stop)]
    stop: Vec<String>,
}

impl SamplingArgs {
    /// The parameters as they are sent and signed.
    ///
    /// # Errors
    /// [`SamplingError`] if there are too many stop strings; all else was checked when parsed.
    pub fn sampling(&self) -> Result<Sampling, SamplingError> {
        let sampling = Sampling {
            top_k: self.top_k,
            seed: self.seed,
            max_tokens: self.max_tokens,
            stop: self.stop.clone(),
            ..Sampling::default()
        }
        .with_temperature(self.temperature)?
        .with_top_p(self.top_p)?
        .with_min_p(self.min_p)?
        .with_repetition_penalty(self.repetition_penalty)?;
        sampling.check()?;
        Ok(sampling)
    }
}

fn checked(
    text: &str,
    check: impl Fn(Sampling, f64) -> Result<Sampling, SamplingError>,
) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    check(Sampling::default(), value).map(|_| value).map_err(|error| error.to_string())
}

fn temperature(text: &str) -> Result<f64, String> {
    checked(text, Sampling::with_temperature)
}

fn top_p(text: &str) -> Result<f64, String> {
    checked(text, Sampling::with_top_p)
}

fn min_p(text: &str) -> Result<f64, String> {
    checked(text, Sampling::with_min_p)
}

fn repetition_penalty(text: &str) -> Result<f64, String> {
    checked(text, Sampling::with_repetition_penalty)
}

fn stop(text: &str) -> Result<String, String> {
    let sampling = Sampling { stop: vec![text.to_owned()], ..Sampling::default() };
    sampling.check().map(|()| text.to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
