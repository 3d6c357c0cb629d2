//! What an institution may have of another's node: its weight there, and how much within a day.

use comity_node::{clock::Clock, log::Log, node::Node};
use comity_protocol::{
    block::BlockRange,
    id::{Digest, SessionId},
    receipt::StageReceipt,
    refusal::Cause,
    signed::Domain,
    time::Timestamp,
    wire::Wire as _,
};
use tokio::time::timeout;

use crate::{
    founded::Founded,
    swarm::{MODEL, PATIENCE, read, request},
};

const HOUR_MS: u64 = 3_600_000;

/// Puts into the log of the second member's node that it computed a whole unit for the first.
pub(crate) async fn had(founded: &Founded, hours_ago: u64) {
    let node = founded.node_key(1);
    let then = Timestamp::from_ms(Clock::start().now().as_ms() - hours_ago * HOUR_MS);
    let receipt = StageReceipt {
        session: SessionId([9; 16]),
        institution: "member-1".into(),
        jurisdiction: "NL".parse().unwrap(),
        stage: 0,
        blocks: BlockRange::new(0, 1).unwrap(),
        manifest: Digest::ZERO,
        shard: Digest::ZERO,
        numeric_class: "test".into(),
        positions: 1,
        input: Digest::ZERO,
        output: Digest::ZERO,
        sequence: 1,
        started_at: then,
        signed_at: then,
        cached: 0,
        home: founded.node_key(0).public(),
        home_institution: "member-0".into(),
        computed: 1,
        previous: Digest::ZERO,
        parameters: 1_000_000_000,
    };
    let signed = node.sign(Domain::STAGE_RECEIPT, &founded.charter.hash(), &receipt).unwrap();
    let (log, _) = Log::open(&founded.folder(1)).unwrap();
    log.append(signed.encode()).await.unwrap();
    log.close().await;
}

/// Why a request of the first member ends badly that needs the second one's blocks, if it does.
async fn cause(hours_ago: u64) -> Option<(Cause, String)> {
    let from = Clock::start().now();
    let founded = Founded::new(2, from, |charter| charter.institutions[0].quota = 1);
    had(&founded, hours_ago).await;
    let stage = Node::spawn(founded.setup(1, Vec::new())).await.unwrap();
    let home = Node::spawn(founded.setup(0, stage.control_addresses())).await.unwrap();
    let met = async {
        home.met(&[stage.peer()]).await;
        stage.met(&[home.peer()]).await;
        home.ready(MODEL).await;
    };
    timeout(PATIENCE, met).await.expect("the nodes never met");
    let ended = match home.generate(request("the cat sat", 4)).await {
        Ok(generation) => {
            let cause = read(generation).await.finished.cause;
            cause.map(|refusal| (refusal.cause, refusal.detail))
        }
        Err(error) => Some((error.refused().cause, error.refused().detail)),
    };
    home.shutdown().await;
    stage.shutdown().await;
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_institution_that_has_had_its_quota_within_a_day_is_refused_also_after_a_restart() {
    let (cause, detail) = cause(23).await.expect("it has had all that it may have");
    assert_eq!(cause, Cause::Quota, "{detail}");
    assert!(detail.contains("member-0 has had 1 of the 1 billion"), "{detail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_institution_has_the_weight_at_a_stage_that_the_charter_gives_it() {
    let from = Clock::start().now();
    let founded = Founded::new(2, from, |charter| charter.institutions[0].share = 7);
    let node = Node::spawn(founded.setup(1, Vec::new())).await.unwrap();
    let share = |institution| node.context().share(institution);
    assert_eq!(["member-0", "member-1", "nobody"].map(share), [7, 1, 1]);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_institution_had_before_the_last_day_counts_no_more() {
    assert_eq!(cause(25).await, None);
}
