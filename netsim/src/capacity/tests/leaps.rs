//! Runs with leaps against runs event by event (E8 of the literature: exact against fast).

use super::*;
use crate::random::Random;

/// A number between two, drawn.
pub(super) fn between(random: &mut Random, least: f64, most: f64) -> f64 {
    random.unit().mul_add(most - least, least)
}

/// A scenario of some rings over three sites; `per_s` requests of each of its three clients.
pub(super) fn drawn(random: &mut Random, per_s: f64, tail: &str) -> World {
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
        world.run.rounds = if exact { Rounds::Exact } else { Rounds::Leaped };
        simulate(&world, Options { seed, ..options(until_s) })
    })
}

/// How far two ways of one run are apart in their answers' times to the first and to a further token:
/// of each answer the greater relative difference, and the differences of the means.
fn apart(runs: &[Measured; 2]) -> (Vec<f64>, [f64; 2]) {
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
    let mut sums = [[0.0; 2]; 2];
    let all = exact.iter().zip(&fast).map(|(one, other)| {
        let asked = |it: &Sample| (it.asked_s, it.prompt, it.output);
        assert_eq!(asked(one), asked(other));
        for (sum, it) in sums.iter_mut().zip([one, other]) {
            sum[0] += it.first_s;
            sum[1] += if it.token_s.is_nan() { 0.0 } else { it.token_s };
        }
        off(one.first_s, other.first_s).max(off(one.token_s, other.token_s))
    });
    let all: Vec<f64> = all.collect();
    (all, [0, 1].map(|time| off(sums[0][time], sums[1][time])))
}

#[test]
fn leaps_and_single_events_agree_where_few_sessions_meet() {
    let mut random = Random::new(8, 1);
    let (mut leapt, mut events) = (0, 0);
    let (mut answers, mut busy_s) = (Vec::new(), [0.0; 2]);
    for seed in 0..20 {
        let per_s = between(&mut random, 0.01, 0.3);
        let runs = both(drawn(&mut random, per_s, ""), seed, 400.0);
        let (each, means) = apart(&runs);
        assert!(means.iter().all(|off| *off <= 5e-3), "seed {seed}: means are {means:?} off");
        answers.extend(each);
        let close = |value: fn(&Measured) -> f64| {
            let [exact, fast] = [0, 1].map(|way| value(&runs[way]));
            assert!((fast - exact).abs() <= 0.01 * exact, "seed {seed}: {fast} for {exact}");
        };
        for (sum, run) in busy_s.iter_mut().zip(&runs) {
            *sum += run.nodes.iter().map(|node| node.busy_s).sum::<f64>();
        }
        close(|run| run.lines.iter().map(|line| line.0 as f64).sum());
        close(|run| run.lines.iter().map(|line| line.1).sum());
        close(|run| run.given.iter().sum::<u64>() as f64);
        close(|run| run.series.tokens.iter().sum::<u64>() as f64);
        events += runs[0].events;
        leapt += runs[1].events;
    }
    // In one run two sessions share a pass for a while that they do not share in the other; in all
    // runs together neither way shares more.
    let off = busy_s[1] / busy_s[0] - 1.0;
    assert!(off.abs() <= 3e-3, "nodes are busy {off} longer");
    // A step that comes a microsecond earlier may catch a pass that it would have missed.
    answers.sort_by(f64::total_cmp);
    let at = |share| crate::statistics::percentile(&answers, share);
    let shown = [0.5, 0.9, 0.98, 1.0].map(at);
    let most = [1e-4, 5e-3, 0.05, 0.5];
    assert!(shown.iter().zip(&most).all(|(off, most)| off <= most), "{shown:?} off");
    assert!(leapt * 10 < events * 9, "{leapt} events in place of {events} are no gain");
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

/// Some people with long answers whose every token looks back at much, in both ways.
fn long_answers(users: u32, tail: &str) -> [Measured; 2] {
    let closed = format!("closed = {{ users = {users}, think_s = 4.0 }}");
    let text = SMALL
        .replace("poisson = { per_s = 2.0 }", &closed)
        .replace("output = { fixed = 16 }", "output = { fixed = 200 }")
        .replace("prompt_us = 30", "prompt_us = 30\ncontext_ns = 3000");
    both(world(&(text + tail)), 3, 120.0)
}

#[test]
fn steps_of_a_leap_that_ends_early_have_the_context_they_came_to() {
    // The second person's prompts end the first one's leaps.
    let [exact, fast] = long_answers(2, "");
    assert_eq!(exact.samples.len(), fast.samples.len());
    for (one, other) in exact.samples.iter().zip(&fast.samples) {
        assert!((other.token_s / one.token_s - 1.0).abs() < 1e-4, "{other:?} for {one:?}");
    }
    assert!(fast.events * 2 < exact.events, "{} for {}", fast.events, exact.events);
}

#[test]
fn what_slows_down_in_the_middle_of_a_leap_takes_longer_from_then_on() {
    // So many that some surely meet a leap, which lasts for most of an answer.
    let fault = |place: u32| {
        let at_s = 10.0 + 9.7 * f64::from(place);
        format!("[[fault]]\nnode = \"a\"\nkind = {{ slow = 3.0 }}\nat_s = {at_s}\nfor_s = 1.3\n")
    };
    let [exact, fast] = long_answers(1, &(0..11).map(fault).collect::<String>());
    assert_eq!(exact.samples, fast.samples);
    assert!(fast.events * 5 < exact.events, "{} for {}", fast.events, exact.events);
}

/// People at both ends of one route, who pause for so long between long answers, in both ways.
fn both_ends(think_s: f64, tail: &str) -> [Measured; 2] {
    let closed = format!("closed = {{ users = 2, think_s = {think_s} }}");
    let text = SMALL
        .replace("poisson = { per_s = 2.0 }", &closed)
        .replace("output = { fixed = 16 }", "output = { fixed = 300 }")
        .replace("prompt_us = 30", "prompt_us = 30\ncontext_ns = 300");
    let asked = text[text.find("[[workload]]").unwrap()..].replace("north", "south");
    both(world(&(text + &asked + tail)), 5, 300.0)
}

#[test]
fn sessions_of_several_homes_leap_together() {
    for tail in
        ["", "[recovery]\nmode = \"replay\"\n[[fault]]\nnode = \"b\"\nat_s = 77.7\nfor_s = 9\n"]
    {
        let runs = both_ends(5.0, tail);
        let (each, means) = apart(&runs);
        assert!(each.len() > 60, "{}", each.len());
        assert!(means.iter().all(|off| *off <= 1e-3), "means are {means:?} off: {tail}");
        let [exact, fast] = &runs;
        for (one, other) in exact.nodes.iter().zip(&fast.nodes) {
            assert!((other.busy_s / one.busy_s - 1.0).abs() < 1e-2, "{tail}");
        }
        let all = |run: &Measured| run.given.iter().sum::<u64>() as f64;
        assert!((all(fast) / all(exact) - 1.0).abs() < 1e-3, "{:?}, {:?}", fast.given, exact.given);
        let crossed = |run: &Measured| run.lines.iter().map(|line| line.0 as f64).sum::<f64>();
        assert!((crossed(fast) / crossed(exact) - 1.0).abs() < 1e-3, "{tail}");
        assert!(fast.events * 3 < exact.events, "{} for {}", fast.events, exact.events);
    }
}

#[test]
fn the_last_slice_of_a_leap_has_what_ran_in_it() {
    let [exact, fast] = both_ends(0.5, "");
    let busy = |run: &Measured| run.nodes[0].slices[SLICES - 1];
    assert!((busy(&fast) / busy(&exact) - 1.0).abs() < 0.1, "{} for {}", busy(&fast), busy(&exact));
}

#[test]
fn a_stage_that_is_home_of_sessions_elsewhere_loses_none_of_them() {
    // Who is at home at the toy's second stage asks for another model, on a node of its own.
    let other = "[[model]]\nname = \"other\"\nblock_count = 8\nhidden_bytes = 1024\n[[node]]\nname = \"c\"\n\
                 institution = \"north\"\nsite = \"delft\"\ndevice = \"box\"\nmodel = \"other\"\nblocks = [0, 8]\n\
                 [[workload]]\ninstitution = \"south\"\nhome = \"b\"\nmodel = \"other\"\n\
                 arrivals = { closed = { users = 2, think_s = 1.0 } }\nlengths = { drawn = { \
                 prompt = { fixed = 40 }, output = { fixed = 150 } } }\n";
    let runs = long_answers(2, other);
    let (_, means) = apart(&runs);
    assert!(means.iter().all(|off| *off <= 1e-3), "means are {means:?} off");
    for run in &runs {
        let of = |workload: u32| run.samples.iter().filter(|it| it.workload == workload).count();
        assert!(of(0) > 20 && of(1) > 40, "{} and {} answers", of(0), of(1));
    }
}

#[test]
fn what_takes_no_time_at_all_ends_too() {
    let text = SMALL
        .replace("poisson = { per_s = 2.0 }", "closed = { users = 1, think_s = 1.0 }")
        .replace("blocks = [0, 4]", "blocks = [0, 8]")
        .replace(
            "pass_us = 100\nblock_us = 400\ndecode_us = 10\nprompt_us = 30",
            "pass_us = 0\nblock_us = 0\ndecode_us = 0\nprompt_us = 0",
        )
        .replace("output = { fixed = 16 }", "output = { fixed = 200 }");
    let runs = both(world(&text), 1, 60.0);
    assert!(runs.iter().all(|run| run.samples.len() > 30), "{}", runs[0].samples.len());
}
