//! Runs with leaps against runs event by event (E8 of the literature: exact against fast).

use super::*;
use crate::random::Random;

/// A number between two, drawn.
fn between(random: &mut Random, least: f64, most: f64) -> f64 {
    random.unit().mul_add(most - least, least)
}

/// A scenario of some rings over three sites; `per_s` requests of each of its three clients.
fn drawn(random: &mut Random, per_s: f64, tail: &str) -> World {
    let mut text = String::from("name = \"drawn\"\n");
    for (site, country) in [("x", "NL"), ("y", "BE"), ("z", "DE")] {
        text += &format!("[[site]]\nname = \"{site}\"\ncountry = \"{country}\"\n");
        text += &format!("[[institution]]\nname = \"i{site}\"\n");
    }
    for pair in ["\"x\", \"y\"", "\"y\", \"z\"", "\"x\", \"z\""] {
        let (trip, rate) = (between(random, 1.0, 60.0), between(random, 200.0, 5_000.0));
        text += &format!(
            "[[link]]\nbetween = [{pair}]\nround_trip_ms = {trip:.3}\nrate_mbit = {rate:.1}\n"
        );
    }
    text += &format!(
        "[[model]]\nname = \"m\"\nblock_count = 12\nhidden_bytes = {}\n[[device]]\nname = \"d\"\n\
         [device.time.measured]\npass_us = {:.1}\nblock_us = {:.1}\ndecode_us = {:.2}\n\
         prompt_us = {:.2}\ncontext_ns = {:.2}\nkv_positions = 100000\nblocks_max = 12\n\
         head_us = {:.1}\nhead_position_us = 3\n",
        1_024 << random.below(4),
        between(random, 50.0, 500.0),
        between(random, 50.0, 900.0),
        between(random, 1.0, 30.0),
        between(random, 5.0, 60.0),
        between(random, 0.0, 20.0),
        [0.0, between(random, 20.0, 200.0)][usize::from(random.below(2) == 1)],
    );
    // Rings of two or three nodes, homes at any of them.
    for (ring, cuts) in [[0, 4, 8, 12], [0, 6, 12, 12]].iter().enumerate() {
        for (stage, site) in ["x", "y", "z"].iter().enumerate().take(3 - ring) {
            let (from, to) = (cuts[stage], cuts[stage + 1]);
            text += &format!(
                "[[node]]\nname = \"n{ring}{stage}\"\ninstitution = \"i{site}\"\nsite = \"{site}\"\n\
                 device = \"d\"\nmodel = \"m\"\nblocks = [{from}, {to}]\n"
            );
        }
    }
    for site in ["x", "y", "z"] {
        text += &format!(
            "[[workload]]\ninstitution = \"i{site}\"\nmodel = \"m\"\n\
             arrivals = {{ poisson = {{ per_s = {per_s} }} }}\nlengths = {{ drawn = {{ \
             prompt = {{ lognormal = {{ median = 150, sigma = 0.8, max = 2000 }} }}, \
             output = {{ lognormal = {{ median = 60, sigma = 0.8, max = 400 }} }} }} }}\n"
        );
    }
    world(&(text + tail))
}

/// What both ways make of a world: exact, then fast.
fn both(mut world: World, seed: u64, until_s: f64) -> [Measured; 2] {
    [true, false].map(|exact| {
        world.run.exact = exact;
        simulate(&world, Options { seed, ..options(until_s) })
    })
}

/// The greatest relative difference of what answers took, and the share of answers beyond `bound`.
fn apart(runs: &[Measured; 2], bound: f64) -> (f64, f64) {
    let sorted = |run: &Measured| {
        let mut samples = run.samples.clone();
        samples.sort_by(|one, other| {
            (one.workload, one.asked_s).partial_cmp(&(other.workload, other.asked_s)).unwrap()
        });
        samples
    };
    let [exact, fast] = [sorted(&runs[0]), sorted(&runs[1])];
    assert_eq!(exact.len(), fast.len(), "as many answers");
    let off = |one: f64, other: f64| if one.is_nan() { 0.0 } else { (other / one - 1.0).abs() };
    let all = exact.iter().zip(&fast).map(|(one, other)| {
        assert_eq!(
            (one.asked_s, one.prompt, one.output),
            (other.asked_s, other.prompt, other.output)
        );
        off(one.first_s, other.first_s).max(off(one.token_s, other.token_s))
    });
    let all: Vec<f64> = all.collect();
    let beyond = all.iter().filter(|off| **off > bound).count();
    (all.iter().copied().fold(0.0, f64::max), beyond as f64 / all.len().max(1) as f64)
}

#[test]
fn leaps_and_single_events_agree_where_few_sessions_meet() {
    let mut random = Random::new(8, 1);
    let (mut leapt, mut all) = (0, 0);
    for seed in 0..20 {
        let per_s = between(&mut random, 0.01, 0.3);
        let runs = both(drawn(&mut random, per_s, ""), seed, 400.0);
        // A step that comes a microsecond earlier may catch a pass that it would have missed.
        let (most, beyond) = apart(&runs, 5e-3);
        assert!(most <= 0.2, "seed {seed}: an answer is {most} off");
        assert!(beyond <= 0.02, "seed {seed}: {beyond} of the answers are off");
        for (one, other) in runs[0].nodes.iter().zip(&runs[1].nodes) {
            assert!((one.busy_s - other.busy_s).abs() <= 1e-4 * one.busy_s + 1e-6, "seed {seed}");
        }
        for (one, other) in runs[0].lines.iter().zip(&runs[1].lines) {
            assert!(one.0.abs_diff(other.0) <= 1 + one.0 / 1_000, "seed {seed}: {one:?} {other:?}");
        }
        all += runs[0].events;
        leapt += runs[1].events;
        let given = |run: &Measured| run.given.iter().sum::<u64>();
        assert!(given(&runs[0]).abs_diff(given(&runs[1])) <= given(&runs[0]) / 1_000);
        let tokens = |run: &Measured| run.series.tokens.iter().sum::<u64>();
        assert!(tokens(&runs[0]).abs_diff(tokens(&runs[1])) <= 2, "seed {seed}");
    }
    assert!(leapt * 10 < all * 9, "{leapt} events in place of {all} are no gain");
}

#[test]
fn leaps_change_no_mean_where_sessions_meet_and_stages_fail() {
    let tail = "[[fault]]\nnode = \"n01\"\nat_s = 100\nfor_s = 20\n[recovery]\nmode = \"replay\"\n\
                [[fault]]\nlink = [\"x\", \"y\"]\nkind = { rate = 0.5 }\nat_s = 200\nfor_s = 50\n";
    let mut random = Random::new(9, 1);
    let (mut exact, mut fast) = ((0.0, 0.0), (0.0, 0.0));
    for seed in 0..10 {
        let per_s = between(&mut random, 0.3, 1.5);
        let runs = both(drawn(&mut random, per_s, tail), seed, 400.0);
        for (run, sum) in runs.iter().zip([&mut exact, &mut fast]) {
            let times = run.samples.iter().filter(|sample| sample.output > 1);
            for sample in times {
                *sum = (sum.0 + sample.first_s, sum.1 + sample.token_s);
            }
        }
    }
    for (one, other) in [(exact.0, fast.0), (exact.1, fast.1)] {
        assert!((other / one - 1.0).abs() <= 5e-3, "{other} for {one}");
    }
}

#[test]
fn a_session_alone_takes_what_it_takes_event_by_event() {
    let text = SMALL.replace("poisson = { per_s = 2.0 }", "closed = { users = 1, think_s = 0.5 }");
    let text = text.replace("output = { fixed = 16 }", "output = { fixed = 200 }");
    let [exact, fast] = both(world(&text), 3, 60.0);
    assert_eq!(exact.samples, fast.samples);
    assert_eq!(exact.series, fast.series);
    assert_eq!(exact.given, fast.given);
    assert!(fast.events * 5 < exact.events, "{} for {}", fast.events, exact.events);
}
