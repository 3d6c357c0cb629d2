//! Which stages a session gets. Not their room, which the caller promises.

mod homes;

use std::rc::Rc;

use comity_protocol::{block::BlockRange, placement::FlowStage, policy::Access};

use self::homes::{Homes, stages, timestamp};
use super::{Run, Worker, session::Hop};
use crate::{clock::Instant, device::Pass, random::Random, scenario::RouterKind, world::World};

/// Seconds between two announcements of a node.
const ANNOUNCE_S: f64 = 30.0;
/// Random stream of choices among equals.
const CHOICES: u64 = 0x524f_5501;

/// Why a session gets no stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// None has room now.
    Full,
    /// Nobody may, or nobody does.
    Never,
}

/// Stages, or why there are none.
type Choice = Result<Rc<[Hop]>, NoRoute>;

/// Where the beginning of a prompt may be kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held<'a> {
    pub(super) route: &'a [Hop],
    /// Positions of it.
    pub(super) positions: u32,
}

/// What homes know, and whose turn it is.
#[derive(Debug)]
pub(super) struct Router {
    kind: RouterKind,
    random: Random,
    /// Routes of a workload with what goes along each, and how often each was taken.
    fixed: Vec<Vec<Fixed>>,
    homes: Homes,
    /// Time of one position through one block, nanoseconds.
    block_ns: Vec<u64>,
}

/// A route that does not change.
#[derive(Debug)]
struct Fixed {
    route: Rc<[Hop]>,
    weight: f64,
    taken: f64,
}

impl Router {
    pub(super) fn new(world: &World, seed: u64) -> Self {
        let kind = world.router.kind;
        let fixed = |index: usize| match kind {
            RouterKind::Flow => weighted(flows(world, index)),
            RouterKind::Pipelines => weighted(pipelines(world, index)),
            RouterKind::Mesh | RouterKind::Swarm => Vec::new(),
        };
        let block_ns = world.nodes.iter().map(|node| {
            let pass = Pass { blocks: 1, decode: 1, ..Pass::default() };
            world.devices.get(node.device).map_or(0, |device| device.pass_ns(&pass))
        });
        Self {
            kind,
            random: Random::new(seed, CHOICES),
            fixed: (0..world.workloads.len()).map(fixed).collect(),
            homes: Homes::new(world),
            block_ns: block_ns.collect(),
        }
    }

    /// Whether homes depend on what was announced.
    pub(super) const fn announces(&self) -> bool {
        matches!(self.kind, RouterKind::Mesh)
    }

    pub(super) fn route(
        &mut self,
        world: &World,
        workers: &[Worker],
        workload: usize,
        positions: u64,
        kept: Option<Held<'_>>,
    ) -> Choice {
        match self.kind {
            RouterKind::Mesh => {
                self.homes.route(world, workers, (workload, positions, kept), &self.block_ns)
            }
            RouterKind::Swarm => self.swarm(world, workers, workload, positions),
            RouterKind::Flow | RouterKind::Pipelines => self.in_turn(workers, workload, positions),
        }
    }

    /// The route whose turn it is, by weights. Source: interleaved weighted round robin.
    fn in_turn(&mut self, workers: &[Worker], workload: usize, positions: u64) -> Choice {
        let routes = &mut self.fixed[workload];
        let live = |fixed: &&mut Fixed| fixed.route.iter().all(|hop| is_up(workers, hop));
        let mut none = true;
        let fits = routes.iter_mut().filter(live).inspect(|_| none = false);
        let fits =
            fits.filter(|fixed| fixed.route.iter().all(|hop| has_room(workers, hop, positions)));
        let turn = |fixed: &Fixed| (fixed.taken + 1.0) / fixed.weight;
        let next = fits.min_by(|one, other| turn(one).total_cmp(&turn(other)));
        match next {
            Some(fixed) => {
                fixed.taken += 1.0;
                Ok(Rc::clone(&fixed.route))
            }
            None if none => Err(NoRoute::Never),
            None => Err(NoRoute::Full),
        }
    }

    /// Stage after stage at random, in proportion to what each node could do.
    fn swarm(
        &mut self,
        world: &World,
        workers: &[Worker],
        workload: usize,
        positions: u64,
    ) -> Choice {
        let near = self.near(world, workload);
        let count = world.models[world.workloads[workload].model].block_count;
        let (mut at, mut route) = (0, Vec::new());
        while at < count {
            let starts = near.iter().filter_map(|node| {
                let blocks = world.nodes[*node as usize].blocks?;
                (blocks.start() == at).then_some((*node, blocks))
            });
            let up: Vec<Hop> = starts.filter(|hop| is_up(workers, hop)).collect();
            if up.is_empty() {
                return Err(NoRoute::Never);
            }
            let fit: Vec<&Hop> =
                up.iter().filter(|hop| has_room(workers, hop, positions)).collect();
            let weight = |hop: &Hop| {
                1.0 / (self.block_ns[hop.0 as usize] as f64 * f64::from(hop.1.len())).max(1.0)
            };
            let mut draw = self.random.unit() * fit.iter().map(|hop| weight(hop)).sum::<f64>();
            let chosen = fit.iter().find(|hop| {
                draw -= weight(hop);
                draw <= 0.0
            });
            let Some(chosen) = chosen.or_else(|| fit.last()) else { return Err(NoRoute::Full) };
            at = chosen.1.end();
            route.push(**chosen);
        }
        Ok(route.into())
    }

    /// The nodes that a workload's home chooses among.
    fn near(&mut self, world: &World, workload: usize) -> Rc<[u32]> {
        self.homes.near(world, workload, &self.block_ns)
    }

    /// The only nodes that may give a workload room, if those decide alone whether there is any.
    pub(super) fn near_only(&mut self, world: &World, workload: usize) -> Option<Rc<[u32]>> {
        matches!(self.kind, RouterKind::Mesh).then(|| self.near(world, workload))
    }

    /// A home opened a session of so many positions.
    pub(super) fn opened(&mut self, now: Instant, world: &World, home: u32, opened: (&[Hop], u64)) {
        if self.announces() {
            self.homes.own(home).open(timestamp(now), &stages(world, opened.0), opened.1);
        }
    }

    /// Such a session is over.
    pub(super) fn closed(&mut self, now: Instant, world: &World, home: u32, closed: (&[Hop], u64)) {
        if self.announces() {
            self.homes.own(home).close(timestamp(now), &stages(world, closed.0), closed.1);
        }
    }
}

/// The routes of the largest flow, with what goes along each; none if there is no flow.
fn flows(world: &World, workload: usize) -> Vec<(Vec<Hop>, f64)> {
    let Ok((fleet, flow)) = world.flow(workload) else { return Vec::new() };
    let routes = flow.routes().into_iter().map(|route| {
        let hop = |stage: &FlowStage| {
            (u32::try_from(fleet.nodes[stage.node]).unwrap_or(u32::MAX), stage.blocks)
        };
        (route.stages.iter().map(hop).collect(), route.rate)
    });
    routes.collect()
}

/// Chains of nodes that hold neighbouring blocks, each node in one of them, in order of their
/// names' sections; every chain with the rate of its slowest node.
fn pipelines(world: &World, workload: usize) -> Vec<(Vec<Hop>, f64)> {
    let asked = &world.workloads[workload];
    let (model, policy) = (asked.model, &world.policies[asked.policy]);
    let home = &world.nodes[asked.home].member.institution;
    let count = world.models[model].block_count;
    let mut left: Vec<Hop> = (0u32..)
        .zip(&world.nodes)
        .filter(|(_, node)| node.model == model)
        .filter_map(|(index, node)| {
            let access = Access::Blocks { blocks: node.blocks?, block_count: count };
            policy.permits(&node.member.subject(), home, access).ok()?;
            Some((index, node.blocks?))
        })
        .collect();
    let mut chains = Vec::new();
    loop {
        let (mut chain, mut at): (Vec<Hop>, u32) = (Vec::new(), 0);
        while at < count {
            // The same kind of device first: chains of like nodes are what is fixed.
            let like = |hop: &Hop| {
                let device = |hop: &Hop| world.nodes[hop.0 as usize].device;
                chain.first().is_none_or(|first| device(first) == device(hop))
            };
            let place = left
                .iter()
                .position(|hop| hop.1.start() == at && like(hop))
                .or_else(|| left.iter().position(|hop| hop.1.start() == at));
            let Some(place) = place else { return chains };
            let hop = left.remove(place);
            at = hop.1.end();
            chain.push(hop);
        }
        let slowest = chain.iter().map(|(node, blocks)| {
            let device = &world.devices[world.nodes[*node as usize].device];
            let pass = Pass { blocks: blocks.len(), decode: 32, ..Pass::default() };
            1e9 / (device.pass_ns(&pass) as f64).max(1.0)
        });
        let rate = slowest.fold(f64::INFINITY, f64::min);
        chains.push((chain, rate));
    }
}

fn weighted(routes: Vec<(Vec<Hop>, f64)>) -> Vec<Fixed> {
    let fixed =
        |(route, weight): (Vec<Hop>, f64)| Fixed { route: route.into(), weight, taken: 0.0 };
    routes.into_iter().map(fixed).collect()
}

/// Positions of these blocks that a node has room for.
fn free(worker: &Worker, blocks: BlockRange) -> u64 {
    (worker.room - worker.promised.min(worker.room)) / u64::from(blocks.len())
}

fn is_up(workers: &[Worker], hop: &Hop) -> bool {
    workers[hop.0 as usize].down == 0
}

fn has_room(workers: &[Worker], (node, blocks): &Hop, positions: u64) -> bool {
    let worker = &workers[*node as usize];
    worker.promised + positions * u64::from(blocks.len()) <= worker.room
}

impl Run<'_> {
    /// All nodes announce what they do.
    pub(super) fn announce(&mut self) {
        self.router.homes.announce(self.now, &self.workers);
        let next = self.after(ANNOUNCE_S);
        self.queue.push(next, super::Event::Announce);
    }
}
