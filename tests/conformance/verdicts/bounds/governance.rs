//! Charters, rosters and manifests with a field out of bounds.

use comity_protocol::{
    bundle::Bundle,
    charter::{Charter, SignedCharter},
    id::Digest,
    signed::Domain,
    wire::Wire as _,
};

use super::{Edit, missing, short, with_manifest};
use crate::{
    story::{Story, key},
    verdicts::{
        Case,
        raw::{bytes, content, edit, entries, long, many, number, sign},
    },
};

fn manifests() -> Vec<Edit> {
    let mut edits = short(&[
        (7, 32, "embed"),
        (9, 32, "head"),
        (10, 32, "tokenizer"),
        (11, 32, "chat_template"),
        (12, 32, "config"),
    ]);
    edits.extend(missing(&[
        (1, "name"),
        (2, "architecture"),
        (3, "block_count"),
        (4, "hidden_size"),
        (5, "vocab_size"),
        (6, "context_length"),
        (8, "blocks"),
        (13, "active_parameters"),
    ]));
    edits.extend([
        (1, long(1, 129), "name"),
        (8, many(6, &long(8, 31)), "blocks"),
        (2, long(2, 33), "architecture"),
        (3, number(3, 1_025), "block_count"),
        (4, number(4, 65_537), "hidden_size"),
        (5, number(5, 1_048_577), "vocab_size"),
        (6, number(6, 16_777_217), "context_length"),
        (13, bytes(13, &[1, 1, 1, 0, 1, 1]), "active_parameters"),
        (13, bytes(13, &[1, 1, 1, 0x81, 0x80, 0x80, 0x80, 0x80, 0x20, 1, 1]), "active_parameters"),
    ]);
    edits
}

/// A charter of one, so that its vectors are short.
fn charter() -> Charter {
    let mut charter = Story::new().charter;
    charter.institutions.truncate(1);
    charter.policies.clear();
    charter.models.clear();
    charter
}

fn charters() -> Vec<(u64, Vec<u8>)> {
    let revoked = |institution: &[u8], peer: &[u8], more: &[u8]| {
        let field =
            |field, value: &[u8]| if value.is_empty() { Vec::new() } else { bytes(field, value) };
        bytes(11, &[field(1, institution), field(2, peer), more.to_vec()].concat())
    };
    let policy = |name: &[u8]| bytes(7, &[bytes(1, name), number(9, 1), number(10, 1)].concat());
    vec![
        (1, Vec::new()),
        (2, long(2, 31)),
        (3, Vec::new()),
        (3, long(3, 129)),
        (6, Vec::new()),
        (7, policy(b"open")),
        (7, [policy(b"b"), policy(b"a")].concat()),
        (7, bytes(7, &bytes(1, b"a"))),
        (8, long(8, 31)),
        (8, many(2, &long(8, 32))),
        (9, number(9, 1_000_001)),
        (10, number(10, 256)),
        (11, revoked(b"", b"", b"")),
        (11, revoked(b"x", &[1; 32], b"")),
        (11, revoked(b"X", b"", b"")),
        (11, revoked(b"", &[1; 31], b"")),
        (11, revoked(b"x", b"", &long(4, 513))),
        (11, many(2, &revoked(b"x", b"", b""))),
        (11, [revoked(b"", &[1; 32], b""), revoked(b"x", b"", b"")].concat()),
    ]
}

fn institutions() -> Vec<(u64, Vec<u8>)> {
    vec![
        (1, Vec::new()),
        (1, bytes(1, b"Alba")),
        (1, long(1, 65)),
        (2, Vec::new()),
        (2, long(2, 257)),
        (3, bytes(3, b"fr")),
        (4, bytes(4, b"F1")),
        (5, long(5, 31)),
        (6, long(6, 31)),
        (7, bytes(7, b"")),
        (7, long(7, 257)),
        (7, many(9, &long(7, 1))),
        (8, long(8, 31)),
        (9, number(9, 5)),
        (10, bytes(10, b"")),
        (10, many(2, &bytes(10, b"care"))),
        (11, long(11, 257)),
        (12, Vec::new()),
        (12, number(12, 1_001)),
    ]
}

fn rosters() -> Vec<(u64, Vec<u8>)> {
    vec![(1, Vec::new()), (1, bytes(1, b"Brava"))]
}

fn nodes() -> Vec<(u64, Vec<u8>)> {
    vec![
        (1, long(1, 31)),
        (2, bytes(2, b"de")),
        (3, Vec::new()),
        (3, bytes(3, &[2, 2])),
        (3, bytes(3, &[0])),
        (3, bytes(3, &[2, 4])),
        (4, bytes(4, b"")),
        (4, long(4, 257)),
        (4, many(9, &long(4, 1))),
    ]
}

/// Edits one entry of a message within a message; `field` is the only one of its number.
fn edit_within(message: &[u8], field: u64, inner: (u64, Vec<u8>)) -> Vec<u8> {
    let all = entries(message);
    let (_, entry) = all.iter().find(|(number, _)| *number == field).unwrap();
    let edited = edit(content(entry), inner.0, &inner.1);
    edit(message, field, &bytes(field, &edited))
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (field, with, name) in manifests() {
        let (story, bundle) = with_manifest(edit(&Story::new().manifest.encode(), field, &with));
        let case = Case::new(format!("bound {}: manifest", cases.len()), &story, &bundle);
        cases.push(case.fails("E_FORMAT", format!("manifest.{name}")));
    }
    let (story, payload) = (Story::new(), charter().encode());
    let honest = story.bundle();
    let whole = charters().into_iter().map(|(field, with)| edit(&payload, field, &with));
    let members = institutions().into_iter().map(|inner| edit_within(&payload, 6, inner));
    for payload in whole.chain(members) {
        let genesis = Digest::of(&payload);
        let charters = vec![SignedCharter { payload: payload.into(), signatures: Vec::new() }];
        let bundle = Bundle { charters, ..honest.clone() };
        let case = Case::new(format!("bound {}: charter", cases.len()), &story, &bundle);
        cases.push(Case { genesis, ..case }.fails("E_CHARTER", "charters[0]"));
    }
    // The first one, signed by whom it should be and by another, and one that lists a node twice.
    let empty = sign(&key("roster", 0), Domain::ROSTER, &story.genesis(), Vec::new());
    let whole = honest.rosters[0].payload.to_vec();
    let strange = sign(&key("stranger", 0), Domain::ROSTER, &story.genesis(), whole.clone());
    let (_, node) = *entries(&whole).last().unwrap();
    let twice = [&whole[..], node].concat();
    let twice = sign(&key("roster", 0), Domain::ROSTER, &story.genesis(), twice);
    for roster in [empty, strange, twice] {
        let mut bundle = honest.clone();
        bundle.rosters[0] = roster;
        let case = Case::new(format!("bound {}: roster", cases.len()), &story, &bundle);
        cases.push(case.fails("E_ROSTER", "rosters[0]"));
    }
    let payload = &honest.rosters[1].payload;
    let whole = rosters().into_iter().map(|(field, with)| edit(payload, field, &with));
    let listed = nodes().into_iter().map(|inner| edit_within(payload, 5, inner));
    for payload in whole.chain(listed) {
        let mut bundle = honest.clone();
        bundle.rosters[1] = sign(&key("roster", 1), Domain::ROSTER, &story.genesis(), payload);
        let case = Case::new(format!("bound {}: roster", cases.len()), &story, &bundle);
        cases.push(case.fails("E_ROSTER", "rosters[1]"));
    }
    cases
}
