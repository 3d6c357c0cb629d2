//! A node that starts when its roster and the charter are over: its institution's own use goes on.

use comity_node::{clock::Clock, node::Node};
use comity_protocol::time::Timestamp;

use crate::{
    founded::Founded,
    swarm::{MODEL, read, request},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_with_an_expired_roster_and_charter_answers_its_own_institution() {
    let two_hours_ago = Timestamp::from_ms(Clock::start().now().as_ms() - 7_200_000);
    let founded = Founded::new(1, two_hours_ago, |_| ());
    let node = Node::spawn(founded.setup(0, Vec::new())).await.expect("its own use goes on");
    let status = node.status().await;
    let said = status["governance"].as_str().expect("people must mend it");
    assert!(said.contains("only local use goes on") && said.contains("expired"), "{said}");
    node.ready(MODEL).await;
    let answer = read(node.generate(request("the cat sat", 4)).await.unwrap()).await;
    assert_eq!(answer.tokens.len(), 4);
    node.shutdown().await;
}
