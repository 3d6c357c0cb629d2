//! Stages of equal length, and nodes that join the weakest. Not a search.
//!
//! Source: SWARM parallelism (ICML'23): every node hosts one whole stage, and goes where least is
//! done.

use comity_protocol::{
    block::BlockRange,
    placement::{Fleet, Mask, Placement},
};

/// As few stages as let every node host one, nodes joining fastest first; `None` if a node has no
/// room or the stages outnumber the nodes.
#[must_use]
pub fn placement(fleet: &Fleet, mask: &Mask) -> Option<Placement> {
    let mut nodes: Vec<usize> = (0..fleet.nodes().len()).filter(|node| !mask.bars(*node)).collect();
    let fits = nodes.iter().map(|node| fleet.blocks_max(*node)).min().filter(|fits| *fits > 0)?;
    let stages = fleet.block_count().div_ceil(fits);
    let line = |stage: u32| {
        let at = u64::from(fleet.block_count()) * u64::from(stage) / u64::from(stages);
        u32::try_from(at).unwrap_or(u32::MAX)
    };
    let ranges: Vec<BlockRange> =
        (0..stages).map_while(|at| BlockRange::new(line(at), line(at + 1)).ok()).collect();
    if ranges.len() > nodes.len() {
        return None;
    }
    let rate = |node: usize, range: BlockRange| fleet.nodes()[node].rates[range.len() as usize - 1];
    nodes.sort_by(|a, b| rate(*b, ranges[0]).total_cmp(&rate(*a, ranges[0])));
    let mut done = vec![0.0; ranges.len()];
    let mut placement = Placement::empty(fleet.nodes().len());
    for node in nodes {
        let weakest = (0..done.len()).min_by(|a, b| f64::total_cmp(&done[*a], &done[*b]))?;
        done[weakest] += rate(node, ranges[weakest]);
        placement.set(node, Some(ranges[weakest]));
    }
    Some(placement)
}
