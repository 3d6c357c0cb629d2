//! Gives blocks to nodes of a world that hold none. Not the search itself.

use std::collections::BTreeSet;

use comity_protocol::placement::{Evaluator, Mask};

use super::{Settings, complete};
use crate::world::{ModelFleet, World, WorldFleetError};

/// Places the nodes whose sections name no blocks, with the search of `plan`; all others stay where
/// they are. [`World::placed`] then lists them.
///
/// A rule that nobody could answer yet goes first, those first that let in the fewest nodes, so
/// that what is left is placed for all. Nodes of a model that nobody asks for stay without blocks.
///
/// # Errors
/// [`WorldFleetError`] if the numbers make no fleet.
pub fn fill(world: &mut World, settings: Settings) -> Result<(), WorldFleetError> {
    for model in 0..world.models.len() {
        let is_vacant =
            |node: &crate::world::Node| node.model == model && node.stage && node.blocks.is_none();
        let vacant: Vec<usize> =
            (0..world.nodes.len()).filter(|node| is_vacant(&world.nodes[*node])).collect();
        let asked: Vec<usize> = (0..world.workloads.len())
            .filter(|index| {
                let workload = &world.workloads[*index];
                workload.model == model && !workload.arrival.is_nothing()
            })
            .collect();
        let Some(first) = asked.first().filter(|_| !vacant.is_empty()) else { continue };
        for workload in strictest(world, &asked)? {
            let fleet = world.fleet(model, world.workloads[workload].home)?;
            let mask = world.mask(&fleet, workload);
            let placed = &fleet.placement;
            if Evaluator::new().throughput(&fleet.fleet, placed, &mask)? <= 0.0 {
                place(world, &fleet, &mask, settings);
            }
        }
        let fleet = world.fleet(model, world.workloads[*first].home)?;
        place(world, &fleet, &Mask::none(), settings);
        let is_placed = |node: &usize| world.nodes[*node].blocks.is_some();
        let placed: Vec<usize> = vacant.into_iter().filter(is_placed).collect();
        world.placed.extend(placed);
    }
    Ok(())
}

/// One workload for each rule, those that let in the fewest nodes first.
fn strictest(world: &World, asked: &[usize]) -> Result<Vec<usize>, WorldFleetError> {
    let mut seen = BTreeSet::new();
    let mut order = Vec::new();
    for index in asked {
        let workload = &world.workloads[*index];
        let owner = world.nodes[workload.home].institution;
        if workload.policy == 0 || !seen.insert((workload.policy, owner)) {
            continue;
        }
        let fleet = world.fleet(workload.model, workload.home)?;
        let mask = world.mask(&fleet, *index);
        let let_in = (0..fleet.nodes.len()).filter(|node| !mask.bars(*node)).count();
        order.push((let_in, *index));
    }
    order.sort_unstable();
    Ok(order.into_iter().map(|(_, index)| index).collect())
}

fn place(world: &mut World, fleet: &ModelFleet, mask: &Mask, settings: Settings) {
    let plan = complete(&fleet.fleet, mask, &fleet.placement, settings, &mut |_| ());
    for (place, node) in fleet.nodes.iter().enumerate() {
        let node = &mut world.nodes[*node];
        if node.blocks.is_none() {
            node.blocks = plan.placement.range(place);
        }
    }
}
