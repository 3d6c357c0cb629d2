//! What runs of a scenario say: every figure with its interval. Not how it is shown.

pub mod csv;
pub mod html;
mod load;
mod map;
mod rules;
pub mod table;
pub mod trace;
mod what_if;

use serde::Serialize;

pub use self::{
    load::Load,
    map::{Flow, Map, Place},
    rules::PolicyRow,
    what_if::{RuleCost, Sweep},
};

use crate::{
    capacity::{Measured, SLICES, Sample},
    statistics::{Estimate, NORMAL, fairness, percentile, warm_up},
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
    /// Where devices were calibrated: half the relative width of the 95 % interval that their error
    /// adds to every time and rate. The intervals of these hold it.
    pub model_error: Option<f64>,
    /// The busiest nodes.
    pub nodes: Vec<NodeRow>,
    /// The busiest lines.
    pub lines: Vec<LineRow>,
    /// Members.
    pub institutions: Vec<InstitutionRow>,
    /// How evenly institutions are served for what they give: Jain's index of taken over given.
    pub fairness: f64,
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

/// Mean and percentiles, each over runs.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Percentiles {
    /// The mean.
    pub mean: Estimate,
    /// Half are below.
    pub p50: Estimate,
    /// Nine tenths are below.
    pub p90: Estimate,
    /// 95 of 100 are below.
    pub p95: Estimate,
    /// 99 of 100 are below.
    pub p99: Estimate,
}

/// One node.
#[derive(Debug, Clone, Serialize)]
pub struct NodeRow {
    /// Its name.
    pub node: String,
    /// Its owner.
    pub institution: String,
    /// Where it stands.
    pub site: String,
    /// Blocks it holds, without the end.
    pub blocks: Option<[u32; 2]>,
    /// Share of the time it ran.
    pub busy: Estimate,
    /// The same over time, mean of all runs; empty if there are too many nodes.
    pub over_time: Vec<f64>,
}

/// One direction of a line.
#[derive(Debug, Clone, Serialize)]
pub struct LineRow {
    /// What it is.
    pub line: String,
    /// Megabytes over it in a run, mean.
    pub megabytes: f64,
    /// Share of the time it was sending.
    pub busy: f64,
}

/// One member.
#[derive(Debug, Clone, Serialize)]
pub struct InstitutionRow {
    /// Its id.
    pub institution: String,
    /// Requests per run: answered, refused for good, turned away, failed.
    pub answered: f64,
    /// See above.
    pub refused: f64,
    /// See above.
    pub turned_away: f64,
    /// See above.
    pub failed: f64,
    /// Positions times blocks it computed for others and others for it, millions per run; what it
    /// computed for itself.
    pub given: f64,
    /// See above.
    pub taken: f64,
    /// See above.
    pub own: f64,
}

/// One workload.
#[derive(Debug, Clone, Serialize)]
pub struct WorkloadRow {
    /// Whose.
    pub institution: String,
    /// Which model it asks.
    pub model: String,
    /// Rules it is under.
    pub policy: String,
    /// Answers per second.
    pub answers_per_s: Estimate,
    /// Seconds until the first token.
    pub first_token_s: Percentiles,
    /// Mean seconds of a further token.
    pub token_s: Percentiles,
}

impl Percentiles {
    /// Of one list of samples per run.
    #[must_use]
    pub fn of(runs: &[Vec<f64>]) -> Self {
        let sorted: Vec<Vec<f64>> = runs
            .iter()
            .map(|samples| {
                let mut sorted: Vec<f64> =
                    samples.iter().copied().filter(|it| it.is_finite()).collect();
                sorted.sort_by(f64::total_cmp);
                sorted
            })
            .filter(|sorted| !sorted.is_empty())
            .collect();
        let over = |value: &dyn Fn(&[f64]) -> f64| {
            Estimate::of(&sorted.iter().map(|sorted| value(sorted)).collect::<Vec<_>>())
        };
        let at = |share: f64| over(&move |sorted| percentile(sorted, share));
        let mean = over(&crate::statistics::mean);
        Self { mean, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) }
    }

    /// The same with a relative standard error that no run shows.
    fn with_error(self, relative: f64) -> Self {
        let wider = |it: Estimate| it.with_error(relative);
        let Self { mean, p50, p90, p95, p99 } = self;
        let (mean, p50, p90) = (wider(mean), wider(p50), wider(p90));
        Self { mean, p50, p90, p95: wider(p95), p99: wider(p99) }
    }
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
    let institutions = institutions(world, runs);
    let rates: Vec<f64> = institutions
        .iter()
        .filter(|row| row.given + row.own > 0.0)
        .map(|row| (row.taken + row.own) / (row.given + row.own))
        .collect();
    let error = world.devices.iter().map(|device| device.error).fold(0.0, f64::max);
    Summary {
        scenario: world.name.clone(),
        description: world.description.clone(),
        seed: world.seed,
        runs: runs.len(),
        warm_up_s,
        measured_s,
        load: Load::of(runs),
        tokens_per_s: over(&|run| run.tokens_per_s(warm_up_s)).with_error(error),
        answers_per_s: Estimate::of(
            &samples.iter().map(|run| run.len() as f64 / measured_s).collect::<Vec<_>>(),
        )
        .with_error(error),
        first_token_s: Percentiles::of(&times(|sample| sample.first_s)).with_error(error),
        token_s: Percentiles::of(&times(|sample| sample.token_s)).with_error(error),
        answer_s: Percentiles::of(&times(|sample| sample.ended_s - sample.asked_s))
            .with_error(error),
        model_error: (error > 0.0).then_some(error * NORMAL),
        nodes: nodes(world, runs),
        lines: lines(world, runs),
        institutions,
        fairness: fairness(&rates),
        workloads: workloads(world, &samples, measured_s, error),
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

fn nodes(world: &World, runs: &[Measured]) -> Vec<NodeRow> {
    let mut order: Vec<(usize, Estimate)> = (0..world.nodes.len())
        .map(|node| {
            let share: Vec<f64> =
                runs.iter().map(|run| run.nodes[node].busy_s / run.until_s).collect();
            (node, Estimate::of(&share))
        })
        .collect();
    order.sort_by(|one, other| other.1.mean.total_cmp(&one.1.mean).then(one.0.cmp(&other.0)));
    order.truncate(NAMED_MAX);
    let row = |(index, busy): (usize, Estimate)| {
        let node = &world.nodes[index];
        let slices = runs[0].nodes[index].slices.len();
        NodeRow {
            node: node.name.clone(),
            institution: world.institutions[node.institution].name.clone(),
            site: world.sites[node.site].name.clone(),
            blocks: node.blocks.map(|blocks| [blocks.start(), blocks.end()]),
            busy,
            over_time: (0..slices)
                .map(|slice| {
                    let sum: f64 = runs.iter().map(|run| run.nodes[index].slices[slice]).sum();
                    sum / runs.len() as f64 / runs[0].slice_s()
                })
                .collect(),
        }
    };
    order.into_iter().map(row).collect()
}

fn lines(world: &World, runs: &[Measured]) -> Vec<LineRow> {
    let count = runs.len() as f64;
    let mut used: Vec<(usize, f64, f64)> = (0..runs[0].lines.len())
        .map(|line| {
            let bytes: u64 = runs.iter().map(|run| run.lines[line].0).sum();
            let busy: f64 = runs.iter().map(|run| run.lines[line].1 / run.until_s).sum();
            (line, bytes as f64 / 1e6 / count, busy / count)
        })
        .filter(|(_, megabytes, _)| *megabytes > 0.0)
        .collect();
    used.sort_by(|one, other| other.2.total_cmp(&one.2));
    used.truncate(NAMED_MAX);
    let row = |(line, megabytes, busy)| LineRow {
        line: world.network.name(world, line),
        megabytes,
        busy,
    };
    used.into_iter().map(row).collect()
}

fn institutions(world: &World, runs: &[Measured]) -> Vec<InstitutionRow> {
    let count = runs.len() as f64;
    let members = world.institutions.len();
    let row = |index: usize| {
        let sum = |value: fn(&crate::capacity::InstitutionUse) -> u64| {
            runs.iter().map(|run| value(&run.institutions[index])).sum::<u64>() as f64 / count
        };
        let exchanged = |giver: usize, taker: usize| {
            let given = runs.iter().filter_map(|run| run.given.get(giver * members + taker));
            given.sum::<u64>() as f64 / count / 1e6
        };
        let others = || (0..members).filter(|other| *other != index);
        InstitutionRow {
            institution: world.institutions[index].name.clone(),
            answered: sum(|it| it.answered),
            refused: sum(|it| it.refused),
            turned_away: sum(|it| it.turned_away),
            failed: sum(|it| it.failed),
            given: others().map(|other| exchanged(index, other)).sum(),
            taken: others().map(|other| exchanged(other, index)).sum(),
            own: exchanged(index, index),
        }
    };
    (0..members).map(row).collect()
}

fn workloads(
    world: &World,
    samples: &[Vec<Sample>],
    measured_s: f64,
    error: f64,
) -> Vec<WorkloadRow> {
    let row = |(index, workload): (u32, &crate::world::Workload)| {
        let own = |value: fn(&Sample) -> f64| -> Vec<Vec<f64>> {
            let run = |run: &Vec<Sample>| {
                run.iter().filter(|sample| sample.workload == index).map(value).collect()
            };
            samples.iter().map(run).collect()
        };
        let rates: Vec<f64> =
            own(|_| 1.0).iter().map(|run| run.len() as f64 / measured_s).collect();
        WorkloadRow {
            institution: world.institutions[workload.institution].name.clone(),
            model: world.models[workload.model].name.clone(),
            policy: world.policies[workload.policy].name.clone(),
            answers_per_s: Estimate::of(&rates).with_error(error),
            first_token_s: Percentiles::of(&own(|sample| sample.first_s)).with_error(error),
            token_s: Percentiles::of(&own(|sample| sample.token_s)).with_error(error),
        }
    };
    (0..).zip(&world.workloads).map(row).collect()
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
