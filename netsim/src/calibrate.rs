//! What a real mesh's timing says about devices, home, software and lines: numbers for scenarios,
//! each with what it rests on. Not whether they hold elsewhere ([`crate::validate`]).
//!
//! Devices come from passes, home's own time from requests, lines from connections. What software
//! adds to a hop is the rest: what the simulator, with these devices, lacks of a measured token.

mod contention;
mod device;
mod fit;
mod paths;
mod sections;
mod software;
mod text;
mod undisturbed;

use comity_protocol::telemetry::Request;

pub use self::{
    device::{DeviceFit, Part},
    paths::PathFit,
    sections::{Calibrated, NetworkPart, RouterPart},
    software::{OpenFit, SoftwareFit},
};
use crate::{
    measurement::{Load, Measurement},
    replicate::replicate,
    scenario::CalibrationSection,
    statistics::percentile,
    toml_file::TomlFileError,
    world::World,
};

/// What measurements say.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Calibration {
    /// Names of their folders.
    pub measurements: Vec<String>,
    /// Devices, in order of their names.
    pub devices: Vec<DeviceFit>,
    /// What software adds to a hop, if a measurement had one request at a time.
    pub software: Option<SoftwareFit>,
    /// What home does before an opening leaves.
    pub open: Option<OpenFit>,
    /// Lines between sites, by measurement.
    pub paths: Vec<PathFit>,
}

/// Why measurements say nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrateError {
    /// Too little ran.
    #[error(
        "device {name:?} has {passes} passes that only decode or only take in prompts: too few"
    )]
    NoPasses {
        /// The device.
        name: String,
        /// Passes.
        passes: usize,
    },
    /// A device is not one.
    #[error(
        "device {name:?} ran {one:?} and {other:?}: give it a section of its own for each model"
    )]
    TwoModels {
        /// The device.
        name: String,
        /// One model.
        one: String,
        /// Another one.
        other: String,
    },
    /// No node of the measurements holds blocks.
    #[error("no node of the measurements holds blocks")]
    NoDevice,
    /// What was found fits no scenario.
    #[error(transparent)]
    Scenario(#[from] TomlFileError),
}

/// Finds what the measurements say.
///
/// # Errors
/// [`CalibrateError`].
pub fn calibrate(all: &[Measurement]) -> Result<Calibration, CalibrateError> {
    let devices = device::devices(all)?;
    if devices.is_empty() {
        return Err(CalibrateError::NoDevice);
    }
    let mut found = Calibration {
        measurements: all.iter().map(|measurement| measurement.name.clone()).collect(),
        devices,
        software: None,
        open: None,
        paths: paths::paths(all),
    };
    found.software = software::hop(all, &found)?;
    found.open = software::open(all, &found);
    if let Some(software) = found.software {
        found.software = Some(software::busy(all, &found, software)?);
    }
    Ok(found)
}

impl Calibration {
    /// The sections that a scenario would have.
    #[must_use]
    pub fn sections(&self) -> Calibrated {
        Calibrated {
            calibration: CalibrationSection { measurements: self.measurements.clone() },
            router: self.open.as_ref().map(RouterPart::of),
            network: self.software.as_ref().map(NetworkPart::of),
            devices: self.devices.iter().map(sections::device).collect(),
            links: Vec::new(),
        }
    }
}

/// What a world's clients get, as the simulator sees it: the mean of `runs` runs, and the seconds
/// left out at their start.
#[must_use]
pub fn predict(world: &World, runs: u32) -> (Load, f64) {
    let mut world = world.clone();
    (world.run.runs, world.run.precision) = (runs.max(1), None);
    let (runs, cut) = replicate(&world, 0, u64::MAX, &|_, _| {});
    let loads: Vec<Load> = runs.iter().map(|run| Load::of_run(run, cut)).collect();
    (Load::mean(&loads), cut)
}

/// The median of whole numbers; not a number of none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    all.sort_by(f64::total_cmp);
    percentile(&all, 0.5)
}

/// Whether a request tells what one without guesses and kept pages takes.
const fn is_plain(request: &Request) -> bool {
    request.complete && request.moved == 0 && request.reused == 0
}

#[cfg(test)]
mod tests;
