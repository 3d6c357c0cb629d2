//! Countersignatures between two nodes: home and a stage, each with its own log.

use bytes::Bytes;
use comity_protocol::{
    block::BlockRange,
    policy::Policy,
    receipt::{
        Commitments, CountersignError, FinishReason, Receipt, StageReceipt, SystemPrompt, Work,
    },
    route::RouteStage,
};

use super::*;
use crate::accounts::Accounts;

fn blocks() -> BlockRange {
    BlockRange::new(0, 2).unwrap()
}

/// What the stage at `desk` signs for a session of the node at `home`.
pub(super) fn draft(session: u8, home: &Desk, institution: &str, computed: u64) -> StageReceipt {
    StageReceipt {
        session: SessionId([session; 16]),
        institution: "inst-stage".into(),
        jurisdiction: "DE".parse().unwrap(),
        stage: 0,
        blocks: blocks(),
        manifest: Digest::ZERO,
        shard: Digest::ZERO,
        numeric_class: "test".into(),
        positions: 1,
        input: Digest::ZERO,
        output: Digest::ZERO,
        sequence: 0,
        started_at: Timestamp::from_ms(1),
        signed_at: Timestamp::from_ms(1),
        cached: 0,
        home: home.ledger.signer(),
        home_institution: institution.into(),
        computed,
        previous: Digest::ZERO,
        parameters: 10,
    }
}

/// Home's receipt that lists `signed`, for which it owes `work`.
pub(super) fn listing(session: u8, stage: &Desk, signed: &Signed, work: &StageReceipt) -> Receipt {
    let digest = Digest::ZERO;
    let commitments = Commitments {
        sampling: digest,
        prompt: digest,
        output: digest,
        text: digest,
        system_prompt: digest,
        client: digest,
    };
    Receipt {
        session: SessionId([session; 16]),
        institution: "inst".into(),
        jurisdiction: "NL".parse().unwrap(),
        manifest: digest,
        open_record: digest,
        sequence: 0,
        previous: digest,
        opened_at: Timestamp::from_ms(1),
        closed_at: Timestamp::from_ms(1),
        policy: Policy::open(Policy::OPEN),
        stages: vec![RouteStage { peer: stage.ledger.signer(), blocks: blocks() }],
        sampler: "test".into(),
        commitments,
        prompt_tokens: 1,
        output_tokens: 0,
        finish_reason: FinishReason::Stop,
        cause: None,
        filters: Vec::new(),
        stage_receipts: vec![signed.payload_digest()],
        client_nonce: Bytes::new(),
        numeric_class: "test".into(),
        unsigned_stages: Vec::new(),
        charter: CHARTER,
        software: "test".into(),
        system_prompt_by: SystemPrompt::None,
        template: None,
        retained_until: Timestamp::from_ms(1),
        first_token_ms: 0,
        migrations: Vec::new(),
        work: vec![Work::of(work)],
    }
}

fn outstanding(desk: &Desk) -> Vec<Signed> {
    desk.store.catch_up().unwrap();
    desk.store.uncountersigned().unwrap()
}

fn accounts(desk: &Desk) -> Accounts {
    let mut accounts = Accounts::default();
    desk.records().iter().for_each(|record| accounts.read(&record.bytes));
    accounts
}

#[tokio::test]
async fn the_last_receipt_of_a_session_is_outstanding_until_home_countersigned_it() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (home, stage) = (Desk::open(folders[0].path()), Desk::of(2, folders[1].path()));
    // A partial receipt that reached home, and the last, which did not.
    let arrived = draft(1, &home, "inst", 5);
    let listed = stage.ledger.sign_stage_receipt(arrived.clone()).await.unwrap();
    let last = stage.ledger.sign_stage_receipt(draft(1, &home, "inst", 9)).await.unwrap();
    // Within one institution nobody owes anybody.
    stage.ledger.sign_stage_receipt(draft(2, &home, "inst-stage", 5)).await.unwrap();
    assert_eq!(outstanding(&stage), std::slice::from_ref(&last));

    let refused = home.ledger.countersign(&home.store, &last).await.unwrap_err();
    assert!(matches!(refused, GiveError::NotClosed), "{refused}");
    home.ledger.close(listing(1, &stage, &listed, &arrived)).await.unwrap();
    let stranger = Desk::of(3, tempfile::tempdir().unwrap().path());
    let other = stranger.ledger.sign_stage_receipt(draft(1, &home, "inst", 9)).await.unwrap();
    let refused = home.ledger.countersign(&home.store, &other).await.unwrap_err();
    let listed_none = matches!(&refused, GiveError::Refused(CountersignError::NotListed { .. }));
    assert!(listed_none, "{refused}");

    let given = home.ledger.countersign(&home.store, &last).await.unwrap();
    assert!(stage.ledger.countersigned(&stage.store, given.clone()).await.unwrap());
    assert!(outstanding(&stage).is_empty());
    let before = stage.records().len();
    // Again, and signed anew at another time.
    let again = home.ledger.countersign(&home.store, &listed).await.unwrap();
    let (first, second) = tokio::join!(
        stage.ledger.countersigned(&stage.store, given),
        stage.ledger.countersigned(&stage.store, again),
    );
    assert!(!first.unwrap() && !second.unwrap());
    assert_eq!(stage.records().len(), before, "recorded once");

    let (ours, theirs) = (accounts(&home).books, accounts(&stage).books);
    assert_eq!(ours.balance("inst", "inst-stage").taken, 50);
    assert_eq!(ours.balance("inst", "inst-stage"), theirs.balance("inst", "inst-stage"));
}

#[tokio::test]
async fn two_countersignatures_at_once_are_recorded_once() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (home, stage) = (Desk::open(folders[0].path()), Desk::of(2, folders[1].path()));
    let said = draft(1, &home, "inst", 5);
    let signed = stage.ledger.sign_stage_receipt(said.clone()).await.unwrap();
    home.ledger.close(listing(1, &stage, &signed, &said)).await.unwrap();
    let given = home.ledger.countersign(&home.store, &signed).await.unwrap();
    let (first, second) = tokio::join!(
        stage.ledger.countersigned(&stage.store, given.clone()),
        stage.ledger.countersigned(&stage.store, given),
    );
    assert!(first.unwrap() != second.unwrap());
    assert_eq!(stage.records().len(), 2);
}

#[tokio::test]
async fn a_countersignature_that_is_not_homes_or_not_for_us_is_not_recorded() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (home, stage) = (Desk::open(folders[0].path()), Desk::of(2, folders[1].path()));
    let said = draft(1, &home, "inst", 5);
    let signed = stage.ledger.sign_stage_receipt(said.clone()).await.unwrap();
    home.ledger.close(listing(1, &stage, &signed, &said)).await.unwrap();
    let given = home.ledger.countersign(&home.store, &signed).await.unwrap();
    let mut forged = given.clone();
    forged.signer = stage.ledger.signer();
    let refused = stage.ledger.countersigned(&stage.store, forged).await.unwrap_err();
    assert!(matches!(refused, TakeError::Refused(_)), "{refused}");
    let mut forged = given.clone();
    forged.signature[0] ^= 1;
    let refused = stage.ledger.countersigned(&stage.store, forged).await.unwrap_err();
    assert!(matches!(refused, TakeError::Refused(_)), "{refused}");
    let refused = home.ledger.countersigned(&home.store, given).await.unwrap_err();
    assert!(matches!(refused, TakeError::Unknown), "{refused}");
    assert_eq!((stage.records().len(), outstanding(&stage).len()), (1, 1));
}

#[tokio::test]
async fn sessions_under_one_id_are_outstanding_each() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (home, stage) = (Desk::open(folders[0].path()), Desk::of(2, folders[1].path()));
    for begun in [1, 2] {
        let said =
            StageReceipt { started_at: Timestamp::from_ms(begun), ..draft(1, &home, "inst", 5) };
        stage.ledger.sign_stage_receipt(said).await.unwrap();
    }
    assert_eq!(outstanding(&stage).len(), 2);
}
