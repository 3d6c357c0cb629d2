//! Runs planners' scenarios on a real mesh, for `comity-netsim calibrate` and `validate` to compare
//! with. Not the simulation.
//!
//! Every node of a scenario is a process of its own on this machine, as `comity up` runs it, with
//! links of the relay between them; its workloads are asked in real time. What the nodes tell of
//! their timing goes, with a copy of the scenario, into a folder for each:
//! `cargo bench --bench mesh -- --output FOLDER SCENARIO.toml...`. `--factorial FOLDER` writes the
//! scenarios of round trip x rate x stages x streams instead.

#[path = "mesh/daemon.rs"]
mod daemon;
#[path = "mesh/drive.rs"]
mod drive;
#[path = "mesh/factorial.rs"]
mod factorial;
#[path = "mesh/found.rs"]
mod found;
mod harness;
#[path = "mesh/prompts.rs"]
mod prompts;
#[path = "mesh/run.rs"]
mod run;

use std::path::PathBuf;

use harness::{Bench, say};

/// What the bench is told.
#[derive(Default)]
struct Arguments {
    output: Option<PathBuf>,
    factorial: Option<PathBuf>,
    scenarios: Vec<PathBuf>,
}

fn main() {
    if daemon::is_one() {
        return daemon::main();
    }
    if !harness::begin("mesh") {
        return;
    }
    let arguments = arguments();
    if let Some(folder) = arguments.factorial {
        let written = factorial::write(&folder);
        return say(&format!("{written} scenarios in {}", folder.display()));
    }
    let output = arguments.output.expect("--output FOLDER says where measurements go");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let bench = Bench::model().await;
        for scenario in arguments.scenarios {
            Box::pin(run::run(&bench, &scenario, &output)).await;
        }
    });
}

fn arguments() -> Arguments {
    let mut given = std::env::args().skip(1);
    let mut arguments = Arguments::default();
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--output" => arguments.output = given.next().map(PathBuf::from),
            "--factorial" => arguments.factorial = given.next().map(PathBuf::from),
            // As cargo says it.
            "--bench" => {}
            other if other.starts_with('-') => panic!("{other} is nothing this bench knows"),
            scenario => arguments.scenarios.push(scenario.into()),
        }
    }
    arguments
}
