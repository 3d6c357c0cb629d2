//! One committed bundle that verifies, and every way found to spoil it.

pub(crate) mod forged;
mod incomplete;
mod rules;

use comity_protocol::{
    bundle::{Bundle, VerifyError, verify},
    id::Digest,
    signed::Domain,
    wire::Wire as _,
};

use crate::{
    story::{Story, country, key, node, roster},
    vectors,
};

const BUNDLE: &str = "messages/bundle.hex";
const GENESIS: &str = "genesis.hex";

fn genesis() -> Digest {
    Digest::try_from(vectors::read(GENESIS).as_slice()).unwrap()
}

/// The fault of a bundle that must not verify, as code and field.
fn fault(bundle: &Bundle) -> (&'static str, String) {
    let error: VerifyError = verify(&bundle.encode(), &genesis()).unwrap_err();
    (error.code(), error.field)
}

#[test]
fn the_genesis_hash_is_the_committed_one() {
    vectors::check(GENESIS, &Story::new().genesis().0);
}

#[test]
fn the_committed_bundle_verifies_and_reports_who_and_where() {
    let report = verify(&vectors::read(BUNDLE), &genesis()).unwrap();
    assert!(report.complete && report.opened && !report.witnessed);
    assert_eq!(report.consortium, "Conformance");
    assert_eq!(report.home.institution, "alba");
    assert_eq!(report.home.peer, node(0).public());
    let stages: Vec<_> = report
        .stages
        .iter()
        .map(|stage| {
            let place = &stage.place;
            (place.institution.as_str(), place.jurisdiction, stage.blocks.start())
        })
        .collect();
    assert_eq!(
        stages,
        [("alba", country("FR"), 0), ("brava", country("DE"), 2), ("costa", country("NL"), 4)]
    );
    assert!(report.stages.iter().all(|stage| stage.signed && stage.positions == 7));
    assert_eq!((report.prompt_tokens, report.output_tokens), (5, 3));
    assert_eq!(report.acknowledged_by, Some(key("client", 0).public()));
    let unchecked = report.not_checked().join("; ");
    for word in ["weights", "text", "machines", "filtered", "witness"] {
        assert!(unchecked.contains(word), "{word} is named: {unchecked}");
    }
}

#[test]
fn a_bundle_with_any_byte_changed_does_not_verify() {
    let (mut bytes, genesis) = (vectors::read(BUNDLE), genesis());
    for index in 0..bytes.len() {
        let mask = 1 << (index % 8);
        bytes[index] ^= mask;
        let error = verify(&bytes, &genesis).err();
        let error = error.unwrap_or_else(|| panic!("byte {index} flipped by {mask:#x} verifies"));
        assert!(error.code().starts_with("E_") && !error.field.is_empty(), "{error}");
        bytes[index] ^= mask;
    }
}

#[test]
fn a_bundle_cut_or_continued_does_not_verify() {
    let (bytes, genesis) = (vectors::read(BUNDLE), genesis());
    let story = Story::new();
    // Without its acknowledgement, or its opening, it is a smaller bundle that is also true.
    let mut bundle = story.bundle();
    bundle.acknowledgement = None;
    let without_acknowledgement = bundle.encode().len();
    bundle.opening = None;
    let without_opening = bundle.encode().len();
    for end in 0..bytes.len() {
        if end != without_acknowledgement && end != without_opening {
            assert!(verify(&bytes[..end], &genesis).is_err(), "cut at {end}");
        }
    }
    assert!(verify(&[&bytes[..], &[0]].concat(), &genesis).is_err());
    assert!(verify(&[&bytes[..], &bytes[..]].concat(), &genesis).is_err());
}

#[test]
fn a_bundle_of_another_consortium_does_not_verify() {
    let error = verify(&vectors::read(BUNDLE), &Digest::of(b"another")).unwrap_err();
    assert_eq!((error.code(), error.field.as_str()), ("E_GENESIS", "charters[0]"));
}

#[test]
fn rosters_beyond_those_involved_are_refused_and_seal_drops_them() {
    let story = Story::new();
    let honest = story.bundle();
    let delta = roster(3, &story.charter.institutions[3]);
    let mut bundle = honest.clone();
    bundle.rosters.push(story.sign(&key("roster", 3), Domain::ROSTER, &delta));
    assert_eq!(fault(&bundle), ("E_ROSTER_SET", "rosters[3]".into()));
    bundle.rosters.rotate_right(2);
    assert_eq!(bundle.seal().unwrap(), honest.encode());
    let mut reversed = honest.clone();
    reversed.rosters.reverse();
    assert_eq!(fault(&reversed), ("E_ROSTER_SET", "rosters[1]".into()));
    let mut repeated = honest.clone();
    repeated.rosters.insert(0, honest.rosters[0].clone());
    assert_eq!(fault(&repeated), ("E_ROSTER_SET", "rosters[1]".into()));
    let mut lacking = honest;
    lacking.rosters.remove(2);
    assert_eq!(fault(&lacking), ("E_MEMBER", "receipt.stages[2]".into()));
}
