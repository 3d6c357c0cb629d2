//! Homes that choose between stages which do as well.

use super::*;

/// Two more nodes, so that each half of the model is held twice.
fn others() -> String {
    let node = |name: &str, site: &str, institution: &str, blocks: &str| {
        format!(
            "[[node]]\nname = \"{name}\"\ninstitution = \"{institution}\"\nsite = \"{site}\"\n\
             device = \"box\"\nmodel = \"toy\"\nblocks = {blocks}\n"
        )
    };
    node("c", "delft", "north", "[0, 4]") + &node("d", "ghent", "south", "[4, 8]")
}

/// The small world with so many users who ask at once, and something more about what they ask.
fn asked_by(users: u32, more: &str) -> String {
    let closed = format!("closed = {{ users = {users}, think_s = 0.1 }}");
    SMALL.replace("poisson = { per_s = 2.0 }", &closed) + more
}

/// Passes of each node in some seconds, with two nodes for each half of the model.
fn passes(users: u32, until_s: f64) -> Vec<usize> {
    let options = Options { passes_max: 1_000_000, ..options(until_s) };
    let measured = simulate(&world(&(asked_by(users, "") + &others())), options);
    let of = |node: u32| measured.passes.iter().filter(|pass| pass.node == node).count();
    (0..4).map(of).collect()
}

/// Positions run for a request on the mean, times blocks.
fn computed(measured: &Measured) -> f64 {
    measured.given.iter().sum::<u64>() as f64 / measured.samples.len() as f64
}

#[test]
fn turns_go_on_where_a_conversation_is_kept_though_others_idle() {
    let talks = asked_by(6, "turns = { mean = 4, think_s = 1 }\n");
    let run = |text: &str| simulate(&world(text), options(600.0));
    let (choice, none) = (run(&(talks.clone() + &others())), run(&talks));
    assert!(choice.samples.len() > none.samples.len(), "twice the machines");
    // Now and then another node is so much idler that all is run again.
    let ratio = computed(&choice) / computed(&none);
    assert!(ratio < 1.25, "{ratio}");
}

#[test]
fn what_is_asked_between_two_announcements_is_shared_out() {
    // Nothing was announced but that all are idle.
    let passes = passes(8, 20.0);
    let [first, last] = [[passes[0], passes[2]], [passes[1], passes[3]]];
    for [one, other] in [first, last] {
        assert!(one.abs_diff(other) * 2 < one, "{passes:?}");
    }
}

#[test]
fn one_at_a_time_takes_what_comes_first() {
    let passes = passes(1, 20.0);
    assert!(passes[0] > 0 && passes[1] > 0, "{passes:?}");
    assert_eq!(passes[2..], [0, 0], "the lower of equals");
}
