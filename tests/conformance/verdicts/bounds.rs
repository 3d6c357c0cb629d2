//! Statements signed by those whose word it is, with a field out of bounds.

mod governance;

use comity_protocol::{
    bundle::Bundle,
    id::Digest,
    policy::Policy,
    receipt::{Acknowledgement, FinishReason, Receipt},
    refusal::Cause,
    signed::Domain,
    time::Timestamp,
    wire::Wire as _,
};

use super::{
    Case,
    raw::{bytes, edit, long, many, number, sign},
};
use crate::story::{Story, key, later, node};

/// A field's number, what stands there instead, and the field that must be named.
type Edit = (u64, Vec<u8>, &'static str);

/// What a message's fields have in common: identifiers a byte too short.
fn short(fields: &[(u64, usize, &'static str)]) -> Vec<Edit> {
    fields.iter().map(|(field, size, name)| (*field, long(*field, size - 1), *name)).collect()
}

/// Texts that are not there.
fn missing(fields: &[(u64, &'static str)]) -> Vec<Edit> {
    fields.iter().map(|(field, name)| (*field, Vec::new(), *name)).collect()
}

/// The receipt of a story that need not be whole, for nothing but its form is looked at.
fn small(story: &Story) -> Receipt {
    Receipt {
        stages: Vec::new(),
        policy: Policy::open(Policy::OPEN),
        finish_reason: FinishReason::Stop,
        ..story.receipt.clone()
    }
}

fn receipts() -> Vec<Edit> {
    let digests = [4, 5, 7, 13, 14, 16, 18, 26, 28, 30, 31];
    let names = [
        "manifest",
        "open_record",
        "previous",
        "sampling",
        "prompt",
        "output",
        "text",
        "charter",
        "system_prompt",
        "template",
        "client",
    ];
    let digests: Vec<_> = digests.into_iter().zip(names).map(|(it, name)| (it, 32, name)).collect();
    let mut edits = [short(&digests), short(&[(1, 16, "session")])].concat();
    edits.extend(missing(&[
        (2, "institution"),
        (10, "policy"),
        (12, "sampler"),
        (15, "prompt_tokens"),
        (19, "finish_reason"),
        (24, "numeric_class"),
        (29, "system_prompt_by"),
    ]));
    edits.extend([
        (2, long(2, 65), "institution"),
        (3, bytes(3, b"fr"), "jurisdiction"),
        (3, bytes(3, b"FRA"), "jurisdiction"),
        (11, many(65, &bytes(11, &stage(0, 1))), "stages"),
        (11, bytes(11, &[]), "peer"),
        (11, bytes(11, &bytes(1, &[1; 32])), "blocks"),
        (12, long(12, 65), "sampler"),
        (15, number(15, 16_777_217), "prompt_tokens"),
        (17, number(17, 16_777_217), "output_tokens"),
        (19, number(19, 5), "finish_reason"),
        (19, [number(19, 3), number(20, Cause::ALL.len() as u64 + 1)].concat(), "cause"),
        (20, number(20, u64::MAX), "cause"),
        (21, bytes(21, &[]), "filters"),
        (21, many(65, &long(21, 1)), "filters"),
        (23, long(23, 33), "client_nonce"),
        (25, bytes(25, &[64]), "unsigned_stages"),
        (25, bytes(25, &(0..65).collect::<Vec<u8>>()), "unsigned_stages"),
        (29, number(29, 4), "system_prompt_by"),
    ]);
    edits
}

fn stage(start: u64, end: u64) -> Vec<u8> {
    let start = if start == 0 { Vec::new() } else { number(1, start) };
    let blocks = bytes(2, &[start, number(2, end)].concat());
    [bytes(1, &[1; 32]), blocks].concat()
}

/// Entries of work, each with a digest that is countersigned, and of migrations.
fn entries() -> Vec<Edit> {
    let work = |entry: &[u8]| [many(1, &bytes(22, &[1; 32])), bytes(35, entry)].concat();
    let named = bytes(2, b"alba");
    let from = bytes(3, &[1; 32]);
    let to = [from.clone(), bytes(4, &[2; 32])].concat();
    let whole = [named.clone(), number(4, 1)].concat();
    vec![
        (35, [long(22, 31), bytes(35, &whole)].concat(), "stage_receipts"),
        (35, work(&[]), "work.institution"),
        (35, work(&number(1, 64)), "work.stage"),
        (35, work(&named), "work.parameters"),
        (35, work(&[named.clone(), number(3, (1 << 33) + 1)].concat()), "work.computed"),
        (35, work(&[named, number(4, (1 << 50) + 1)].concat()), "work.parameters"),
        (34, bytes(34, &number(1, 16_777_217)), "migrations.position"),
        (34, bytes(34, &number(2, 64)), "migrations.stage"),
        (34, bytes(34, &[]), "migrations.from"),
        (34, bytes(34, &from), "migrations.to"),
        (34, bytes(34, &to), "migrations.cause"),
    ]
}

/// A list of 65 pairs of letters in ascending order.
fn pairs(field: u64) -> Vec<u8> {
    let pair = |number: u8| bytes(field, &[b'A' + number / 26, b'A' + number % 26]);
    (0..65).flat_map(pair).collect()
}

/// Policies within receipts.
fn policies() -> Vec<Edit> {
    let name = bytes(1, b"open");
    let recovery = number(9, 1);
    let with = |more: Vec<u8>| [name.clone(), more, recovery.clone(), number(10, 1)].concat();
    let policies = [
        (Vec::new(), "name"),
        (long(1, 65), "name"),
        (name.clone(), "recovery"),
        ([name.clone(), recovery.clone()].concat(), "audit"),
        ([name.clone(), number(9, 3)].concat(), "recovery"),
        ([name.clone(), recovery.clone(), number(10, 4)].concat(), "audit"),
        (with(bytes(2, b"fr")), "allowed_jurisdictions"),
        (with([bytes(2, b"FR"), bytes(2, b"DE")].concat()), "allowed_jurisdictions"),
        (with(many(2, &bytes(3, b"FR"))), "forbidden_jurisdictions"),
        (with([bytes(4, b"b"), bytes(4, b"a")].concat()), "allowed_institutions"),
        (with(bytes(4, b"")), "allowed_institutions"),
        (with(pairs(2)), "allowed_jurisdictions"),
        (with(pairs(3)), "forbidden_jurisdictions"),
        (with(pairs(4)), "allowed_institutions"),
        (with(number(5, 1_025)), "pinned_first"),
        (with(number(6, 1_025)), "pinned_last"),
        (with(number(7, 5)), "data_class"),
        (with(long(8, 65)), "purpose"),
        ([with(Vec::new()), long(11, 257)].concat(), "transfer_basis"),
    ];
    policies.into_iter().map(|(policy, name)| (10, bytes(10, &policy), name)).collect()
}

fn stage_receipts() -> Vec<Edit> {
    let mut edits = short(&[
        (1, 16, "session"),
        (6, 32, "manifest"),
        (7, 32, "shard"),
        (10, 32, "input"),
        (11, 32, "output"),
        (16, 32, "home"),
        (19, 32, "previous"),
    ]);
    edits.extend(missing(&[(2, "institution"), (5, "blocks"), (8, "numeric_class")]));
    edits.extend([
        (3, bytes(3, b"d3"), "jurisdiction"),
        (4, number(4, 64), "stage"),
        (20, number(20, (1 << 50) + 1), "parameters"),
    ]);
    edits
}

fn open_records() -> Vec<Edit> {
    let mut edits = short(&[
        (1, 16, "session"),
        (3, 32, "manifest"),
        (4, 32, "policy"),
        (6, 32, "previous"),
        (8, 32, "charter"),
    ]);
    edits.extend(missing(&[(2, "institution"), (5, "sequence")]));
    edits
}

/// A manifest that every other part names, and a charter that allows every model.
fn with_manifest(manifest: Vec<u8>) -> (Story, Bundle) {
    let mut story = Story::new();
    story.charter.models.clear();
    story.receipt.charter = story.genesis();
    let receipt = Receipt { manifest: Digest::of(&manifest), ..small(&story) };
    let receipt = story.sign(&node(0), Domain::RECEIPT, &receipt);
    let bundle = Bundle { receipt, manifest: manifest.into(), ..story.bundle() };
    (story, bundle)
}

pub(super) fn cases() -> Vec<Case> {
    let story = Story::new();
    let (honest, genesis) = (story.bundle(), story.genesis());
    let mut cases = governance::cases();
    let mut add = |kind: &str, field: String, bundle: &Bundle| {
        let name = format!("bound {}: {kind}, {field}", cases.len());
        cases.push(Case::new(name, &story, bundle).fails("E_FORMAT", field));
    };
    let payload = small(&story).encode();
    for (field, with, name) in [receipts(), policies()].concat() {
        let edited = edit(&payload, field, &with);
        let receipt = sign(&node(0), Domain::RECEIPT, &genesis, edited);
        add("receipt", format!("receipt.{name}"), &Bundle { receipt, ..honest.clone() });
    }
    for (field, with, name) in entries() {
        // What is countersigned stands before the rest.
        let edited = edit(&payload, field, &[]);
        let edited = [edited, with].concat();
        let mut fields = super::raw::entries(&edited);
        fields.sort_by_key(|(number, _)| *number);
        let edited: Vec<_> = fields.into_iter().flat_map(|(_, it)| it.to_vec()).collect();
        let receipt = sign(&node(0), Domain::RECEIPT, &genesis, edited);
        add("receipt", format!("receipt.{name}"), &Bundle { receipt, ..honest.clone() });
    }
    for (start, end) in [(2, 2), (0, 1_025)] {
        let edited = edit(&payload, 11, &bytes(11, &stage(start, end)));
        let receipt = sign(&node(0), Domain::RECEIPT, &genesis, edited);
        add("receipt", "block_range".into(), &Bundle { receipt, ..honest.clone() });
    }
    for (field, with, name) in stage_receipts() {
        let mut bundle = honest.clone();
        let edited = edit(&bundle.stage_receipts[1].payload, field, &with);
        bundle.stage_receipts[1] = sign(&node(1), Domain::STAGE_RECEIPT, &genesis, edited);
        add("stage", format!("stage_receipts[1].{name}"), &bundle);
    }
    for (field, with, name) in open_records() {
        let edited = edit(&honest.open_record.payload, field, &with);
        let open_record = sign(&node(0), Domain::OPEN_RECORD, &genesis, edited);
        add(
            "open record",
            format!("open_record.{name}"),
            &Bundle { open_record, ..honest.clone() },
        );
    }
    let edited = edit(&honest.stage_receipts[1].payload, 5, &bytes(5, &number(2, 1_025)));
    let mut bundle = honest.clone();
    bundle.stage_receipts[1] = sign(&node(1), Domain::STAGE_RECEIPT, &genesis, edited);
    add("stage", "block_range".into(), &bundle);
    let edited = long(1, 31);
    let said = sign(&key("client", 0), Domain::ACKNOWLEDGEMENT, &genesis, edited);
    let bundle = Bundle { acknowledgement: Some(said), ..honest.clone() };
    add("acknowledgement", "acknowledgement.receipt".into(), &bundle);
    cases.extend(others(&story, &honest));
    cases
}

/// What is in bounds and comes a little too early, or is there twice.
fn others(story: &Story, honest: &Bundle) -> Vec<Case> {
    let early = |before: u64| {
        let receipt = honest.receipt.payload_digest();
        let received_at = Timestamp::from_ms(later(104).as_ms() - before);
        let said = Acknowledgement { receipt, received_at };
        let said = story.sign(&key("client", 0), Domain::ACKNOWLEDGEMENT, &said);
        Bundle { acknowledgement: Some(said), ..honest.clone() }
    };
    let mut broken = Story::new();
    broken.receipt.finish_reason = FinishReason::Error;
    broken.receipt.cause = Cause::ALL.last().copied();
    let last = Case::new("less: the last cause", &broken, &broken.bundle()).incomplete();
    let mut twice = Receipt::decode(&honest.receipt.payload).unwrap();
    twice.stages[1].peer = twice.stages[0].peer;
    let receipt = story.sign(&node(0), Domain::RECEIPT, &twice);
    let twice = Bundle { receipt, ..honest.clone() };
    let (free, any_model) = with_manifest(story.manifest.encode());
    let none = Case::new("route: none", &free, &any_model);
    vec![
        last,
        Case::new("thanks by a clock behind", story, &early(120_000)),
        Case::new("thanks before the answer", story, &early(120_001))
            .fails("E_TIME", "acknowledgement.received_at"),
        Case::new("route: a peer twice", story, &twice).fails("E_TILING", "receipt.stages"),
        none.fails("E_TILING", "receipt.stages"),
    ]
}
