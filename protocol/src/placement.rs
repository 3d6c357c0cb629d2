//! Who hosts which blocks, and what a fleet so placed can do at most. Not the search for a better
//! placement, nor a session's route.
//!
//! Start at [`Fleet`]: nodes with the positions/s each can run, by blocks held, and the links
//! between them. An [`Evaluator`] answers what a [`Placement`] yields on it: the largest flow of
//! positions from the homes through all blocks and back, where that flow goes, and which parts of
//! the fleet hold it down. A [`Mask`] takes nodes out: those a policy keeps out, or those that
//! failed.
//!
//! Nodes and institutions are numbers here, from 0; whoever builds the fleet keeps the names.
//!
//! Source: Helix (ASPLOS'25), §4: node capacities by blocks held, edges where one node's range goes
//! on from the other's end, partial inference. Differs in that the limit of a node is the lesser of
//! what it computes and what its network carries, named apart.

mod evaluator;
mod fleet;
mod flow;
mod network;

pub use evaluator::{Evaluator, PlacementError};
pub use fleet::{Fleet, FleetError, FleetNode};
pub use flow::{Flow, FlowRoute, FlowStage, Load, Part};

use crate::block::BlockRange;

/// Which blocks each node of a fleet hosts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placement {
    ranges: Vec<Option<BlockRange>>,
}

impl Placement {
    /// A placement by node: the blocks it hosts, or `None` for a node that hosts none.
    #[must_use]
    pub const fn new(ranges: Vec<Option<BlockRange>>) -> Self {
        Self { ranges }
    }

    /// Nothing is hosted by any of `nodes` nodes.
    #[must_use]
    pub fn empty(nodes: usize) -> Self {
        Self { ranges: vec![None; nodes] }
    }

    /// By node, the blocks it hosts.
    #[must_use]
    pub fn ranges(&self) -> &[Option<BlockRange>] {
        &self.ranges
    }

    /// The blocks that `node` hosts; `None` also for a node beyond the placement.
    #[must_use]
    pub fn range(&self, node: usize) -> Option<BlockRange> {
        self.ranges.get(node).copied().flatten()
    }

    /// Has `node` host `range`, or nothing.
    ///
    /// # Panics
    /// If the placement has no such node.
    pub fn set(&mut self, node: usize, range: Option<BlockRange>) {
        self.ranges[node] = range;
    }
}

/// Nodes that take no part: a policy keeps them out, or they failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mask {
    /// By node; shorter than the fleet if the rest takes part.
    barred: Vec<bool>,
}

impl Mask {
    /// Every node takes part.
    #[must_use]
    pub const fn none() -> Self {
        Self { barred: Vec::new() }
    }

    /// All `nodes` but these take part.
    #[must_use]
    pub fn barring(nodes: impl IntoIterator<Item = usize>) -> Self {
        let mut mask = Self::none();
        for node in nodes {
            mask.bar(node);
        }
        mask
    }

    /// Takes `node` out.
    pub fn bar(&mut self, node: usize) {
        if self.barred.len() <= node {
            self.barred.resize(node + 1, false);
        }
        self.barred[node] = true;
    }

    /// Lets `node` in again.
    pub fn admit(&mut self, node: usize) {
        if let Some(barred) = self.barred.get_mut(node) {
            *barred = false;
        }
    }

    /// Whether `node` takes no part.
    #[must_use]
    pub fn bars(&self, node: usize) -> bool {
        self.barred.get(node).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests;
