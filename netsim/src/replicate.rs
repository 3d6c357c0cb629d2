//! Runs of a world with different seeds, in parallel, until their intervals are narrow enough. Not
//! one run.

use rayon::prelude::*;

use crate::{
    capacity::{Measured, Options, simulate},
    report::warm_up_s,
    statistics::Estimate,
    world::World,
};

/// Runs of a world, and the seconds at the start of each that are left out.
///
/// Run `n` has the seed of the world plus `n`, whatever runs beside it: the same world gives the same
/// runs on any number of threads, and two worlds that differ in one thing draw the same for all else.
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
        let rates: Vec<f64> = runs.iter().map(|run| run.tokens_per_s(cut)).collect();
        let reached = section.precision.is_none_or(|wanted| {
            Estimate::of(&rates).relative().is_some_and(|relative| relative <= wanted.get())
        });
        if reached || runs.len() >= most {
            return (runs, cut);
        }
    }
}
