//! Where the positions of a placement go, what holds them down, who computed how much. Not how the
//! flow is found.

use std::fmt;

use super::{
    Fleet, Placement,
    evaluator::{into, out},
    network::{DUST, Network, SINK, SOURCE},
};
use crate::block::BlockRange;

/// A part of a fleet that positions go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// What homes send to a node that runs the first blocks.
    Entry {
        /// The node.
        node: usize,
    },
    /// What a node computes with the blocks it hosts.
    Compute {
        /// The node.
        node: usize,
    },
    /// What a node's network carries, where that is less than it computes.
    Network {
        /// The node.
        node: usize,
    },
    /// A link between two nodes.
    Link {
        /// Sender.
        from: usize,
        /// Receiver.
        to: usize,
    },
    /// What a node that runs the last blocks returns to homes.
    Exit {
        /// The node.
        node: usize,
    },
}

/// What a part carries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// The part.
    pub part: Part,
    /// Positions/s it carries.
    pub rate: f64,
    /// Positions/s it could carry.
    pub limit: f64,
}

/// The largest flow of positions through a placement.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    rate: f64,
    loads: Vec<Load>,
    bottlenecks: Vec<Load>,
    /// By node: what it hosts.
    placement: Placement,
    block_count: u32,
}

/// One way through the fleet and what goes along it.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowRoute {
    /// The stages in order; their blocks tile the model.
    pub stages: Vec<FlowStage>,
    /// Positions/s that go along it.
    pub rate: f64,
}

/// One stage of such a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowStage {
    /// The node.
    pub node: usize,
    /// Blocks it runs here: those it hosts, or the last of them.
    pub blocks: BlockRange,
}

impl Flow {
    /// Reads the flow that `network` found.
    pub(super) fn read(rate: f64, fleet: &Fleet, placement: &Placement, network: &Network) -> Self {
        let mut loads = Vec::new();
        let mut bottlenecks = Vec::new();
        for (from, to, rate) in network.flows() {
            let (part, limit) = part(fleet, placement, from, to);
            let load = Load { part, rate, limit };
            if network.is_before_cut(from) && !network.is_before_cut(to) {
                bottlenecks.push(load);
            }
            if rate > DUST {
                loads.push(load);
            }
        }
        loads.sort_by_key(|load| load.part);
        bottlenecks.sort_by_key(|load| load.part);
        let block_count = fleet.block_count();
        Self { rate, loads, bottlenecks, placement: placement.clone(), block_count }
    }

    /// Positions/s in all.
    #[must_use]
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    /// Every part that carries something, in order.
    #[must_use]
    pub fn loads(&self) -> &[Load] {
        &self.loads
    }

    /// The parts that hold the flow down: all of them are full, their limits add up to the flow,
    /// and nothing is gained unless one of them grows. Of several such sets the one nearest to the
    /// homes' sending side. Empty if the nodes leave a gap, so that more of a link would not help
    /// either.
    #[must_use]
    pub fn bottlenecks(&self) -> &[Load] {
        &self.bottlenecks
    }

    /// Positions/s that come to `node`, from homes and from other nodes.
    #[must_use]
    pub fn through(&self, node: usize) -> f64 {
        let arrives = |load: &&Load| match load.part {
            Part::Compute { node: at } | Part::Network { node: at } => at == node,
            _ => false,
        };
        // Nothing sums up to minus zero.
        self.loads.iter().filter(arrives).map(|load| load.rate).sum::<f64>() + 0.0
    }

    /// The flow as routes with what goes along each, the widest steps first; as few as make it up
    /// that way, and never more than it has loads.
    #[must_use]
    pub fn routes(&self) -> Vec<FlowRoute> {
        let mut hops: Vec<Hop> = self.loads.iter().filter_map(Hop::of).collect();
        let mut routes = Vec::new();
        // Each turn empties a hop at least.
        while let Some(path) = widest(&mut hops) {
            let rate = path.iter().map(|&at| hops[at].rate).fold(f64::INFINITY, f64::min);
            let mut stages = Vec::with_capacity(path.len());
            for &at in &path {
                hops[at].rate -= rate;
                stages.extend(self.stage(&hops[at]));
            }
            if rate > DUST {
                routes.push(FlowRoute { stages, rate });
            }
        }
        routes
    }

    /// What each node gives, positions/s: one position through all blocks counts 1, so all nodes
    /// together give what flows.
    #[must_use]
    pub fn given_by_node(&self) -> Vec<f64> {
        let mut given = vec![0.0; self.placement.ranges().len()];
        for hop in self.loads.iter().filter_map(Hop::of) {
            if let Some(stage) = self.stage(&hop) {
                let share = f64::from(stage.blocks.len()) / f64::from(self.block_count);
                given[stage.node] += hop.rate * share;
            }
        }
        given
    }

    /// As [`Flow::given_by_node`], by institution.
    #[must_use]
    pub fn given_by_institution(&self, fleet: &Fleet) -> Vec<f64> {
        let mut given = vec![0.0; fleet.institutions()];
        for (node, rate) in fleet.nodes().iter().zip(self.given_by_node()) {
            given[node.institution] += rate;
        }
        given
    }

    /// What the receiver of a hop runs of what it hosts.
    fn stage(&self, hop: &Hop) -> Option<FlowStage> {
        let node = hop.to?;
        let end = |node: usize| self.placement.range(node).map(BlockRange::end);
        let start = hop.from.map_or(Some(0), end)?;
        let blocks = BlockRange::new(start, end(node)?).ok()?;
        Some(FlowStage { node, blocks })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry { node } => write!(f, "entry of node {node}"),
            Self::Compute { node } => write!(f, "compute of node {node}"),
            Self::Network { node } => write!(f, "network of node {node}"),
            Self::Link { from, to } => write!(f, "link from node {from} to node {to}"),
            Self::Exit { node } => write!(f, "exit of node {node}"),
        }
    }
}

/// Flow between two nodes, or a node and the homes (`None`).
#[derive(Debug, Clone, Copy)]
struct Hop {
    from: Option<usize>,
    to: Option<usize>,
    rate: f64,
}

impl Hop {
    const fn of(load: &Load) -> Option<Self> {
        let rate = load.rate;
        match load.part {
            Part::Entry { node } => Some(Self { from: None, to: Some(node), rate }),
            Part::Link { from, to } => Some(Self { from: Some(from), to: Some(to), rate }),
            Part::Exit { node } => Some(Self { from: Some(node), to: None, rate }),
            Part::Compute { .. } | Part::Network { .. } => None,
        }
    }
}

/// Hops from home to home, each the widest that leads on; `None` once nothing is left.
fn widest(hops: &mut [Hop]) -> Option<Vec<usize>> {
    let mut path: Vec<usize> = Vec::new();
    loop {
        let from = path.last().map_or(Some(None), |&at: &usize| hops[at].to.map(Some));
        let Some(from) = from else {
            return Some(path);
        };
        let leads = |(_, hop): &(usize, &Hop)| hop.from == from && hop.rate > DUST;
        let next = hops.iter().enumerate().filter(leads);
        if let Some((next, _)) = next.max_by(|(_, a), (_, b)| a.rate.total_cmp(&b.rate)) {
            path.push(next);
        } else {
            // Rounding left the last hop without one that leads on.
            let last = path.pop()?;
            hops[last].rate = 0.0;
            path.clear();
        }
    }
}

/// What an arc stands for, and its limit in positions/s.
fn part(fleet: &Fleet, placement: &Placement, from: u32, to: u32) -> (Part, f64) {
    let node = |vertex: u32| (vertex as usize - 2) / 2;
    if from == SOURCE {
        let node = node(to);
        return (Part::Entry { node }, fleet.nodes()[node].entry);
    }
    if to == SINK {
        let node = node(from);
        return (Part::Exit { node }, fleet.nodes()[node].exit);
    }
    let (sender, receiver) = (node(from), node(to));
    if from == into(sender) && to == out(sender) {
        let host = &fleet.nodes()[sender];
        let blocks = placement.range(sender).map_or(0, BlockRange::len) as usize;
        let computes = blocks.checked_sub(1).and_then(|at| host.rates.get(at));
        let computes = computes.copied().unwrap_or(0.0);
        return if host.network < computes {
            (Part::Network { node: sender }, host.network)
        } else {
            (Part::Compute { node: sender }, computes)
        };
    }
    (Part::Link { from: sender, to: receiver }, fleet.link(sender, receiver))
}
