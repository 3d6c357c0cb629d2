//! A world as the planner sees it: how many tokens per second each node and line carries. Not the
//! search for placements ([`crate::plan`]).

use comity_protocol::{
    block::BlockRange,
    placement::{Evaluator, Fleet, FleetError, FleetNode, Flow, Mask, Placement, PlacementError},
    policy::Access,
};

use super::{Node, World};
use crate::device::{Device, Pass};

/// The nodes of one model as a fleet; node `n` of it is node `nodes[n]` of the world.
#[derive(Debug, Clone)]
pub struct ModelFleet {
    /// Nodes of the world that may hold blocks of the model.
    pub nodes: Vec<usize>,
    /// What they and the lines between them carry, positions per second.
    pub fleet: Fleet,
    /// What they hold.
    pub placement: Placement,
}

/// Why a world makes no fleet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldFleetError {
    /// Its numbers make none.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// What its nodes hold does not fit them.
    #[error(transparent)]
    Placement(#[from] PlacementError),
}

/// What is asked of a model on average, tokens.
#[derive(Debug, Clone, Copy)]
struct Usual {
    prompt: f64,
    output: f64,
}

impl World {
    /// The nodes of a model, as clients at `home` see them.
    ///
    /// A node's rate is what it does alone with as many sessions as its KV cache holds, or as one
    /// pass takes, at the mean lengths of the model's workloads; prompts count as they come.
    ///
    /// # Errors
    /// [`WorldFleetError`] if the numbers make no fleet.
    pub fn fleet(&self, model: usize, home: usize) -> Result<ModelFleet, WorldFleetError> {
        let usual = self.usual(model);
        let of_model = |node: &Node| node.model == model && node.stage;
        let nodes: Vec<usize> =
            (0..self.nodes.len()).filter(|index| of_model(&self.nodes[*index])).collect();
        let shape = &self.models[model];
        let positions = |from: usize, to: usize, bytes: u64| -> f64 {
            if from == to {
                return f64::INFINITY;
            }
            let Some(way) = self.network.way(from, to) else { return 0.0 };
            let rates = way.iter().map(|line| self.network.lines[*line].rate);
            rates.fold(f64::INFINITY, f64::min) / 8.0 / bytes as f64
        };
        let fleet_nodes = nodes.iter().map(|index| {
            let node = &self.nodes[*index];
            let device = &self.devices[node.device];
            let rates = node.rates.clone().unwrap_or_else(|| {
                (1..=device.blocks_max().min(shape.block_count))
                    .map(|blocks| rate(device, blocks, shape.hidden_bytes, usual))
                    .collect()
            });
            FleetNode {
                institution: node.institution,
                rates,
                network: self.network.lines[index * 2].rate / 8.0 / shape.hidden_bytes as f64,
                entry: positions(home, *index, shape.home_bytes),
                exit: positions(*index, home, shape.home_bytes),
            }
        });
        let mut fleet = Fleet::new(shape.block_count, fleet_nodes.collect())?;
        let mut placement = Placement::empty(nodes.len());
        for (place, from) in nodes.iter().enumerate() {
            placement.set(place, self.nodes[*from].blocks);
            for (other, to) in nodes.iter().enumerate().filter(|(other, _)| *other != place) {
                fleet.set_link(place, other, positions(*from, *to, shape.hidden_bytes))?;
            }
        }
        Ok(ModelFleet { nodes, fleet, placement })
    }

    /// The nodes of a fleet that a workload's policy keeps out entirely.
    #[must_use]
    pub fn mask(&self, fleet: &ModelFleet, workload: usize) -> Mask {
        let asked = &self.workloads[workload];
        let (home, policy) = (&self.nodes[asked.home], &self.policies[asked.policy]);
        let block_count = self.models[asked.model].block_count;
        let denied = |place: &usize| {
            let node = &self.nodes[fleet.nodes[*place]];
            let blocks = node.blocks.or_else(|| BlockRange::new(0, block_count).ok());
            blocks.is_none_or(|blocks| {
                let access = Access::Blocks { blocks, block_count };
                let subject = node.member.subject();
                policy.permits(&subject, &home.member.institution, access).is_err()
            })
        };
        Mask::barring((0..fleet.nodes.len()).filter(denied))
    }

    /// The largest flow of a workload's tokens through what nodes hold.
    ///
    /// # Errors
    /// [`WorldFleetError`] if the numbers make no fleet.
    pub fn flow(&self, workload: usize) -> Result<(ModelFleet, Flow), WorldFleetError> {
        let asked = &self.workloads[workload];
        let fleet = self.fleet(asked.model, asked.home)?;
        let mask = self.mask(&fleet, workload);
        let flow = Evaluator::new().flow(&fleet.fleet, &fleet.placement, &mask)?;
        Ok((fleet, flow))
    }

    /// Mean lengths over the workloads of a model.
    fn usual(&self, model: usize) -> Usual {
        let lengths = self.workloads.iter().filter(|workload| workload.model == model);
        let means: Vec<(f64, f64)> = lengths.map(|workload| workload.length.means()).collect();
        let count = means.len().max(1) as f64;
        let sum = means.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        Usual { prompt: (sum.0 / count).max(1.0), output: (sum.1 / count).max(1.0) }
    }
}

/// Tokens of answers per second of a node alone with so many blocks.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small and not below 0"
)]
fn rate(device: &Device, blocks: u32, hidden_bytes: u64, usual: Usual) -> f64 {
    let context = usual.prompt + usual.output / 2.0;
    let room = device.kv_positions(blocks) as f64 / (usual.prompt + usual.output);
    // Every token of an answer brings its part of the prompt along.
    let each = 1.0 + usual.prompt / usual.output;
    let most =
        f64::from(device.positions_max) / if device.prompts_max.is_some() { 1.0 } else { each };
    let sessions = room.min(most);
    if sessions <= 0.0 {
        return 0.0;
    }
    let (whole, part) = (sessions.max(1.0), sessions.min(1.0));
    let pass = Pass {
        blocks,
        prompt: (whole * (each - 1.0)).round() as u32,
        decode: whole.round() as u32,
        context: (whole * context) as u64,
        bytes: (whole * each) as u64 * hidden_bytes,
    };
    whole.round() * part * 1e9 / (device.pass_ns(&pass) as f64).max(1.0)
}
