//! P3 over random consortia: no route leaves the policy, and no refusal is without need.
//!
//! `COMITY_POLICY_CASES` sets how many requests are made; 10,000 without it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod oracle;
mod random;
mod told;
mod world;

use std::{env, time::Duration};

use comity_protocol::{
    block::BlockRange,
    commitment::Salt,
    id::{PeerKey, SessionId},
    policy::Policy,
    refusal::Cause,
    roster::Role,
    route::{Route, RouteError, RouteRequest, RouteStage, plan},
    session::{
        Open,
        stage::{Admission, Serving, Stage},
    },
    signed::Domain,
};
use oracle::Asked;
use random::Random;
use world::{CLASS, NOW, World, node_key};

/// Requests made without another number.
const CASES: u64 = 10_000;
/// Requests made to one consortium.
const REQUESTS: u64 = 40;
/// Positions every stage must have room for.
const POSITIONS: u64 = 100;

/// What came of the requests.
#[derive(Debug, Default)]
struct Tally {
    routed: u64,
    unserved: u64,
    denied: u64,
    home_denied: u64,
    no_room: u64,
    no_chain: u64,
    contradictory: u64,
    admitted: u64,
    turned_away: u64,
}

impl Tally {
    const fn requests(&self) -> u64 {
        self.routed + self.unserved + self.denied + self.home_denied + self.no_room + self.no_chain
    }
}

#[test]
fn no_route_leaves_the_policy_and_no_refusal_is_without_need() {
    let cases = env::var("COMITY_POLICY_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let (mut tally, mut seed) = (Tally::default(), 0);
    while tally.requests() < cases {
        let world = World::new(seed);
        let mut random = Random(seed);
        for _ in 0..REQUESTS {
            ask(&world, &mut random, &mut tally);
        }
        seed += 1;
    }
    // Each of these tells something only if it happens.
    let least = tally.routed.min(tally.denied).min(tally.admitted).min(tally.turned_away);
    assert!(least > cases / 20, "{tally:?}");
    assert!(tally.home_denied.min(tally.no_room).min(tally.no_chain) > 0, "{tally:?}");
}

/// One request of one home, planned as a home plans it and checked as its stages check it.
fn ask(world: &World, random: &mut Random, tally: &mut Tally) {
    let mut rules = vec![match random.below(world.charter.policies.len() + 1) {
        0 => Policy::open(Policy::OPEN),
        named => world.charter.policies[named - 1].clone(),
    }];
    let mut policy = rules[0].clone();
    if random.one_in(2) {
        let stricter = random.policy(&policy.name);
        let Ok(both) = policy.restrict(&stricter) else {
            tally.contradictory += 1;
            return;
        };
        rules.push(stricter);
        policy = both;
    }
    let stages_min = if random.one_in(4) { random.small(4) } else { 0 };
    let mut asked = Asked { home: 0, stages_min, rules };
    // Most homes ask for what they may take themselves.
    for _ in 0..4 {
        asked.home = random.below(world.nodes);
        if world.home_may(&asked) {
            break;
        }
    }
    let home = node_key(asked.home).public();
    let Some(member) = world.directory.member(NOW, &home) else { return };
    if !member.roles.contains(&Role::Home) {
        return;
    }
    let request = RouteRequest {
        home,
        member: &member,
        policy: &policy,
        block_count: world.manifest.block_count,
        positions: POSITIONS,
        stages_min,
        kept: None,
    };
    let candidates = world.directory.candidates(NOW, &world.manifest.digest(), CLASS);
    let planned = plan(&request, &candidates, |_, _| Duration::ZERO);
    judge(world, &asked, &planned, tally);
    let planned = planned.ok().map(Route::into_stages);
    let at_random = random_stages(world, random);
    for stages in planned.into_iter().chain([at_random]) {
        at_a_stage(world, &asked, &policy, stages, random, tally);
    }
}

/// Compares what was planned with what the oracle finds.
fn judge(world: &World, asked: &Asked, planned: &Result<Route, RouteError>, tally: &mut Tally) {
    let seed = world.seed;
    let blocks =
        |ranges: &[BlockRange]| -> Vec<u32> { ranges.iter().flat_map(|it| it.iter()).collect() };
    let any = |test: &dyn Fn(usize) -> bool| (0..world.nodes).any(test);
    if planned.is_err() {
        assert!(!world.has_route(asked), "seed {seed}: {planned:?} for {asked:?}");
    }
    match planned {
        Ok(route) => {
            for stage in route.stages() {
                let (start, end) = (stage.blocks.start(), stage.blocks.end());
                let node = node(world, &stage.peer);
                assert!(
                    world.can_run(asked, node, start, end) && world.home_may(asked),
                    "seed {seed}: {stage:?} for {asked:?}"
                );
            }
            assert!(route.stages().len() >= asked.stages_min as usize, "seed {seed}");
            tally.routed += 1;
        }
        Err(RouteError::Home { .. }) => {
            assert!(!world.home_may(asked), "seed {seed}: {asked:?}");
            tally.home_denied += 1;
        }
        Err(RouteError::NoCandidate { blocks: missing }) => {
            let held = |block| any(&|node| world.holds(node, block, block + 1));
            assert!(!blocks(missing).into_iter().any(held), "seed {seed}: {asked:?}");
            tally.unserved += 1;
        }
        Err(RouteError::Policy(uncovered)) => {
            for block in blocks(&uncovered.blocks) {
                assert!(any(&|node| world.holds(node, block, block + 1)), "seed {seed}");
                let may = |node| {
                    world.holds(node, block, block + 1)
                        && world.may_run(asked, node, block, block + 1)
                };
                assert!(!any(&may), "seed {seed}: block {block} for {asked:?}");
            }
            let named = |it: &comity_protocol::route::KeptOut| !it.denials.is_empty();
            assert!(uncovered.nodes.iter().all(named) && !uncovered.nodes.is_empty());
            tally.denied += 1;
        }
        Err(RouteError::NoRoom { .. }) => tally.no_room += 1,
        Err(RouteError::NoChain { .. }) => tally.no_chain += 1,
        Err(error) => panic!("seed {seed}: {error}"),
    }
}

fn node(world: &World, peer: &PeerKey) -> usize {
    (0..world.nodes).find(|node| node_key(*node).public() == *peer).unwrap()
}

/// A chain of distinct nodes over all blocks, whoever they are and whatever they hold.
fn random_stages(world: &World, random: &mut Random) -> Vec<RouteStage> {
    let (mut start, mut stages) = (0, Vec::new());
    let mut nodes: Vec<_> = (0..world.nodes).collect();
    while start < world.manifest.block_count {
        let node = nodes.swap_remove(random.below(nodes.len()));
        let left = world.manifest.block_count - start;
        let end = if nodes.is_empty() { start + left } else { start + 1 + random.small(left) };
        let blocks = BlockRange::new(start, end).unwrap();
        stages.push(RouteStage { peer: node_key(node).public(), blocks });
        start = end;
    }
    stages
}

/// A stage of the route, to which home sends the opening, agrees with the oracle on all of it.
fn at_a_stage(
    world: &World,
    asked: &Asked,
    policy: &Policy,
    stages: Vec<RouteStage>,
    random: &mut Random,
    tally: &mut Tally,
) {
    let may = |stage: &RouteStage| {
        let node = node(world, &stage.peer);
        world.may_run(asked, node, stage.blocks.start(), stage.blocks.end())
    };
    let permitted = world.home_may(asked) && stages.iter().all(may);
    let home = node_key(asked.home);
    let index = random.below(stages.len());
    let (digest, manifest) = (world.manifest.digest(), world.manifest.clone());
    let admission = Admission {
        charter: world.hash,
        me: stages[index].peer,
        from: index.checked_sub(1).map_or_else(|| home.public(), |before| stages[before].peer),
        member: &|peer| world.directory.member(NOW, peer),
        policy: &|name| world.directory.charter().policy(name),
        serving: &[Serving {
            blocks: BlockRange::new(0, manifest.block_count).unwrap(),
            digest,
            manifest,
            numeric_class: CLASS.into(),
        }],
    };
    let open = Open {
        session: SessionId([7; 16]),
        manifest: digest,
        stages,
        positions_max: 64,
        policy: policy.clone(),
        salt: Salt::new([8; 32]),
        deadline: NOW + Duration::from_secs(60),
        numeric_class: CLASS.into(),
        prefix: Vec::new(),
    };
    let signed = home.sign(Domain::OPEN, &world.hash, &open).unwrap();
    match Stage::admit(NOW, signed, 0, &admission, &mut Vec::new()) {
        Ok(_) => {
            assert!(permitted, "seed {}: {open:?} for {asked:?}", world.seed);
            tally.admitted += 1;
        }
        Err(refusal) => {
            let causes = [Cause::Policy, Cause::NotAdmitted];
            assert!(
                !permitted && causes.contains(&refusal.cause),
                "seed {}: {refusal}",
                world.seed
            );
            tally.turned_away += 1;
        }
    }
}
