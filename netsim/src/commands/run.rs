//! `comity-netsim run`: what a scenario's consortium does, with intervals. Not the simulation.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process,
};

use comity_protocol::placement::PlacementError;

use super::{Outcome, print, print_json, progress::Progress};
use crate::{
    calibrate::{CalibrateError, CalibratedError},
    measurement::MeasurementError,
    plan::buy::BuyError,
    replicate::replicate,
    report::{csv, html, summarise, table, trace},
    scenario::{ScenarioError, ScenarioFile},
    world::{World, WorldFleetError},
};

/// Passes that a trace holds at most.
const TRACE_MAX: usize = 200_000;

/// What to run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  comity-netsim run netsim/scenarios/two-universities.toml\n  \
    comity-netsim run helix-single-70b.toml --data ../shared/data --json\n  comity-netsim run \
    hospitals.toml --html report.html --csv answers.csv --trace trace.json")]
pub struct Args {
    /// The scenario file.
    pub scenario: PathBuf,
    #[command(flatten)]
    pub(super) common: Common,
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
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Why a command on a scenario failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The scenario does not hold.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
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
    /// A file is none of a calibration.
    #[error(transparent)]
    Calibrated(#[from] CalibratedError),
    /// What nodes hold does not fit them.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// Offers cannot be compared.
    #[error(transparent)]
    Buy(#[from] BuyError),
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
    /// What is varied is not in the scenario.
    #[error(
        "{text:?} names no number of the scenario; write KEY=VALUE,.. such as link.*.rate_mbit=100,1000"
    )]
    Vary {
        /// What was given.
        text: String,
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
    /// Reads and resolves a scenario, with what the command line says otherwise.
    pub(super) fn world(&self, path: &Path) -> Result<World, CommandError> {
        let file = ScenarioFile::load(path)?;
        let mut world = World::resolve(&file, self.data.as_deref())?;
        world.seed = self.seed.unwrap_or(world.seed);
        world.run.runs = self.runs.unwrap_or(world.run.runs);
        world.run.exact |= self.exact;
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
    let world = args.common.world(&args.scenario)?;
    let passes = if args.trace.is_some() { TRACE_MAX } else { 0 };
    let progress = Progress::new("runs");
    let (runs, warm_up) =
        replicate(&world, passes, u64::MAX, &|_, most| progress.step(most as u64));
    progress.end();
    let summary = summarise(&world, &runs, warm_up);
    if let Some(path) = &args.html {
        save(path, &html::page(&summary, &[], &[]))?;
    }
    if let Some((path, run)) = args.csv.as_ref().zip(runs.first()) {
        save(path, &csv::answers(&world, run))?;
    }
    if let Some((path, run)) = args.trace.as_ref().zip(runs.first()) {
        save(path, &trace::passes(&world, run))?;
    }
    match args.common.json {
        true => print_json(&serde_json::to_value(&summary).unwrap_or_default()),
        false => print(&table::text(&summary)),
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests;
