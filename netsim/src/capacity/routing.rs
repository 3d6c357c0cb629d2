//! Which stages a session gets. Not their room, which the caller promises.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use comity_protocol::{
    block::BlockRange,
    directory::Candidate,
    placement::FlowStage,
    policy::Access,
    route::{self, RouteError, RouteRequest},
};

use super::{
    Run, Worker,
    near::{nearest, neighbours},
    session::Hop,
};
use crate::{device::Pass, random::Random, scenario::RouterKind, world::World};

/// Seconds between two announcements of a node.
const ANNOUNCE_S: f64 = 30.0;
/// Most choices to remember.
const PLANNED_MAX: usize = 100_000;
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

/// A home, a model and a policy.
type Asking = (usize, usize, usize);

/// What homes know, and whose turn it is.
#[derive(Debug)]
pub(super) struct Router {
    kind: RouterKind,
    random: Random,
    /// Routes of a workload with what goes along each, and how often each was taken.
    fixed: Vec<Vec<Fixed>>,
    /// Nodes a home chooses among, nearest first, by home, model and policy.
    near: BTreeMap<Asking, Rc<[u32]>>,
    /// Nodes of each model, those together that are equally far.
    neighbours: Vec<Vec<Vec<u32>>>,
    /// What was announced last: sessions and free positions.
    announced: Vec<(u32, u64)>,
    /// The mesh's last choice since the last announcement, and what it chose while those of the nearest
    /// nodes had room whose bits are set.
    chosen: BTreeMap<Asking, Rc<[Hop]>>,
    planned: BTreeMap<(Asking, u128), Choice>,
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
            near: BTreeMap::new(),
            neighbours: neighbours(world),
            announced: Vec::new(),
            chosen: BTreeMap::new(),
            planned: BTreeMap::new(),
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
    ) -> Choice {
        match self.kind {
            RouterKind::Mesh => self.mesh(world, workers, workload, positions),
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

    /// As a node chooses: `protocol::route` over what was announced.
    fn mesh(
        &mut self,
        world: &World,
        workers: &[Worker],
        workload: usize,
        positions: u64,
    ) -> Choice {
        let asked = &world.workloads[workload];
        let key = (asked.home, asked.model, asked.policy);
        if let Some(route) = self.chosen.get(&key)
            && route.iter().all(|hop| is_up(workers, hop) && has_room(workers, hop, positions))
        {
            return Ok(Rc::clone(route));
        }
        let near = self.near(world, workload);
        let whole = roomy(world, workers, &near, positions).map(|set| (key, set));
        let known = whole.and_then(|whole| self.planned.get(&whole).cloned());
        let route = known.unwrap_or_else(|| self.plan(world, workers, workload, positions));
        if let Some(whole) = whole {
            if self.planned.len() >= PLANNED_MAX {
                self.planned.clear();
            }
            self.planned.insert(whole, route.clone());
        }
        let route = route?;
        self.chosen.insert(key, Rc::clone(&route));
        Ok(route)
    }

    fn plan(
        &mut self,
        world: &World,
        workers: &[Worker],
        workload: usize,
        positions: u64,
    ) -> Choice {
        let near = self.near(world, workload);
        let asked = &world.workloads[workload];
        let candidates: Vec<Candidate> = near
            .iter()
            .filter(|node| workers[**node as usize].down == 0)
            .filter_map(|node| {
                let index = *node as usize;
                let place = &world.nodes[index];
                let blocks = place.blocks?;
                let worker = &workers[index];
                // A stage without room refuses an opening, whatever it announced.
                let free = free(worker, blocks);
                Some(Candidate {
                    peer: place.peer,
                    member: place.member.clone(),
                    blocks,
                    block_time_ns: self.block_ns[index],
                    positions_free: free,
                    sessions: self.announced.get(index).map_or(0, |it| it.0),
                    data_addresses: Vec::new(),
                })
            })
            .collect();
        let home = &world.nodes[asked.home];
        let request = RouteRequest {
            home: home.peer,
            member: &home.member,
            policy: &world.policies[asked.policy],
            block_count: world.models[asked.model].block_count,
            positions,
            stages_min: world.router.stages_min,
        };
        let number = |peer: &comity_protocol::id::PeerKey| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&peer.0[..8]);
            usize::try_from(u64::from_be_bytes(bytes)).unwrap_or(1) - 1
        };
        let latency = |from: &_, to: &_| {
            let delay = world.network.delay_ns(number(from), number(to));
            Duration::from_nanos(delay.unwrap_or(u64::MAX / 4))
        };
        match route::plan(&request, &candidates, latency) {
            Ok(route) => {
                let hop = |stage: &route::RouteStage| {
                    (u32::try_from(number(&stage.peer)).unwrap_or(u32::MAX), stage.blocks)
                };
                Ok(route.stages().iter().map(hop).collect())
            }
            Err(RouteError::NoRoom { .. } | RouteError::NoChain { .. }) => Err(NoRoute::Full),
            Err(_) => Err(NoRoute::Never),
        }
    }

    /// The nodes nearest to a home that its policy permits: as many as hold every block a few times.
    fn near(&mut self, world: &World, workload: usize) -> Rc<[u32]> {
        let asked = &world.workloads[workload];
        let key = (asked.home, asked.model, asked.policy);
        if let Some(near) = self.near.get(&key) {
            return Rc::clone(near);
        }
        let near = nearest(world, &self.neighbours[asked.model], workload);
        self.near.insert(key, Rc::clone(&near));
        near
    }

    /// The only nodes that may give a workload room, if those decide alone whether there is any.
    pub(super) fn near_only(&mut self, world: &World, workload: usize) -> Option<Rc<[u32]>> {
        matches!(self.kind, RouterKind::Mesh).then(|| self.near(world, workload))
    }

    pub(super) fn forget(&mut self) {
        self.chosen.clear();
        self.planned.clear();
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

/// Which of some nodes have room, one bit for each; `None` if there are more nodes than bits.
fn roomy(world: &World, workers: &[Worker], near: &[u32], positions: u64) -> Option<u128> {
    let has = |node: u32| {
        let blocks = world.nodes[node as usize].blocks;
        blocks.is_some_and(|blocks| free(&workers[node as usize], blocks) >= positions)
    };
    let bits = near.iter().enumerate();
    (near.len() <= 128)
        .then(|| bits.fold(0, |set, (bit, node)| set | u128::from(has(*node)) << bit))
}

fn is_up(workers: &[Worker], hop: &Hop) -> bool {
    workers[hop.0 as usize].down == 0
}

fn has_room(workers: &[Worker], (node, blocks): &Hop, positions: u64) -> bool {
    let worker = &workers[*node as usize];
    worker.promised + positions * u64::from(blocks.len()) <= worker.room
}

impl Run<'_> {
    /// All nodes announce what they do, and homes choose anew.
    pub(super) fn announce(&mut self) {
        let announced = self
            .workers
            .iter()
            .map(|worker| (worker.sessions, worker.room.saturating_sub(worker.promised)));
        let announced: Vec<_> = announced.collect();
        if announced != self.router.announced {
            self.router.announced = announced;
            self.router.forget();
        }
        let next = self.after(ANNOUNCE_S);
        self.queue.push(next, super::Event::Announce);
    }
}
