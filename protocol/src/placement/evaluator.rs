//! What a placement yields on a fleet. Not which placement is best.

use super::{
    Fleet, Mask, Placement,
    flow::Flow,
    network::{Network, SINK, SOURCE},
};
use crate::block::BlockRange;

/// Finds the flow of placements one after the other in memory it keeps.
#[derive(Debug, Clone, Default)]
pub struct Evaluator {
    network: Network,
    /// Nodes that take part, with their ranges.
    hosts: Vec<(usize, BlockRange)>,
}

/// Why a placement cannot stand on a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlacementError {
    /// It is for another number of nodes.
    #[error("a placement of {got} nodes for a fleet of {expected}")]
    Nodes {
        /// Nodes of the fleet.
        expected: usize,
        /// Nodes of the placement.
        got: usize,
    },
    /// A node hosts blocks the model does not have.
    #[error("node {node} hosts blocks {range} of a model of {block_count}")]
    Beyond {
        /// The node.
        node: usize,
        /// What it hosts.
        range: BlockRange,
        /// Blocks of the model.
        block_count: u32,
    },
    /// A node hosts more blocks than fit.
    #[error("node {node} hosts blocks {range}, of which {fit} fit")]
    Full {
        /// The node.
        node: usize,
        /// What it hosts.
        range: BlockRange,
        /// Blocks that fit.
        fit: u32,
    },
}

impl Evaluator {
    /// An evaluator; fleets of any size may follow each other in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Positions/s that `placement` yields at most on the nodes that `mask` admits; 0 if they do
    /// not cover all blocks in an unbroken chain. Cost: microseconds for tens of nodes.
    ///
    /// # Errors
    /// [`PlacementError`] if the placement does not fit the fleet.
    pub fn throughput(
        &mut self,
        fleet: &Fleet,
        placement: &Placement,
        mask: &Mask,
    ) -> Result<f64, PlacementError> {
        self.build(fleet, placement, mask)?;
        Ok(self.network.maximize())
    }

    /// As [`Evaluator::throughput`], with where the flow goes and what holds it down.
    ///
    /// # Errors
    /// [`PlacementError`] if the placement does not fit the fleet.
    pub fn flow(
        &mut self,
        fleet: &Fleet,
        placement: &Placement,
        mask: &Mask,
    ) -> Result<Flow, PlacementError> {
        let total = self.throughput(fleet, placement, mask)?;
        Ok(Flow::read(total, fleet, placement, &self.network))
    }

    fn build(
        &mut self,
        fleet: &Fleet,
        placement: &Placement,
        mask: &Mask,
    ) -> Result<(), PlacementError> {
        let (expected, got) = (fleet.nodes().len(), placement.ranges().len());
        if expected != got {
            return Err(PlacementError::Nodes { expected, got });
        }
        self.hosts.clear();
        self.network.reset(2 + 2 * expected);
        let block_count = fleet.block_count();
        for (node, range) in placement.ranges().iter().enumerate() {
            let Some(range) = *range else {
                continue;
            };
            let capacity = capacity(fleet, node, range)?;
            if mask.bars(node) {
                continue;
            }
            self.hosts.push((node, range));
            self.network.arc(into(node), out(node), capacity);
            if range.start() == 0 {
                self.network.arc(SOURCE, into(node), fleet.nodes()[node].entry);
            }
            if range.end() == block_count {
                self.network.arc(out(node), SINK, fleet.nodes()[node].exit);
            }
        }
        for &(from, before) in &self.hosts {
            let links = fleet.links_from(from);
            for &(to, range) in &self.hosts {
                // The receiver goes on where the sender ended, be it in the midst of its range.
                if range.start() <= before.end() && before.end() < range.end() && links[to] > 0.0 {
                    self.network.arc(out(from), into(to), links[to]);
                }
            }
        }
        Ok(())
    }
}

/// What `node` can run and carry when it hosts `range`, positions/s.
fn capacity(fleet: &Fleet, node: usize, range: BlockRange) -> Result<f64, PlacementError> {
    let block_count = fleet.block_count();
    if range.end() > block_count {
        return Err(PlacementError::Beyond { node, range, block_count });
    }
    let host = &fleet.nodes()[node];
    let rate = host.rates.get(range.len() as usize - 1);
    let full = || PlacementError::Full { node, range, fit: fleet.blocks_max(node) };
    let rate = rate.ok_or_else(full)?;
    Ok(rate.min(host.network))
}

/// The vertex where positions come to `node`.
pub(super) fn into(node: usize) -> u32 {
    u32::try_from(2 + 2 * node).expect("a fleet's size bounds its nodes")
}

/// The vertex where they leave it.
pub(super) fn out(node: usize) -> u32 {
    into(node) + 1
}
