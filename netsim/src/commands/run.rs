//! `comity-netsim run`: what a scenario's consortium does, with intervals. Not the simulation.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process,
};

use comity_protocol::placement::PlacementError;

use super::{Outcome, note, print, print_json, progress::Progress};
use crate::{
    calibrate::CalibrateError,
    capacity::Measured,
    measurement::MeasurementError,
    outlook::{Depth, Outlook, OutlookError, outlooks, text as tables},
    plan::{Settings, buy::Trials, vacant},
    replicate::{replicate, rule_costs},
    report::{RuleCost, csv, html, summarise, table, trace},
    scenario::{Rounds, ScenarioFile},
    toml_file::TomlFileError,
    world::{Need, World, WorldFleetError},
};

/// A scenario that explains every key.
const EXAMPLE: &str = include_str!("../../examples/scenario.toml");
/// Passes that a trace holds at most.
const TRACE_MAX: usize = 200_000;
/// Placements tried for nodes whose sections name no blocks: some tenths of a second.
const PLACING: u64 = 50_000;
/// Placements tried for each search of a report, and searches for each offer.
const REPORT_EVALUATIONS: u64 = 50_000;
const REPORT_SEARCHES: u64 = 3;

/// What to run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  comity-netsim run netsim/scenarios/two-universities.toml\n  \
    comity-netsim run helix-single-70b.toml --data ../shared/data --json\n  comity-netsim run \
    hospitals.toml --html report.html --csv answers.csv --trace trace.json")]
pub struct Args {
    /// The scenario file.
    #[arg(required_unless_present = "example")]
    pub scenario: Option<PathBuf>,
    /// Print a scenario that explains every key, and end.
    #[arg(long)]
    pub example: bool,
    #[command(flatten)]
    pub(super) common: Common,
    /// Simulate without each rule too, with the same requests: what it costs in rate and time.
    #[arg(long)]
    pub rules: bool,
    /// Write a report for a browser.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write one line for every answer of the first run.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write the first run's passes as a trace for chrome://tracing.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

/// What all commands on scenarios take.
#[derive(Debug, Clone, clap::Args)]
pub struct Common {
    /// Folder of the tables that the scenario names; its own folder if not given.
    #[arg(long, value_name = "FOLDER", env = "COMITY_DATA")]
    pub data: Option<PathBuf>,
    /// Another seed than the scenario's.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Another number of runs.
    #[arg(long, value_name = "N")]
    pub runs: Option<u32>,
    /// Simulate every pass and message, also where nothing can happen in between: slower, to check
    /// what is usually printed.
    #[arg(long)]
    pub exact: bool,
    /// Average rounds and prompts instead of running them: many times as fast, to search with; check
    /// what you find without it.
    #[arg(long, conflicts_with = "exact")]
    pub averaged: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Why a command on a scenario failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// A scenario does not hold, or a file is none of a calibration.
    #[error(transparent)]
    File(#[from] TomlFileError),
    /// A file could not be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The numbers make no fleet to plan with.
    #[error(transparent)]
    Fleet(#[from] WorldFleetError),
    /// A folder is no measurement.
    #[error(transparent)]
    Measurement(#[from] MeasurementError),
    /// Measurements say nothing.
    #[error(transparent)]
    Calibrate(#[from] CalibrateError),
    /// What nodes hold does not fit them.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// The largest flow says nothing.
    #[error(transparent)]
    Outlook(#[from] OutlookError),
    /// There is no such workload.
    #[error("there is no workload {got}: the scenario has {count}, counted from 0")]
    NoWorkload {
        /// The number given.
        got: usize,
        /// Workloads.
        count: usize,
    },
    /// Nothing is offered for the model.
    #[error("the scenario has no [[offer]] for this model")]
    NoOffer,
    /// Averaged rounds have none.
    #[error("--trace writes passes, of which averaged rounds have none: leave one of both out")]
    NoPasses,
    /// What is varied is not in the scenario.
    #[error(
        "{text:?} names no number of the scenario; write KEY=VALUE,.. such as link.*.rate_mbit=100,1000"
    )]
    Vary {
        /// What was given.
        text: String,
    },
    /// The scenario does not hold with what is varied.
    #[error("{path} with {set}: {message}")]
    Varied {
        /// The scenario.
        path: PathBuf,
        /// Keys and values.
        set: String,
        /// What is wrong then.
        message: String,
    },
    /// A file could not be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Common {
    /// Reads and resolves a scenario, with what the command line says otherwise, and checks what the
    /// command needs of it.
    pub(super) fn world(&self, path: &Path, need: Need) -> Result<World, CommandError> {
        self.resolve(&ScenarioFile::load(path)?, need)
    }

    /// The same for a scenario that was read. Nodes whose sections name no blocks are given some
    /// where routes are needed.
    pub(super) fn resolve(&self, file: &ScenarioFile, need: Need) -> Result<World, CommandError> {
        let mut world = World::resolve(file, self.data.as_deref())?;
        world.seed = self.seed.unwrap_or(world.seed);
        world.run.runs = self.runs.unwrap_or(world.run.runs);
        if self.exact {
            world.run.rounds = Rounds::Exact;
        } else if self.averaged {
            world.run.rounds = Rounds::Averaged;
        }
        let is_vacant = |node: &crate::world::Node| node.stage && node.blocks.is_none();
        if need == Need::Routes && world.nodes.iter().any(is_vacant) {
            world.check(file, Need::Placement)?;
            let settings = Settings { seed: world.seed, evaluations: PLACING };
            vacant::fill(&mut world, settings)?;
        }
        world.check(file, need)?;
        Ok(world)
    }
}

/// Writes a file whole or not at all: beside its place first, then there. One that was there stays
/// until the new one is complete.
pub(super) fn save(path: &Path, text: &str) -> Result<(), CommandError> {
    let failed = |source| CommandError::Write { path: path.to_owned(), source };
    let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.new", process::id()));
    let beside = path.with_file_name(beside);
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| {
        // What is left of it is of no use; that it cannot be removed is no news.
        let _ = fs::remove_file(&beside);
        failed(source)
    })
}

/// Runs it.
///
/// # Errors
/// [`CommandError`].
pub fn run(args: &Args) -> Result<Outcome, CommandError> {
    let Some(scenario) = args.scenario.as_ref().filter(|_| !args.example) else {
        print(EXAMPLE);
        return Ok(Outcome::Done);
    };
    let world = args.common.world(scenario, Need::Routes)?;
    if args.trace.is_some() && world.run.rounds == Rounds::Averaged {
        return Err(CommandError::NoPasses);
    }
    // Before the runs: what makes no fleet is refused before it was waited for.
    let outlooks = outlook(&world, args.html.is_some())?;
    let passes = if args.trace.is_some() { TRACE_MAX } else { 0 };
    let progress = Progress::new("runs");
    let (runs, warm_up) =
        replicate(&world, passes, u64::MAX, &|_, most| progress.step(most as u64));
    progress.end();
    let summary = summarise(&world, &runs, warm_up);
    let rules = if args.rules { costs(&world, &runs, warm_up) } else { Vec::new() };
    if let Some(path) = &args.html {
        let further = html::Further { outlooks: &outlooks, rules: &rules, sweeps: &[] };
        save(path, &html::page(&summary, &further))?;
    }
    if let Some((path, run)) = args.csv.as_ref().zip(runs.first()) {
        save(path, &csv::answers(&world, run))?;
    }
    if let Some((path, run)) = args.trace.as_ref().zip(runs.first()) {
        save(path, &trace::passes(&world, run))?;
    }
    if args.common.json {
        let mut out = serde_json::to_value(&summary).unwrap_or_default();
        out["rules"] = serde_json::to_value(&rules).unwrap_or_default();
        out["outlook"] = serde_json::to_value(&outlooks).unwrap_or_default();
        print_json(&out);
    } else {
        let flows = outlooks.iter().map(|it| tables::rules(&it.model, &it.rules));
        let parts = [table::text(&summary), flows.collect(), table::rule_costs(&rules)];
        print(&parts.concat());
    }
    Ok(Outcome::Done)
}

/// What each rule costs, simulated.
fn costs(world: &World, runs: &[Measured], warm_up_s: f64) -> Vec<RuleCost> {
    let progress = Progress::new("runs without a rule");
    let costs = rule_costs(world, runs, warm_up_s, &|most| progress.step(most as u64));
    progress.end();
    costs
}

/// What the largest flow says of every model that has one, with a note on the others; for a report also
/// what takes searches.
pub(super) fn outlook(world: &World, searches: bool) -> Result<Vec<Outlook>, CommandError> {
    let settings = Settings { seed: world.seed, evaluations: REPORT_EVALUATIONS };
    let seeds = (0..REPORT_SEARCHES).map(|number| world.seed.wrapping_add(number)).collect();
    let trials = Trials { seeds, evaluations: REPORT_EVALUATIONS };
    let depth = match searches {
        true => Depth { rules: Some(settings), offers: Some(trials) },
        false => Depth::default(),
    };
    let bar = Progress::new("placements tried");
    let count = world.policies.len() as u64 + REPORT_SEARCHES * (world.offers.len() as u64 + 1);
    let found = outlooks(world, &depth, &mut bar.searches(count * REPORT_EVALUATIONS));
    bar.end();
    let found = found?;
    for model in &found.untold {
        note(&format!("nothing on rules, losses and offers: {model}"));
    }
    Ok(found.told)
}

#[cfg(test)]
mod tests;
