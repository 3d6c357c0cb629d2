//! Whether whoever asks can be answered at all, under its rules, before anything is simulated. Not
//! how fast.

use std::collections::{BTreeMap, BTreeSet};

use comity_protocol::{
    block::BlockRange,
    policy::{Access, Denial},
};
use toml::Spanned;

use super::{Node, World};
use crate::{
    scenario::{DeviceSection, Rounds, RouterKind, Scenario, ScenarioFile},
    toml_file::TomlFileError,
};

/// Nodes that one error names for one reason, and reasons that it states.
const NAMED_MAX: usize = 3;

/// What must hold of the nodes that a workload's rules let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// What they hold is a whole model, and one request finds room.
    Routes,
    /// They could hold a whole model, wherever its blocks are now.
    Placement,
}

/// What averaged rounds do not know, and where it stands.
fn check_averages(scenario: &Scenario) -> Result<(), (usize, &'static str)> {
    const WHOLE: &str =
        "averaged rounds know nothing of prompts that run whole: simulate them pass by pass";
    const SHARED: &str = "averaged rounds know nothing of nodes that share a [[machine]]: simulate \
                          them pass by pass";
    if let Some(machine) = scenario.machines.first() {
        return Err((machine.span().start, SHARED));
    }
    if let Some(published) = scenario.helix.first() {
        return Err((published.span().start, WHOLE));
    }
    let whole = |it: &&Spanned<DeviceSection>| it.get_ref().batch.prompts_max.is_some();
    scenario.devices.iter().find(whole).map_or(Ok(()), |device| Err((device.span().start, WHOLE)))
}

/// One workload, and what it takes to say who may serve it.
struct Asked<'a> {
    world: &'a World,
    workload: usize,
    block_count: u32,
    /// Whether some blocks are pinned, so that a node may run some of what it holds.
    pinned: bool,
}

impl World {
    /// Every workload that asks for something is answered by nodes that its rules let in. Workloads
    /// that ask for nothing need nobody.
    ///
    /// # Errors
    /// [`TomlFileError::Parse`] at the first workload that is not, with its rule, the blocks that are
    /// left to nobody, and the nodes that would have served them; or at what averages do not know.
    pub fn check(&self, file: &ScenarioFile, need: Need) -> Result<(), TomlFileError> {
        if need == Need::Routes && self.run.rounds == Rounds::Averaged {
            check_averages(&file.scenario)
                .map_err(|(at, message)| file.error(at, message.to_owned()))?;
        }
        let mut seen = BTreeSet::new();
        for (index, asked) in self.workloads.iter().enumerate() {
            let is_new = seen.insert((asked.home, asked.model, asked.policy));
            if asked.arrival.is_nothing() || !is_new {
                continue;
            }
            if let Err(message) = Asked::new(self, index).check(need) {
                let section = file.scenario.workloads[index].get_ref();
                let at = section.policy.as_ref().unwrap_or(&section.model);
                return Err(file.error(at.span().start, message));
            }
        }
        Ok(())
    }

    /// Positions of the longest request of a workload that the nodes it may use have room for, if
    /// they have nothing else to do.
    #[must_use]
    pub fn longest(&self, workload: usize) -> u64 {
        Asked::new(self, workload).rooms().into_iter().min().unwrap_or(0)
    }
}

impl<'a> Asked<'a> {
    fn new(world: &'a World, workload: usize) -> Self {
        let asked = &world.workloads[workload];
        let policy = &world.policies[asked.policy];
        let block_count = world.models[asked.model].block_count;
        let pinned = policy.pinned_first > 0 || policy.pinned_last > 0;
        Self { world, workload, block_count, pinned }
    }

    fn check(&self, need: Need) -> Result<(), String> {
        let asked = &self.world.workloads[self.workload];
        let (home, policy) = (&self.world.nodes[asked.home], &self.world.policies[asked.policy]);
        let subject = home.member.subject();
        if let Err(denial) = policy.permits(&subject, &home.member.institution, Access::Prompt) {
            return Err(format!(
                "policy {:?} keeps home itself out: {denial} (node {})",
                policy.name, home.name
            ));
        }
        match need {
            Need::Placement => self.could_hold(),
            Need::Routes => {
                self.covered()?;
                self.room()?;
                self.chained()
            }
        }
    }

    fn nodes(&self) -> impl Iterator<Item = &'a Node> + use<'a> {
        let model = self.world.workloads[self.workload].model;
        self.world.nodes.iter().filter(move |node| node.model == model && node.stage)
    }

    fn denials(&self, node: &Node, blocks: BlockRange) -> Vec<Denial> {
        let asked = &self.world.workloads[self.workload];
        let home = &self.world.nodes[asked.home].member.institution;
        let access = Access::Blocks { blocks, block_count: self.block_count };
        self.world.policies[asked.policy].denials(&node.member.subject(), home, access)
    }

    /// Which of these blocks a node may run.
    fn may(&self, node: &Node, blocks: BlockRange) -> Vec<BlockRange> {
        if !self.pinned {
            let all = self.denials(node, blocks).is_empty();
            return if all { vec![blocks] } else { Vec::new() };
        }
        let each = blocks.iter().filter_map(|block| BlockRange::new(block, block + 1).ok());
        each.filter(|block| self.denials(node, *block).is_empty()).collect()
    }

    /// Every block is held by someone who may run it.
    fn covered(&self) -> Result<(), String> {
        let mut covered = vec![false; self.block_count as usize];
        for node in self.nodes() {
            let Some(blocks) = node.blocks else { continue };
            for range in self.may(node, blocks) {
                covered[range.start() as usize..range.end() as usize].fill(true);
            }
            if covered.iter().all(|it| *it) {
                return Ok(());
            }
        }
        let gaps = ranges(&covered);
        let holds = |node: &&Node| {
            node.blocks.is_some_and(|held| {
                gaps.iter().any(|gap| gap.start() < held.end() && held.start() < gap.end())
            })
        };
        let kept_out: Vec<&Node> = self.nodes().filter(holds).collect();
        let list = list(&gaps);
        let (model, policy) = self.names();
        if kept_out.is_empty() {
            return Err(format!("no node holds blocks {list} of model {model:?}"));
        }
        let reasons = self.reasons(&kept_out, |node| node.blocks);
        Err(format!(
            "policy {policy:?}: no node may serve blocks {list} of model {model:?}: {reasons}"
        ))
    }

    /// Of each block, the positions of the longest request that some node has room for.
    fn rooms(&self) -> Vec<u64> {
        let mut rooms = vec![0u64; self.block_count as usize];
        for node in self.nodes() {
            let Some(blocks) = node.blocks else { continue };
            let positions = self.world.room(node) / u64::from(blocks.len());
            for range in self.may(node, blocks) {
                for room in &mut rooms[range.start() as usize..range.end() as usize] {
                    *room = positions.max(*room);
                }
            }
        }
        rooms
    }

    /// An average request has room somewhere for each block.
    fn room(&self) -> Result<(), String> {
        let (prompt, output) = self.world.workloads[self.workload].length.means();
        let wanted = prompt + output;
        let rooms = self.rooms();
        let fits: Vec<bool> = rooms.iter().map(|room| *room as f64 >= wanted).collect();
        let gaps = ranges(&fits);
        let Some(first) = gaps.first() else { return Ok(()) };
        let most = rooms[first.start() as usize];
        Err(format!(
            "requests of {wanted:.0} positions on average find no room: who may serve blocks {} has \
             KV cache for {most} at most",
            list(&gaps)
        ))
    }

    /// What nodes hold can be put in a row as the router does it.
    fn chained(&self) -> Result<(), String> {
        let (kind, stages) = (self.world.router.kind, self.world.router.stages_min);
        let (model, _) = self.names();
        match kind {
            RouterKind::Mesh => {
                let peers = self
                    .nodes()
                    .filter(|node| node.blocks.is_some_and(|held| !self.may(node, held).is_empty()))
                    .count();
                let most = peers.min(self.block_count as usize);
                if (most as u64) < u64::from(stages) {
                    return Err(format!(
                        "[router] stages_min = {stages}, and only {most} nodes may serve model {model:?}"
                    ));
                }
                Ok(())
            }
            RouterKind::Flow => {
                let flow = self.world.flow(self.workload);
                match flow.is_ok_and(|(_, flow)| flow.rate() > 0.0) {
                    true => Ok(()),
                    false => Err(format!(
                        "[router] kind = \"flow\" finds no chain through model {model:?}: a node goes on \
                         where another one's blocks end, and rules let it in with all that it holds"
                    )),
                }
            }
            RouterKind::Swarm | RouterKind::Pipelines => {
                let mut reached = BTreeSet::from([0]);
                let held: BTreeSet<(u32, u32)> = self
                    .nodes()
                    .filter_map(|node| Some((node, node.blocks?)))
                    .filter(|(node, held)| self.denials(node, *held).is_empty())
                    .map(|(_, held)| (held.start(), held.end()))
                    .collect();
                // In order of their beginnings, so that what is reached stays so.
                for (start, end) in held {
                    if reached.contains(&start) {
                        reached.insert(end);
                    }
                }
                match reached.contains(&self.block_count) {
                    true => Ok(()),
                    false => Err(format!(
                        "this router needs nodes that begin where others end, and no row of them reaches \
                         block {} of model {model:?}: it ends at {}",
                        self.block_count,
                        reached.last().copied().unwrap_or(0)
                    )),
                }
            }
        }
    }

    /// Whoever is let in has memory for the whole model together.
    fn could_hold(&self) -> Result<(), String> {
        let Ok(all) = BlockRange::new(0, self.block_count) else { return Ok(()) };
        let (mut most, mut may) = (0u64, vec![false; self.block_count as usize]);
        let mut kept_out = Vec::new();
        for node in self.nodes() {
            let permitted = self.may(node, all);
            if permitted.is_empty() {
                kept_out.push(node);
                continue;
            }
            most += u64::from(self.world.blocks_max(node));
            for range in permitted {
                may[range.start() as usize..range.end() as usize].fill(true);
            }
        }
        let (model, policy) = self.names();
        let gaps = ranges(&may);
        if gaps.is_empty() && most >= u64::from(self.block_count) {
            return Ok(());
        }
        let reasons = self.reasons(&kept_out, |_| Some(all));
        let what = match gaps.is_empty() {
            true => format!("fit {most} of the {} blocks", self.block_count),
            false => format!("may not serve blocks {}", list(&gaps)),
        };
        Err(match kept_out.is_empty() {
            true => format!("all nodes of model {model:?} together {what}"),
            false => format!(
                "policy {policy:?} leaves no placement of model {model:?}: the nodes it lets in {what}; it \
                 keeps out: {reasons}"
            ),
        })
    }

    fn names(&self) -> (&'a str, &'a str) {
        let asked = &self.world.workloads[self.workload];
        (&self.world.models[asked.model].name, &self.world.policies[asked.policy].name)
    }

    /// Why nodes may not serve what they hold: each reason once, with the nodes it keeps out.
    fn reasons(&self, nodes: &[&Node], blocks: impl Fn(&Node) -> Option<BlockRange>) -> String {
        let mut reasons: BTreeMap<Denial, Vec<&str>> = BTreeMap::new();
        for node in nodes {
            let Some(blocks) = blocks(node) else { continue };
            if let Some(first) = self.denials(node, blocks).into_iter().next() {
                reasons.entry(first).or_default().push(&node.name);
            }
        }
        let count = reasons.len();
        let mut told: Vec<String> = reasons
            .into_iter()
            .take(NAMED_MAX)
            .map(|(denial, names)| {
                let noun = if names.len() == 1 { "node" } else { "nodes" };
                let mut named: Vec<String> =
                    names.iter().take(NAMED_MAX).map(|name| (*name).to_owned()).collect();
                if names.len() > NAMED_MAX {
                    named.push(format!("{} more", names.len() - NAMED_MAX));
                }
                format!("{denial} ({noun} {})", named.join(", "))
            })
            .collect();
        if count > NAMED_MAX {
            told.push(format!("{} more reasons", count - NAMED_MAX));
        }
        told.join("; ")
    }
}

/// Stretches of what is not so.
fn ranges(so: &[bool]) -> Vec<BlockRange> {
    let mut ranges = Vec::new();
    let mut start = None;
    for (block, so) in (0u32..).zip(so.iter().chain([&true])) {
        match (so, start) {
            (false, None) => start = Some(block),
            (true, Some(from)) => {
                ranges.extend(BlockRange::new(from, block));
                start = None;
            }
            _ => {}
        }
    }
    ranges
}

fn list(ranges: &[BlockRange]) -> String {
    let mut named: Vec<String> = ranges.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    if ranges.len() > NAMED_MAX {
        named.push(format!("{} more ranges", ranges.len() - NAMED_MAX));
    }
    named.join(", ")
}
