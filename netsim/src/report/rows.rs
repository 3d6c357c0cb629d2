//! The rows of a summary: nodes, lines, members, workloads. Not how they are shown.

use serde::Serialize;

use super::NAMED_MAX;
use crate::{
    capacity::{InstitutionUse, Measured, Sample},
    plan::fairness::{Balance, evenness},
    statistics::{Estimate, percentile},
    world::{Workload, World},
};

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
    /// Whether the planner chose them.
    pub placed: bool,
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
    /// Megabytes over it in a run.
    pub megabytes: Estimate,
    /// Share of the time it was sending.
    pub busy: Estimate,
}

/// One member.
#[derive(Debug, Clone, Serialize)]
pub struct InstitutionRow {
    /// Its id.
    pub institution: String,
    /// Requests per run: answered, refused for good, turned away, failed.
    pub answered: Estimate,
    /// See above.
    pub refused: Estimate,
    /// See above.
    pub turned_away: Estimate,
    /// See above.
    pub failed: Estimate,
    /// Positions times blocks it computed for others and others for it, millions per run; what it
    /// computed for itself.
    pub given: Estimate,
    /// See above.
    pub taken: Estimate,
    /// See above.
    pub own: Estimate,
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
    pub(super) fn with_error(self, relative: f64) -> Self {
        let wider = |it: Estimate| it.with_error(relative);
        let Self { mean, p50, p90, p95, p99 } = self;
        let (mean, p50, p90) = (wider(mean), wider(p50), wider(p90));
        Self { mean, p50, p90, p95: wider(p95), p99: wider(p99) }
    }
}

pub(super) fn nodes(world: &World, runs: &[Measured]) -> Vec<NodeRow> {
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
            placed: world.placed.contains(&index),
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

pub(super) fn lines(world: &World, runs: &[Measured]) -> Vec<LineRow> {
    let over = |value: &dyn Fn(&Measured) -> f64| {
        Estimate::of(&runs.iter().map(value).collect::<Vec<_>>())
    };
    let busy =
        |line: usize| -> f64 { runs.iter().map(|run| run.lines[line].1 / run.until_s).sum() };
    let is_used = |line: &usize| runs.iter().any(|run| run.lines[*line].0 > 0);
    let mut used: Vec<(usize, f64)> =
        (0..runs[0].lines.len()).filter(is_used).map(|line| (line, busy(line))).collect();
    used.sort_by(|one, other| other.1.total_cmp(&one.1));
    // Only then: names of all lines of a large world take longer than its runs.
    used.truncate(NAMED_MAX);
    let row = |(line, _): (usize, f64)| LineRow {
        line: world.network.name(world, line),
        megabytes: over(&|run| run.lines[line].0 as f64 / 1e6),
        busy: over(&|run| run.lines[line].1 / run.until_s),
    };
    used.into_iter().map(row).collect()
}

pub(super) fn institutions(world: &World, runs: &[Measured]) -> Vec<InstitutionRow> {
    let members = world.institutions.len();
    let row = |index: usize| {
        let over = |value: &dyn Fn(&Measured) -> f64| {
            Estimate::of(&runs.iter().map(value).collect::<Vec<_>>())
        };
        let count = |value: fn(&InstitutionUse) -> u64| {
            over(&move |run| value(&run.institutions[index]) as f64)
        };
        let balance =
            |value: fn(Exchange) -> f64| over(&move |run| value(exchange(run, index, members)));
        InstitutionRow {
            institution: world.institutions[index].name.clone(),
            answered: count(|it| it.answered),
            refused: count(|it| it.refused),
            turned_away: count(|it| it.turned_away),
            failed: count(|it| it.failed),
            given: balance(|it| it.given),
            taken: balance(|it| it.taken),
            own: balance(|it| it.own),
        }
    };
    (0..members).map(row).collect()
}

/// What one member computed for others, others for it, and it for itself, millions of positions
/// times blocks.
#[derive(Debug, Clone, Copy)]
struct Exchange {
    given: f64,
    taken: f64,
    own: f64,
}

fn exchange(run: &Measured, index: usize, members: usize) -> Exchange {
    let between = |giver: usize, taker: usize| {
        run.given.get(giver * members + taker).map_or(0.0, |sum| *sum as f64 / 1e6)
    };
    let others = || (0..members).filter(|other| *other != index);
    Exchange {
        given: others().map(|other| between(index, other)).sum(),
        taken: others().map(|other| between(other, index)).sum(),
        own: between(index, index),
    }
}

/// How evenly members give for what they take, in each run in which anybody gives.
pub(super) fn fairness(world: &World, runs: &[Measured]) -> Estimate {
    let members = world.institutions.len();
    let of = |run: &Measured| {
        let balances: Vec<Balance> = (0..members)
            .map(|index| {
                let it = exchange(run, index, members);
                Balance { given: it.given + it.own, taken: it.taken + it.own }
            })
            .collect();
        evenness(&balances)
    };
    Estimate::of(&runs.iter().filter_map(of).collect::<Vec<_>>())
}

pub(super) fn workloads(
    world: &World,
    samples: &[Vec<Sample>],
    measured_s: f64,
    error: f64,
) -> Vec<WorkloadRow> {
    let row = |(index, workload): (u32, &Workload)| {
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
