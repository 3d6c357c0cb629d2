//! A device from the passes of all nodes that have it. Not what runs beside it.

use std::collections::BTreeMap;

use super::{
    CalibrateError,
    contention::{self, Crowded, alone},
    fit::{self, Lines},
    undisturbed::{Crowd, undisturbed},
};
use crate::measurement::Measurement;

/// Fewest passes that say something.
const PASSES_MIN: usize = 20;

/// What was found of one device.
#[derive(Debug, Clone, serde::Serialize)]
pub struct DeviceFit {
    /// Its name.
    pub name: String,
    /// Lines of a pass: microseconds of a block, of a block and decoded position, of a block and
    /// prompt position, of a block and position of context, and of a pass.
    pub pass: [Part; 5],
    /// Lines of home's own part: microseconds of a batch, and of a position of it; none if no node
    /// with the device was home.
    pub head: Option<[Part; 2]>,
    /// Positions of KV cache that each of its shards has room for.
    pub kv_positions: u64,
    /// Most blocks of one shard.
    pub blocks: u32,
    /// Relative standard error of the time that the lines predict for a node of a measurement.
    pub error: f64,
    /// Relative deviation of a single pass.
    pub deviation: f64,
    /// How much longer everything takes while all processors of its machine run, relatively.
    pub contention: f64,
    /// Passes that were fitted.
    pub passes: usize,
    /// Passes that ran while there were not processors for all, or both decoded and took in prompts.
    pub left_out: usize,
    /// Whether all passes had to be taken, disturbed ones too.
    pub disturbed: bool,
}

/// One part of a time.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Part {
    /// Microseconds.
    pub us: f64,
    /// Its standard error; `None` if the measurements do not tell it apart from other parts.
    pub error: Option<f64>,
}

/// What one node of one measurement took beside what the lines say.
type Groups = BTreeMap<(usize, usize), Vec<Crowded<5>>>;

/// Fits every device that a node has, in order of names.
pub(super) fn devices(all: &[Measurement]) -> Result<Vec<DeviceFit>, CalibrateError> {
    let crowds: Vec<Vec<Crowd>> = all.iter().map(undisturbed).collect();
    let mut names = BTreeMap::new();
    for measurement in all {
        for node in measurement.world.nodes.iter().filter(|node| node.blocks.is_some()) {
            let world = &measurement.world;
            let (name, model) =
                (&world.devices[node.device].name, world.models[node.model].name.as_str());
            let known = names.entry(name.clone()).or_insert_with(|| model.to_owned());
            if known != model {
                let (name, one, other) = (name.clone(), known.clone(), model.to_owned());
                return Err(CalibrateError::TwoModels { name, one, other });
            }
        }
    }
    names.into_keys().map(|name| device(all, &crowds, name)).collect()
}

fn device(
    all: &[Measurement],
    crowds: &[Vec<Crowd>],
    name: String,
) -> Result<DeviceFit, CalibrateError> {
    let (mut groups, mut total) = (rows(all, Some(crowds), &name), passes(all, &name));
    let count = |groups: &Groups| groups.values().map(Vec::len).sum::<usize>();
    let disturbed = count(&groups) < PASSES_MIN;
    if disturbed {
        groups = rows(all, None, &name);
    }
    let fitted = count(&groups);
    if fitted < PASSES_MIN {
        return Err(CalibrateError::NoPasses { name, passes: fitted });
    }
    total -= fitted.min(total);
    let flat: Vec<Crowded<5>> = groups.values().flatten().copied().collect();
    let (lines, contention) = contention::fit(&flat)
        .ok_or_else(|| CalibrateError::NoPasses { name: name.clone(), passes: fitted })?;
    let (kv_positions, blocks) = of_nodes(all, &name);
    let mut head = heads(all, Some(crowds), &name);
    if head.len() < PASSES_MIN {
        head = heads(all, None, &name);
    }
    Ok(DeviceFit {
        name,
        pass: parts(&lines),
        head: fit::fit(&alone(&head, contention)).map(|lines| parts(&lines)),
        kv_positions,
        blocks,
        error: between(&groups, &lines, contention),
        deviation: lines.deviation,
        contention,
        passes: fitted,
        left_out: total,
        disturbed,
    })
}

fn parts<const N: usize>(lines: &Lines<N>) -> [Part; N] {
    std::array::from_fn(|place| {
        let error = Some(lines.errors[place]).filter(|error| error.is_finite());
        Part { us: lines.parts[place], error }
    })
}

/// Nodes of all measurements that have a device: which, and what they told.
fn nodes<'a>(
    all: &'a [Measurement],
    name: &str,
) -> impl Iterator<Item = ((usize, usize), &'a crate::measurement::Record)> {
    all.iter().enumerate().flat_map(move |(folder, measurement)| {
        let world = &measurement.world;
        let of = move |node: &crate::world::Node| {
            world.devices.get(node.device).is_some_and(|it| it.name == name)
        };
        let with = world.nodes.iter().zip(&measurement.records).enumerate();
        with.filter(move |(_, (node, _))| of(node))
            .map(move |(node, (_, record))| ((folder, node), record))
    })
}

fn passes(all: &[Measurement], name: &str) -> usize {
    nodes(all, name).map(|(_, record)| record.passes.len()).sum()
}

/// Passes as rows: those that only decoded or only took in prompts, for what both look back at is
/// told in one sum.
fn rows(all: &[Measurement], crowds: Option<&[Vec<Crowd>]>, name: &str) -> Groups {
    let mut groups = Groups::new();
    for ((folder, node), record) in nodes(all, name) {
        let crowds = crowds.map(|crowds| &crowds[folder][node]);
        let rows = record.passes.iter().enumerate().filter_map(|(index, (_, pass))| {
            let crowd = crowds.map_or(Some(0.0), |crowds| crowds.passes[index])?;
            let counts =
                (pass.prompt == 0 || pass.decode == 0) && pass.took_us > 0 && pass.blocks > 0;
            let blocks = f64::from(pass.blocks);
            let (prompt, decode) = (f64::from(pass.prompt), f64::from(pass.decode));
            let context = if pass.prompt == 0 { pass.context as f64 } else { 0.0 };
            let row = [blocks, blocks * decode, blocks * prompt, blocks * context, 1.0];
            counts.then_some(((row, pass.took_us as f64), crowd))
        });
        groups.insert((folder, node), rows.collect());
    }
    groups
}

/// Runs of the head as rows.
fn heads(all: &[Measurement], crowds: Option<&[Vec<Crowd>]>, name: &str) -> Vec<Crowded<2>> {
    let mut rows = Vec::new();
    for ((folder, node), record) in nodes(all, name) {
        let crowds = crowds.map(|crowds| &crowds[folder][node]);
        let heads = record.heads.iter().enumerate().filter(|(_, (_, head))| head.took_us > 0);
        rows.extend(heads.filter_map(|(index, (_, head))| {
            let crowd = crowds.map_or(Some(0.0), |crowds| crowds.heads[index])?;
            Some((([1.0, f64::from(head.rows)], head.took_us as f64), crowd))
        }));
    }
    rows
}

/// Least KV cache and most blocks of the shards on a device.
fn of_nodes(all: &[Measurement], name: &str) -> (u64, u32) {
    let (mut kv, mut blocks) = (u64::MAX, 0);
    for shard in nodes(all, name).flat_map(|(_, record)| &record.shards) {
        kv = kv.min(shard.kv_positions);
        blocks = blocks.max(shard.end.saturating_sub(shard.start));
    }
    (if kv == u64::MAX { 0 } else { kv }, blocks)
}

/// How far nodes of measurements were from the lines, all their passes together.
fn between(groups: &Groups, lines: &Lines<5>, contention: f64) -> f64 {
    let edge = lines.edge();
    let groups = groups.values().map(|rows| alone(rows, contention));
    let shares = groups.filter(|rows| rows.len() >= PASSES_MIN).map(|rows| {
        let fitted: f64 = rows.iter().map(|(row, _)| lines.at(row)).sum();
        let took: f64 = rows.iter().map(|(row, time)| time.min(lines.at(row) * edge)).sum();
        (took / fitted - 1.0).powi(2)
    });
    let shares: Vec<f64> = shares.collect();
    let count = shares.len() as f64;
    if shares.is_empty() { lines.deviation } else { (shares.iter().sum::<f64>() / count).sqrt() }
}
