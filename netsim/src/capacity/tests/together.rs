//! Sessions that travel as one.

use super::*;

/// Many people at one home, with answers of so many tokens, over a device with more in it.
fn crowd(users: u32, output: &str, device: &str) -> Measured {
    let text = SMALL
        .replace("poisson = { per_s = 2.0 }", &format!("closed = {{ users = {users} }}"))
        .replace("output = { fixed = 16 }", &format!("output = {output}"))
        .replace("name = \"box\"\n[device", &format!("name = \"box\"\n{device}\n[device"));
    simulate(&world(&text), Options { passes_max: 1_000_000, ..options(100.0) })
}

#[test]
fn those_that_meet_in_a_pass_stay_together_and_end_one_by_one() {
    let measured = crowd(12, "{ lognormal = { median = 60, sigma = 0.6, max = 300 } }", "");
    assert!(measured.passes.iter().any(|pass| pass.decode >= 10), "they meet");
    // Every token but the first of an answer is a position of a pass of both nodes.
    for node in [0, 1] {
        let of = measured.passes.iter().filter(|pass| pass.node == node);
        let decoded: u64 = of.map(|pass| u64::from(pass.decode)).sum();
        let tokens: u64 = measured.series.tokens.iter().sum();
        let ended: u64 = measured.samples.len() as u64;
        let further = tokens - ended;
        assert!(decoded.abs_diff(further) <= 24, "{decoded} positions for {further} tokens");
    }
    let asked: u64 = measured.samples.iter().map(|sample| u64::from(sample.output)).sum();
    let tokens: u64 = measured.series.tokens.iter().sum();
    assert!((asked..asked + 12 * 300).contains(&tokens), "{tokens} tokens for {asked}");
}

#[test]
fn those_whose_message_is_lost_are_lost_together_and_all_go_on() {
    let faults = "[recovery]\nmode = \"replay\"\n[[fault]]\nlink = [\"delft\", \"ghent\"]\nat_s = 30\nfor_s = 2\n\
                  [[fault]]\nnode = \"b\"\nat_s = 50\nfor_s = 2\n";
    // Passes hold what decodes at times and at times not.
    let batch = "batch = { positions_max = 7, prompt_positions_min = 3 }";
    let text = SMALL
        .replace("poisson = { per_s = 2.0 }", "closed = { users = 12 }")
        .replace("output = { fixed = 16 }", "output = { fixed = 40 }")
        .replace("name = \"box\"\n[device", &format!("name = \"box\"\n{batch}\n[device"));
    let measured = simulate(&world(&(text + faults)), options(100.0));
    // Each of the twelve gets as much as any other, to the end.
    let late = measured.samples.iter().filter(|sample| sample.asked_s > 60.0).count();
    assert_eq!(measured.running + measured.waiting, 12);
    let ended = measured.samples.iter().map(|sample| sample.ended_s).fold(0.0, f64::max);
    assert!(ended > 99.0, "{ended}");
    let asked: Vec<f64> = measured.samples.iter().map(|sample| sample.token_s).collect();
    let slowest = asked.iter().copied().fold(0.0, f64::max);
    assert!(late > 12 * 10, "{late}");
    assert!(slowest < 0.5, "{slowest}");
}

#[test]
fn a_pass_that_holds_fewer_takes_those_that_came_first() {
    let measured =
        crowd(12, "{ fixed = 100 }", "batch = { positions_max = 5, prompt_positions_min = 1 }");
    let most = measured.passes.iter().map(|pass| pass.prompt + pass.decode).max();
    assert_eq!(most, Some(5));
    // Nobody is forgotten: all take turns.
    let mut ends: Vec<f64> = measured.samples.iter().map(|sample| sample.ended_s).collect();
    ends.sort_by(f64::total_cmp);
    assert!(ends.len() > 100, "{}", ends.len());
    let longest = measured.samples.iter().map(|it| it.token_s).fold(0.0, f64::max);
    let shortest = measured.samples.iter().map(|it| it.token_s).fold(f64::INFINITY, f64::min);
    assert!(longest < 2.0 * shortest, "{shortest} to {longest}");
}
