//! Runs of a world with different seeds, in parallel, until their intervals are narrow enough, and
//! runs without one of its rules. Not one run.

use rayon::prelude::*;

use crate::{
    capacity::{Measured, Options, simulate},
    report::{RuleCost, warm_up_s},
    statistics::{Estimate, mean},
    world::World,
};

/// Runs of a world, and the seconds at the start of each that are left out.
///
/// Run `n` has the seed of the world plus `n`, whatever runs beside it: the same world gives the same
/// runs, and as many, on any number of threads, and two worlds that differ in one thing draw the same for all else.
/// `done` hears after every run how many there are and how many may come.
#[must_use]
pub fn replicate(
    world: &World,
    passes_max: usize,
    requests_max: u64,
    done: &(dyn Fn(usize, usize) + Sync),
) -> (Vec<Measured>, f64) {
    let section = &world.run;
    let warm = section.warm_up_s.map_or(0.0, |seconds| seconds.get());
    let until_s = warm + section.duration_s.get();
    let least = section.runs.max(1) as usize;
    let most =
        if section.precision.is_some() { least.max(section.runs_max as usize) } else { least };
    let mut runs: Vec<Measured> = Vec::new();
    let mut cut = 0.0;
    loop {
        let from = runs.len();
        let to = if from == 0 { least } else { (from + rayon::current_num_threads()).min(most) };
        let batch: Vec<Measured> = (from..to)
            .into_par_iter()
            .map(|number| {
                let passes_max = if number == 0 { passes_max } else { 0 };
                let seed = world.seed.wrapping_add(number as u64);
                let run = simulate(world, Options { seed, until_s, passes_max, requests_max });
                done(number + 1, most);
                run
            })
            .collect();
        runs.extend(batch);
        if from == 0 {
            cut = warm_up_s(world, &runs[0]);
        }
        // One after the other, so that where it stops does not depend on how many ran together.
        let rates: Vec<f64> = runs.iter().map(|run| run.tokens_per_s(cut)).collect();
        let enough = (from.max(least)..=to).find(|count| {
            section.precision.is_none_or(|wanted| {
                let relative = Estimate::of(&rates[..*count]).relative();
                relative.is_some_and(|relative| relative <= wanted.get())
            })
        });
        if let Some(count) = enough.or_else(|| (to >= most).then_some(most)) {
            runs.truncate(count);
            return (runs, cut);
        }
    }
}

/// What each rule that some workload is under costs: the same runs with nobody under it. `runs` are
/// those under all rules; `done` hears after every further run how many come.
#[must_use]
pub fn rule_costs(
    world: &World,
    runs: &[Measured],
    warm_up_s: f64,
    done: &(dyn Fn(usize) + Sync),
) -> Vec<RuleCost> {
    let until_s = runs.first().map_or(0.0, |run| run.until_s);
    let used = |policy: &usize| world.workloads.iter().any(|it| it.policy == *policy);
    let rules: Vec<usize> = (1..world.policies.len()).filter(used).collect();
    let cost = |policy: &usize| {
        let mut free = world.clone();
        for workload in free.workloads.iter_mut().filter(|it| it.policy == *policy) {
            workload.policy = 0;
        }
        let without: Vec<Measured> = (0..runs.len())
            .into_par_iter()
            .map(|number| {
                let seed = world.seed.wrapping_add(number as u64);
                let (passes_max, requests_max) = (0, u64::MAX);
                let run = simulate(&free, Options { seed, until_s, passes_max, requests_max });
                done(rules.len() * runs.len());
                run
            })
            .collect();
        rule_cost(world, *policy, (runs, &without), warm_up_s)
    };
    rules.iter().map(cost).collect()
}

fn rule_cost(
    world: &World,
    policy: usize,
    (with, without): (&[Measured], &[Measured]),
    warm_up_s: f64,
) -> RuleCost {
    let under = |workload: u32| world.workloads[workload as usize].policy == policy;
    let rate = |run: &Measured| run.tokens_per_s(warm_up_s);
    let first = |run: &Measured| {
        let late = run.samples.iter().filter(|it| it.ended_s >= warm_up_s && under(it.workload));
        mean(&late.map(|it| it.first_s).collect::<Vec<_>>())
    };
    let refused = |run: &Measured| run.institutions.iter().map(|it| it.refused).sum::<u64>() as f64;
    let over = |runs: &[Measured], of: &dyn Fn(&Measured) -> f64| {
        let values = runs.iter().map(of).filter(|value| value.is_finite());
        Estimate::of(&values.collect::<Vec<_>>())
    };
    // In pairs of the same seed: chance that both share falls out.
    let less = |of: &dyn Fn(&Measured) -> f64| {
        let pairs = with.iter().zip(without).map(|(with, without)| of(with) - of(without));
        Estimate::of(&pairs.filter(|value| value.is_finite()).collect::<Vec<_>>())
    };
    RuleCost {
        policy: world.policies[policy].name.clone(),
        tokens_per_s: over(with, &rate),
        tokens_per_s_without: over(without, &rate),
        tokens_per_s_less: less(&rate),
        first_token_s: over(with, &first),
        first_token_s_without: over(without, &first),
        first_token_s_less: less(&first),
        refused: over(with, &refused),
    }
}

#[cfg(test)]
mod tests;
