//! One field changed and signed anew, by the right key or the wrong one: it is named.

use comity_protocol::{
    block::BlockRange,
    bundle::Bundle,
    id::{Digest, SessionId},
    limits::{COMPUTED_MAX, RETENTION_MAX},
    policy::Policy,
    receipt::{FinishReason, Migration, OpenRecord, Receipt, StageReceipt, SystemPrompt},
    refusal::Cause,
    roster::Role,
    signed::Domain,
    wire::Wire as _,
};

use super::fault;
use crate::story::{Story, country, key, later, manifest, node, stranger};

type Change<T> = fn(&mut T);

fn migration() -> Migration {
    let (from, to) = (node(1).public(), node(3).public());
    Migration { position: 5, stage: 1, from, to, cause: Cause::PeerLost }
}

/// Changes to the receipt, and what the verifier must name. Those a receipt alone cannot betray are
/// betrayed by the client's countersignature.
const RECEIPT: [(&str, Change<Receipt>, &str); 47] = [
    ("E_CHARTER_VERSION", |r| r.charter = Digest::ZERO, "receipt.charter"),
    ("E_MISMATCH", |r| r.software = "other/1".into(), "acknowledgement.receipt"),
    ("E_FORMAT", |r| r.software = "x".repeat(65), "receipt.software"),
    ("E_FORMAT", |r| r.software = String::new(), "receipt.software"),
    ("E_COMMITMENT", |r| r.commitments.system_prompt = Digest::ZERO, "opening.system_prompt"),
    ("E_COMMITMENT", |r| r.commitments.client = Digest::ZERO, "opening.client"),
    ("E_SYSTEM_PROMPT", |r| r.system_prompt_by = SystemPrompt::Template, "opening.system_prompt"),
    ("E_FORMAT", |r| r.system_prompt_by = SystemPrompt::None, "receipt.template"),
    ("E_TEMPLATE", |r| r.template = Some(Digest::ZERO), "receipt.template"),
    ("E_FORMAT", |r| r.template = None, "receipt.template"),
    ("E_RETENTION", |r| r.retained_until = later(103), "receipt.retained_until"),
    ("E_RETENTION", |r| r.retained_until = later(105) + RETENTION_MAX, "receipt.retained_until"),
    ("E_FIRST_TOKEN", |r| r.first_token_ms = 0, "receipt.first_token_ms"),
    ("E_FIRST_TOKEN", |r| r.first_token_ms = 4_001, "receipt.first_token_ms"),
    ("E_MISMATCH", |r| r.first_token_ms = 4_000, "acknowledgement.receipt"),
    ("E_MIGRATION", |r| r.migrations = vec![migration()], "receipt.migrations"),
    ("E_FORMAT", |r| r.migrations = vec![migration(); 65], "receipt.migrations"),
    ("E_MISMATCH", |r| r.session = SessionId([1; 16]), "receipt.session"),
    ("E_MISMATCH", |r| r.institution = "brava".into(), "receipt.institution"),
    ("E_MISMATCH", |r| r.jurisdiction = country("DE"), "receipt.jurisdiction"),
    ("E_MISMATCH", |r| r.manifest = Digest::ZERO, "receipt.manifest"),
    ("E_MISMATCH", |r| r.open_record = Digest::ZERO, "receipt.open_record"),
    ("E_SEQUENCE", |r| r.sequence = 7, "receipt.sequence"),
    ("E_SEQUENCE", |r| r.sequence = 8, "receipt.sequence"),
    ("E_SEQUENCE", |r| r.sequence = 10, "receipt.previous"),
    ("E_FORMAT", |r| r.sequence = 0, "receipt.sequence"),
    ("E_SEQUENCE", |r| r.previous = Digest::ZERO, "receipt.previous"),
    ("E_MISMATCH", |r| r.opened_at = later(99), "receipt.opened_at"),
    ("E_CHARTER_TIME", |r| r.opened_at = later(500 * 86_400), "receipt.opened_at"),
    ("E_TIME", |r| r.closed_at = later(99), "receipt.closed_at"),
    ("E_MISMATCH", |r| r.closed_at = later(105), "acknowledgement.receipt"),
    ("E_POLICY_NAME", |r| r.policy = Policy::open("europe"), "receipt.policy"),
    ("E_POLICY_NAME", |r| r.policy.name = "asia".into(), "receipt.policy"),
    ("E_MISMATCH", |r| r.policy = Policy::open(Policy::OPEN), "receipt.policy"),
    ("E_TILING", |r| r.stages.truncate(2), "receipt.stages"),
    ("E_TILING", |r| r.stages[1].blocks = BlockRange::new(2, 5).unwrap(), "receipt.stages"),
    ("E_MEMBER", |r| r.stages[1].peer = stranger(), "receipt.stages[1]"),
    ("E_SAMPLER", |r| r.sampler = "gumbel-1".into(), "receipt.sampler"),
    ("E_COMMITMENT", |r| r.commitments.sampling = Digest::ZERO, "opening.sampling"),
    ("E_COMMITMENT", |r| r.commitments.prompt = Digest::ZERO, "opening.prompt"),
    ("E_COMMITMENT", |r| r.commitments.output = Digest::ZERO, "opening.output"),
    ("E_COMMITMENT", |r| r.commitments.text = Digest::ZERO, "opening.text"),
    ("E_MISMATCH", |r| r.prompt_tokens = 6, "receipt.prompt_tokens"),
    ("E_MISMATCH", |r| r.output_tokens = 2, "receipt.output_tokens"),
    ("E_MISMATCH", |r| r.finish_reason = FinishReason::Stop, "acknowledgement.receipt"),
    ("E_FORMAT", |r| r.finish_reason = FinishReason::Error, "receipt.cause"),
    ("E_FORMAT", |r| r.cause = Some(Cause::Bug), "receipt.cause"),
];

const RECEIPT_LISTS: [(&str, Change<Receipt>, &str); 14] = [
    ("E_FORMAT", |r| r.work.truncate(2), "receipt.work"),
    ("E_FORMAT", |r| r.work.swap(0, 1), "receipt.work"),
    ("E_WORK", |r| r.work[1].computed += 1, "receipt.work[1]"),
    ("E_WORK", |r| r.work[1].parameters += 1, "receipt.work[1]"),
    ("E_WORK", |r| r.work[1].institution = "costa".into(), "receipt.work[1]"),
    ("E_WORK", |r| r.work[2].stage = 3, "receipt.work[2]"),
    ("E_MISMATCH", |r| r.filters = vec!["words".into()], "acknowledgement.receipt"),
    ("E_COUNTERSIGN", |r| r.stage_receipts[1] = Digest::ZERO, "receipt.stage_receipts[1]"),
    ("E_FORMAT", |r| r.stage_receipts.truncate(2), "receipt.work"),
    ("E_COUNTERSIGN", |r| r.stage_receipts.swap(0, 1), "receipt.stage_receipts[0]"),
    ("E_MISMATCH", |r| r.client_nonce = b"other".to_vec().into(), "acknowledgement.receipt"),
    ("E_MISMATCH", |r| r.numeric_class = "cuda".into(), "stage_receipts[0].numeric_class"),
    ("E_UNSIGNED", |r| r.unsigned_stages = vec![1], "receipt.unsigned_stages"),
    ("E_FORMAT", |r| r.unsigned_stages = vec![1, 1], "receipt.unsigned_stages"),
];

/// Changes to the second stage's receipt.
const STAGE: [(&str, Change<StageReceipt>, &str); 28] = [
    ("E_MISMATCH", |s| s.home = node(1).public(), "home"),
    ("E_MISMATCH", |s| s.home_institution = "brava".into(), "home_institution"),
    ("E_FORMAT", |s| s.home_institution = String::new(), "home_institution"),
    ("E_WORK", |s| s.computed = 2, "computed"),
    ("E_WORK", |s| s.computed = 6, "computed"),
    ("E_FORMAT", |s| s.computed = COMPUTED_MAX + 1, "computed"),
    ("E_WORK", |s| s.parameters += 1, "parameters"),
    ("E_FORMAT", |s| s.parameters = 0, "parameters"),
    ("E_SEQUENCE", |s| s.previous = Digest::ZERO, "previous"),
    ("E_MISMATCH", |s| s.session = SessionId([1; 16]), "session"),
    ("E_MISMATCH", |s| s.institution = "alba".into(), "institution"),
    ("E_MISMATCH", |s| s.jurisdiction = country("US"), "jurisdiction"),
    ("E_MISMATCH", |s| s.stage = 2, "stage"),
    ("E_MISMATCH", |s| s.blocks = BlockRange::new(2, 5).unwrap(), "blocks"),
    ("E_MISMATCH", |s| s.manifest = Digest::ZERO, "manifest"),
    ("E_MISMATCH", |s| s.shard = Digest::ZERO, "shard"),
    ("E_MISMATCH", |s| s.numeric_class = "cuda".into(), "numeric_class"),
    ("E_POSITIONS", |s| s.positions = 6, "positions"),
    ("E_POSITIONS", |s| s.positions = 8, "positions"),
    ("E_BOUNDARY", |s| s.input = Digest::ZERO, "input"),
    ("E_MISMATCH", |s| s.cached = 0, "cached"),
    ("E_FORMAT", |s| s.cached = 8, "cached"),
    ("E_FORMAT", |s| s.sequence = 0, "sequence"),
    ("E_TIME", |s| s.started_at = comity_protocol::time::Timestamp::from_ms(1), "started_at"),
    ("E_TIME", |s| s.started_at = later(104), "signed_at"),
    ("E_TIME", |s| s.signed_at = later(100), "signed_at"),
    ("E_TIME", |s| s.signed_at = later(225), "signed_at"),
    ("E_FORMAT", |s| s.positions = u32::MAX, "positions"),
];

fn resigned(story: &Story, change: Change<Receipt>) -> Bundle {
    let mut bundle = story.bundle();
    let mut receipt = Receipt::decode(&bundle.receipt.payload).unwrap();
    change(&mut receipt);
    bundle.receipt = story.sign(&node(0), Domain::RECEIPT, &receipt);
    bundle
}

/// The second stage signs `stage`, and home, in league with it, whatever that takes.
fn in_league(story: &Story, stage: StageReceipt, code: &str) -> Bundle {
    let mut forged = story.clone();
    forged.stages[1] = stage;
    let mut bundle = forged.bundle();
    bundle.stage_receipts[1] = story.sign(&node(1), Domain::STAGE_RECEIPT, &forged.stages[1]);
    let mut receipt = forged.linked(&bundle.open_record, &bundle.stage_receipts);
    if code != "E_WORK" {
        // Home cannot write down such work, or need not.
        receipt.work = story.linked(&bundle.open_record, &bundle.stage_receipts).work;
    }
    bundle.receipt = story.sign(&node(0), Domain::RECEIPT, &receipt);
    bundle.acknowledgement = None;
    bundle
}

/// Every forgery of the tables, with the code and the field that must be named.
pub(crate) fn forgeries() -> Vec<(&'static str, String, Bundle)> {
    let story = Story::new();
    let receipts = RECEIPT.into_iter().chain(RECEIPT_LISTS);
    let receipts =
        receipts.map(|(code, change, field)| (code, field.to_owned(), resigned(&story, change)));
    let stages = STAGE.into_iter().map(|(code, change, field)| {
        let mut stage = story.stages[1].clone();
        change(&mut stage);
        (code, format!("stage_receipts[1].{field}"), in_league(&story, stage, code))
    });
    receipts.chain(stages).collect()
}

#[test]
fn a_receipt_that_home_signs_anew_with_one_field_changed_is_refused() {
    let story = Story::new();
    for (code, change, field) in RECEIPT.into_iter().chain(RECEIPT_LISTS) {
        assert_eq!(fault(&resigned(&story, change)), (code, field.to_owned()));
    }
}

#[test]
fn a_receipt_signed_by_another_is_refused() {
    let story = Story::new();
    let honest = story.bundle();
    let receipt = Receipt::decode(&honest.receipt.payload).unwrap();
    let signed_by = |key| story.sign(&key, Domain::RECEIPT, &receipt);
    let table = [
        ("E_ROLE", signed_by(node(1))),
        ("E_MEMBER", signed_by(key("stranger", 0))),
        ("E_MEMBER", signed_by(key("root", 0))),
    ];
    for (code, receipt) in table {
        let bundle = Bundle { receipt, ..honest.clone() };
        assert_eq!(fault(&bundle), (code, "receipt.signer".into()));
    }
    // Another's signature under home's name, and home's signature on another type of statement.
    let mut receipt_of_another = signed_by(node(1));
    receipt_of_another.signer = node(0).public();
    let other_domain = story.sign(&node(0), Domain::STAGE_RECEIPT, &receipt);
    for receipt in [receipt_of_another, other_domain] {
        let bundle = Bundle { receipt, ..honest.clone() };
        assert_eq!(fault(&bundle), ("E_SIG_HOME", "receipt".into()));
    }
}

#[test]
fn a_stage_receipt_changed_after_home_countersigned_is_refused() {
    let story = Story::new();
    for (code, change, field) in STAGE {
        let mut bundle = story.bundle();
        let mut stage = story.stages[1].clone();
        change(&mut stage);
        bundle.stage_receipts[1] = story.sign(&node(1), Domain::STAGE_RECEIPT, &stage);
        let (got, path) = fault(&bundle);
        // What only the countersignature betrays is named there.
        let betrayed = got == "E_COUNTERSIGN" && path == "receipt.stage_receipts[1]";
        assert!(betrayed || (got, path) == (code, format!("stage_receipts[1].{field}")), "{field}");
        // With home in league, what contradicts another's word is still refused, and named.
        let bundle = in_league(&story, stage, code);
        assert_eq!(fault(&bundle), (code, format!("stage_receipts[1].{field}")));
    }
    // What nobody else says is betrayed by the countersignature alone.
    let free: [Change<StageReceipt>; 3] =
        [|s| s.sequence = 9, |s| s.output = Digest::ZERO, |s| s.signed_at = later(102)];
    for change in free {
        let mut bundle = story.bundle();
        let mut stage = story.stages[2].clone();
        change(&mut stage);
        bundle.stage_receipts[2] = story.sign_stage(&stage, &bundle.open_record);
        assert_eq!(fault(&bundle), ("E_COUNTERSIGN", "receipt.stage_receipts[2]".into()));
    }
}

#[test]
fn a_stage_receipt_signed_by_another_is_refused() {
    let story = Story::new();
    for signer in [node(0), node(2), key("stranger", 0), key("roster", 1)] {
        let mut bundle = story.bundle();
        bundle.stage_receipts[1] = story.sign(&signer, Domain::STAGE_RECEIPT, &story.stages[1]);
        assert_eq!(fault(&bundle), ("E_SIG_STAGE", "stage_receipts[1].signer".into()));
        bundle.stage_receipts[1].signer = node(1).public();
        assert_eq!(fault(&bundle), ("E_SIG_STAGE", "stage_receipts[1]".into()));
    }
    let mut swapped = story.bundle();
    swapped.stage_receipts.swap(1, 2);
    assert_eq!(fault(&swapped), ("E_SIG_STAGE", "stage_receipts[1].signer".into()));
}

#[test]
fn an_open_record_that_home_signs_anew_is_refused() {
    let story = Story::new();
    let changes: [Change<OpenRecord>; 7] = [
        |o| o.charter = Digest::ZERO,
        |o| o.session = SessionId([1; 16]),
        |o| o.institution = "brava".into(),
        |o| o.manifest = Digest::ZERO,
        |o| o.sequence = 6,
        |o| o.previous = Digest::of(b"other"),
        |o| o.opened_at = later(99),
    ];
    for change in changes {
        let (mut bundle, mut open) = (story.bundle(), story.open.clone());
        change(&mut open);
        bundle.open_record = story.sign(&node(0), Domain::OPEN_RECORD, &open);
        assert_eq!(fault(&bundle), ("E_MISMATCH", "receipt.open_record".into()));
    }
    let mut bundle = story.bundle();
    bundle.open_record = story.sign(&node(1), Domain::OPEN_RECORD, &story.open);
    assert_eq!(fault(&bundle), ("E_SIG_HOME", "open_record".into()));
    // The first record of a signer has none before it, and no other lacks one.
    for (sequence, previous) in [(1, Digest::of(b"one")), (7, Digest::ZERO)] {
        let mut story = Story::new();
        (story.open.sequence, story.open.previous) = (sequence, previous);
        assert_eq!(fault(&story.bundle()), ("E_SEQUENCE", "open_record.previous".into()));
    }
}

#[test]
fn a_request_taken_under_another_charter_than_the_one_in_force_is_refused() {
    let mut story = Story::new();
    (story.open.charter, story.receipt.charter) = (Digest::ZERO, Digest::ZERO);
    assert_eq!(fault(&story.bundle()), ("E_CHARTER_VERSION", "receipt.charter".into()));
}

#[test]
fn a_record_of_home_that_skips_another_is_refused() {
    // Home's own stage receipt stands between its two other records.
    let story = Story::new();
    let changes: [(Change<StageReceipt>, &str); 3] = [
        (|s| s.previous = Digest::of(b"other"), "stage_receipts[0].previous"),
        (|s| s.sequence = 7, "stage_receipts[0].sequence"),
        (|s| s.sequence = 9, "stage_receipts[0].previous"),
    ];
    for (change, field) in changes {
        let mut bundle = story.bundle();
        let mut stage = StageReceipt::decode(&bundle.stage_receipts[0].payload).unwrap();
        change(&mut stage);
        bundle.stage_receipts[0] = story.sign(&node(0), Domain::STAGE_RECEIPT, &stage);
        let receipt = story.linked(&bundle.open_record, &bundle.stage_receipts);
        bundle.receipt = story.sign(&node(0), Domain::RECEIPT, &receipt);
        assert_eq!(fault(&bundle), ("E_SEQUENCE", field.to_owned()));
    }
}

#[test]
fn what_rosters_and_charter_do_not_allow_is_refused() {
    let table: [(&str, Change<Story>, &str); 8] = [
        ("E_ROLE", |s| s.rosters[0].nodes[0].roles = [Role::Stage].into(), "receipt.signer"),
        ("E_ROLE", |s| s.rosters[2].nodes[0].roles = [Role::Home].into(), "receipt.stages[2]"),
        ("E_POLICY", |s| s.rosters[0].nodes[0].jurisdiction = country("US"), "receipt.policy"),
        ("E_POLICY", |s| s.rosters[2].nodes[0].jurisdiction = country("US"), "receipt.stages[2]"),
        ("E_ROSTER", |s| s.rosters[1].expires_at = later(50), "rosters[1]"),
        ("E_ROSTER", |s| s.rosters[1].issued_at = later(300), "rosters[1]"),
        ("E_ROSTER", |s| s.rosters[1].institution = "costa".into(), "rosters[1]"),
        (
            "E_MEMBER",
            |s| {
                let taken = s.rosters[2].nodes[0].clone();
                s.rosters[1].nodes.push(taken);
            },
            "receipt.stages[2]",
        ),
    ];
    for (code, change, field) in table {
        let mut story = Story::new();
        change(&mut story);
        for roster in &mut story.rosters {
            roster.nodes.sort_by_key(|node| node.peer);
        }
        if story.rosters[0].nodes[0].jurisdiction == country("US") {
            story.receipt.jurisdiction = country("US");
        }
        assert_eq!(fault(&story.bundle()), (code, field.to_owned()));
    }
}

#[test]
fn another_model_or_manifest_is_refused() {
    let story = Story::new();
    let mut bundle = story.bundle();
    let mut other = manifest();
    other.name = "tinier".into();
    bundle.manifest = other.encode().into();
    assert_eq!(fault(&bundle), ("E_MISMATCH", "receipt.manifest".into()));
    // Home in league: the charter allows one model, and this is another.
    let mut receipt = Receipt::decode(&bundle.receipt.payload).unwrap();
    receipt.manifest = other.digest();
    bundle.receipt = story.sign(&node(0), Domain::RECEIPT, &receipt);
    assert_eq!(fault(&bundle), ("E_MODEL", "receipt.manifest".into()));
}

#[test]
fn an_opening_or_acknowledgement_changed_is_refused() {
    let story = Story::new();
    let changes: [(Change<Story>, &str); 8] = [
        (|s| s.opening.system_prompt.clear(), "opening.system_prompt"),
        (|s| s.opening.client = None, "opening.client"),
        (|s| s.opening.client = Some(stranger()), "opening.client"),
        (|s| s.opening.prompt[0] += 1, "opening.prompt"),
        (|s| s.opening.output.push(9), "opening.output"),
        (|s| s.opening.text.push('!'), "opening.text"),
        (|s| s.opening.sampling.seed += 1, "opening.sampling"),
        (|s| s.opening.salt = comity_protocol::commitment::Salt::new([0; 32]), "opening.salt"),
    ];
    for (change, field) in changes {
        let mut changed = story.clone();
        change(&mut changed);
        let bundle = Bundle { opening: Some(changed.opening), ..story.bundle() };
        assert_eq!(fault(&bundle), ("E_COMMITMENT", field.to_owned()));
    }
    let mut bundle = story.bundle();
    let other = story.acknowledge(&bundle.open_record);
    bundle.acknowledgement = Some(other);
    assert_eq!(fault(&bundle), ("E_MISMATCH", "acknowledgement.receipt".into()));
    let mut bundle = story.bundle();
    let signed = bundle.acknowledgement.as_mut().unwrap();
    signed.signer = stranger();
    assert_eq!(fault(&bundle), ("E_SIG_CLIENT", "acknowledgement".into()));
}
