//! Small worlds whose figures are known.

mod averages;
mod demand;
mod faults;
mod laws;
mod leaps;
mod machines;
mod room;
mod spread;
mod together;

use std::path::Path;

use super::*;
use crate::scenario::{Rounds, SMALL, ScenarioFile};

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

/// One user of the small world over a fast line, with more in its network, device and lengths.
fn alone(network: &str, device: &str, prompt: u32) -> Sample {
    let text = SMALL.replace("poisson = { per_s = 2.0 }", "closed = { users = 1 }");
    let text = text
        .replace("[[site]]\nname = \"delft\"", &format!("{network}[[site]]\nname = \"delft\""))
        .replace("decode_us = 10", &format!("{device}\ndecode_us = 10"))
        .replace("prompt = { fixed = 32 }", &format!("prompt = {{ fixed = {prompt} }}"));
    simulate(&world(&text), options(60.0)).samples[3]
}

#[test]
fn software_delays_every_hop() {
    let bare = alone("", "", 32);
    for network in ["hop_us = 700", "step_us = 700", "hop_us = 300\nstep_us = 400"] {
        let slow = alone(&format!("[network]\n{network}\n"), "", 32);
        // There and back; an opening, before that, and a prompt do the same.
        let (token, first) = (slow.token_s - bare.token_s, slow.first_s - bare.first_s);
        assert!((token - 0.0014).abs() < 2e-6, "{network}: {token}");
        assert!((first - 0.0028).abs() < 4e-6, "{network}: {first}");
    }
}

#[test]
fn decoding_looks_back_at_the_whole_prompt() {
    // Three steps of a prompt, the last of them short.
    let (bare, slow) = (alone("", "", 300), alone("", "context_ns = 1000", 300));
    let mean = 300.0 + 14.0 / 2.0;
    let longer = (slow.token_s - bare.token_s) * 1e6;
    assert!((longer / (8.0 * mean) - 1.0).abs() < 1e-3, "{longer} us");
}

/// Passes of one decode step, of all that decode, with eight users.
fn singles(more: &str) -> (f64, f64) {
    let text = SMALL
        .replace("poisson = { per_s = 2.0 }", "closed = { users = 8 }")
        .replace("[[site]]\nname = \"delft\"", &format!("{more}[[site]]\nname = \"delft\""));
    let measured = simulate(&world(&text), Options { passes_max: 100_000, ..options(60.0) });
    let decode: Vec<u32> =
        measured.passes.iter().map(|it| it.decode).filter(|count| *count > 0).collect();
    let single = decode.iter().filter(|count| **count == 1).count();
    (single as f64 / decode.len() as f64, measured.tokens_per_s(10.0))
}

#[test]
fn steps_that_are_sent_one_by_one_run_less_together() {
    let (together, _) = singles("");
    let (apart, _) = singles("[network]\nstep_us = 300\n");
    assert!(apart > together + 0.2, "{apart} of passes ran alone, {together} when sent together");
}

#[test]
fn sending_takes_processors_from_passes() {
    // Two processors for two nodes: passes alone never wait for one.
    let longest = |step_us: u32| {
        let before = "[[node]]\nname = \"a\"";
        let more = format!(
            "[network]\nstep_us = {step_us}\n[[machine]]\nname = \"one\"\nprocessors = 2\n{before}"
        );
        let text = SMALL
            .replace("poisson = { per_s = 2.0 }", "closed = { users = 8 }")
            .replace(before, &more)
            .replace("model = \"toy\"\nblocks", "model = \"toy\"\nmachine = \"one\"\nblocks");
        let measured = simulate(&world(&text), Options { passes_max: 100_000, ..options(60.0) });
        let single = measured.passes.iter().filter(|it| (it.prompt, it.decode) == (0, 1));
        single.map(|it| it.to_ns - it.from_ns).max().unwrap()
    };
    let alone = (100 + 4 * 410) * 1_000;
    assert!(longest(0).abs_diff(alone) <= 10, "{}", longest(0));
    assert!(longest(600) > alone * 11 / 10, "{}", longest(600));
}

#[test]
fn a_token_looks_back_at_the_whole_prompt_and_what_came_since() {
    let text = SMALL
        .replace("poisson = { per_s = 2.0 }", "closed = { users = 1 }")
        .replace("prompt = { fixed = 32 }", "prompt = { fixed = 1000 }")
        .replace("prompt_us = 30", "prompt_us = 30\ncontext_ns = 500")
        .replace("round_trip_ms = 8\nrate_mbit = 1000", "round_trip_ms = 8\nrate_mbit = 100000");
    let measured = simulate(&world(&text), options(60.0));
    // 15 further tokens, which look back at 1000, 1001, ... 1014 positions.
    let stage = 100.0 + 4.0 * (400.0 + 10.0 + 0.5 * 1_007.0);
    let token = (2.0 * stage + 8_000.0) / 1e6;
    let sample = measured.samples[0];
    assert!((sample.token_s / token - 1.0).abs() < 2e-3, "{} for {token}", sample.token_s);
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
