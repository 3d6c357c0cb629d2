//! A home that may choose between nodes which do as well.

use comity_node::{clock::Clock, node::Node};
use comity_protocol::{block::BlockRange, request::ClientEvent};
use comity_shard::fixture;
use tokio::time::timeout;

use crate::{
    founded::Founded,
    swarm::{MODEL, PATIENCE, next, read, request},
};

/// Tokens of an answer that nobody reads: more than wait for a client, so that it does not end.
const UNREAD: u32 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_between_two_announcements_are_shared_out_among_equal_nodes() {
    let founded = Founded::new(3, Clock::start().now(), |_| {});
    let setup = |member, peers| {
        let mut setup = founded.setup(member, peers);
        setup.models[0].blocks = BlockRange::new(0, fixture::BLOCKS).ok();
        setup
    };
    let one = Node::spawn(setup(1, Vec::new())).await.unwrap();
    let other = Node::spawn(setup(2, one.control_addresses())).await.unwrap();
    let peers = [one.control_addresses(), other.control_addresses()].concat();
    let home = Node::spawn(setup(0, peers)).await.unwrap();
    let all = [home.peer(), one.peer(), other.peer()];
    let met = async {
        for node in [&home, &one, &other] {
            let others: Vec<_> = all.iter().copied().filter(|peer| *peer != node.peer()).collect();
            node.met(&others).await;
        }
        home.ready(MODEL).await;
    };
    timeout(PATIENCE, met).await.expect("the nodes never met");

    let (mut answers, mut stages) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        let mut answer = home.generate(request("the cat sat", UNREAD)).await.unwrap();
        let ClientEvent::Started(started) = next(&mut answer).await else {
            panic!("an answer begins with Started");
        };
        stages.extend(started.stages.iter().map(|stage| stage.peer));
        answers.push(answer);
    }
    for node in all {
        let of = stages.iter().filter(|peer| **peer == node).count();
        assert_eq!(of, 2, "{stages:?}");
    }
    for answer in answers {
        assert_eq!(read(answer).await.tokens.len(), UNREAD as usize);
    }
    for node in [home, one, other] {
        node.shutdown().await;
    }
}
