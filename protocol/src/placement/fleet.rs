//! Nodes and links as a placement sees them: how many positions/s each carries. Not who they are.

use crate::limits::{BLOCKS_MAX, FLEET_NODES_MAX, INSTITUTIONS_MAX};

/// One node of a fleet. All rates are positions/s.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetNode {
    /// The institution that owns it, from 0.
    pub institution: usize,
    /// What it computes when it hosts 1, 2, ... blocks; as many entries as blocks fit. Finite.
    pub rates: Vec<f64>,
    /// What its network carries of hidden states; infinite for no limit.
    pub network: f64,
    /// What homes can send it when it runs the first blocks; 0 if no home reaches it.
    pub entry: f64,
    /// What it can return to homes when it runs the last blocks; 0 if it reaches no home.
    pub exit: f64,
}

/// Nodes of all institutions, and the directed links between them, for one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    block_count: u32,
    nodes: Vec<FleetNode>,
    /// `[from, to]` row by row: positions/s; 0 for no link.
    links: Vec<f64>,
}

/// Why nodes or links make no fleet.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// No model has that many blocks.
    #[error("a model has 1 to {BLOCKS_MAX} blocks, not {0}")]
    BlockCount(u32),
    /// No node at all, or more than a fleet may have.
    #[error("a fleet has 1 to {FLEET_NODES_MAX} nodes, not {0}")]
    Nodes(usize),
    /// More institutions than a consortium may have.
    #[error("node {node} is of institution {institution}, past the limit of {INSTITUTIONS_MAX}")]
    Institution {
        /// The node.
        node: usize,
        /// Its institution.
        institution: usize,
    },
    /// A node has room for more blocks than any model has.
    #[error("node {node} has rates for {got} blocks, more than {BLOCKS_MAX}")]
    Rates {
        /// The node.
        node: usize,
        /// Rates given.
        got: usize,
    },
    /// A node's rate is not a number from 0 on, or infinite where nothing is.
    #[error("{what} of node {node} cannot be {rate} positions/s")]
    Rate {
        /// Which of its rates.
        what: &'static str,
        /// The node.
        node: usize,
        /// The rate given.
        rate: f64,
    },
    /// A link's rate is not a number from 0 on.
    #[error("the link from node {from} to node {to} cannot carry {rate} positions/s")]
    Link {
        /// Sender.
        from: usize,
        /// Receiver.
        to: usize,
        /// The rate given.
        rate: f64,
    },
    /// A link begins or ends at no node, or begins where it ends.
    #[error("no link goes from node {from} to node {to} in a fleet of {nodes}")]
    NoNode {
        /// Sender.
        from: usize,
        /// Receiver.
        to: usize,
        /// Nodes of the fleet.
        nodes: usize,
    },
}

impl Fleet {
    /// Nodes for a model of `block_count` blocks, without links.
    ///
    /// # Errors
    /// [`FleetError`] unless every number is within its bounds.
    pub fn new(block_count: u32, nodes: Vec<FleetNode>) -> Result<Self, FleetError> {
        if block_count == 0 || block_count > BLOCKS_MAX {
            return Err(FleetError::BlockCount(block_count));
        }
        if nodes.is_empty() || nodes.len() > FLEET_NODES_MAX {
            return Err(FleetError::Nodes(nodes.len()));
        }
        for (index, node) in nodes.iter().enumerate() {
            node.check(index)?;
        }
        let links = vec![0.0; nodes.len() * nodes.len()];
        Ok(Self { block_count, nodes, links })
    }

    /// Lets the link from `from` to `to` carry `rate` positions/s: 0 for no link, infinite for one
    /// that never limits.
    ///
    /// # Errors
    /// [`FleetError::NoNode`] and [`FleetError::Link`]; the fleet stays as it was.
    pub fn set_link(&mut self, from: usize, to: usize, rate: f64) -> Result<(), FleetError> {
        let nodes = self.nodes.len();
        if from >= nodes || to >= nodes || from == to {
            return Err(FleetError::NoNode { from, to, nodes });
        }
        if !is_rate(rate) {
            return Err(FleetError::Link { from, to, rate });
        }
        self.links[from * nodes + to] = rate;
        Ok(())
    }

    /// The same fleet with `node` as its last, which has no links yet.
    ///
    /// # Errors
    /// [`FleetError`] as for [`Fleet::new`].
    pub fn with(&self, node: FleetNode) -> Result<Self, FleetError> {
        let before = self.nodes.len();
        let mut nodes = self.nodes.clone();
        nodes.push(node);
        let mut grown = Self::new(self.block_count, nodes)?;
        for (row, links) in self.links.chunks_exact(before).enumerate() {
            let at = row * (before + 1);
            grown.links[at..at + before].copy_from_slice(links);
        }
        Ok(grown)
    }

    /// Blocks of the model.
    #[must_use]
    pub const fn block_count(&self) -> u32 {
        self.block_count
    }

    /// The nodes, in order of their numbers.
    #[must_use]
    pub fn nodes(&self) -> &[FleetNode] {
        &self.nodes
    }

    /// One more than the highest institution of any node.
    #[must_use]
    pub fn institutions(&self) -> usize {
        self.nodes.iter().map(|node| node.institution + 1).max().unwrap_or(0)
    }

    /// Positions/s that links from `from` carry, by receiver.
    ///
    /// # Panics
    /// If there is no such node.
    #[must_use]
    pub fn links_from(&self, from: usize) -> &[f64] {
        let nodes = self.nodes.len();
        &self.links[from * nodes..(from + 1) * nodes]
    }

    /// Positions/s that the link from `from` to `to` carries; 0 if there is none.
    ///
    /// # Panics
    /// If there is no such node.
    #[must_use]
    pub fn link(&self, from: usize, to: usize) -> f64 {
        self.links_from(from)[to]
    }

    /// Most blocks `node` can host: what fits, and no more than the model has.
    ///
    /// # Panics
    /// If there is no such node.
    #[must_use]
    pub fn blocks_max(&self, node: usize) -> u32 {
        u32::try_from(self.nodes[node].rates.len())
            .map_or(self.block_count, |fit| fit.min(self.block_count))
    }

    /// Positions/s that no placement can pass: what all nodes compute together, each hosting as
    /// many blocks as suit it best.
    #[must_use]
    pub fn compute_max(&self) -> f64 {
        let most = |node: &FleetNode| {
            let blocks = (1..=self.block_count).map(f64::from);
            blocks.zip(&node.rates).map(|(blocks, rate)| blocks * rate).fold(0.0, f64::max)
        };
        self.nodes.iter().map(most).sum::<f64>() / f64::from(self.block_count)
    }
}

impl FleetNode {
    fn check(&self, node: usize) -> Result<(), FleetError> {
        if self.institution >= INSTITUTIONS_MAX {
            return Err(FleetError::Institution { node, institution: self.institution });
        }
        if self.rates.len() > BLOCKS_MAX as usize {
            return Err(FleetError::Rates { node, got: self.rates.len() });
        }
        // An infinite rate would let the flow itself be infinite.
        let compute = self.rates.iter().find(|rate| !is_rate(**rate) || rate.is_infinite());
        let rest = [("network", self.network), ("entry", self.entry), ("exit", self.exit)];
        let wrong = compute
            .map(|rate| ("compute", *rate))
            .or_else(|| rest.into_iter().find(|(_, rate)| !is_rate(*rate)));
        wrong.map_or(Ok(()), |(what, rate)| Err(FleetError::Rate { what, node, rate }))
    }
}

fn is_rate(rate: f64) -> bool {
    rate >= 0.0
}
