//! A home that may choose between nodes which do as well.

use std::{net::Ipv4Addr, time::Duration};

use comity_netsim::relay::{
    Relay,
    scenario::{Direction, LinkSection, Scenario},
};
use comity_node::{
    clock::Clock,
    node::{Node, Setup},
};
use comity_protocol::{block::BlockRange, id::PeerKey, request::ClientEvent};
use comity_shard::fixture;
use tokio::time::timeout;

use crate::{
    founded::Founded,
    swarm::{MODEL, PATIENCE, next, read, request},
};

/// Tokens of an answer that nobody reads: more than wait for a client, so that it does not end.
const UNREAD: u32 = 200;

/// A node that holds the whole model; the first one is home and holds nothing.
fn setup(founded: &Founded, member: u8, peers: Vec<String>) -> Setup {
    let mut setup = founded.setup(member, peers);
    let all = BlockRange::new(0, fixture::BLOCKS).unwrap();
    setup.models[0].blocks = (member > 0).then_some(all);
    setup
}

/// Asks for so many answers at once and reads them all; the nodes of their stages.
async fn stages(home: &Node, count: usize) -> Vec<PeerKey> {
    let (mut answers, mut stages) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let mut answer = home.generate(request("the cat sat", UNREAD)).await.unwrap();
        let ClientEvent::Started(started) = next(&mut answer).await else {
            panic!("an answer begins with Started");
        };
        stages.extend(started.stages.iter().map(|stage| stage.peer));
        answers.push(answer);
    }
    for answer in answers {
        assert_eq!(read(answer).await.tokens.len(), UNREAD as usize);
    }
    stages
}

/// Waits until nodes know each other, and the first one what all serve.
async fn meet(nodes: &[&Node]) {
    let met = async {
        for node in nodes {
            let others = nodes.iter().map(|other| other.peer());
            let others: Vec<_> = others.filter(|peer| *peer != node.peer()).collect();
            node.met(&others).await;
        }
        nodes[0].ready(MODEL).await;
    };
    timeout(PATIENCE, met).await.expect("the nodes never met");
}

/// A relay before a node's control plane, and the address to call it at: so far one way.
fn away(node: &Node, delay: Duration) -> (Relay, Vec<String>) {
    let address = node.control_addresses().remove(0);
    let port = address.split('/').nth(4).unwrap();
    let (mut forward, mut back) = (Direction::default(), Direction::default());
    (forward.path.delay, back.path.delay) = (delay, delay);
    let link = LinkSection {
        name: "far".into(),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        from: None,
        target: (Ipv4Addr::LOCALHOST, port.parse().unwrap()).into(),
        flows_max: 8,
        idle_s: 120,
        forward,
        back,
    };
    let relay = Relay::start(&Scenario { seed: 1, links: vec![link] }).unwrap();
    let relayed = format!("/{}/", relay.addresses()[0].port());
    let address = address.replace(&format!("/{port}/"), &relayed);
    (relay, vec![address])
}

/// Microseconds that `node` says another one is away.
async fn round_trip_us(node: &Node, other: &Node) -> Option<u64> {
    let status = node.status().await;
    let member = status["members"].as_array().unwrap().iter();
    let mut member = member.filter(|member| member["peer"] == other.peer().to_string());
    member.next().unwrap()["round_trip_us"].as_u64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_do_as_well_but_are_far_are_left_alone() {
    const DELAY: Duration = Duration::from_millis(100);
    let founded = Founded::new(3, Clock::start().now(), |_| {});
    let far = Node::spawn(setup(&founded, 1, Vec::new())).await.unwrap();
    let (relay, peers) = away(&far, DELAY);
    let near = Node::spawn(setup(&founded, 2, peers.clone())).await.unwrap();
    let home =
        Node::spawn(setup(&founded, 0, [near.control_addresses(), peers].concat())).await.unwrap();
    meet(&[&home, &near, &far]).await;
    let known = async {
        for other in [&near, &far] {
            while round_trip_us(&home, other).await.is_none() {
                tokio::task::yield_now().await;
            }
        }
    };
    timeout(PATIENCE, known).await.expect("neighbours are pinged");
    assert!(u128::from(round_trip_us(&home, &far).await.unwrap()) >= (DELAY * 2).as_micros());

    assert_eq!(stages(&home, 4).await, [near.peer(); 4]);
    for node in [home, near, far] {
        node.shutdown().await;
    }
    relay.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_between_two_announcements_are_shared_out_among_equal_nodes() {
    let founded = Founded::new(3, Clock::start().now(), |_| {});
    let one = Node::spawn(setup(&founded, 1, Vec::new())).await.unwrap();
    let other = Node::spawn(setup(&founded, 2, one.control_addresses())).await.unwrap();
    let peers = [one.control_addresses(), other.control_addresses()].concat();
    let home = Node::spawn(setup(&founded, 0, peers)).await.unwrap();
    meet(&[&home, &one, &other]).await;
    for node in [&one, &other] {
        // On loopback chance decides who is nearer.
        home.context().directory.measured(node.peer(), Duration::ZERO).await;
    }
    let stages = stages(&home, 6).await;
    for node in [&one, &other] {
        let of = stages.iter().filter(|peer| **peer == node.peer()).count();
        assert_eq!(of, 3, "{stages:?}");
    }
    for node in [home, one, other] {
        node.shutdown().await;
    }
}
