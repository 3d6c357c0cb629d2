//! What the simulator says of configurations that were measured, beside what was measured. Not why
//! they differ.

mod text;

use serde::Serialize;

use crate::{
    calibrate::{Calibrated, predict},
    measurement::{Load, Measurement},
    statistics::{percentile, rank_correlation},
    toml_file::TomlFileError,
    world::World,
};

/// How near is near enough: median errors of a further token's time, of the time to the first token
/// and of tokens per second, and the least rank correlation.
pub const TOKEN_GOAL: f64 = 0.05;
/// See above.
pub const FIRST_TOKEN_GOAL: f64 = 0.15;
/// See above.
pub const RATE_GOAL: f64 = 0.07;
/// See above.
pub const RANK_GOAL: f64 = 0.95;

/// One configuration.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Name of the measurement.
    pub name: String,
    /// Whether the calibration rests on it: then it says nothing about others.
    pub calibrated: bool,
    /// As it was.
    pub measured: Load,
    /// As it was to be expected.
    pub predicted: Load,
}

/// Predictions over all that the calibration does not rest on, or over all if it rests on all.
#[derive(Debug, Clone, Serialize)]
pub struct Validation {
    /// Configurations in the order in which they were named.
    pub rows: Vec<Row>,
    /// Measurements in which no request was answered.
    pub empty: Vec<String>,
    /// How many configurations the errors are of, and whether the calibration rests on them.
    pub judged: usize,
    /// See above.
    pub on_its_own: bool,
    /// Errors of tokens per second.
    pub rate: Errors,
    /// Errors of the median time to the first token.
    pub first_token: Errors,
    /// Errors of the time that 95 of 100 first tokens stay below.
    pub first_token_p95: Errors,
    /// Errors of the median time of a further token.
    pub token: Errors,
    /// Spearman's rank correlation of tokens per second; `None` of fewer than three configurations.
    pub rate_rank: Option<f64>,
    /// The same of the time of a further token.
    pub token_rank: Option<f64>,
}

/// Relative errors, by their size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Errors {
    /// Half are smaller.
    pub median: f64,
    /// 95 of 100 are smaller.
    pub p95: f64,
    /// Median with its sign: what all have in common.
    pub bias: f64,
}

impl Errors {
    fn of(rows: &[&Row], value: fn(&Load) -> f64) -> Self {
        let off = rows.iter().map(|row| relative(value(&row.measured), value(&row.predicted)));
        let mut signed: Vec<f64> = off.filter(|off| off.is_finite()).collect();
        let mut sizes: Vec<f64> = signed.iter().map(|off| off.abs()).collect();
        signed.sort_by(f64::total_cmp);
        sizes.sort_by(f64::total_cmp);
        let median = percentile(&sizes, 0.5);
        Self { median, p95: percentile(&sizes, 0.95), bias: percentile(&signed, 0.5) }
    }
}

/// How far a prediction is off, as a share of what was measured.
#[must_use]
pub fn relative(measured: f64, predicted: f64) -> f64 {
    predicted / measured - 1.0
}

/// Predicts every measurement with what was calibrated.
///
/// # Errors
/// [`TomlFileError`] if a scenario does not hold with what was calibrated.
pub fn validate(
    all: &[Measurement],
    calibrated: &Calibrated,
    done: &(dyn Fn(usize) + Sync),
) -> Result<Validation, TomlFileError> {
    let (mut rows, mut empty) = (Vec::new(), Vec::new());
    for (index, measurement) in all.iter().enumerate() {
        let mut file = measurement.file.clone();
        calibrated.apply(&mut file);
        let world = World::resolve(&file, measurement.data.as_deref())?;
        let (predicted, cut) = predict(&world, world.run.runs);
        done(index + 1);
        let name = measurement.name.clone();
        match measurement.got(cut) {
            None => empty.push(name),
            Some(measured) => {
                let calibrated = calibrated.calibration.measurements.contains(&name);
                rows.push(Row { name, calibrated, measured, predicted });
            }
        }
    }
    Ok(judge(rows, empty))
}

fn judge(rows: Vec<Row>, empty: Vec<String>) -> Validation {
    let mut judged: Vec<&Row> = rows.iter().filter(|row| !row.calibrated).collect();
    let on_its_own = judged.is_empty();
    if on_its_own {
        judged = rows.iter().collect();
    }
    let rank = |value: fn(&Load) -> f64| {
        let both = |of: fn(&Row) -> &Load| -> Vec<f64> {
            judged.iter().map(|row| value(of(row))).collect()
        };
        rank_correlation(&both(|row| &row.measured), &both(|row| &row.predicted))
    };
    let found = Validation {
        judged: judged.len(),
        on_its_own,
        rate: Errors::of(&judged, |load| load.tokens_per_s),
        first_token: Errors::of(&judged, |load| load.first_token_s),
        first_token_p95: Errors::of(&judged, |load| load.first_token_p95_s),
        token: Errors::of(&judged, |load| load.token_s),
        rate_rank: rank(|load| load.tokens_per_s),
        token_rank: rank(|load| load.token_s),
        rows: Vec::new(),
        empty,
    };
    Validation { rows, ..found }
}

impl Validation {
    /// Whether everything that is asked for is so.
    #[must_use]
    pub fn meets(&self) -> bool {
        let ranks = [self.rate_rank, self.token_rank];
        self.token.median <= TOKEN_GOAL
            && self.first_token.median <= FIRST_TOKEN_GOAL
            && self.rate.median <= RATE_GOAL
            && ranks.iter().all(|rank| rank.is_none_or(|rank| rank >= RANK_GOAL))
    }
}

#[cfg(test)]
mod tests;
