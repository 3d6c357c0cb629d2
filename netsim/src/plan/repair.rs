//! Takes a few nodes out of a placement and puts each back where it helps most. Not the annealing.
//!
//! Source: large neighbourhood search (Shaw, 1998).

use comity_protocol::{block::BlockRange, placement::Placement};

use super::{
    moves::{Moves, pick},
    objective::Objective,
};
use crate::random::Random;

/// Nodes taken out at once, at most.
const NODES: u64 = 3;
/// Beginnings tried for each.
const BEGINNINGS: usize = 12;

/// Improves `placement`, whose score is `score`, or leaves it as it was; returns its score.
pub(super) fn repair(
    objective: &mut Objective<'_>,
    moves: &Moves<'_>,
    placement: &mut Placement,
    score: f64,
    random: &mut Random,
) -> f64 {
    let before = placement.clone();
    let count = 2 + random.below(NODES - 1);
    let mut nodes = Vec::new();
    for _ in 0..count {
        let node = moves.nodes[pick(random, moves.nodes.len())];
        placement.set(node, None);
        nodes.push(node);
    }
    let mut after = f64::NEG_INFINITY;
    for node in nodes {
        after = put_back(objective, moves, placement, node, random);
    }
    if after >= score {
        return after;
    }
    *placement = before;
    score
}

/// Has `node` host the range that scores best of those tried; returns that score.
fn put_back(
    objective: &mut Objective<'_>,
    moves: &Moves<'_>,
    placement: &mut Placement,
    node: usize,
    random: &mut Random,
) -> f64 {
    let fleet = objective.fleet;
    let mut starts: Vec<u32> = (0..BEGINNINGS).map(|_| moves.boundary(placement, random)).collect();
    starts.sort_unstable();
    starts.dedup();
    let mut best = (f64::NEG_INFINITY, None);
    for start in starts {
        for len in 1..=fleet.blocks_max(node).min(fleet.block_count() - start) {
            let Ok(range) = BlockRange::new(start, start + len) else {
                continue;
            };
            placement.set(node, Some(range));
            let score = objective.score(placement).unwrap_or(f64::NEG_INFINITY);
            if score > best.0 {
                best = (score, Some(range));
            }
        }
    }
    placement.set(node, best.1);
    best.0
}
