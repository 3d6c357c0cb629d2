//! One line for each answer, whatever names are in it.

use std::path::Path;

use super::*;
use crate::{
    capacity::{Options, Sample, simulate},
    scenario::{SMALL, ScenarioFile},
};

#[test]
fn every_answer_has_one_line_and_names_stay_fields() {
    let text = SMALL.replace("\"north\"", "'north, \"main\"'");
    let file = ScenarioFile::parse(Path::new("x.toml"), text).unwrap();
    let world = World::resolve(&file, None).unwrap();
    let options = Options { seed: 1, until_s: 20.0, passes_max: 0, requests_max: u64::MAX };
    let mut run = simulate(&world, options);
    run.samples.truncate(1);
    let one_token = Sample { token_s: f64::NAN, output: 1, ..run.samples[0] };
    run.samples.push(one_token);
    let out = answers(&world, &run);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0].split(',').count(), 8);
    assert!(lines[1].starts_with("\"north, \"\"main\"\"\",open,"), "{}", lines[1]);
    assert!(lines[1].ends_with(",32,16"), "{}", lines[1]);
    let first = format!(",{:.9},", run.samples[0].first_s);
    assert!(lines[1].contains(&first), "{}", lines[1]);
    // An answer of one token has no further one.
    assert!(lines[2].contains(",,"), "{}", lines[2]);
    assert!(!out.contains("NaN"));
}

#[test]
fn a_name_never_becomes_a_formula() {
    for name in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"] {
        let cell = field(name);
        assert!(cell.starts_with("\"'") && cell.ends_with('"'), "{cell}");
    }
    assert_eq!(field("uni=north"), "uni=north");
    assert_eq!(field("=\"a\""), "\"'=\"\"a\"\"\"");
}
