//! Routes as homes of the mesh choose them, by what they know: `protocol::route` over what was announced
//! and what they opened themselves since. Not other ways to choose.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use comity_protocol::{
    directory::Candidate,
    id::PeerKey,
    route::{self, Kept, OwnSessions, RouteError, RouteRequest, RouteStage},
    time::Timestamp,
};

use super::{
    super::{
        Worker,
        near::{nearest, neighbours},
        session::Hop,
    },
    Choice, Held, NoRoute, free, has_room, is_up,
};
use crate::{clock::Instant, world::World};

/// A home, a model and a policy.
type Asking = (usize, usize, usize);

/// What homes know.
#[derive(Debug)]
pub(super) struct Homes {
    /// Whom a home chooses among, by home, model and policy.
    near: BTreeMap<Asking, Near>,
    /// Nodes of each model, those together that are equally far.
    neighbours: Vec<Vec<Vec<u32>>>,
    /// Sessions that each node announced last, and when that was.
    announced: Vec<u32>,
    announced_at: Timestamp,
    /// What each home opened itself.
    own: BTreeMap<u32, OwnSessions>,
    /// Of each node, its place among those a home chooses among: true while that home chooses.
    places: Vec<usize>,
}

/// The nodes that a home chooses among.
#[derive(Debug)]
struct Near {
    /// Nearest first.
    nodes: Rc<[u32]>,
    candidates: Vec<Candidate>,
    /// `[from, to]` by place: one-way delays; the place past the last is home's.
    delays: Vec<Duration>,
    /// Whether no block is held by two of them: then there is one route at most, and this is it once it
    /// was found.
    is_only: bool,
    only: Option<Rc<[Hop]>>,
}

impl Homes {
    pub(super) fn new(world: &World) -> Self {
        Self {
            near: BTreeMap::new(),
            neighbours: neighbours(world),
            announced: vec![0; world.nodes.len()],
            announced_at: Timestamp::default(),
            own: BTreeMap::new(),
            places: vec![0; world.nodes.len()],
        }
    }

    /// The nodes nearest to a home that its policy permits: as many as hold every block a few times.
    pub(super) fn near(&mut self, world: &World, workload: usize, block_ns: &[u64]) -> Rc<[u32]> {
        Rc::clone(&self.look(world, workload, block_ns).nodes)
    }

    fn look(&mut self, world: &World, workload: usize, block_ns: &[u64]) -> &mut Near {
        let asked = &world.workloads[workload];
        let key = (asked.home, asked.model, asked.policy);
        let neighbours = &self.neighbours[asked.model];
        self.near.entry(key).or_insert_with(|| {
            let nodes = nearest(world, neighbours, workload);
            let candidate = |node: &u32| candidate(world, *node as usize, block_ns);
            let candidates: Vec<_> = nodes.iter().filter_map(candidate).collect();
            let ends = || nodes.iter().map(|node| *node as usize).chain([asked.home]);
            let delay = |from: usize, to: usize| {
                let delay = world.network.delay_ns(from, to);
                Duration::from_nanos(delay.unwrap_or(u64::MAX / 4))
            };
            let delays = ends().flat_map(|from| ends().map(move |to| delay(from, to))).collect();
            let is_only = is_only(&candidates);
            Near { nodes, candidates, delays, is_only, only: None }
        })
    }

    /// All nodes announce how many sessions they serve: nothing is left that they do not tell of.
    pub(super) fn announce(&mut self, now: Instant, workers: &[Worker]) {
        self.own.clear();
        self.announced_at = timestamp(now);
        self.announced.clear();
        self.announced.extend(workers.iter().map(|worker| worker.sessions));
    }

    /// What a home opened itself.
    pub(super) fn own(&mut self, home: u32) -> &mut OwnSessions {
        self.own.entry(home).or_default()
    }

    /// The route that a home chooses for so many positions.
    pub(super) fn route(
        &mut self,
        world: &World,
        workers: &[Worker],
        (workload, positions, kept): (usize, u64, Option<Held<'_>>),
        block_ns: &[u64],
    ) -> Choice {
        let asked = &world.workloads[workload];
        let home = &world.nodes[asked.home];
        self.look(world, workload, block_ns);
        let key = (asked.home, asked.model, asked.policy);
        let Some(near) = self.near.get_mut(&key) else { return Err(NoRoute::Never) };
        if let Some(only) = &near.only
            && only.iter().all(|hop| is_up(workers, hop) && has_room(workers, hop, positions))
        {
            return Ok(Rc::clone(only));
        }
        self.places[asked.home] = near.nodes.len();
        let nodes = || near.nodes.iter().map(|node| *node as usize);
        nodes().zip(0..).for_each(|(node, place)| self.places[node] = place);
        for (candidate, node) in near.candidates.iter_mut().zip(nodes()) {
            candidate.sessions = self.announced[node];
            candidate.announced_at = self.announced_at;
        }
        let number = u32::try_from(asked.home).unwrap_or(u32::MAX);
        if let Some(own) = self.own.get_mut(&number) {
            own.correct(&mut near.candidates);
        }
        for (candidate, node) in near.candidates.iter_mut().zip(nodes()) {
            // A stage without room refuses an opening, whatever it announced.
            candidate.positions_free = free(&workers[node], candidate.blocks);
        }
        let kept = kept.map(|held| (stages(world, held.route), held));
        let request = RouteRequest {
            home: home.peer,
            member: &home.member,
            policy: &world.policies[asked.policy],
            block_count: world.models[asked.model].block_count,
            positions,
            stages_min: world.router.stages_min,
            kept: kept.as_ref().map(|(stages, held)| Kept {
                stages,
                positions: held.positions,
                // How long it will be, no home knows.
                answer: u32::MAX,
            }),
        };
        let (places, width) = (&self.places, near.nodes.len() + 1);
        let place = |peer: &PeerKey| places[index(peer)];
        let latency = |from: &_, to: &_| near.delays[place(from) * width + place(to)];
        let route = if nodes().all(|node| workers[node].down == 0) {
            route::plan(&request, &near.candidates, latency)
        } else {
            let is_up = |candidate: &&Candidate| workers[index(&candidate.peer)].down == 0;
            let up: Vec<_> = near.candidates.iter().filter(is_up).cloned().collect();
            route::plan(&request, &up, latency)
        };
        match route {
            Ok(route) => {
                let hop = |stage: &RouteStage| {
                    (u32::try_from(index(&stage.peer)).unwrap_or(u32::MAX), stage.blocks)
                };
                let route: Rc<[Hop]> = route.stages().iter().map(hop).collect();
                near.only = near.is_only.then(|| Rc::clone(&route));
                Ok(route)
            }
            Err(RouteError::NoRoom { .. } | RouteError::NoChain { .. }) => Err(NoRoute::Full),
            Err(_) => Err(NoRoute::Never),
        }
    }
}

/// Whether no two of some candidates hold the same block.
fn is_only(candidates: &[Candidate]) -> bool {
    let mut held: Vec<_> = candidates.iter().map(|candidate| candidate.blocks).collect();
    held.sort_unstable();
    held.windows(2).all(|pair| pair[0].end() <= pair[1].start())
}

/// What a home knows of a node beside its load, if that holds blocks.
fn candidate(world: &World, node: usize, block_ns: &[u64]) -> Option<Candidate> {
    let place = &world.nodes[node];
    Some(Candidate {
        peer: place.peer,
        member: place.member.clone(),
        blocks: place.blocks?,
        block_time_ns: block_ns[node],
        positions_free: 0,
        sessions: 0,
        announced_at: Timestamp::default(),
        data_addresses: Vec::new(),
    })
}

/// The node that a peer of a world is.
fn index(peer: &PeerKey) -> usize {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&peer.0[..8]);
    usize::try_from(u64::from_be_bytes(bytes)).unwrap_or(1) - 1
}

/// A route as the protocol has it.
pub(super) fn stages(world: &World, route: &[Hop]) -> Vec<RouteStage> {
    let stage = |(node, blocks): &Hop| RouteStage {
        peer: world.nodes[*node as usize].peer,
        blocks: *blocks,
    };
    route.iter().map(stage).collect()
}

pub(super) fn timestamp(now: Instant) -> Timestamp {
    Timestamp::from_ms(now.0 / 1_000_000)
}
