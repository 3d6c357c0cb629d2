//! Which nodes a home chooses among: the nearest that its rules permit. Not which of them it takes.

use std::{collections::BTreeMap, rc::Rc};

use comity_protocol::{block::BlockRange, policy::Access};

use crate::world::World;

/// How often each block is held by the nodes nearest to a home before the rest is left out.
const COPIES: usize = 4;
/// Most nodes a home chooses among.
const NEAREST_MAX: usize = 64;

/// Nodes of each model that hold blocks, those together that are equally far from any other node.
pub(super) fn neighbours(world: &World) -> Vec<Vec<Vec<u32>>> {
    let mut groups: Vec<BTreeMap<usize, Vec<u32>>> = vec![BTreeMap::new(); world.models.len()];
    let holds = (0u32..).zip(&world.nodes).filter(|(_, node)| node.blocks.is_some());
    for (index, node) in holds {
        let group = if world.network.is_by_site() { node.site } else { index as usize };
        groups[node.model].entry(group).or_default().push(index);
    }
    groups.into_iter().map(|groups| groups.into_values().collect()).collect()
}

/// Nodes that may run some of their blocks for a workload, by their distance from its home.
pub(super) fn nearest(world: &World, groups: &[Vec<u32>], workload: usize) -> Rc<[u32]> {
    let asked = &world.workloads[workload];
    let block_count = world.models[asked.model].block_count;
    let home = u32::try_from(asked.home).unwrap_or(u32::MAX);
    let away = |nodes: &[u32]| nodes.iter().copied().find(|node| *node != home);
    let mut far: Vec<(u64, &[u32])> = groups
        .iter()
        .filter_map(|nodes| {
            let delay = world.network.delay_ns(asked.home, away(nodes)? as usize)?;
            Some((delay, nodes.as_slice()))
        })
        .collect();
    far.sort_by_key(|(delay, _)| *delay);
    // A home that holds blocks is nearest to itself.
    let own = [home];
    if world.nodes[asked.home].model == asked.model && world.nodes[asked.home].blocks.is_some() {
        far.insert(0, (0, &own));
    }
    let mut copies = vec![0; block_count as usize];
    let mut near: Vec<u32> = Vec::new();
    for (place, alike) in far.chunk_by(|one, other| one.0 == other.0).enumerate() {
        let mut nodes: Vec<u32> = alike.iter().flat_map(|(_, nodes)| *nodes).copied().collect();
        nodes.retain(|node| *node != home || place == 0);
        nodes.sort_unstable();
        nodes.dedup();
        for index in nodes {
            if near.len() >= NEAREST_MAX && copies.iter().all(|copies| *copies >= 1) {
                return near.into();
            }
            let Some(blocks) = world.nodes[index as usize].blocks else { continue };
            let held = blocks.start() as usize..blocks.end() as usize;
            if copies[held.clone()].iter().any(|copies| *copies < COPIES * 4)
                && permits(world, workload, index)
            {
                copies[held].iter_mut().for_each(|copies| *copies += 1);
                near.push(index);
            }
        }
    }
    near.into()
}

/// Whether the rules of a workload let a node run any of its blocks.
fn permits(world: &World, workload: usize, index: u32) -> bool {
    let asked = &world.workloads[workload];
    let (home, policy) = (&world.nodes[asked.home], &world.policies[asked.policy]);
    let block_count = world.models[asked.model].block_count;
    let node = &world.nodes[index as usize];
    let Some(blocks) = node.blocks else { return false };
    let permits = |blocks| {
        let access = Access::Blocks { blocks, block_count };
        policy.denials(&node.member.subject(), &home.member.institution, access).is_empty()
    };
    permits(blocks)
        || (blocks.start()..blocks.end())
            .any(|block| BlockRange::new(block, block + 1).is_ok_and(permits))
}
