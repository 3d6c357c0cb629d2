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
    assert_eq!(Load::of(&[run("poisson = { per_s = 2.0 }", "1000")], 0.0), Load::Stable);
    assert_eq!(Load::of(&[run("poisson = { per_s = 200.0 }", "1000")], 0.0), Load::Overloaded);
    // Forty people wait for each other, but never more than forty.
    assert_eq!(Load::of(&[run("closed = { users = 40 }", "1000")], 0.0), Load::Stable);
}

#[test]
fn a_line_that_is_too_narrow_shows() {
    // Prompts of 32 KiB twice a second are half a megabit; a tenth of that is there.
    assert_eq!(Load::of(&[run("poisson = { per_s = 2.0 }", "0.05")], 0.0), Load::Overloaded);
}

#[test]
fn tokens_pass_a_line_that_prompts_fill() {
    // Forty prompts a second are ten megabits, twice what there is: they pile up for most of the two
    // minutes. Rows of those that came through overtake the pile; behind it a token takes seconds.
    let measured = run("poisson = { per_s = 40.0 }", "5");
    assert_eq!(Load::of(std::slice::from_ref(&measured), 0.0), Load::Overloaded);
    let mut times: Vec<f64> = measured.samples.iter().map(|it| it.token_s).collect();
    times.sort_by(f64::total_cmp);
    let median = crate::statistics::percentile(&times, 0.5);
    assert!(times.len() > 1_000 && median < 0.5, "{} answers, {median} s a token", times.len());
}

#[test]
fn demand_that_rises_is_no_pile_and_a_pile_is_one_at_any_hour() {
    // From midnight on, where nothing is asked, the demand rises for three hours: at their end three
    // times as many are inside as on their average.
    let run = |per_s: f64| {
        let day = format!("per_s = {per_s} }} }}\ndiurnal = {{ peak_hour = 12, swing = 1 }}");
        let text = SMALL
            .replace("round_trip_ms = 8", "round_trip_ms = 400")
            .replace("per_s = 2.0 } }", &day)
            .replace("output = { fixed = 16 }", "output = { fixed = 100 }");
        let file = ScenarioFile::parse(Path::new("x.toml"), text).unwrap();
        let world = World::resolve(&file, None).unwrap();
        let until_s = 3.0 * 3_600.0;
        simulate(&world, Options { seed: 1, until_s, passes_max: 0, requests_max: u64::MAX })
    };
    let rising = run(10.0);
    assert!(rising.running > 80 && rising.waiting == 0, "{} inside", rising.running);
    assert_eq!(Load::of(&[rising], 0.0), Load::Stable);
    // Four times as much is more than the caches hold.
    assert_eq!(Load::of(&[run(40.0)], 0.0), Load::Overloaded);
}
