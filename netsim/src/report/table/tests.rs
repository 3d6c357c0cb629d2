//! The text of a run fits a terminal, and leaves out only what never happened.

use std::path::Path;

use super::*;
use crate::{
    capacity::{Options, simulate},
    report::summarise,
    scenario::{SMALL, ScenarioFile},
    world::World,
};

/// Columns of a terminal that nobody made wider.
const TERMINAL: usize = 80;

fn summary() -> Summary {
    let file = ScenarioFile::parse(Path::new("x.toml"), SMALL.to_owned()).unwrap();
    let world = World::resolve(&file, None).unwrap();
    let run = |seed| {
        simulate(&world, Options { seed, until_s: 60.0, passes_max: 0, requests_max: u64::MAX })
    };
    summarise(&world, &[run(1), run(2)], 0.0)
}

fn estimate(mean: f64) -> Estimate {
    Estimate { mean, half_width: Some(mean / 2.0), runs: 3 }
}

/// As large as figures of forty institutions are.
fn large() -> Summary {
    let mut summary = summary();
    for row in &mut summary.institutions {
        row.institution = "copenhagen".to_owned();
        row.answered = estimate(1_657.3);
        for work in [&mut row.given, &mut row.taken, &mut row.own] {
            *work = estimate(159.85);
        }
    }
    for row in &mut summary.nodes {
        (row.node, row.institution) = ("copenhagen-coder-32b".into(), "copenhagen".into());
    }
    summary.lines[0].line = "out of node copenhagen-coder-32b".into();
    summary.lines[0].megabytes = estimate(123_456.7);
    summary
}

#[test]
fn the_text_of_a_large_run_fits_a_terminal() {
    let text = text(&large());
    for line in text.lines() {
        assert!(line.chars().count() <= TERMINAL, "{}: {line}", line.chars().count());
    }
    assert!(text.contains("(refused, turned, failed: none)"), "{text}");
}

#[test]
fn what_rules_cost_fits_a_terminal() {
    let row = RuleCost {
        policy: "records-abroad".to_owned(),
        tokens_per_s: estimate(3_506.7),
        tokens_per_s_without: estimate(3_484.7),
        tokens_per_s_less: estimate(22.0),
        first_token_s: estimate(1.7),
        first_token_s_without: estimate(1.5),
        first_token_s_less: estimate(0.273),
        refused: estimate(0.0),
    };
    for line in rule_costs(&[row]).lines() {
        assert!(line.chars().count() <= TERMINAL, "{}: {line}", line.chars().count());
    }
}

#[test]
fn what_happened_to_one_institution_has_its_column() {
    let mut summary = large();
    summary.institutions[1].turned_away = estimate(3.0);
    let text = text(&summary);
    assert!(text.contains("(refused, failed: none)"), "{text}");
    assert!(text.contains("turned") && text.contains(" 3.0 ± 1.5 "), "{text}");
}

#[test]
fn figures_of_a_column_end_together() {
    let rows = ["a 1", "long 1000"].map(|row| row.split(' ').map(str::to_owned).collect());
    assert_eq!(aligned(&rows, 1), "a        1\nlong  1000\n");
}
