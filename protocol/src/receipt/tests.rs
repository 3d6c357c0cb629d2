//! Countersignatures: whom home gives them, and which ones a stage takes.

use super::*;
use crate::{
    block::BlockRange,
    limits::{
        BLOCKS_MAX, COMPUTED_MAX, FILTERS_MAX, MIGRATIONS_MAX, NAME_BYTES_MAX, NONCE_BYTES_MAX,
        PARAMETERS_MAX, POLICIES_MAX, POSITIONS_MAX, RECORD_PAYLOAD_BYTES_MAX, STAGES_MAX,
        TRANSFER_BASIS_BYTES_MAX,
    },
    policy::{DataClass, Policy},
    signed::{Domain, NodeKey, Signed, SignedError},
    wire::Wire as _,
};

pub(crate) const CHARTER: Digest = Digest([9; 32]);
pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

pub(crate) fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

fn blocks() -> BlockRange {
    BlockRange::new(0, 2).unwrap()
}

/// The receipt of stage 1 of a session whose home is node 0.
pub(crate) fn stage_receipt() -> StageReceipt {
    StageReceipt {
        session: SessionId([7; 16]),
        institution: "inst-1".into(),
        jurisdiction: "DE".parse().unwrap(),
        stage: 0,
        blocks: blocks(),
        manifest: Digest::ZERO,
        shard: Digest::ZERO,
        numeric_class: "test".into(),
        positions: 7,
        input: Digest::ZERO,
        output: Digest::ZERO,
        sequence: 1,
        started_at: NOW,
        signed_at: NOW,
        cached: 0,
        home: key(0).public(),
        home_institution: "inst-0".into(),
        computed: 9,
        previous: Digest::ZERO,
        parameters: 200,
    }
}

fn signed(receipt: &StageReceipt) -> Signed {
    key(1).sign(Domain::STAGE_RECEIPT, &CHARTER, receipt).unwrap()
}

/// Home's receipt that lists `listed`, of the one stage.
pub(crate) fn receipt(listed: &[&Signed]) -> Receipt {
    let digest = Digest::ZERO;
    Receipt {
        session: SessionId([7; 16]),
        institution: "inst-0".into(),
        jurisdiction: "NL".parse().unwrap(),
        manifest: digest,
        open_record: digest,
        sequence: 2,
        previous: digest,
        opened_at: NOW,
        closed_at: NOW,
        policy: Policy::open(Policy::OPEN),
        stages: vec![RouteStage { peer: key(1).public(), blocks: blocks() }],
        sampler: "test".into(),
        commitments: Commitments {
            sampling: digest,
            prompt: digest,
            output: digest,
            text: digest,
            system_prompt: digest,
            client: digest,
        },
        prompt_tokens: 1,
        output_tokens: 0,
        finish_reason: FinishReason::Stop,
        cause: None,
        filters: Vec::new(),
        stage_receipts: listed.iter().map(|signed| signed.payload_digest()).collect(),
        client_nonce: Bytes::new(),
        numeric_class: "test".into(),
        unsigned_stages: Vec::new(),
        charter: CHARTER,
        software: "test".into(),
        system_prompt_by: SystemPrompt::None,
        template: None,
        retained_until: NOW,
        first_token_ms: 0,
        migrations: Vec::new(),
        work: listed.iter().map(|_| Work::of(&stage_receipt())).collect(),
    }
}

fn ask(brought: &Signed, receipt: &Receipt) -> Result<Countersignature, CountersignError> {
    countersignature(NOW, &CHARTER, &key(0).public(), brought, receipt)
}

#[test]
fn home_countersigns_the_receipt_it_lists_and_the_stage_takes_it() {
    let brought = signed(&stage_receipt());
    let given = ask(&brought, &receipt(&[&brought])).unwrap();
    let given = key(0).sign(Domain::COUNTERSIGNATURE, &CHARTER, &given).unwrap();
    let (ours, theirs) = check_countersignature(&CHARTER, &brought, &given).unwrap();
    assert_eq!((ours, theirs.stage_receipt), (stage_receipt(), brought.payload_digest()));
}

#[test]
fn a_stage_that_brings_a_later_receipt_is_told_which_one_counts() {
    let listed = signed(&stage_receipt());
    let later =
        signed(&StageReceipt { positions: 8, computed: 10, sequence: 2, ..stage_receipt() });
    let given = ask(&later, &receipt(&[&listed])).unwrap();
    assert_eq!(given.stage_receipt, listed.payload_digest());
}

#[test]
fn home_countersigns_nothing_else() {
    let brought = signed(&stage_receipt());
    let listing = receipt(&[&brought]);
    let none = receipt(&[]);
    let error = ask(&brought, &none).unwrap_err();
    assert!(matches!(error, CountersignError::NotListed { .. }), "{error}");
    // Another node's receipt for the same session, though it says it is the same stage.
    let other = key(2).sign(Domain::STAGE_RECEIPT, &CHARTER, &stage_receipt()).unwrap();
    let error = ask(&other, &listing).unwrap_err();
    assert!(matches!(error, CountersignError::NotListed { .. }), "{error}");
    let elsewhere = StageReceipt { home: key(3).public(), ..stage_receipt() };
    let error = ask(&signed(&elsewhere), &listing).unwrap_err();
    assert!(matches!(error, CountersignError::Home { .. }), "{error}");
    let another = StageReceipt { session: SessionId([8; 16]), ..stage_receipt() };
    let error = ask(&signed(&another), &listing).unwrap_err();
    assert!(matches!(error, CountersignError::Session { .. }), "{error}");
    let mut forged = brought;
    forged.signature[0] ^= 1;
    let error = ask(&forged, &listing).unwrap_err();
    assert!(matches!(error, CountersignError::Signed(SignedError::Signature(_))), "{error}");
}

#[test]
fn a_stage_takes_no_other_countersignature() {
    let ours = signed(&stage_receipt());
    let right = ask(&ours, &receipt(&[&ours])).unwrap();
    let check = |by: u8, said: &Countersignature| {
        let given = key(by).sign(Domain::COUNTERSIGNATURE, &CHARTER, said).unwrap();
        check_countersignature(&CHARTER, &ours, &given).unwrap_err()
    };
    let error = check(2, &right);
    assert!(matches!(error, CountersignError::Signed(SignedError::Signer { .. })), "{error}");
    let error = check(0, &Countersignature { stage_receipt: Digest::ZERO, ..right.clone() });
    assert!(matches!(error, CountersignError::Digest { .. }), "{error}");
    let error = check(0, &Countersignature { session: SessionId([8; 16]), ..right.clone() });
    assert!(matches!(error, CountersignError::Session { .. }), "{error}");
    let error = check(0, &Countersignature { institution: "inst-1".into(), ..right });
    assert!(matches!(error, CountersignError::Institution { .. }), "{error}");
}

/// Nothing is computed for a request whose record could not be signed at its end.
#[test]
fn the_largest_receipt_there_is_fits_a_log() {
    let number = |number: usize| u32::try_from(number).unwrap();
    let name = |place: usize| format!("{place:02}{}", "n".repeat(NAME_BYTES_MAX - 2));
    let names = || (0..POLICIES_MAX).map(name);
    let country = |place: usize| {
        let letter = |place: usize| char::from(b'A' + u8::try_from(place).unwrap());
        format!("{}{}", letter(place / 26), letter(place % 26)).parse().unwrap()
    };
    let stage = |place: usize| RouteStage {
        peer: key(u8::try_from(place).unwrap()).public(),
        blocks: BlockRange::new(BLOCKS_MAX - 1, BLOCKS_MAX).unwrap(),
    };
    let work = |place| Work {
        stage: number(place),
        institution: name(0),
        computed: COMPUTED_MAX,
        parameters: PARAMETERS_MAX,
    };
    let migration = |_| Migration {
        position: POSITIONS_MAX,
        stage: number(STAGES_MAX) - 1,
        from: key(1).public(),
        to: key(2).public(),
        cause: Cause::Bug,
    };
    let late = Timestamp::from_ms(u64::MAX);
    let policy = Policy {
        allowed_jurisdictions: (0..POLICIES_MAX).map(country).collect(),
        forbidden_jurisdictions: (100..100 + POLICIES_MAX).map(country).collect(),
        allowed_institutions: names().collect(),
        pinned_first: BLOCKS_MAX,
        pinned_last: BLOCKS_MAX,
        data_class: Some(DataClass::Sensitive),
        purpose: name(0),
        transfer_basis: "t".repeat(TRANSFER_BASIS_BYTES_MAX),
        ..Policy::open(name(0))
    };
    let largest = Receipt {
        institution: name(0),
        sequence: u64::MAX,
        opened_at: late,
        closed_at: late,
        policy,
        stages: (0..STAGES_MAX).map(stage).collect(),
        sampler: name(0),
        prompt_tokens: POSITIONS_MAX,
        output_tokens: POSITIONS_MAX,
        finish_reason: FinishReason::Error,
        cause: Some(Cause::Bug),
        filters: (0..FILTERS_MAX).map(name).collect(),
        stage_receipts: vec![Digest::ZERO; STAGES_MAX],
        client_nonce: vec![0; NONCE_BYTES_MAX].into(),
        numeric_class: name(0),
        unsigned_stages: (0..number(STAGES_MAX)).collect(),
        software: name(0),
        system_prompt_by: SystemPrompt::Template,
        template: Some(Digest::ZERO),
        retained_until: late,
        first_token_ms: u64::MAX,
        migrations: (0..MIGRATIONS_MAX).map(migration).collect(),
        work: (0..STAGES_MAX).map(work).collect(),
        ..receipt(&[])
    };
    let encoded = largest.encode();
    assert_eq!(Receipt::decode(&encoded), Ok(largest), "every bound is kept");
    assert!(encoded.len() <= RECORD_PAYLOAD_BYTES_MAX, "{} bytes", encoded.len());
}

#[test]
fn partial_receipts_are_due_at_whole_intervals() {
    let table =
        [(0, 255, false), (0, 256, true), (256, 511, false), (300, 512, true), (0, 600, true)];
    for (signed, accepted, due) in table {
        assert_eq!(is_due(signed, accepted), due, "{signed} {accepted}");
    }
}
