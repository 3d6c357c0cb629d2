//! What a witness cosigns, in which order it records and answers, and what it refuses.

mod attacks;

use super::*;
use crate::{
    log::{
        note::{NoteError, Scheme},
        tree::{Frontier, consistency, leaf_hash},
    },
    wire::Wire as _,
};

const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);
const GENESIS: Digest = Digest([9; 32]);

fn node() -> NodeKey {
    NodeKey::from_seed(&[3; 32])
}

fn secret() -> NodeKey {
    NodeKey::from_seed(&[5; 32])
}

fn witness(states: impl IntoIterator<Item = WitnessState>) -> Witness {
    Witness::new(GENESIS, "alba", secret(), states).unwrap()
}

fn witness_key() -> Key {
    cosignature::key(&GENESIS, "alba", secret().public())
}

fn origin() -> String {
    checkpoint::origin(&GENESIS, &node().public())
}

/// A log of 40 records, or one that tells another story from record `fork` on.
fn story(fork: u32) -> (Vec<Digest>, Vec<Digest>) {
    let (mut frontier, mut kept) = (Frontier::default(), Vec::new());
    let mut roots = vec![frontier.root()];
    for record in 0..40_u32 {
        let said = if record < fork { "true" } else { "false" };
        frontier.append(leaf_hash(format!("{record} {said}").as_bytes()), &mut kept);
        roots.push(frontier.root());
    }
    (kept, roots)
}

fn signed(fork: u32, size: u64) -> Note {
    let root = story(fork).1[usize::try_from(size).unwrap()];
    Checkpoint { origin: origin(), size, root }.sign(&node()).unwrap()
}

/// An honest request to cosign the log of `fork` at `new`, last cosigned at `old`.
fn request(fork: u32, old: u64, new: u64) -> WitnessRequest {
    let proof = consistency(old.min(new), new, &story(fork).0).unwrap();
    WitnessRequest { old_size: old, proof, checkpoint: signed(fork, new) }
}

/// What the witness wants done about a request.
fn ask(witness: &mut Witness, id: u64, request: WitnessRequest) -> Vec<Output> {
    let mut outputs = Vec::new();
    let log = Some(node().public());
    witness.handle(NOW, Input::Request { id, request, log }, &mut outputs);
    outputs
}

fn persisted(witness: &mut Witness, durable: bool) -> Vec<Output> {
    let mut outputs = Vec::new();
    witness.handle(NOW, Input::Persisted { origin: origin(), durable }, &mut outputs);
    outputs
}

/// The cause and detail of the only output.
fn refused(outputs: &[Output]) -> (Cause, &str) {
    match outputs {
        [Output::Reply { reply: WitnessReply::Refused(refusal), .. }] => {
            (refusal.cause, &refusal.detail)
        }
        _ => panic!("no refusal: {outputs:?}"),
    }
}

/// Checks that the only output cosigns the checkpoint.
fn assert_cosigned(outputs: &[Output], request: u64, checkpoint: &Note) {
    let [Output::Reply { id, reply: WitnessReply::Cosigned(line) }] = outputs else {
        panic!("no cosignature: {outputs:?}");
    };
    assert_eq!(*id, request);
    let mut note = checkpoint.clone();
    assert_eq!(cosignature::add(&mut note, line, &witness_key(), NOW), Ok(NOW));
}

fn state(fork: u32, size: u64) -> WitnessState {
    WitnessState { checkpoint: signed(fork, size), contradiction: None }
}

/// The answer of a witness that cosigned the log of 40 records at `size` last.
fn conflict(size: u64) -> WitnessReply {
    WitnessReply::Conflict { held: Some(signed(40, size)) }
}

#[test]
fn a_log_that_grows_is_cosigned_once_that_is_durable() {
    let mut witness = witness([]);
    for (id, old, new) in [(1, 0, 5), (2, 5, 6), (3, 6, 40)] {
        let outputs = ask(&mut witness, id, request(40, old, new));
        let persist = Output::Persist { origin: origin(), state: state(40, new) };
        assert_eq!(outputs, [persist], "nothing is cosigned yet");
        assert_cosigned(&persisted(&mut witness, true), id, &signed(40, new));
        assert_eq!(persisted(&mut witness, true), [], "nothing is cosigned twice");
    }
}

#[test]
fn the_same_checkpoint_is_cosigned_again_without_recording() {
    let mut witness = witness([state(40, 5)]);
    assert_cosigned(&ask(&mut witness, 7, request(40, 5, 5)), 7, &signed(40, 5));
    let mut with_proof = request(40, 5, 5);
    with_proof.proof = vec![Digest::ZERO];
    assert_eq!(refused(&ask(&mut witness, 7, with_proof)).0, Cause::Violation);
}

#[test]
fn what_was_kept_is_all_it_takes_to_go_on() {
    let kept = WitnessState::decode(&state(40, 5).encode()).unwrap();
    let mut witness = witness([kept]);
    let outputs = ask(&mut witness, 1, request(40, 0, 7));
    let reply = conflict(5);
    assert_eq!(outputs, [Output::Reply { id: 1, reply }]);
    ask(&mut witness, 2, request(40, 5, 7));
    assert_cosigned(&persisted(&mut witness, true), 2, &signed(40, 7));
}

#[test]
fn only_the_logs_own_signature_is_kept() {
    let mut witness = witness([]);
    let mut request = request(40, 0, 5);
    let stranger = NodeKey::from_seed(&[8; 32]);
    let key = cosignature::key(&GENESIS, "stranger", stranger.public());
    request.checkpoint.add(cosignature::sign(&signed(40, 5), &key, &stranger, NOW)).unwrap();
    let persist = Output::Persist { origin: origin(), state: state(40, 5) };
    assert_eq!(ask(&mut witness, 1, request), [persist]);
}

#[test]
fn what_was_not_recorded_is_not_cosigned() {
    let mut witness = witness([state(40, 5)]);
    ask(&mut witness, 1, request(40, 5, 7));
    assert_eq!(refused(&persisted(&mut witness, false)).0, Cause::Storage);
    // It goes on from what is durable.
    let reply = conflict(5);
    let outputs = ask(&mut witness, 2, request(40, 7, 8));
    assert_eq!(outputs, [Output::Reply { id: 2, reply }]);
}

#[test]
fn news_of_a_log_that_nothing_waits_for_changes_nothing() {
    let mut witness = witness([]);
    assert_eq!(persisted(&mut witness, true), []);
    ask(&mut witness, 1, request(40, 0, 5));
    assert_cosigned(&persisted(&mut witness, true), 1, &signed(40, 5));
}

#[test]
fn no_more_logs_are_followed_than_the_limit() {
    let mut witness = witness([]);
    for number in 0..WITNESSED_LOGS_MAX {
        witness.logs.insert(format!("log {number}"), Log::default());
    }
    assert_eq!(refused(&ask(&mut witness, 1, request(40, 0, 5))).0, Cause::Limit);
    assert_eq!(witness.logs.len(), WITNESSED_LOGS_MAX);
    witness.logs.remove("log 0");
    assert!(matches!(ask(&mut witness, 1, request(40, 0, 5))[..], [Output::Persist { .. }]));
}
