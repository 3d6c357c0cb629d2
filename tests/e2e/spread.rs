//! A home that may choose between nodes which do as well.

use std::{net::Ipv4Addr, time::Duration};

use comity_netsim::relay::{
    Relay,
    scenario::{Direction, LinkSection, Scenario},
};
use comity_node::{
    clock::Clock,
    model::NUMERIC_CLASSES,
    node::{Node, Setup},
    sessions::Generation,
};
use comity_protocol::{block::BlockRange, id::PeerKey, request::ClientEvent, time::Timestamp};
use comity_shard::fixture;
use futures::future::join_all;
use tokio::time::{interval, timeout};

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

/// Begins an answer; the node of its only stage.
async fn begin(home: &Node, text: &str, max_tokens: u32) -> (PeerKey, Generation) {
    let mut answer = home.generate(request(text, max_tokens)).await.unwrap();
    let ClientEvent::Started(started) = next(&mut answer).await else {
        panic!("an answer begins with Started");
    };
    assert_eq!(started.stages.len(), 1);
    (started.stages[0].peer, answer)
}

/// Asks for so many answers at once and reads them all; the nodes of their stages.
async fn stages(home: &Node, count: usize) -> Vec<PeerKey> {
    let (mut answers, mut stages) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (stage, answer) = begin(home, "the cat sat", UNREAD).await;
        stages.push(stage);
        answers.push(answer);
    }
    // All at once: one that nobody reads is given up in the end.
    for answer in join_all(answers.into_iter().map(read)).await {
        assert_eq!(answer.tokens.len(), UNREAD as usize);
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
        let mut ticks = interval(Duration::from_millis(50));
        for other in [&near, &far] {
            while round_trip_us(&home, other).await.is_none() {
                ticks.tick().await;
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

/// When the nodes that serve the model announced it last.
async fn announced(home: &Node) -> Vec<Timestamp> {
    let digest = *home.context().homes.keys().next().unwrap();
    let mut all = Vec::new();
    for class in NUMERIC_CLASSES {
        let candidates = home.context().directory.candidates(digest, class).await;
        all.extend(candidates.iter().map(|candidate| candidate.announced_at));
    }
    all
}

/// Waits until all have announced what they serve once more, and lately: before they have run anything,
/// so that they stay equals until the next time, half a minute later.
async fn announced_again(home: &Node) {
    const LATELY: Duration = Duration::from_secs(15);
    let mut changes = home.context().directory.changes();
    let before = announced(home).await;
    let all = async {
        loop {
            let (now, last) = (home.context().clock.now(), announced(home).await);
            let is_new = |(last, before): (&Timestamp, &Timestamp)| {
                last != before && now.since(*last) < LATELY
            };
            if last.iter().zip(&before).all(is_new) {
                return;
            }
            changes.changed().await.unwrap();
        }
    };
    timeout(PATIENCE, all).await.expect("nodes announce now and then");
}

/// Home and two nodes that do as well, and keep beginnings of prompts or not.
async fn equals(founded: &Founded, keep: bool) -> [Node; 3] {
    let setup = |member, peers| {
        let mut setup = setup(founded, member, peers);
        setup.models[0].prefix_cache = keep || member == 0;
        setup
    };
    let one = Node::spawn(setup(1, Vec::new())).await.unwrap();
    let other = Node::spawn(setup(2, one.control_addresses())).await.unwrap();
    let peers = [one.control_addresses(), other.control_addresses()].concat();
    let home = Node::spawn(setup(0, peers)).await.unwrap();
    meet(&[&home, &one, &other]).await;
    announced_again(&home).await;
    for node in [&one, &other] {
        // On loopback chance decides who is nearer.
        home.context().directory.measured(node.peer(), Duration::ZERO).await;
    }
    [home, one, other]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_between_two_announcements_are_shared_out_among_equal_nodes() {
    let founded = Founded::new(3, Clock::start().now(), |_| {});
    let [home, one, other] = equals(&founded, true).await;
    let stages = stages(&home, 6).await;
    for node in [&one, &other] {
        let of = stages.iter().filter(|peer| **peer == node.peer()).count();
        assert_eq!(of, 3, "{stages:?}");
    }
    for node in [home, one, other] {
        node.shutdown().await;
    }
}

/// Waits until no stage serves anyone any more.
async fn idle(nodes: [&Node; 2]) {
    for node in nodes {
        let mut usage = node.context().executor.usage_changes();
        let is_idle = usage.wait_for(|usage| usage.sessions == 0);
        timeout(PATIENCE, is_idle).await.unwrap().unwrap();
    }
}

/// A text of more than two hundred tokens.
fn text() -> String {
    "the cat of all cats sat on the mat. ".repeat(8)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_goes_on_where_it_is_kept_though_another_node_is_idle() {
    let founded = Founded::new(3, Clock::start().now(), |_| {});
    let [home, one, other] = equals(&founded, true).await;
    let (keeps, first) = begin(&home, &text(), 40).await;
    let first = read(first).await;
    idle([&one, &other]).await;
    let (busy, unread) = begin(&home, "the cat sat", UNREAD).await;
    assert_eq!(busy, keeps, "equals, and again the same one is first");

    let (stage, second) = begin(&home, &format!("{}{} and then", text(), first.text), 40).await;
    assert_eq!(stage, keeps);
    assert!(read(second).await.finished.cached_tokens > 100);
    read(unread).await;
    for node in [home, one, other] {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_kept_nothing_are_not_gone_back_to_again() {
    let founded = Founded::new(3, Clock::start().now(), |_| {});
    let [home, one, other] = equals(&founded, false).await;
    let mut stages = Vec::new();
    for turn in 0..2 {
        let (stage, answer) = begin(&home, &text(), 40).await;
        assert_eq!(read(answer).await.finished.cached_tokens, 0, "turn {turn}");
        stages.push(stage);
        idle([&one, &other]).await;
    }
    let (busy, unread) = begin(&home, "the cat sat", UNREAD).await;
    assert_eq!(stages, [busy; 2], "equals, and again the same one is first");
    let (stage, third) = begin(&home, &text(), 40).await;
    assert_ne!(stage, busy, "it was asked twice to keep this, and once had nothing");
    for answer in [third, unread] {
        read(answer).await;
    }
    for node in [home, one, other] {
        node.shutdown().await;
    }
}
