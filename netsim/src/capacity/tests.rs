//! Small worlds whose figures are known.

mod demand;
mod faults;
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

#[test]
fn a_backlog_keeps_as_many_at_work_as_it_began_with() {
    let text = SMALL.replace("poisson = { per_s = 2.0 }", "backlog = { start = 5 }");
    let measured = simulate(&world(&text), options(60.0));
    assert_eq!(measured.running + measured.waiting, 5);
    assert!(measured.samples.len() > 100, "{}", measured.samples.len());
}

#[test]
fn a_backlog_fills_caches_as_far_as_it_may() {
    let backlog = "backlog = { start = 2, kv_max = 0.5 }";
    let text = SMALL.replace("poisson = { per_s = 2.0 }", backlog);
    // Half of 20,000 positions hold 208 requests of 48.
    let measured = simulate(&world(&text), options(60.0));
    let inside = measured.running + measured.waiting;
    assert!((200..=210).contains(&inside), "{inside}");
}

#[test]
fn a_lost_stage_ends_its_sessions_or_they_go_on_as_the_scenario_says() {
    let fault = "[[fault]]\nnode = \"b\"\nat_s = 10\nfor_s = 5\n";
    let ended = |mode: &str| {
        let text = format!("{SMALL}{fault}[recovery]\nmode = \"{mode}\"\nretry_s = 8\n");
        let text = text.replace("poisson = { per_s = 2.0 }", "closed = { users = 4 }");
        let measured = simulate(&world(&text), options(60.0));
        let use_of = &measured.institutions[0];
        (use_of.failed, measured.samples.iter().filter(|it| it.ended_s > 20.0).count())
    };
    let (failed, after) = ended("none");
    assert_eq!(failed, 4, "all four were at work");
    assert!(after > 0, "who asks again is answered once the stage is back");
    for mode in ["retry", "replay"] {
        let (failed, after) = ended(mode);
        assert_eq!(failed, 0, "{mode}");
        assert!(after > 0, "{mode}");
    }
}

#[test]
fn what_a_policy_forbids_is_refused_and_never_computed() {
    let rule = "[[policy]]\nname = \"nl\"\nallowed_jurisdictions = [\"NL\"]\n";
    let text =
        SMALL.replace("model = \"toy\"\narrivals", "model = \"toy\"\npolicy = \"nl\"\narrivals");
    for kind in ["mesh", "flow", "swarm", "pipelines"] {
        let router = format!("[router]\nkind = \"{kind}\"\n");
        let measured = simulate(&world(&format!("{text}{rule}{router}")), options(30.0));
        assert!(measured.samples.is_empty(), "{kind}");
        assert!(measured.institutions[0].refused > 30, "{kind}");
        let busy: f64 = measured.nodes.iter().map(|node| node.busy_s).sum();
        assert_eq!(busy, 0.0, "{kind}");
    }
}
