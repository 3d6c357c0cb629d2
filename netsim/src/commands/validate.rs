//! `comity-netsim validate`: predictions beside what was measured. Not the predictions.

use std::path::PathBuf;

use super::{
    Outcome, print, print_json,
    progress::Progress,
    run::{CommandError, save},
};
use crate::{calibrate::Calibrated, measurement::Measurement, validate};

/// What was measured, and what is said about it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  comity-netsim validate cells/* --calibrated calibrated.toml \
    --csv off.csv\n\nEvery measurement's scenario is simulated with the calibrated devices, software \
    and home. Links stay as the scenarios say. Measurements that the calibration rests on have a * \
    and do not count in the summary. Exit code 1 if a goal is missed.")]
pub struct Args {
    /// Folders of measurements.
    #[arg(required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// What `calibrate` wrote.
    #[arg(long, value_name = "FILE")]
    calibrated: PathBuf,
    /// Write one line for every measurement.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Folder of the tables that the scenarios name; each measurement's own if not given.
    #[arg(long, value_name = "FOLDER", env = "COMITY_DATA")]
    data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Predicts what was measured.
///
/// # Errors
/// [`CommandError`].
pub fn run(args: &Args) -> Result<Outcome, CommandError> {
    let calibrated = Calibrated::load(&args.calibrated)?;
    let load = |folder: &PathBuf| Measurement::load(folder, args.data.as_deref());
    let all = args.folders.iter().map(load).collect::<Result<Vec<_>, _>>()?;
    let progress = Progress::new("measurements predicted");
    let found =
        validate::validate(&all, &calibrated, &|done| progress.at(done as u64, all.len() as u64))?;
    progress.end();
    if let Some(path) = &args.csv {
        save(path, &found.csv())?;
    }
    match args.json {
        true => print_json(&serde_json::to_value(&found).unwrap_or_default()),
        false => print(&found.text()),
    }
    Ok(if found.meets() { Outcome::Done } else { Outcome::Failed })
}
