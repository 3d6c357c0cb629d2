//! A trace holds the passes as they were, under the names of their nodes.

use std::path::Path;

use super::*;
use crate::{
    capacity::{Options, simulate},
    scenario::{SMALL, ScenarioFile},
};

#[test]
fn passes_are_events_in_microseconds_of_named_nodes() {
    let file = ScenarioFile::parse(Path::new("x.toml"), SMALL.to_owned()).unwrap();
    let world = World::resolve(&file, None).unwrap();
    let options = Options { seed: 1, until_s: 20.0, passes_max: 50, requests_max: u64::MAX };
    let run = simulate(&world, options);
    assert_eq!(run.passes.len(), 50);
    let trace: Value = serde_json::from_str(&passes(&world, &run)).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    // Two institutions, two nodes, fifty passes.
    assert_eq!(events.len(), 54);
    let (names, events) = events.split_at(4);
    let named: Vec<&str> = names.iter().map(|it| it["args"]["name"].as_str().unwrap()).collect();
    assert_eq!(named, ["north", "south", "a", "b"]);
    for (event, pass) in events.iter().zip(&run.passes) {
        assert_eq!(event["ts"].as_f64().unwrap(), pass.from_ns as f64 / 1e3);
        assert_eq!(event["dur"].as_f64().unwrap(), (pass.to_ns - pass.from_ns) as f64 / 1e3);
        assert_eq!(event["tid"], pass.node);
        assert_eq!(event["pid"], world.nodes[pass.node as usize].institution);
    }
}
