//! What the largest flow says about a world before anything is simulated: what holds it down, what
//! rules and losses cost, who gives and takes, what could be bought. Not times, nor queues.
//!
//! A flow is an upper bound of tokens per second: every node as busy as its memory lets it be, at
//! the mean lengths of what is asked. There is no chance in it but that of searches.

mod accounts;
mod losses;
mod offers;
mod rules;
pub mod text;

use std::collections::BTreeSet;

use comity_protocol::{
    block::BlockRange,
    limits::FLEET_NODES_MAX,
    placement::{Evaluator, FleetError, Mask, Part, PlacementError},
};
use serde::Serialize;

pub use self::{
    accounts::{Account, accounts},
    losses::{Lost, losses},
    offers::{Bought, offers},
    rules::{RulePrice, rules},
};
use crate::{
    plan::{
        Progress, Settings,
        buy::{BuyError, Trials},
    },
    world::{ModelFleet, World, WorldFleetError},
};

/// What the flows of all models that are asked for say.
#[derive(Debug, Clone, Default)]
pub struct Outlooks {
    /// Of each model that has one.
    pub told: Vec<Outlook>,
    /// Models without one, and why.
    pub untold: Vec<Untold>,
}

/// Why there is no flow of a model. What is simulated needs none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untold {
    /// Rates are published for as many blocks as leave room for caches, and a node of a published
    /// placement holds more.
    #[error(
        "model {model:?} has no largest flow: node {node:?} holds blocks {held}, of which {fit} fit"
    )]
    Full {
        /// The model.
        model: String,
        /// The first such node.
        node: String,
        /// What it holds.
        held: BlockRange,
        /// Blocks for which its rates are known.
        fit: u32,
    },
    /// Searches would take too long.
    #[error(
        "model {model:?} has no largest flow: it has {nodes} nodes, more than {FLEET_NODES_MAX}"
    )]
    Large {
        /// The model.
        model: String,
        /// Its nodes.
        nodes: usize,
    },
}

/// What the flow of one model says.
#[derive(Debug, Clone, Serialize)]
pub struct Outlook {
    /// The model.
    pub model: String,
    /// Tokens of answers per second at most, rules aside.
    pub tokens_per_s: f64,
    /// What holds that down, and what each part of it carries at most.
    pub bottlenecks: Vec<Limit>,
    /// What each rule costs.
    pub rules: Vec<RulePrice>,
    /// What is left without each node, site, institution and country, the worst first.
    pub losses: Vec<Lost>,
    /// Who gives and who takes.
    pub accounts: Vec<Account>,
    /// How evenly members give for what they take: Jain's index.
    pub fairness: Option<f64>,
    /// What could be bought, the best for its price first.
    pub offers: Vec<Bought>,
}

/// A part that is full.
#[derive(Debug, Clone, Serialize)]
pub struct Limit {
    /// What it is.
    pub part: String,
    /// Tokens per second that it carries at most.
    pub tokens_per_s: f64,
}

/// How long to search for what needs a search; nothing is searched for otherwise.
#[derive(Debug, Clone, Default)]
pub struct Depth {
    /// For the best placement under each rule.
    pub rules: Option<Settings>,
    /// For the best placements with and without each offer.
    pub offers: Option<Trials>,
}

/// Why there is no outlook.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutlookError {
    /// The world makes no fleet.
    #[error(transparent)]
    Fleet(#[from] WorldFleetError),
    /// What nodes hold does not fit them.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// Offers cannot be compared.
    #[error(transparent)]
    Buy(#[from] BuyError),
}

/// The outlook of every model that is asked for. `progress` hears of searches.
///
/// # Errors
/// [`OutlookError`].
pub fn outlooks(
    world: &World,
    depth: &Depth,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outlooks, OutlookError> {
    let mut seen = BTreeSet::new();
    let mut all = Outlooks::default();
    for (workload, asked) in world.workloads.iter().enumerate() {
        if asked.arrival.is_nothing() || !seen.insert(asked.model) {
            continue;
        }
        let model = world.models[asked.model].name.clone();
        let fleet = match world.fleet(asked.model, asked.home) {
            Err(WorldFleetError::Fleet(FleetError::Nodes(nodes @ 1..))) => {
                all.untold.push(Untold::Large { model, nodes });
                continue;
            }
            fleet => fleet?,
        };
        let flow = match Evaluator::new().flow(&fleet.fleet, &fleet.placement, &Mask::none()) {
            Err(PlacementError::Full { node, range, fit }) => {
                let node = world.nodes[fleet.nodes[node]].name.clone();
                all.untold.push(Untold::Full { model, node, held: range, fit });
                continue;
            }
            flow => flow?,
        };
        let limit = |load: &comity_protocol::placement::Load| Limit {
            part: part(world, &fleet, load.part),
            tokens_per_s: load.limit,
        };
        let (accounts, fairness) = accounts(world, &fleet, &flow, asked.model);
        let offers = match &depth.offers {
            Some(trials) => offers(world, workload, &fleet, trials, progress)?,
            None => Vec::new(),
        };
        all.told.push(Outlook {
            model,
            tokens_per_s: flow.rate(),
            bottlenecks: flow.bottlenecks().iter().map(limit).collect(),
            rules: rules(world, asked.model, depth.rules, progress)?,
            losses: losses(world, &fleet, asked.model, &Mask::none())?,
            accounts,
            fairness,
            offers,
        });
    }
    Ok(all)
}

/// A part of a fleet, by its names.
#[must_use]
pub fn part(world: &World, fleet: &ModelFleet, part: Part) -> String {
    let name = |node: usize| &world.nodes[fleet.nodes[node]].name;
    match part {
        Part::Entry { node } => format!("from home to {}", name(node)),
        Part::Compute { node } => format!("{} itself", name(node)),
        Part::Network { node } => format!("the interface of {}", name(node)),
        Part::Link { from, to } => format!("{} to {}", name(from), name(to)),
        Part::Exit { node } => format!("from {} to home", name(node)),
    }
}

/// The workloads of a model, one for each set of rules and institution of the home, which decide
/// together who may serve; those that ask for nothing are left out.
fn distinct(world: &World, model: usize) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for (index, asked) in world.workloads.iter().enumerate() {
        let owner = world.nodes[asked.home].institution;
        let counts = asked.model == model && !asked.arrival.is_nothing();
        if counts && seen.insert((asked.policy, owner)) {
            kept.push(index);
        }
    }
    kept
}

#[cfg(test)]
mod tests;
