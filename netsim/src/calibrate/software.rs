//! What software adds to a hop and to an opening. Not what devices and lines take.
//!
//! With one request at a time nothing waits for anything: what a measured token takes longer than a
//! simulated one is software, in proportion to the hops. How much of it keeps a processor busy shows
//! only where several requests run; there it is what comes nearest to the measured times.

use rayon::prelude::*;

use super::{CalibrateError, Calibrated, Calibration, NetworkPart, is_plain, median, predict};
use crate::{
    capacity::OPEN_BYTES, measurement::Measurement, scenario::NotNegative,
    toml_file::TomlFileError, world::World,
};

/// A hop to see what one more microsecond of it does to a token.
const TRIAL_US: f64 = 1_000.0;
/// Parts of the range in which the busy share is sought, and how often the best part is cut again.
const PARTS: u32 = 8;
const CUTS: u32 = 2;
/// What software adds to a hop.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct SoftwareFit {
    /// Microseconds by which it delays.
    pub hop_us: f64,
    /// Microseconds of a processor.
    pub step_us: f64,
    /// Half of the 95 % interval of both together, microseconds; `None` of one measurement.
    pub half_width_us: Option<f64>,
    /// Measurements with one request at a time.
    pub alone: usize,
    /// Measurements with several: without any the busy share is not known and counts as none.
    pub together: usize,
    /// Of these, how far simulated times of a token are from measured ones, on the mean; 0 without.
    pub left: f64,
}

/// What home does before an opening leaves, and after the last token.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct OpenFit {
    /// Milliseconds.
    pub open_ms: f64,
    /// Milliseconds.
    pub close_ms: f64,
    /// Requests.
    pub requests: usize,
}

/// A measurement's world with what was found so far.
fn world(
    measurement: &Measurement,
    sections: &Calibrated,
    software: (f64, f64),
) -> Result<World, TomlFileError> {
    let mut file = measurement.file.clone();
    let (hop_us, step_us) = (NotNegative::of(software.0), NotNegative::of(software.1));
    let network = Some(NetworkPart { hop_us, step_us });
    Calibrated { network, ..sections.clone() }.apply(&mut file);
    World::resolve(&file, measurement.data.as_deref())
}

/// What software adds to a hop, all of it as delay; `None` if no measurement tells.
pub(super) fn hop(
    all: &[Measurement],
    found: &Calibration,
) -> Result<Option<SoftwareFit>, CalibrateError> {
    let sections = found.sections();
    let alone: Vec<&Measurement> = all.iter().filter(|it| it.is_one_at_a_time()).collect();
    let hops = alone
        .par_iter()
        .map(|measurement| {
            let token = |hop_us| -> Result<(f64, f64), TomlFileError> {
                let (load, cut) = predict(&world(measurement, &sections, (hop_us, 0.0))?, 1);
                Ok((load.token_s, cut))
            };
            let (bare, cut) = token(0.0)?;
            let slope = (token(TRIAL_US)?.0 - bare) / TRIAL_US;
            let measured = measurement.got(cut).map_or(f64::NAN, |load| load.token_s);
            Ok((measured - bare) / slope)
        })
        .collect::<Result<Vec<f64>, TomlFileError>>()?;
    let hops: Vec<f64> = hops.into_iter().filter(|hop| hop.is_finite()).collect();
    let half_width_us = crate::statistics::Estimate::of(&hops).half_width;
    let hop_us = median(hops.iter().copied()).max(0.0);
    let (alone, together) = (hops.len(), all.len() - alone.len());
    let fit = SoftwareFit { hop_us, step_us: 0.0, half_width_us, alone, together, left: 0.0 };
    Ok((alone > 0).then_some(fit))
}

/// How much of a hop keeps a processor busy: what brings simulated times of a token nearest to the
/// measured ones where several requests run.
pub(super) fn busy(
    all: &[Measurement],
    found: &Calibration,
    software: SoftwareFit,
) -> Result<SoftwareFit, CalibrateError> {
    let (sections, total) = (found.sections(), software.hop_us);
    let together: Vec<&Measurement> = all.iter().filter(|it| !it.is_one_at_a_time()).collect();
    let off = |step_us: f64| -> Result<f64, TomlFileError> {
        let each = together
            .par_iter()
            .map(|measurement| {
                let (load, cut) =
                    predict(&world(measurement, &sections, (total - step_us, step_us))?, 1);
                let measured = measurement.got(cut).map_or(f64::NAN, |load| load.token_s);
                Ok((load.token_s / measured).ln().abs())
            })
            .collect::<Result<Vec<f64>, TomlFileError>>()?;
        let each: Vec<f64> = each.into_iter().filter(|off| off.is_finite()).collect();
        Ok(crate::statistics::mean(&each))
    };
    let (mut low, mut high) = (0.0, total);
    let mut best = (0.0, f64::INFINITY);
    for _ in 0..CUTS {
        let part = (high - low) / f64::from(PARTS);
        for place in 0..=PARTS {
            let step_us = f64::from(place).mul_add(part, low);
            let left = off(step_us)?;
            if left < best.1 {
                best = (step_us, left);
            }
        }
        (low, high) = ((best.0 - part).max(0.0), (best.0 + part).min(total));
    }
    let (step_us, left) = if best.1.is_finite() { best } else { (0.0, 0.0) };
    Ok(SoftwareFit { hop_us: total - step_us, step_us, left, ..software })
}

/// What home does before an opening leaves, from arrival to the first step, and after the last token:
/// less one way round each.
pub(super) fn open(all: &[Measurement], found: &Calibration) -> Option<OpenFit> {
    let alone: Vec<&Measurement> = all.iter().filter(|it| it.is_one_at_a_time()).collect();
    let from = if alone.is_empty() { all.iter().collect() } else { alone };
    let hop_us = found.software.map_or(0.0, |software| software.hop_us + software.step_us);
    let (mut own, mut after) = (Vec::new(), Vec::new());
    for measurement in from {
        for workload in &measurement.world.workloads {
            let Some(round) = round_us(&measurement.world, workload, hop_us) else { continue };
            let requests = &measurement.records[workload.home].requests;
            for (_, request) in requests.iter().filter(|(_, request)| is_plain(request)) {
                own.push(request.open_us as f64 - round);
                after.push(request.end_us.saturating_sub(request.last_us) as f64 - round);
            }
        }
    }
    let ms = |all: &[f64]| median(all.iter().copied()).max(0.0) / 1e3;
    let (open_ms, close_ms) = (ms(&own), ms(&after));
    (!own.is_empty()).then_some(OpenFit { open_ms, close_ms, requests: own.len() })
}

/// Microseconds of an opening around the ring of a workload; `None` if its stages are not known: its
/// blocks are held more than once, or not at all.
fn round_us(world: &World, workload: &crate::world::Workload, hop_us: f64) -> Option<f64> {
    let (mut at, mut way) = (0, vec![workload.home]);
    while at < world.models[workload.model].block_count {
        let holds = |node: &crate::world::Node| {
            node.model == workload.model && node.blocks.is_some_and(|blocks| blocks.start() == at)
        };
        let mut holders = (0..world.nodes.len()).filter(|node| holds(&world.nodes[*node]));
        let (Some(next), None) = (holders.next(), holders.next()) else { return None };
        at = world.nodes[next].blocks?.end();
        way.push(next);
    }
    way.push(workload.home);
    way.windows(2).filter(|pair| pair[0] != pair[1]).try_fold(0.0, |sum, pair| {
        let lines = world.network.way(pair[0], pair[1])?;
        let slowest =
            lines.iter().map(|line| world.network.lines[*line].rate).fold(f64::INFINITY, f64::min);
        let delay = world.network.delay_ns(pair[0], pair[1])? as f64 / 1e3;
        Some(sum + delay + OPEN_BYTES as f64 * 8e6 / slowest + hop_us)
    })
}
