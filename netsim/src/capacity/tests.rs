//! Small worlds whose figures are known.

mod laws;

use std::path::Path;

use super::*;
use crate::scenario::{SMALL, ScenarioFile};

fn world(text: &str) -> World {
    let file = ScenarioFile::parse(Path::new("x.toml"), text.to_owned()).unwrap();
    World::resolve(&file, None).unwrap()
}

fn options(until_s: f64) -> Options {
    Options { seed: 1, until_s, passes_max: 0, requests_max: u64::MAX }
}

#[test]
fn one_request_takes_what_its_parts_take() {
    let text = SMALL.replace("poisson = { per_s = 2.0 }", "closed = { users = 1 }");
    let text = text
        .replace("round_trip_ms = 8\nrate_mbit = 1000", "round_trip_ms = 8\nrate_mbit = 100000");
    let measured = simulate(&world(&text), options(60.0));
    let sample = measured.samples[3];
    // Two stages of four blocks: pass, blocks, one position each; one way there and one back.
    let stage = 100.0 + 4.0 * (400.0 + 10.0);
    let token = (2.0 * stage + 8_000.0) / 1e6;
    assert!((sample.token_s / token - 1.0).abs() < 2e-3, "{} for {token}", sample.token_s);
    // The opening goes around once; then the prompt, in one step.
    let prompt = 100.0 + 4.0 * (400.0 + 30.0 * 32.0);
    let first = (2.0 * prompt + 16_000.0) / 1e6;
    assert!((sample.first_s / first - 1.0).abs() < 1e-2, "{} for {first}", sample.first_s);
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_another() {
    let world = world(SMALL);
    let run = |seed| simulate(&world, Options { seed, ..options(200.0) });
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).samples, run(8).samples);
}
