//! Bundles in which somebody's word is changed, taken away or another's.

use comity_protocol::{
    bundle::Bundle,
    id::{Digest, PeerKey},
    manifest::Manifest,
    policy::{Audit, DataClass, Policy, Recovery},
    receipt::{FinishReason, Receipt, SystemPrompt},
    refusal::Cause,
    roster::Role,
    signed::Domain,
    wire::Wire as _,
};

use super::Case;
use crate::{
    bundle::forged::forgeries,
    story::{Story, country, key, later, node, roster, stranger},
};

type Told = fn(&mut Story);
type Changed = fn(&Story, &mut Bundle);

/// Stories told by everybody together that are still not to be believed.
const STORIES: [(&str, Told, &str, &str); 24] = [
    ("a home that is none", |s| roles(s, 0, Role::Stage), "E_ROLE", "receipt.signer"),
    ("a stage that is none", |s| roles(s, 2, Role::Home), "E_ROLE", "receipt.stages[2]"),
    ("a peer on two rosters", listed_twice, "E_MEMBER", "receipt.stages[2]"),
    ("an old roster", |s| s.rosters[1].expires_at = later(50), "E_ROSTER", "rosters[1]"),
    ("a roster to come", |s| s.rosters[1].issued_at = later(300), "E_ROSTER", "rosters[1]"),
    (
        "a roster for too long",
        |s| s.rosters[1].expires_at = later(260_000),
        "E_ROSTER",
        "rosters[1]",
    ),
    ("another's roster", |s| s.rosters[1].institution = "costa".into(), "E_ROSTER", "rosters[1]"),
    ("a home elsewhere", home_abroad, "E_POLICY", "receipt.policy"),
    ("a stage elsewhere", |s| abroad(s, 2), "E_POLICY", "receipt.stages[2]"),
    ("pinned first blocks", |s| under(s, |p| p.pinned_first = 3), "E_POLICY", "receipt.stages[1]"),
    ("pinned last blocks", |s| under(s, |p| p.pinned_last = 1), "E_POLICY", "receipt.stages[2]"),
    (
        "a class of data nobody agreed to",
        |s| under(s, |p| p.data_class = Some(DataClass::Internal)),
        "E_POLICY",
        "receipt.stages[1]",
    ),
    ("a wider policy", |s| under(s, |p| p.pinned_first = 1), "E_POLICY_NAME", "receipt.policy"),
    (
        "any recovery",
        |s| under(s, |p| p.recovery = Recovery::Any),
        "E_POLICY_NAME",
        "receipt.policy",
    ),
    ("any audit", |s| under(s, |p| p.audit = Audit::Text), "E_POLICY_NAME", "receipt.policy"),
    (
        "everywhere",
        |s| under(s, |p| p.allowed_jurisdictions.clear()),
        "E_POLICY_NAME",
        "receipt.policy",
    ),
    (
        "an unknown policy",
        |s| under(s, |p| p.name = "asia".into()),
        "E_POLICY_NAME",
        "receipt.policy",
    ),
    (
        "a first record with one before it",
        |s| s.open.sequence = 1,
        "E_SEQUENCE",
        "open_record.previous",
    ),
    (
        "a later record with none before it",
        |s| s.open.previous = Digest::ZERO,
        "E_SEQUENCE",
        "open_record.previous",
    ),
    (
        "a token too few round the ring",
        |s| s.stages.iter_mut().for_each(|stage| stage.positions = 6),
        "E_POSITIONS",
        "stage_receipts[0].positions",
    ),
    (
        "rows that were not run",
        |s| s.stages.iter_mut().for_each(|stage| stage.computed = 2),
        "E_WORK",
        "stage_receipts[0].computed",
    ),
    (
        "more tokens than wanted",
        |s| {
            s.opening.sampling.max_tokens = 2;
            s.receipt.commitments = s.opening.commitments();
        },
        "E_MISMATCH",
        "receipt.output_tokens",
    ),
    ("a stage silent in a whole answer", whole_but_silent, "E_UNSIGNED", "receipt.unsigned_stages"),
    (
        "a stage silent and not named",
        |s| {
            broken(s);
            s.receipt.unsigned_stages.clear();
        },
        "E_UNSIGNED",
        "receipt.unsigned_stages",
    ),
];

/// What can be verified though it is less than it might be.
const LESS: [(&str, Told, bool); 9] = [
    ("a broken answer", broken, false),
    ("a node with every role", every_role, true),
    ("a stage that signed less", signed_less, false),
    ("a cancelled answer", |s| s.receipt.finish_reason = FinishReason::Cancelled, false),
    ("an answer that stopped", |s| s.receipt.finish_reason = FinishReason::Stop, true),
    ("stricter rules", |s| under(s, |p| p.purpose = "care".into()), true),
    ("the open policy", |s| under(s, |p| *p = Policy::open(Policy::OPEN)), true),
    ("a raw prompt", raw, true),
    (
        "nobody's key",
        |s| {
            s.opening.client = None;
            s.receipt.commitments = s.opening.commitments();
        },
        true,
    ),
];

/// Parts of the honest bundle, exchanged or taken away.
const PARTS: [(&str, Changed, &str, &str); 19] = [
    ("another model", another_model, "E_MODEL", "receipt.manifest"),
    (
        "another manifest",
        |_, b| b.manifest = b"no manifest".to_vec().into(),
        "E_MISMATCH",
        "receipt.manifest",
    ),
    ("no rosters", |_, b| b.rosters.clear(), "E_MEMBER", "receipt.signer"),
    ("rosters reversed", |_, b| b.rosters.reverse(), "E_ROSTER_SET", "rosters[1]"),
    ("a roster too many", roster_of_delta, "E_ROSTER_SET", "rosters[3]"),
    ("a roster changed", |_, b| flip(&mut b.rosters[1].signature), "E_ROSTER", "rosters[1]"),
    ("a roster of nobody", |_, b| b.rosters[0].signer = stranger(), "E_ROSTER", "rosters[0]"),
    ("home's word by another", by_another, "E_MEMBER", "receipt.signer"),
    ("home's word changed", |_, b| flip(&mut b.receipt.signature), "E_SIG_HOME", "receipt"),
    (
        "home's word as another's",
        |_, b| b.receipt.signer = node(1).public(),
        "E_SIG_HOME",
        "receipt",
    ),
    (
        "home's word of another type",
        |_, b| b.receipt.domain = Domain::STAGE_RECEIPT.as_str().into(),
        "E_SIG_HOME",
        "receipt",
    ),
    ("S past the order", |_, b| add_order(&mut b.receipt.signature), "E_SIG_HOME", "receipt"),
    ("a key of small order", small_order, "E_SIG_CLIENT", "acknowledgement"),
    (
        "an open record by another",
        |s, b| b.open_record = s.sign(&node(1), Domain::OPEN_RECORD, &s.open),
        "E_SIG_HOME",
        "open_record",
    ),
    (
        "stage receipts exchanged",
        |_, b| b.stage_receipts.swap(1, 2),
        "E_SIG_STAGE",
        "stage_receipts[1].signer",
    ),
    (
        "a stage receipt changed",
        |_, b| flip(&mut b.stage_receipts[2].signature),
        "E_SIG_STAGE",
        "stage_receipts[2]",
    ),
    (
        "a stage receipt too many",
        |_, b| b.stage_receipts.push(b.stage_receipts[2].clone()),
        "E_COUNTERSIGN",
        "stage_receipts[3]",
    ),
    (
        "another salt",
        |_, b| {
            let salt = comity_protocol::commitment::Salt::new([0; 32]);
            b.opening.as_mut().unwrap().salt = salt;
        },
        "E_COMMITMENT",
        "opening.salt",
    ),
    (
        "thanks for something else",
        |s, b| b.acknowledgement = Some(s.acknowledge(&b.open_record)),
        "E_MISMATCH",
        "acknowledgement.receipt",
    ),
];

fn roles(story: &mut Story, owner: usize, role: Role) {
    story.rosters[owner].nodes[0].roles = [role].into();
}

fn every_role(story: &mut Story) {
    story.rosters[0].nodes[0].roles = [Role::Home, Role::Stage, Role::Witness].into();
}

fn listed_twice(story: &mut Story) {
    let taken = story.rosters[2].nodes[0].clone();
    story.rosters[1].nodes.push(taken);
    story.rosters[1].nodes.sort_by_key(|node| node.peer);
}

fn abroad(story: &mut Story, owner: usize) {
    story.rosters[owner].nodes[0].jurisdiction = country("US");
}

fn home_abroad(story: &mut Story) {
    abroad(story, 0);
    story.receipt.jurisdiction = country("US");
}

/// Puts the request under a changed policy.
pub(super) fn under(story: &mut Story, change: fn(&mut Policy)) {
    change(&mut story.receipt.policy);
    story.open.policy = story.receipt.policy.digest();
}

/// The third stage is lost.
pub(super) fn broken(story: &mut Story) {
    let receipt = &mut story.receipt;
    (receipt.finish_reason, receipt.cause) = (FinishReason::Error, Some(Cause::PeerLost));
    receipt.unsigned_stages = vec![2];
    story.stages.truncate(2);
}

fn signed_less(story: &mut Story) {
    broken(story);
    story.receipt.unsigned_stages = vec![1, 2];
    story.stages[1].positions = 4;
}

fn whole_but_silent(story: &mut Story) {
    broken(story);
    (story.receipt.finish_reason, story.receipt.cause) = (FinishReason::Length, None);
}

/// Home and client believe in a model that the charter does not allow.
fn another_model(story: &Story, bundle: &mut Bundle) {
    let manifest = Manifest { name: "tinier".into(), ..story.manifest.clone() };
    let mut receipt = Receipt::decode(&bundle.receipt.payload).unwrap();
    receipt.manifest = manifest.digest();
    bundle.receipt = story.sign(&node(0), Domain::RECEIPT, &receipt);
    bundle.manifest = manifest.encode().into();
}

/// Without template and system prompt.
fn raw(story: &mut Story) {
    story.opening.system_prompt.clear();
    let receipt = &mut story.receipt;
    receipt.commitments = story.opening.commitments();
    (receipt.system_prompt_by, receipt.template) = (SystemPrompt::None, None);
}

fn flip(signature: &mut [u8; 64]) {
    signature[40] ^= 1;
}

fn roster_of_delta(story: &Story, bundle: &mut Bundle) {
    let delta = roster(3, &story.charter.institutions[3]);
    bundle.rosters.push(story.sign(&key("roster", 3), Domain::ROSTER, &delta));
}

fn by_another(story: &Story, bundle: &mut Bundle) {
    let receipt = Receipt::decode(&bundle.receipt.payload).unwrap();
    bundle.receipt = story.sign(&key("stranger", 0), Domain::RECEIPT, &receipt);
}

/// The same equation, another signature: S and the order of the group. RFC 8032, 5.1.7.
fn add_order(signature: &mut [u8; 64]) {
    const ORDER: [u8; 32] = [
        0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
}

/// The neutral element as key and as R, with S = 0, satisfies the equation for every message.
fn small_order(_: &Story, bundle: &mut Bundle) {
    let said = bundle.acknowledgement.as_mut().unwrap();
    let (mut neutral, mut signature) = ([0; 32], [0; 64]);
    (neutral[0], signature[0]) = (1, 1);
    (said.signer, said.signature) = (PeerKey(neutral), signature);
}

pub(super) fn cases() -> Vec<Case> {
    let story = Story::new();
    let mut cases = Vec::new();
    for (number, (code, field, bundle)) in forgeries().into_iter().enumerate() {
        let name = format!("forgery {number}: {field}");
        cases.push(Case::new(name, &story, &bundle).fails(code, field));
    }
    for (name, change, code, field) in STORIES {
        let mut story = Story::new();
        change(&mut story);
        let bundle = story.bundle();
        cases.push(Case::new(format!("story: {name}"), &story, &bundle).fails(code, field));
    }
    for (name, change, complete) in LESS {
        let mut story = Story::new();
        change(&mut story);
        let case = Case::new(format!("less: {name}"), &story, &story.bundle());
        cases.push(if complete { case } else { case.incomplete() });
    }
    for (name, change, code, field) in PARTS {
        let mut bundle = story.bundle();
        change(&story, &mut bundle);
        cases.push(Case::new(format!("part: {name}"), &story, &bundle).fails(code, field));
    }
    let bundle = Bundle { opening: None, acknowledgement: None, ..story.bundle() };
    cases.push(Case::new("less: no opening", &story, &bundle).incomplete());
    let bundle = Bundle { acknowledgement: None, ..story.bundle() };
    cases.push(Case::new("less: no acknowledgement", &story, &bundle));
    cases
}
