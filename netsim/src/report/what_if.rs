//! What further runs of changed worlds say, for a report. Not who runs them.

use serde::Serialize;

use crate::statistics::Estimate;

/// A figure over something that is changed step by step.
#[derive(Debug, Clone, Serialize)]
pub struct Sweep {
    /// What is shown, with its unit.
    pub title: String,
    /// What is changed, with its unit.
    pub x_label: String,
    /// Value of what is changed, and the figure there.
    pub points: Vec<(f64, Estimate)>,
}

/// What one rule costs: the same demand under it and without it.
#[derive(Debug, Clone, Serialize)]
pub struct RuleCost {
    /// Its name.
    pub policy: String,
    /// Tokens per second of the whole consortium with it.
    pub tokens_per_s: Estimate,
    /// The same without it.
    pub tokens_per_s_without: Estimate,
    /// With it less without it, in pairs of runs that ask the same.
    pub tokens_per_s_less: Estimate,
    /// Mean seconds to the first token, of the workloads that are under it.
    pub first_token_s: Estimate,
    /// The same without it.
    pub first_token_s_without: Estimate,
    /// With it less without it, in such pairs.
    pub first_token_s_less: Estimate,
    /// Requests of all that are refused per run with it.
    pub refused: Estimate,
}
