//! Proofs of single records: what they show, and what makes them worthless.

use std::time::Duration;

use super::*;
use crate::{
    limits::CLOCK_SKEW_MAX,
    log::{
        note::NoteError,
        tree::{Frontier, inclusion},
    },
    signed::NodeKey,
};

const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);
const GENESIS: Digest = Digest([9; 32]);
const SIZE: u64 = 11;

fn node() -> NodeKey {
    NodeKey::from_seed(&[3; 32])
}

fn record(number: u64) -> Vec<u8> {
    format!("record {number}").into_bytes()
}

fn witnesses() -> Vec<(String, PeerKey)> {
    let name = |number: u8| ["alba", "brig", "cyan"][usize::from(number)].to_owned();
    (0..3).map(|number| (name(number), witness(number).public())).collect()
}

fn witness(number: u8) -> NodeKey {
    NodeKey::from_seed(&[20 + number; 32])
}

/// Cosigns as witness `number`, this long ago.
fn cosign(note: &mut Note, number: u8, ago: Duration) {
    let secret = witness(number);
    let (institution, peer) = &witnesses()[usize::from(number)];
    let key = cosignature::key(&GENESIS, institution, *peer);
    let at = Timestamp::from_ms(NOW.as_ms() - ago.as_secs() * 1_000);
    note.add(cosignature::sign(note, &key, &secret, at)).unwrap();
}

/// The proof of record `index`, cosigned by nobody.
fn proof(index: u64) -> LogProof {
    let (mut frontier, mut kept) = (Frontier::default(), Vec::new());
    for number in 0..SIZE {
        frontier.append(leaf_hash(&record(number)), &mut kept);
    }
    let origin = checkpoint::origin(&GENESIS, &node().public());
    let checkpoint = Checkpoint { origin, size: SIZE, root: frontier.root() };
    let hashes = inclusion(index, SIZE, &kept).unwrap();
    LogProof { index, hashes, checkpoint: checkpoint.sign(&node()).unwrap() }
}

fn verify(proof: &LogProof, record: &[u8]) -> Result<Logged, LogProofError> {
    let (log, witnesses) = (node().public(), witnesses());
    proof.verify(record, Trust { genesis: &GENESIS, log: &log, witnesses: &witnesses, now: NOW })
}

fn logged(cosigned: &[(&str, u64)]) -> Result<Logged, LogProofError> {
    let at = |(name, ago): &(&str, u64)| {
        (name.to_string(), Timestamp::from_ms(NOW.as_ms() - ago * 1_000))
    };
    Ok(Logged { size: SIZE, cosigned: cosigned.iter().map(at).collect() })
}

#[test]
fn a_record_is_shown_with_those_who_saw_it() {
    let mut proof = proof(4);
    assert_eq!(verify(&proof, &record(4)), logged(&[]));
    cosign(&mut proof.checkpoint, 2, Duration::from_secs(60));
    assert_eq!(verify(&proof, &record(4)), logged(&[("cyan", 60)]));
    cosign(&mut proof.checkpoint, 0, Duration::from_secs(5));
    assert_eq!(verify(&proof, &record(4)), logged(&[("alba", 5), ("cyan", 60)]));
}

#[test]
fn a_witness_that_cosigned_twice_counts_once_from_its_first_time() {
    let proof = proof(4);
    let line = |ago| {
        let mut note = proof.checkpoint.clone();
        cosign(&mut note, 1, Duration::from_secs(ago));
        note.to_string().split_inclusive('\n').next_back().unwrap().to_owned()
    };
    let note = format!("{}{}{}{}", proof.checkpoint, line(5), line(60), line(30));
    let proof = LogProof { checkpoint: Note::parse(&note).unwrap(), ..proof };
    assert_eq!(verify(&proof, &record(4)), logged(&[("brig", 60)]));
}

#[test]
fn no_other_record_and_no_other_place_is_shown() {
    let good = proof(4);
    for number in (0..SIZE).filter(|number| *number != 4) {
        let inclusion = LogProofError::Inclusion { index: 4, source: ProofError::Root };
        assert_eq!(verify(&good, &record(number)), Err(inclusion));
    }
    for index in [0, 3, 5, 10, 11, 1 << 63, u64::MAX] {
        let moved = LogProof { index, ..good.clone() };
        assert!(verify(&moved, &record(4)).is_err(), "at {index}");
    }
    let mut short = good.clone();
    short.hashes.pop();
    let source = ProofError::Length(short.hashes.len());
    assert_eq!(verify(&short, &record(4)), Err(LogProofError::Inclusion { index: 4, source }));
    // A node of the tree is no record, whatever its bytes are.
    let leaves = [4, 5].map(|number| leaf_hash(&record(number)).0).concat();
    let inner = LogProof { index: 2, hashes: good.hashes[1..].to_vec(), ..good };
    assert!(verify(&inner, &leaves).is_err());
}

#[test]
fn a_checkpoint_of_another_log_shows_nothing() {
    let proof = proof(4);
    let stranger = NodeKey::from_seed(&[4; 32]);
    let witnesses = witnesses();
    let (log, genesis) = (node().public(), Digest([8; 32]));
    let trusts = [(&GENESIS, &stranger.public()), (&genesis, &log)];
    for (genesis, log) in trusts {
        let trust = Trust { genesis, log, witnesses: &witnesses, now: NOW };
        let unsigned = LogProofError::Checkpoint(CheckpointError::Note(NoteError::Unsigned));
        assert_eq!(proof.verify(&record(4), trust), Err(unsigned));
    }
    // Signed by the right key, for another log.
    let name = checkpoint::origin(&GENESIS, &log);
    let other = proof.checkpoint.text().replace(&name, &checkpoint::origin(&genesis, &log));
    let proof = LogProof { checkpoint: Note::sign(&other, &name, &node()).unwrap(), ..proof };
    let got = verify(&proof, &record(4));
    assert!(
        matches!(got, Err(LogProofError::Checkpoint(CheckpointError::Origin { .. }))),
        "{got:?}"
    );
}

#[test]
fn witnesses_alone_do_not_make_a_checkpoint() {
    let mut proof = proof(4);
    proof.checkpoint = proof.checkpoint.only(&[]);
    for number in 0..3 {
        cosign(&mut proof.checkpoint, number, Duration::ZERO);
    }
    assert_eq!(verify(&proof, &record(4)), Err(LogProofError::Unsigned));
}

#[test]
fn cosignatures_of_strangers_and_of_other_consortia_count_for_nobody() {
    let mut proof = proof(4);
    let stranger = NodeKey::from_seed(&[30; 32]);
    let key = cosignature::key(&GENESIS, "alba", stranger.public());
    proof.checkpoint.add(cosignature::sign(&proof.checkpoint, &key, &stranger, NOW)).unwrap();
    let key = cosignature::key(&Digest([8; 32]), "brig", witness(1).public());
    proof.checkpoint.add(cosignature::sign(&proof.checkpoint, &key, &witness(1), NOW)).unwrap();
    assert_eq!(verify(&proof, &record(4)), logged(&[]));
}

#[test]
fn a_false_cosignature_of_a_known_witness_makes_the_proof_worthless() {
    let mut proof = proof(4);
    cosign(&mut proof.checkpoint, 0, Duration::ZERO);
    let key = cosignature::key(&GENESIS, "brig", witness(1).public());
    let line = cosignature::sign(&proof.checkpoint, &key, &witness(0), NOW);
    proof.checkpoint.add(line).unwrap();
    let refused = CheckpointError::Note(NoteError::Signature(key.name().to_owned()));
    assert_eq!(verify(&proof, &record(4)), Err(LogProofError::Checkpoint(refused)));
}

#[test]
fn a_cosignature_of_the_future_makes_the_proof_worthless() {
    let mut proof = proof(4);
    let key = cosignature::key(&GENESIS, "alba", witness(0).public());
    for (ahead, taken) in [(CLOCK_SKEW_MAX, true), (CLOCK_SKEW_MAX + Duration::from_secs(1), false)]
    {
        let at = NOW + ahead;
        let line = cosignature::sign(&proof.checkpoint, &key, &witness(0), at);
        proof.checkpoint.add(line).unwrap();
        let source = CosignatureError::Future { at, now: NOW };
        let refused = LogProofError::Witness { institution: "alba".into(), source };
        let expected = Logged { size: SIZE, cosigned: vec![("alba".into(), at)] };
        let expected = if taken { Ok(expected) } else { Err(refused) };
        assert_eq!(verify(&proof, &record(4)), expected);
    }
}
