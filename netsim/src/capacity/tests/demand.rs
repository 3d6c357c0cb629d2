//! Conversations, shared beginnings, traces, audits, and several models at once.

use super::*;

/// Mean seconds to the first token of requests asked after the first minute.
fn first_s(measured: &Measured) -> f64 {
    let late = measured.samples.iter().filter(|it| it.asked_s > 60.0);
    crate::statistics::mean(&late.map(|it| it.first_s).collect::<Vec<_>>())
}

/// One person at a time asks prompts of 1,000 tokens.
fn alone(more: &str) -> String {
    SMALL
        .replace("poisson = { per_s = 2.0 }", "closed = { users = 1 }")
        .replace("prompt = { fixed = 32 }", "prompt = { fixed = 1000 }")
        + more
}

#[test]
fn a_shared_beginning_is_computed_once_while_it_is_kept() {
    let usual = first_s(&simulate(&world(&alone("")), options(300.0)));
    let shared = |prefix: &str| {
        let text = alone(&format!("prefix = {prefix}\n"));
        first_s(&simulate(&world(&text), options(300.0)))
    };
    // 800 tokens are 25 pages; 200 tokens are left of 1,000.
    let kept = shared("{ tokens = 800 }");
    assert!((0.3..0.45).contains(&(kept / usual)), "{kept} for {usual}");
    // Of a thousand beginnings hardly one comes twice.
    let many = shared("{ tokens = 800, groups = 100000 }");
    assert!(many > 0.95 * usual, "{many} for {usual}");
    // Less than a page is not kept.
    assert_eq!(shared("{ tokens = 31 }"), usual);
}

#[test]
fn a_beginning_is_lost_with_the_node_that_kept_it() {
    let text = alone("prefix = { tokens = 800 }\n[[fault]]\nnode = \"b\"\nat_s = 100\nfor_s = 1\n");
    let measured = simulate(&world(&text), options(300.0));
    let after = measured.samples.iter().find(|it| it.asked_s > 100.0).unwrap();
    let before = measured.samples.iter().rfind(|it| it.ended_s < 100.0).unwrap();
    assert!(after.first_s > 2.0 * before.first_s, "{after:?} after {before:?}");
}

#[test]
fn a_turn_begins_with_what_was_said_and_computes_only_the_rest() {
    let text = alone("turns = { mean = 4, think_s = 1 }\n");
    let measured = simulate(&world(&text), options(600.0));
    let later: Vec<&Sample> = measured.samples.iter().filter(|it| it.prompt > 1_016).collect();
    assert!(later.len() > 20, "{} further turns", later.len());
    for turn in later {
        assert_eq!((turn.prompt - 1_000) % 1_016, 0, "{turn:?}");
    }
    // What was said is kept: however long the talk, about 1,000 tokens are new.
    let mean = |wanted: &dyn Fn(&Sample) -> bool| {
        let times = measured.samples.iter().filter(|it| wanted(it)).map(|it| it.first_s);
        crate::statistics::mean(&times.collect::<Vec<_>>())
    };
    let (opening, further) = (mean(&|it| it.prompt == 1_000), mean(&|it| it.prompt > 1_016));
    assert!((further / opening - 1.0).abs() < 0.1, "{further} for {opening}");
    // Talks that outgrow the 20,000 positions of a cache are refused, and hold up nobody.
    assert!(measured.samples.last().unwrap().ended_s > 590.0);
    // One of four requests opens a talk.
    let opened = measured.samples.iter().filter(|it| it.prompt == 1_000).count() as f64;
    let share = opened / measured.samples.len() as f64;
    assert!((share - 0.25).abs() < 0.1, "{share}");
}

#[test]
fn audits_are_load_and_no_answers() {
    let run = |audit: &str| simulate(&world(&format!("{SMALL}audit = {audit}\n")), options(200.0));
    let (none, all) = (run("0"), run("1"));
    assert_eq!(none.samples.len() as u64, none.institutions[0].answered);
    assert!((all.samples.len() as f64 / none.samples.len() as f64 - 1.0).abs() < 0.02);
    let computed = |run: &Measured| run.given.iter().sum::<u64>() as f64;
    // 47 positions of an answer are computed, and its 48 once more.
    let ratio = computed(&all) / computed(&none);
    assert!((ratio - 95.0 / 47.0).abs() < 0.03, "{ratio}");
}

#[test]
fn every_model_is_served_by_its_own_nodes() {
    let second = "[[model]]\nname = \"small\"\nblock_count = 2\nhidden_bytes = 64\n[[node]]\nname = \
                  \"c\"\ninstitution = \"south\"\nsite = \"ghent\"\ndevice = \"box\"\nmodel = \"small\"\n\
                  blocks = [0, 2]\n[[workload]]\ninstitution = \"south\"\nmodel = \"small\"\narrivals = { \
                  poisson = { per_s = 5.0 } }\nlengths = { drawn = { prompt = { fixed = 8 }, output = { \
                  fixed = 4 } } }\n";
    let measured = simulate(&world(&format!("{SMALL}{second}")), options(100.0));
    let of = |workload| measured.samples.iter().filter(|it| it.workload == workload).count();
    assert!((150..250).contains(&of(0)) && (420..580).contains(&of(1)), "{} {}", of(0), of(1));
    // Its passes are shorter: what each node did is what its own model took.
    let alone = simulate(&world(SMALL), options(100.0));
    for node in [0, 1] {
        let (both, one) = (measured.nodes[node].busy_s, alone.nodes[node].busy_s);
        assert!((both / one - 1.0).abs() < 0.05, "node {node}: {both} and {one}");
    }
}
