//! Pipelines as Parallax builds them: which nodes form one, and how they share the blocks. Not a
//! search over flows: pipelines share no node.
//!
//! Source: Parallax, phase 1: a dynamic programme over nodes by falling capacity, whose state is
//! the multiset of blocks that open pipelines still lack; then water-filling within each pipeline.

use std::collections::BTreeMap;

use comity_protocol::{
    block::BlockRange,
    placement::{Fleet, Mask, Placement},
};

/// States kept after each node: those that lack fewest blocks for the pipelines they have. Fleets
/// of tens of nodes stay below it; past it the result may not be the best.
const STATES_MAX: usize = 4_096;
/// Halvings of the interval in which the water level lies: to rounding.
const HALVINGS: u32 = 60;

/// Blocks that each open pipeline lacks, ascending, and pipelines finished.
type State = (Vec<u32>, u32);

/// How a state came to be: stages so far, the step before it, and what was done in it.
#[derive(Debug, Clone, Copy)]
struct Step {
    stages: u32,
    before: Option<usize>,
    node: usize,
    /// What the pipeline lacked that the node joined; `None` if the node was left out.
    lacked: Option<u32>,
}

/// Nodes of each pipeline, for nodes that have room for `capacities` blocks: of all ways to form
/// `k` pipelines of fewest stages `s(k)`, the one with the highest [`score`] `k² / s(k)`.
#[must_use]
pub fn pipelines(capacities: &[u32], block_count: u32) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..capacities.len()).filter(|at| capacities[*at] > 0).collect();
    order.sort_by_key(|at| std::cmp::Reverse(capacities[*at]));
    let room: u64 = capacities.iter().map(|blocks| u64::from(*blocks)).sum();
    let most = u32::try_from(room / u64::from(block_count.max(1))).unwrap_or(u32::MAX);
    let mut steps: Vec<Step> = Vec::new();
    let mut states: BTreeMap<State, Option<usize>> = BTreeMap::from([((Vec::new(), 0), None)]);
    for node in order {
        let mut next: BTreeMap<State, Option<usize>> = BTreeMap::new();
        for (state, before) in &states {
            let stages = before.map_or(0, |step| steps[step].stages);
            for (state, lacked) in options(state, capacities[node], block_count, most) {
                let stages = stages + u32::from(lacked.is_some());
                let known = next.get(&state).copied().flatten().map(|step| steps[step].stages);
                if known.is_none_or(|known| stages < known) {
                    steps.push(Step { stages, before: *before, node, lacked });
                    next.insert(state, Some(steps.len() - 1));
                }
            }
        }
        states = bounded(next);
    }
    let complete = states.into_iter().filter(|((open, done), _)| open.is_empty() && *done > 0);
    let best = complete.filter_map(|((_, done), step)| Some((done, step?))).max_by(|a, b| {
        let score = |(done, step): &(u32, usize)| {
            f64::from(*done) * f64::from(*done) / f64::from(steps[*step].stages)
        };
        score(a).total_cmp(&score(b))
    });
    best.map_or_else(Vec::new, |(_, step)| follow(&steps, step, capacities, block_count))
}

/// `k² / s` of `k` pipelines with `s` stages in all; 0 for none.
#[must_use]
pub fn score(pipelines: &[Vec<usize>]) -> f64 {
    let stages: usize = pipelines.iter().map(Vec::len).sum();
    if stages == 0 { 0.0 } else { (pipelines.len() * pipelines.len()) as f64 / stages as f64 }
}

/// Blocks for each node of one pipeline: in proportion to `speeds` as far as `capacities` allow, so
/// that all take as long; they add up to `block_count`. `None` if there is no room for them.
#[must_use]
pub fn fill(capacities: &[u32], speeds: &[f64], block_count: u32) -> Option<Vec<u32>> {
    let room: u64 = capacities.iter().map(|blocks| u64::from(*blocks)).sum();
    if room < u64::from(block_count) {
        return None;
    }
    let shares = |level: f64| {
        let share = |(most, speed): (&u32, &f64)| f64::from(*most).min(level * speed);
        capacities.iter().zip(speeds).map(share).collect::<Vec<f64>>()
    };
    let slowest = speeds.iter().copied().filter(|speed| *speed > 0.0).fold(f64::INFINITY, f64::min);
    let (mut low, mut high) = (0.0, f64::from(block_count) / slowest);
    for _ in 0..HALVINGS {
        let level = f64::midpoint(low, high);
        if shares(level).iter().sum::<f64>() < f64::from(block_count) {
            low = level;
        } else {
            high = level;
        }
    }
    let shares = shares(high);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is between 0 and a node's capacity"
    )]
    let mut blocks: Vec<u32> = shares.iter().map(|share| (share + 1e-9).floor() as u32).collect();
    // What rounding left goes where most of a block was cut off.
    while blocks.iter().sum::<u32>() < block_count {
        let cut = |at: &usize| shares[*at] - f64::from(blocks[*at]);
        let with_room = (0..blocks.len()).filter(|at| blocks[*at] < capacities[*at]);
        let at = with_room.max_by(|a, b| cut(a).total_cmp(&cut(b)))?;
        blocks[at] += 1;
    }
    Some(blocks)
}

/// Pipelines laid out on a fleet; `None` if there is room for none.
#[must_use]
pub fn placement(fleet: &Fleet, mask: &Mask) -> Option<Placement> {
    let admitted = |node: usize| if mask.bars(node) { 0 } else { fleet.blocks_max(node) };
    let capacities: Vec<u32> = (0..fleet.nodes().len()).map(admitted).collect();
    let pipelines = pipelines(&capacities, fleet.block_count());
    if pipelines.is_empty() {
        return None;
    }
    let mut placement = Placement::empty(fleet.nodes().len());
    for mut nodes in pipelines {
        nodes.sort_by_key(|node| (fleet.nodes()[*node].institution, *node));
        let room: Vec<u32> = nodes.iter().map(|node| capacities[*node]).collect();
        let speeds: Vec<f64> = nodes.iter().map(|node| fleet.nodes()[*node].rates[0]).collect();
        let mut start = 0;
        for (node, blocks) in nodes.iter().zip(fill(&room, &speeds, fleet.block_count())?) {
            placement.set(*node, BlockRange::new(start, start + blocks).ok());
            start += blocks;
        }
    }
    Some(placement)
}

/// What can be done with a node: leave it out, have it join each pipeline, or open one.
fn options(
    (open, done): &State,
    capacity: u32,
    block_count: u32,
    most: u32,
) -> Vec<(State, Option<u32>)> {
    let mut options = vec![((open.clone(), *done), None)];
    let mut lacks = open.clone();
    lacks.dedup();
    let pipelines = u32::try_from(open.len()).map_or(u32::MAX, |open| open.saturating_add(*done));
    if pipelines < most {
        lacks.push(block_count);
    }
    for lacked in lacks {
        let mut open = open.clone();
        if let Ok(at) = open.binary_search(&lacked) {
            open.remove(at);
        }
        let left = lacked.saturating_sub(capacity);
        if left > 0 {
            let at = open.partition_point(|other| *other < left);
            open.insert(at, left);
        }
        options.push(((open, done + u32::from(left == 0)), Some(lacked)));
    }
    options
}

/// The states that lack fewest blocks per pipeline, if they are too many.
fn bounded(states: BTreeMap<State, Option<usize>>) -> BTreeMap<State, Option<usize>> {
    if states.len() <= STATES_MAX {
        return states;
    }
    let mut states: Vec<_> = states.into_iter().collect();
    states.sort_by_key(|((open, done), _)| {
        let lacked: u32 = open.iter().sum();
        (std::cmp::Reverse(open.len() + *done as usize), lacked)
    });
    states.truncate(STATES_MAX);
    states.into_iter().collect()
}

/// Reads the pipelines off the steps that led to a state.
fn follow(steps: &[Step], last: usize, capacities: &[u32], block_count: u32) -> Vec<Vec<usize>> {
    let mut joined = Vec::new();
    let mut at = Some(last);
    while let Some(step) = at {
        let Step { before, node, lacked, .. } = steps[step];
        joined.extend(lacked.map(|lacked| (node, lacked)));
        at = before;
    }
    // Pipelines as they grow: what each lacks, and its nodes.
    let mut pipelines: Vec<(u32, Vec<usize>)> = Vec::new();
    for (node, lacked) in joined.into_iter().rev() {
        let open = |pipeline: &&mut (u32, Vec<usize>)| pipeline.0 == lacked && lacked < block_count;
        let left = lacked.saturating_sub(capacities[node]);
        match pipelines.iter_mut().find(open) {
            Some(pipeline) => {
                pipeline.0 = left;
                pipeline.1.push(node);
            }
            None => pipelines.push((left, vec![node])),
        }
    }
    pipelines.into_iter().map(|(_, nodes)| nodes).collect()
}
