//! What members and liars tell a directory. Whatever should not count promises the most.

use std::{collections::BTreeSet, time::Duration};

use comity_protocol::{
    announcement::{Announcement, Offer},
    block::BlockRange,
    id::Digest,
    roster::{self, Role, RosterNode},
    signed::{Domain, NodeKey},
    time::Timestamp,
};

use crate::{
    random::{COUNTRIES, Random},
    world::{CLASS, Held, Listed, NOW, TOLD, World, node_key, roster_key, stranger},
};

const MINUTE: Duration = Duration::from_secs(60);
/// Sequence of what is true; what is forged or to come claims more, what is old less.
const TRUE: u64 = 5;

/// What an institution says of its nodes.
#[derive(Debug, Clone)]
pub(crate) struct Roster {
    pub(crate) nodes: Vec<Listed>,
    pub(crate) until: Timestamp,
}

/// How one statement is made.
#[derive(Clone, Copy)]
struct Saying<'a> {
    key: &'a NodeKey,
    sequence: u64,
    from: Timestamp,
    until: Timestamp,
}

/// So many minutes before the statements are told.
fn before(minutes: u64) -> Timestamp {
    Timestamp::from_ms(TOLD.as_ms() - minutes * 60_000)
}

/// Gives every institution a fate, and tells the directory.
pub(crate) fn rosters(world: &mut World, random: &mut Random) {
    let mut lists: Vec<Vec<Listed>> = vec![Vec::new(); world.owners.len()];
    for node in 0..world.nodes {
        let owner = random.below(lists.len());
        lists[owner].push(listed(node, owner, random));
        if random.one_in(15) {
            let other = random.below(lists.len());
            if other != owner {
                lists[other].push(listed(node, other, random));
            }
        }
    }
    for (owner, nodes) in lists.into_iter().enumerate() {
        noise(world, owner, random);
        let fate = random.below(12);
        let until = if fate == 0 { TOLD + 3 * MINUTE } else { NOW + 30 * MINUTE };
        let saying = Saying { key: roster_key(owner), sequence: TRUE, from: TOLD, until };
        if fate != 1 {
            if random.one_in(3) {
                // It held once, and is superseded.
                let all: Vec<_> = (0..world.nodes).map(|it| listed(it, owner, random)).collect();
                let old = Saying { sequence: TRUE - 2, ..saying };
                assert!(tell_roster(world, owner, &all, old), "a true roster was refused");
            }
            assert!(tell_roster(world, owner, &nodes, saying), "a true roster was refused");
            world.rosters[owner] = Some(Roster { nodes: nodes.clone(), until });
        }
        if fate == 2 {
            // Two rosters of one sequence: neither counts.
            let other = Saying { until: until + MINUTE, ..saying };
            assert!(!tell_roster(world, owner, &nodes, other));
            world.rosters[owner] = None;
        }
        if fate != 1 {
            noise(world, owner, random);
        }
    }
}

/// Statements in the name of `owner` that must not count, once the true one is there at the latest.
fn noise(world: &mut World, owner: usize, random: &mut Random) {
    let count = world.nodes;
    let mut nodes: Vec<_> = (0..count).map(|node| listed(node, owner, random)).collect();
    for listed in &mut nodes {
        listed.roles = BTreeSet::from([Role::Home, Role::Stage]);
    }
    let liar = (owner + 1) % world.owners.len();
    let saying =
        Saying { key: roster_key(owner), sequence: 9, from: TOLD, until: NOW + 60 * MINUTE };
    let wrong = [
        Saying { key: roster_key(liar), ..saying },
        Saying { key: stranger(), ..saying },
        Saying { from: TOLD + 60 * MINUTE, until: TOLD + 120 * MINUTE, ..saying },
        Saying { from: before(120), until: before(60), ..saying },
    ];
    if random.one_in(2) {
        assert!(!tell_roster(world, owner, &nodes, random.pick(&wrong)), "a liar was believed");
    }
    if random.one_in(2) && world.rosters[owner].is_some() {
        let old = Saying { sequence: TRUE - 1, ..saying };
        assert!(!tell_roster(world, owner, &nodes, old), "an old roster was believed");
    }
}

fn listed(node: usize, owner: usize, random: &mut Random) -> Listed {
    let roles: &[Role] = match random.below(8) {
        0 => &[Role::Home],
        1 | 2 => &[Role::Stage],
        _ => &[Role::Home, Role::Stage],
    };
    let (jurisdiction, roles) = (random.pick(&COUNTRIES), roles.iter().copied().collect());
    Listed { node, owner, jurisdiction, roles }
}

/// Whether the directory took it.
fn tell_roster(world: &mut World, owner: usize, nodes: &[Listed], saying: Saying<'_>) -> bool {
    let node = |listed: &Listed| RosterNode {
        peer: node_key(listed.node).public(),
        jurisdiction: listed.jurisdiction.parse().unwrap(),
        roles: listed.roles.clone(),
        control_addresses: Vec::new(),
    };
    let mut nodes: Vec<_> = nodes.iter().map(node).collect();
    nodes.sort_by_key(|node| node.peer);
    let roster = roster::Roster {
        institution: world.owners[owner].id.clone(),
        sequence: saying.sequence,
        issued_at: saying.from,
        expires_at: saying.until,
        nodes,
    };
    let signed = saying.key.sign(Domain::ROSTER, &world.hash, &roster).unwrap();
    world.directory.insert_roster(TOLD, &signed).is_ok()
}

/// Lets every node say what it serves, and others say more.
pub(crate) fn announcements(world: &mut World, random: &mut Random) {
    for node in 0..world.nodes {
        let Some(owner) = world.member(node, TOLD).map(|listed| listed.owner) else { continue };
        let held: Vec<_> = (0..=random.below(2)).map(|_| held(random)).collect();
        let fate = random.below(12);
        let until = if fate == 0 { TOLD + 3 * MINUTE } else { TOLD + 9 * MINUTE };
        let saying = Saying { key: node_key(node), sequence: TRUE, from: TOLD, until };
        if fate != 1 {
            let digest = world.manifest.digest();
            let told = tell(world, owner, offers(&held, digest, random), saying);
            let stage = world.member(node, TOLD).unwrap().roles.contains(&Role::Stage);
            assert_eq!(told, stage, "a node that is no stage was believed, or a stage was not");
        }
        let lost = fate == 2 && world.directory.lost(&node_key(node).public(), TOLD);
        if !lost && fate > 1 {
            world.held[node] = held;
        }
        boast(world, (node, owner), random);
    }
}

/// Announcements that must not count, of everything at no cost.
fn boast(world: &mut World, (node, owner): (usize, usize), random: &mut Random) {
    let everything = Held { start: 0, end: 8, roomy: true };
    let offers = offers(&[everything], world.manifest.digest(), random);
    let until = TOLD + 9 * MINUTE;
    let saying = Saying { key: node_key(node), sequence: 9, from: TOLD, until };
    let wrong = [
        Saying { key: stranger(), ..saying },
        Saying { from: before(9), until: before(1), ..saying },
        Saying { from: TOLD + 9 * MINUTE, until: TOLD + 18 * MINUTE, ..saying },
        Saying { until: TOLD + 11 * MINUTE, ..saying },
    ];
    if random.one_in(2) {
        let saying = random.pick(&wrong);
        assert!(!tell(world, owner, offers.clone(), saying), "a liar was believed");
    }
    let other = (owner + 1) % world.owners.len();
    if random.one_in(2) {
        assert!(!tell(world, other, offers.clone(), saying), "it spoke for another institution");
    }
    if random.one_in(2) && !world.serves(node).is_empty() {
        let old = Saying { sequence: TRUE - 1, ..saying };
        assert!(!tell(world, owner, offers, old), "an old announcement was believed");
    }
}

fn held(random: &mut Random) -> Held {
    let start = if random.one_in(2) { 0 } else { random.small(6) };
    let len = 1 + random.small(6);
    Held { start, end: start + len, roomy: !random.one_in(8) }
}

/// These, and some of another model or class.
fn offers(held: &[Held], manifest: Digest, random: &mut Random) -> Vec<Offer> {
    let offer = |held: &Held, block_time_ns| Offer {
        manifest,
        blocks: BlockRange::new(held.start, held.end).unwrap(),
        numeric_class: CLASS.into(),
        block_time_ns,
        positions_free: if held.roomy { 100 } else { 99 },
        sessions: 0,
    };
    let mut offers: Vec<_> = held.iter().map(|held| offer(held, random.next() % 1_000)).collect();
    let everything = Held { start: 0, end: 8, roomy: true };
    if random.one_in(3) {
        offers.push(Offer { manifest: Digest([1; 32]), ..offer(&everything, 0) });
        offers.push(Offer { numeric_class: "other".into(), ..offer(&everything, 0) });
    }
    offers
}

/// Whether the directory took it.
fn tell(world: &mut World, owner: usize, offers: Vec<Offer>, saying: Saying<'_>) -> bool {
    let announcement = Announcement {
        institution: world.owners[owner].id.clone(),
        sequence: saying.sequence,
        issued_at: saying.from,
        expires_at: saying.until,
        data_addresses: Vec::new(),
        offers,
        round_trips: Vec::new(),
    };
    let signed = saying.key.sign(Domain::ANNOUNCEMENT, &world.hash, &announcement).unwrap();
    world.directory.insert_announcement(TOLD, &signed).is_ok()
}
