//! Prompts that begin like an earlier one: sooner answered, with the same tokens and the same proof.

use comity_protocol::{bundle::Report, policy::Policy, request::Generate};

use crate::swarm::{Answer, Swarm, request};

const NODES: u32 = 3;

/// A text of more than a hundred tokens.
fn text() -> String {
    (0..8).map(|turn| format!("the cat of {turn} sat on the mat. ")).collect()
}

/// Two turns of a conversation, the second beginning with all of the first.
async fn converse(swarm: &Swarm) -> [Answer; 2] {
    let first = swarm.ask(request(&text(), 40)).await;
    // Stages keep a session's pages as it ends, which home does not wait for.
    swarm.until_idle().await;
    let second = format!("{}{} and then it", text(), first.text);
    [first, swarm.ask(request(&second, 40)).await]
}

/// Positions each stage signed for, and those it says it did not compute.
fn spans(report: &Report) -> Vec<(u32, u32)> {
    report.stages.iter().map(|stage| (stage.positions, stage.cached)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_turn_begins_where_the_last_one_ended_with_the_same_tokens_and_proof() {
    let (keeping, forgetting) = (Swarm::of_fixture(NODES).await, Swarm::forgetting(NODES).await);
    let (kept, computed) = (converse(&keeping).await, converse(&forgetting).await);
    for (kept, computed) in kept.iter().zip(&computed) {
        assert_eq!(kept.tokens, computed.tokens);
        assert_eq!(computed.finished.cached_tokens, 0);
        let (kept, computed) = (keeping.verify(kept), forgetting.verify(computed));
        assert!(kept.complete && computed.complete);
        assert_eq!(kept.stages[0].positions, computed.stages[0].positions);
    }
    let [first, second] = kept;
    let (first, report) = (first.finished.cached_tokens, keeping.verify(&second));
    let cached = second.finished.cached_tokens;
    assert!(first == 0 && cached > 100 && cached.is_multiple_of(32), "{first}, {cached}");
    assert!(cached < report.prompt_tokens, "the last token is always computed");
    assert_eq!(spans(&report), vec![(report.stages[0].positions, cached); NODES as usize]);
    for swarm in [keeping, forgetting] {
        swarm.until_idle().await;
        swarm.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_policy_kept_no_other_finds() {
    let policies = ["first", "second"].map(Policy::open);
    let swarm = Swarm::under(2, policies.to_vec()).await;
    let mut cached = Vec::new();
    for policy in ["first", "second", "", "first"] {
        let asked = Generate { policy: policy.into(), ..request(&text(), 4) };
        let answer = swarm.ask(asked).await;
        assert!(swarm.verify(&answer).complete);
        cached.push(answer.finished.cached_tokens > 0);
        swarm.until_idle().await;
    }
    assert_eq!(cached, [false, false, false, true]);
    swarm.shutdown().await;
}
