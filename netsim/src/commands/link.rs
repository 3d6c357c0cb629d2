//! `comity-netsim link`: relays until it is told to stop. Not the relay itself (`crate::relay`).

use std::{io, path::PathBuf};

use serde_json::json;

use super::{Outcome, note, print, print_json};
use crate::relay::{
    Interrupt, Relay, RelayError, StartError,
    load::{self, LoadError},
    scenario::Scenario,
    self_test::{self, SelfTestError},
};

/// What `comity-netsim link` is told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comity-netsim link --example > link.toml\n  comity-netsim link \
    link.toml\n  comity-netsim link link.toml --json > counted.json\n  comity-netsim link \
    netsim/scenarios/two-universities.toml\n  comity-netsim link --self-test"
)]
pub struct Args {
    /// The scenario: links, and what each does to packets; or a planner's, whose nodes say where they
    /// listen.
    #[arg(required_unless_present_any = ["example", "self_test"])]
    scenario: Option<PathBuf>,
    /// Print a scenario that explains every key, and leave.
    #[arg(long, conflicts_with_all = ["scenario", "self_test", "json"])]
    example: bool,
    /// Measure what the relay does on this machine, in about 25 seconds; exit 1 if that is not what
    /// it should.
    #[arg(long, conflicts_with = "scenario")]
    self_test: bool,
    /// Folder of the tables that a planner's scenario names; its own folder if not given.
    #[arg(long, value_name = "FOLDER", env = "COMITY_DATA")]
    data: Option<PathBuf>,
    /// Print JSON: an object once the links listen and one with the statistics at the end.
    #[arg(long)]
    json: bool,
}

/// Why nothing was relayed or measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The scenario.
    #[error(transparent)]
    Scenario(#[from] LoadError),
    /// The relay did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The relay failed.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// Nothing was measured.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
    /// No signal can be waited for.
    #[error("the system lets the relay wait for no signal")]
    Signal(#[from] io::Error),
}

/// Relays until Ctrl-C and prints what was counted, or measures.
///
/// # Errors
/// [`LinkError`].
pub fn run(args: &Args) -> Result<Outcome, LinkError> {
    let Some(path) = &args.scenario else {
        return if args.self_test { measure(args.json) } else { example() };
    };
    let scenario = load::load(path, args.data.as_deref())?;
    let interrupt = Interrupt::take()?;
    let relay = Relay::start(&scenario)?;
    announce(args.json, &scenario, &relay);
    relay.wait(&interrupt)?;
    let statistics = relay.stop()?;
    if args.json {
        print_json(&statistics.json());
    } else {
        print(&statistics.table());
    }
    Ok(Outcome::Done)
}

fn example() -> Result<Outcome, LinkError> {
    print(Scenario::example());
    Ok(Outcome::Done)
}

fn measure(is_json: bool) -> Result<Outcome, LinkError> {
    note("measuring for about 25 seconds; other load on this machine shows in the result ...");
    let report = self_test::run()?;
    if is_json {
        print_json(&report.json());
    } else {
        print(&report.table());
    }
    Ok(if report.passed() { Outcome::Done } else { Outcome::Failed })
}

/// Says where the links listen.
fn announce(is_json: bool, scenario: &Scenario, relay: &Relay) {
    let links = scenario.links.iter().zip(relay.addresses());
    if is_json {
        let links = links.map(|(section, listen)| {
            json!({ "name": section.name, "listen": listen, "target": section.target })
        });
        print_json(&json!({ "listening": links.collect::<Vec<_>>() }));
        return;
    }
    for (section, listen) in links {
        note(&format!("{}: {listen} -> {}", section.name, section.target));
    }
    note("Ctrl-C ends it and prints what was counted");
}
