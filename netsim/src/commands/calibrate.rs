//! `comity-netsim calibrate`: numbers for scenarios from measurements of a real mesh. Not the fits.

use std::{num::NonZeroUsize, path::PathBuf};

use serde_json::json;

use super::{
    Outcome, note, print, print_json,
    progress::Progress,
    run::{CommandError, save},
};
use crate::{calibrate, measurement::Measurement};

/// What was measured.
#[derive(Debug, clap::Args)]
#[command(after_help = "A measurement is a folder with scenario.toml, as a real mesh ran it, and \
    NODE.jsonl of each of its nodes: what the daemon wrote with the key telemetry.\n\nExamples:\n  \
    comity-netsim calibrate cells/quiet-1 cells/quiet-2 --output calibrated.toml\n  comity-netsim \
    calibrate --every 4 cells/* --output calibrated.toml\n  comity-netsim validate cells/* \
    --calibrated calibrated.toml\n\nThe output's sections may stand in any scenario.")]
pub struct Args {
    /// Folders of measurements.
    #[arg(required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// Take the first of the folders and every N-th after it; the others are left to validate.
    #[arg(long, value_name = "N", default_value = "1")]
    every: NonZeroUsize,
    /// Write the sections to a file instead of printing them.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Folder of the tables that the scenarios name; each measurement's own if not given.
    #[arg(long, value_name = "FOLDER", env = "COMITY_DATA")]
    data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Fits what was measured.
///
/// # Errors
/// [`CommandError`].
pub fn run(args: &Args) -> Result<Outcome, CommandError> {
    let folders: Vec<&PathBuf> = args.folders.iter().step_by(args.every.get()).collect();
    let progress = Progress::new("measurements read");
    let mut all = Vec::new();
    for folder in &folders {
        all.push(Measurement::load(folder, args.data.as_deref())?);
        progress.step(folders.len() as u64);
    }
    progress.end();
    let found = calibrate::calibrate(&all)?;
    let text = found.text();
    if let Some(path) = &args.output {
        save(path, &text)?;
        note(&format!("{} measurements, written to {}", all.len(), path.display()));
    }
    match (args.json, &args.output) {
        (true, _) => print_json(&json!({ "calibration": found, "sections": text })),
        (false, None) => print(&text),
        (false, Some(_)) => {}
    }
    Ok(Outcome::Done)
}
