//! Homes that choose between stages which do as well.

use super::*;

/// Passes of each node in some seconds, with two nodes for each half of the model.
fn passes(users: u32, until_s: f64) -> Vec<usize> {
    let node = |name: &str, site: &str, institution: &str, blocks: &str| {
        format!(
            "[[node]]\nname = \"{name}\"\ninstitution = \"{institution}\"\nsite = \"{site}\"\n\
             device = \"box\"\nmodel = \"toy\"\nblocks = {blocks}\n"
        )
    };
    let text = SMALL.replace(
        "poisson = { per_s = 2.0 }",
        &format!("closed = {{ users = {users}, think_s = 0.1 }}"),
    );
    let more = node("c", "delft", "north", "[0, 4]") + &node("d", "ghent", "south", "[4, 8]");
    let options = Options { passes_max: 1_000_000, ..options(until_s) };
    let measured = simulate(&world(&(text + &more)), options);
    let of = |node: u32| measured.passes.iter().filter(|pass| pass.node == node).count();
    (0..4).map(of).collect()
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
