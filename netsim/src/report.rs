//! What runs of a scenario say: every figure with its interval. Not how it is shown.

pub mod csv;
pub mod html;
mod load;
mod map;
mod rows;
mod rules;
pub mod table;
pub mod trace;
mod what_if;

use serde::Serialize;

pub use self::{
    load::Load,
    map::{Flow, Map, Place},
    rows::{InstitutionRow, LineRow, NodeRow, Percentiles, WorkloadRow},
    rules::PolicyRow,
    what_if::{RuleCost, Sweep},
};

use crate::{
    capacity::{Measured, SLICES, Sample},
    scenario::Rounds,
    statistics::{Estimate, NORMAL, percentile, warm_up},
    world::World,
};

/// Points of a distribution that is drawn.
const POINTS: usize = 100;
/// Lines and nodes that a report names.
const NAMED_MAX: usize = 200;

/// What runs of a scenario say.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The scenario.
    pub scenario: String,
    /// What it is about.
    pub description: String,
    /// Seed of the first run; each further run has the next one.
    pub seed: u64,
    /// Runs.
    pub runs: usize,
    /// Seconds left out at the start of each.
    pub warm_up_s: f64,
    /// Seconds measured in each.
    pub measured_s: f64,
    /// Whether the consortium keeps up.
    pub load: Load,
    /// Tokens of answers per second.
    pub tokens_per_s: Estimate,
    /// Answers per second.
    pub answers_per_s: Estimate,
    /// Seconds until the first token.
    pub first_token_s: Percentiles,
    /// Mean seconds of a further token.
    pub token_s: Percentiles,
    /// Seconds of a whole answer.
    pub answer_s: Percentiles,
    /// Whether rounds were averaged, not run pass by pass.
    pub averaged: bool,
    /// Where devices were calibrated: half the relative width of the 95 % interval that their error
    /// adds to every time and rate. The intervals of these hold it.
    pub model_error: Option<f64>,
    /// Nodes whose blocks the planner chose, for the scenario names none, and those blocks.
    pub placed: Vec<(String, [u32; 2])>,
    /// The busiest nodes.
    pub nodes: Vec<NodeRow>,
    /// The busiest lines.
    pub lines: Vec<LineRow>,
    /// Members.
    pub institutions: Vec<InstitutionRow>,
    /// How evenly institutions give for what they take: Jain's index of given over taken.
    pub fairness: Estimate,
    /// By workload.
    pub workloads: Vec<WorkloadRow>,
    /// Rules of workloads.
    pub policies: Vec<PolicyRow>,
    /// Where all that is, and what goes between.
    pub map: Map,
    /// Tokens per second over time, mean of all runs.
    pub over_time: Vec<f64>,
    /// Seconds of one point of what is shown over time.
    pub slice_s: f64,
    /// Quantiles of the time to the first token and of a further token, evenly spaced.
    pub first_token_quantiles: Vec<f64>,
    /// See above.
    pub token_quantiles: Vec<f64>,
    /// Events of all runs.
    pub events: u64,
}

/// Seconds of a run that belong to its warm-up, found where they are not stated.
#[must_use]
pub fn warm_up_s(world: &World, run: &Measured) -> f64 {
    world.run.warm_up_s.map_or_else(
        || {
            let tokens: Vec<f64> = run.series.tokens.iter().map(|count| *count as f64).collect();
            warm_up(&tokens) as f64 * run.slice_s()
        },
        |seconds| seconds.get(),
    )
}

/// What these runs of a world say, without their first seconds.
///
/// # Panics
/// If there is no run.
#[must_use]
pub fn summarise(world: &World, runs: &[Measured], warm_up_s: f64) -> Summary {
    let first = runs.first().expect("one or more runs");
    let measured_s = first.until_s - warm_up_s;
    let over = |value: &dyn Fn(&Measured) -> f64| {
        Estimate::of(&runs.iter().map(value).collect::<Vec<_>>())
    };
    let kept = |run: &Measured| -> Vec<Sample> {
        run.samples.iter().filter(|sample| sample.ended_s >= warm_up_s).copied().collect()
    };
    let samples: Vec<Vec<Sample>> = runs.iter().map(kept).collect();
    let times = |value: fn(&Sample) -> f64| -> Vec<Vec<f64>> {
        samples.iter().map(|run| run.iter().map(value).collect()).collect()
    };
    let error = world.devices.iter().map(|device| device.error).fold(0.0, f64::max);
    Summary {
        scenario: world.name.clone(),
        description: world.description.clone(),
        seed: world.seed,
        runs: runs.len(),
        warm_up_s,
        measured_s,
        load: Load::of(runs, warm_up_s),
        tokens_per_s: over(&|run| run.tokens_per_s(warm_up_s)).with_error(error),
        answers_per_s: Estimate::of(
            &samples.iter().map(|run| run.len() as f64 / measured_s).collect::<Vec<_>>(),
        )
        .with_error(error),
        first_token_s: Percentiles::of(&times(|sample| sample.first_s)).with_error(error),
        token_s: Percentiles::of(&times(|sample| sample.token_s)).with_error(error),
        answer_s: Percentiles::of(&times(|sample| sample.ended_s - sample.asked_s))
            .with_error(error),
        averaged: world.run.rounds == Rounds::Averaged,
        model_error: (error > 0.0).then_some(error * NORMAL),
        placed: world
            .placed
            .iter()
            .filter_map(|index| {
                let node = &world.nodes[*index];
                Some((node.name.clone(), [node.blocks?.start(), node.blocks?.end()]))
            })
            .collect(),
        nodes: rows::nodes(world, runs),
        lines: rows::lines(world, runs),
        institutions: rows::institutions(world, runs),
        fairness: rows::fairness(world, runs),
        workloads: rows::workloads(world, &samples, measured_s, error),
        policies: rules::rows(world),
        map: Map::of(world, runs),
        over_time: (0..SLICES)
            .map(|slice| {
                let tokens: u64 = runs.iter().map(|run| run.series.tokens[slice]).sum();
                tokens as f64 / runs.len() as f64 / first.slice_s()
            })
            .collect(),
        slice_s: first.slice_s(),
        first_token_quantiles: quantiles(&times(|sample| sample.first_s)),
        token_quantiles: quantiles(&times(|sample| sample.token_s)),
        events: runs.iter().map(|run| run.events).sum(),
    }
}

/// Evenly spaced quantiles of all samples of all runs.
fn quantiles(runs: &[Vec<f64>]) -> Vec<f64> {
    let mut all: Vec<f64> = runs.iter().flatten().copied().filter(|it| it.is_finite()).collect();
    all.sort_by(f64::total_cmp);
    match all.is_empty() {
        true => Vec::new(),
        false => (0..=POINTS).map(|point| percentile(&all, point as f64 / POINTS as f64)).collect(),
    }
}
