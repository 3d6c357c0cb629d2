//! Averaged rounds against single passes.

use super::{
    leaps::{between, drawn},
    *,
};
use crate::{random::Random, world::Arrival};

/// What averages make of a world, and single passes.
fn both(mut world: World, seed: u64, until_s: f64) -> [Measured; 2] {
    [Rounds::Averaged, Rounds::Leaped].map(|rounds| {
        world.run.rounds = rounds;
        simulate(&world, Options { seed, ..options(until_s) })
    })
}

/// Means of a run: seconds to a first and a further token, tokens a second, and seconds that nodes ran.
fn means(run: &Measured) -> [f64; 4] {
    let count = run.samples.len() as f64;
    let first: f64 = run.samples.iter().map(|it| it.first_s).sum();
    let further = run.samples.iter().map(|it| it.token_s).filter(|it| it.is_finite());
    let (sum, tokens) = further.fold((0.0, 0.0), |(sum, count), it| (sum + it, count + 1.0));
    let busy: f64 = run.nodes.iter().map(|node| node.busy_s).sum();
    [first / count, sum / tokens, run.tokens_per_s(0.0), busy]
}

/// How far averages are off, relatively.
fn off(runs: &[Measured; 2]) -> [f64; 4] {
    let [averaged, single] = [0, 1].map(|it| means(&runs[it]));
    [0, 1, 2, 3].map(|it| averaged[it] / single[it] - 1.0)
}

#[test]
fn who_is_alone_takes_what_its_parts_take() {
    for length in [1, 16, 400] {
        let text = SMALL
            .replace("per_s = 2.0", "per_s = 0.01")
            .replace("output = { fixed = 16 }", &format!("output = {{ fixed = {length} }}"));
        let runs = both(world(&text), 1, 4_000.0);
        let [averaged, single] = [0, 1].map(|it| runs[it].samples[3]);
        let close = |one: f64, other: f64, most: f64| (one / other - 1.0).abs() <= most;
        assert!(close(averaged.first_s, single.first_s, 0.03), "{averaged:?} for {single:?}");
        assert!(
            length == 1 || close(averaged.token_s, single.token_s, 0.01),
            "{averaged:?} for {single:?}"
        );
        let given =
            |run: &Measured| run.given.iter().sum::<u64>() as f64 / run.samples.len() as f64;
        assert!(close(given(&runs[0]), given(&runs[1]), 0.01), "the same is computed");
        let tokens = |run: &Measured| run.tokens_per_s(0.0) / run.samples.len() as f64;
        assert!(close(tokens(&runs[0]), tokens(&runs[1]), 0.02), "the same is drawn");
        let bytes = |run: &Measured| run.lines.iter().map(|line| line.0).sum::<u64>() as f64;
        let each = |run: &Measured| bytes(run) / run.samples.len() as f64;
        assert!(close(each(&runs[0]), each(&runs[1]), 0.1), "the same is sent");
    }
}

/// How far averages are off over several worlds: at most of one, and on their mean.
fn near(worlds: impl Iterator<Item = World>, until_s: f64, most: [f64; 4], on_mean: [f64; 4]) {
    let (mut sums, mut count) = ([0.0; 4], 0.0);
    for (seed, world) in (0..).zip(worlds) {
        let off = off(&both(world, seed, until_s));
        assert!(off.iter().zip(&most).all(|(off, most)| off.abs() <= *most), "{seed}: {off:?}");
        sums.iter_mut().zip(&off).for_each(|(sum, off)| *sum += off);
        count += 1.0;
    }
    assert!(sums.iter().zip(&on_mean).all(|(sum, most)| sum.abs() <= most * count), "{sums:?}");
}

#[test]
fn averages_are_near_single_passes_where_few_meet() {
    let mut random = Random::new(10, 1);
    let worlds = (0..12).map(|_| {
        let per_s = between(&mut random, 0.05, 1.2);
        drawn(&mut random, per_s, "")
    });
    near(worlds, 600.0, [0.12, 0.07, 0.01, 0.12], [0.06, 0.02, 0.003, 0.02]);
}

#[test]
fn averages_are_near_single_passes_where_many_share_them() {
    let mut random = Random::new(13, 1);
    let worlds = (0..8).map(|_| {
        let mut world = drawn(&mut random, 1.0, "");
        let users = 4_u32 << random.below(4);
        for workload in &mut world.workloads {
            workload.arrival = Arrival::Closed(users, 2.0);
        }
        world
    });
    near(worlds, 200.0, [0.45, 0.3, 0.2, 0.2], [0.1, 0.1, 0.06, 0.1]);
}

#[test]
fn a_run_takes_no_longer_for_longer_answers() {
    let events = [50, 5_000].map(|length| {
        let text = SMALL
            .replace("per_s = 2.0", "per_s = 0.05")
            .replace("output = { fixed = 16 }", &format!("output = {{ fixed = {length} }}"));
        let mut world = world(&text);
        world.run.rounds = Rounds::Averaged;
        let run = simulate(&world, options(2_000.0));
        run.events as f64 / run.requests as f64
    });
    assert!(events[0] < 8.0 && events[1] < 100.0, "{events:?} events a request");
}

#[test]
fn every_request_ends_once_whatever_fails() {
    let tail = "[recovery]\nmode = \"replay\"\n\
                [[fault]]\nnode = \"n01\"\nat_s = 100\nfor_s = 20\n\
                [[fault]]\nlink = [\"x\", \"y\"]\nkind = \"down\"\nat_s = 200\nfor_s = 20\n\
                [[fault]]\nlink = [\"x\", \"z\"]\nkind = { rate = 0.1 }\nat_s = 300\nfor_s = 50\n";
    let mut random = Random::new(11, 1);
    for seed in 0..4 {
        let runs = both(drawn(&mut random, 0.5, tail), seed, 500.0);
        for run in &runs {
            let ended = run.institutions.iter().map(|it| it.answered + it.refused + it.failed);
            assert_eq!(ended.sum::<u64>() + run.waiting + run.running, run.requests);
        }
        let [averaged, single] = [0, 1].map(|it| runs[it].samples.len() as f64);
        assert!((averaged / single - 1.0).abs() < 0.05, "{averaged} answers for {single}");
        // What was lost was asked again: those that ran then took seconds longer.
        let longest = |run: &Measured, from: f64| {
            let then = run.samples.iter().filter(|it| (it.asked_s..it.ended_s).contains(&from));
            then.map(|it| it.ended_s - it.asked_s).fold(0.0, f64::max)
        };
        for from in [100.0, 200.0] {
            let [averaged, single] = [0, 1].map(|it| longest(&runs[it], from));
            assert_eq!(averaged > 0.0, single > 0.0, "{averaged} for {single} s");
        }
    }
}

#[test]
fn a_cut_line_loses_averaged_sessions_and_a_slow_one_holds_them_up() {
    let text = |fault: &str| {
        let text = SMALL.replace("poisson = { per_s = 2.0 }", "closed = { users = 1 }");
        let text = text.replace("output = { fixed = 16 }", "output = { fixed = 400 }");
        let mut world = world(&(text + fault));
        world.run.rounds = Rounds::Averaged;
        simulate(&world, options(60.0)).samples
    };
    let fault = |kind: &str| {
        format!("[[fault]]\nlink = [\"delft\", \"ghent\"]\n{kind}\nat_s = 2\nfor_s = 30\n")
    };
    let usual = text("")[0].ended_s;
    let cut = text(&(fault("kind = \"down\"") + "[recovery]\nmode = \"replay\"\n"));
    assert!(cut[0].ended_s > 32.0, "{} for {usual}", cut[0].ended_s);
    let slow = text(&fault("kind = { rate = 0.0001 }"));
    assert!(slow[0].ended_s > usual * 1.5, "{} for {usual}", slow[0].ended_s);
}

#[test]
fn the_same_seed_gives_the_same_averages() {
    let mut random = Random::new(12, 1);
    let mut world = drawn(&mut random, 0.5, "");
    world.run.rounds = Rounds::Averaged;
    let [one, two] = [3, 3].map(|seed| simulate(&world, Options { seed, ..options(100.0) }));
    assert_eq!(one, two);
}
