//! Stages that die, prompts that do not fit, records that outlive the node.

use comity_protocol::{
    receipt::{FinishReason, Sampling},
    refusal::Cause,
    request::{ClientEvent, Generate},
};

use crate::swarm::{PATIENCE, Swarm, next, read, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_a_stage_ends_the_request_with_an_error_and_its_cause() {
    let mut swarm = Swarm::of_fixture(3).await;
    let expected = swarm.ask(request("the cat", 200)).await;
    let mut generation = swarm.home().generate(request("the cat", 200)).await.unwrap();
    let mut tokens = Vec::new();
    while tokens.len() < 3 {
        if let ClientEvent::Token(token) = next(&mut generation).await {
            tokens.push(token.id);
        }
    }
    swarm.demo.nodes.remove(1).shutdown().await;
    let rest = read(generation).await;
    tokens.extend(rest.tokens);
    assert_eq!(rest.finished.reason, FinishReason::Error);
    let cause = rest.finished.cause.expect("an error has a cause");
    assert!(matches!(cause.cause, Cause::Shutdown | Cause::PeerLost), "{cause}");
    assert!(expected.tokens.starts_with(&tokens), "no lost, repeated or invented token");
    assert!(tokens.len() < expected.tokens.len(), "the stage died too late to be seen");
    let report =
        comity_protocol::bundle::verify(&rest.finished.bundle, &swarm.demo.genesis).unwrap();
    assert!(!report.complete, "the dead stage's last span is unsigned");
    swarm.until_idle().await;
    swarm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_an_answer_cancels_it_on_every_stage() {
    let swarm = Swarm::of_fixture(3).await;
    let mut generation = swarm.home().generate(request("the cat", 200)).await.unwrap();
    while !matches!(next(&mut generation).await, ClientEvent::Token(_)) {}
    drop(generation);
    swarm.until_idle().await;
    swarm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_dropped_before_it_began_ends_too() {
    let swarm = Swarm::of_fixture(2).await;
    // Before the record of its opening is durable, for which a disk takes its time.
    for _ in 0..20 {
        drop(swarm.home().generate(request("the cat", 4)).await.unwrap());
    }
    tokio::time::timeout(PATIENCE, swarm.shutdown()).await.expect("a session never ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_cannot_be_served_is_refused_before_any_peer_is_asked() {
    let mut swarm = Swarm::of_fixture(2).await;
    let greedy = Sampling { max_tokens: 4, ..Sampling::default() };
    let too_hot = Sampling { temperature: u32::MAX, ..greedy.clone() };
    let nothing = Sampling { max_tokens: 0, ..greedy };
    let cases = [
        (request(&"cat ".repeat(100_000), 4), Cause::Limit, "context"),
        (Generate { sampling: too_hot, ..request("a", 4) }, Cause::Limit, "temperature"),
        (Generate { sampling: nothing, ..request("a", 4) }, Cause::Limit, "max_tokens"),
        (Generate { policy: "none such".into(), ..request("a", 4) }, Cause::Policy, "none such"),
        (Generate { model: "other".into(), ..request("a", 4) }, Cause::NotServed, "other"),
        (Generate { stages_min: 9, ..request("a", 4) }, Cause::NotServed, "9"),
    ];
    for (request, cause, named) in cases {
        let refused = swarm.home().generate(request).await.unwrap_err().refused();
        assert_eq!(refused.cause, cause, "{}", refused.detail);
        assert!(refused.detail.contains(named), "{}", refused.detail);
        assert_eq!(swarm.demo.nodes[1].context().executor.usage().sessions, 0);
    }
    // With its only other holder gone, blocks are missing. Home is told so when the connection ends,
    // or learns it when dialling.
    swarm.demo.nodes.pop().unwrap().shutdown().await;
    match swarm.home().generate(request("a", 4)).await {
        Ok(generation) => {
            let answer = read(generation).await;
            assert_eq!(answer.finished.cause.map(|cause| cause.cause), Some(Cause::PeerLost));
        }
        Err(error) => assert_eq!(error.refused().cause, Cause::NotServed, "{error}"),
    }
    swarm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn home_keeps_an_open_and_a_closing_record_of_every_request() {
    let swarm = Swarm::of_fixture(2).await;
    let mut generation = swarm.home().generate(request("the cat", 4)).await.unwrap();
    let ClientEvent::Started(started) = next(&mut generation).await else {
        panic!("an answer begins with Started");
    };
    read(generation).await;
    let records = swarm.home().records(started.session).await.unwrap();
    // Home opened and closed; as stage 0 it signed its own receipt between the two.
    let sequences: Vec<_> = records.iter().map(|record| record.position.sequence).collect();
    assert_eq!(sequences, [1, 2, 3]);
    let stage = swarm.demo.nodes[1].records(started.session).await.unwrap();
    assert_eq!(stage.len(), 1);
    swarm.shutdown().await;
}
