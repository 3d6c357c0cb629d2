//! Verdicts on loads that are known.

use std::path::Path;

use super::Load;
use crate::{
    capacity::{Measured, Options, simulate},
    scenario::{SMALL, ScenarioFile},
    world::World,
};

fn run(arrivals: &str, rate_mbit: &str) -> Measured {
    let text = SMALL
        .replace("poisson = { per_s = 2.0 }", arrivals)
        .replace("rate_mbit = 1000", &format!("rate_mbit = {rate_mbit}"));
    let file = ScenarioFile::parse(Path::new("x.toml"), text).unwrap();
    let world = World::resolve(&file, None).unwrap();
    simulate(&world, Options { seed: 1, until_s: 120.0, passes_max: 0, requests_max: u64::MAX })
}

#[test]
fn a_light_load_is_kept_up_with_and_a_heavy_one_is_not() {
    assert_eq!(Load::of(&[run("poisson = { per_s = 2.0 }", "1000")]), Load::Stable);
    assert_eq!(Load::of(&[run("poisson = { per_s = 200.0 }", "1000")]), Load::Overloaded);
    // Forty people wait for each other, but never more than forty.
    assert_eq!(Load::of(&[run("closed = { users = 40 }", "1000")]), Load::Stable);
}

#[test]
fn a_line_that_is_too_narrow_shows() {
    // Prompts of 32 KiB twice a second are half a megabit; a tenth of that is there.
    assert_eq!(Load::of(&[run("poisson = { per_s = 2.0 }", "0.05")]), Load::Overloaded);
}

#[test]
fn tokens_pass_a_line_that_prompts_fill() {
    // Twenty prompts a second are five megabits, all there is; what they leave is for rows.
    let measured = run("poisson = { per_s = 20.0 }", "5");
    let answered = measured.samples.len() as f64;
    assert!(answered > 0.5 * measured.requests as f64, "{answered} of {}", measured.requests);
}
