//! Logs and strangers that try to have the wrong thing cosigned.

use super::*;
use crate::log::equivocation::EquivocationError;

#[test]
fn a_log_without_a_member_is_refused() {
    let mut witness = witness([state(40, 5)]);
    let mut outputs = Vec::new();
    let input = Input::Request { id: 1, request: request(40, 5, 7), log: None };
    witness.handle(NOW, input, &mut outputs);
    assert_eq!(refused(&outputs).0, Cause::NotAdmitted);
}

#[test]
fn a_checkpoint_that_the_log_did_not_sign_is_refused() {
    let mut witness = witness([]);
    let stranger = NodeKey::from_seed(&[8; 32]);
    let root = story(40).1[5];
    let checkpoint = Checkpoint { origin: origin(), size: 5, root };
    let forged =
        WitnessRequest { checkpoint: checkpoint.sign(&stranger).unwrap(), ..request(40, 0, 5) };
    // The stranger's key has another id under that name, so nobody known has signed.
    assert_eq!(refused(&ask(&mut witness, 1, forged)).0, Cause::Violation);
    let text = signed(40, 5).to_string().replace("\n5\n", "\n6\n");
    let changed = WitnessRequest { checkpoint: Note::parse(&text).unwrap(), ..request(40, 0, 5) };
    let outputs = ask(&mut witness, 2, changed);
    let expected = CheckpointError::Note(NoteError::Signature(origin())).to_string();
    assert_eq!(refused(&outputs), (Cause::Violation, expected.as_str()));
    assert!(witness.logs.is_empty(), "strangers take no memory");
}

#[test]
fn a_member_cannot_speak_for_another_members_log() {
    let mut witness = witness([]);
    let other = NodeKey::from_seed(&[4; 32]);
    let mut outputs = Vec::new();
    let checkpoint = Checkpoint { origin: origin(), size: 5, root: story(40).1[5] };
    let log = Some(other.public());
    // Under its own key's name, with the other log's origin inside.
    let own = checkpoint::origin(&GENESIS, &other.public());
    let note = Note::sign(&checkpoint.to_string(), &own, &other).unwrap();
    let request = WitnessRequest { checkpoint: note, ..request(40, 0, 5) };
    witness.handle(NOW, Input::Request { id: 1, request, log }, &mut outputs);
    assert_eq!(refused(&outputs).0, Cause::NotAdmitted);
    assert!(witness.logs.is_empty());
}

#[test]
fn an_old_size_that_is_not_held_is_answered_with_the_logs_own_checkpoint() {
    let mut witness = witness([state(40, 5)]);
    for old in [0, 4, 6] {
        let outputs = ask(&mut witness, old, request(40, old, 7));
        let reply = conflict(5);
        assert_eq!(outputs, [Output::Reply { id: old, reply }]);
    }
    let mut never = super::witness([]);
    let reply = WitnessReply::Conflict { held: None };
    assert_eq!(ask(&mut never, 1, request(40, 5, 7)), [Output::Reply { id: 1, reply }]);
    let larger = ask(&mut witness, 1, request(40, 8, 7));
    assert_eq!(
        refused(&larger),
        (Cause::Violation, "old size 8 is larger than the checkpoint's, 7")
    );
}

#[test]
fn a_log_that_shrinks_is_refused() {
    let mut witness = witness([state(40, 7)]);
    let outputs = ask(&mut witness, 1, request(40, 7, 5));
    assert_eq!(
        refused(&outputs),
        (Cause::Violation, "old size 7 is larger than the checkpoint's, 5")
    );
    let outputs = ask(&mut witness, 2, request(40, 5, 5));
    let reply = conflict(7);
    assert_eq!(outputs, [Output::Reply { id: 2, reply }]);
}

#[test]
fn a_log_that_rewrote_its_past_is_refused() {
    let mut witness = witness([state(40, 7)]);
    for fork in 0..7 {
        let outputs = ask(&mut witness, 1, request(fork, 7, 20));
        assert_eq!(refused(&outputs).0, Cause::Violation, "rewritten from {fork} on");
    }
    // What comes after is not the past.
    assert!(matches!(ask(&mut witness, 2, request(7, 7, 20))[..], [Output::Persist { .. }]));
}

#[test]
fn proofs_of_the_wrong_length_are_refused() {
    let mut witness = witness([state(40, 7)]);
    for length in [0, 1, 63, 64, 10_000] {
        let proof = vec![Digest([1; 32]); length];
        let request = WitnessRequest { proof, ..request(40, 7, 20) };
        assert_eq!(refused(&ask(&mut witness, 1, request)).0, Cause::Violation, "{length}");
    }
    let mut first = super::witness([]);
    let with_proof = WitnessRequest { proof: vec![Digest::ZERO], ..request(40, 0, 5) };
    assert_eq!(refused(&ask(&mut first, 1, with_proof)).0, Cause::Violation);
}

#[test]
fn of_two_checkpoints_at_once_neither_rolls_the_other_back() {
    for [first, second] in [[7, 20], [20, 7]] {
        let mut witness = witness([state(40, 5)]);
        let outputs = ask(&mut witness, 1, request(40, 5, first));
        assert!(matches!(outputs[..], [Output::Persist { .. }]));
        // The second is told to come back, and nothing of it is recorded.
        let outputs = ask(&mut witness, 2, request(40, 5, second));
        assert_eq!(refused(&outputs).0, Cause::Overloaded);
        assert_cosigned(&persisted(&mut witness, true), 1, &signed(40, first));
        // Then it no longer continues what is held.
        let outputs = ask(&mut witness, 3, request(40, 5, second));
        let reply = conflict(first);
        assert_eq!(outputs, [Output::Reply { id: 3, reply }]);
    }
}

#[test]
fn two_roots_of_one_size_are_kept_as_proof_and_end_the_log() {
    // Whatever else the request says: old size, proof and foreign lines do not hide it.
    for old in [0, 7, 8] {
        let mut witness = witness([state(40, 7)]);
        let request = WitnessRequest { old_size: old, ..request(3, 7, 7) };
        let outputs = ask(&mut witness, 1, request);
        let proof = Equivocation { first: signed(40, 7), second: signed(3, 7) };
        let contradiction = Some(signed(3, 7));
        let state = WitnessState { checkpoint: signed(40, 7), contradiction };
        let persist = Output::Persist { origin: origin(), state: state.clone() };
        assert_eq!(outputs, [Output::Equivocated(proof.clone()), persist]);
        assert_eq!(state.equivocation(), Some(proof.clone()));
        let key = checkpoint::key(&GENESIS, &node().public());
        assert_eq!(proof.verify(&key), Ok(7));
        // Refused before that is durable, after it, and after a restart.
        for outputs in [
            ask(&mut witness, 2, super::request(40, 7, 20)),
            persisted(&mut witness, true),
            ask(&mut witness, 3, super::request(40, 7, 20)),
            ask(&mut witness, 4, super::request(40, 7, 7)),
            ask(&mut super::witness([state]), 5, super::request(40, 7, 20)),
        ] {
            let expected = (Cause::Violation, "the log signed two checkpoints of one size");
            assert_eq!(refused(&outputs), expected);
        }
    }
}

#[test]
fn a_contradiction_that_could_not_be_recorded_ends_the_log_all_the_same() {
    let mut witness = witness([state(40, 7)]);
    ask(&mut witness, 1, request(3, 7, 7));
    assert_eq!(refused(&persisted(&mut witness, false)).0, Cause::Storage);
    assert_eq!(refused(&ask(&mut witness, 2, request(40, 7, 20))).0, Cause::Violation);
}

#[test]
fn what_a_stranger_signs_proves_nothing_against_a_log() {
    let key = checkpoint::key(&GENESIS, &node().public());
    let stranger = NodeKey::from_seed(&[8; 32]);
    let root = story(3).1[7];
    let forged = Checkpoint { origin: origin(), size: 7, root }.sign(&stranger).unwrap();
    for (first, second) in
        [(signed(40, 7), forged.clone()), (forged.clone(), signed(40, 7)), (forged.clone(), forged)]
    {
        let got = Equivocation { first, second }.verify(&key);
        let unsigned = CheckpointError::Note(NoteError::Unsigned);
        assert_eq!(got, Err(EquivocationError::Checkpoint(unsigned)));
    }
}

#[test]
fn checkpoints_that_can_both_be_true_prove_nothing() {
    let key = checkpoint::key(&GENESIS, &node().public());
    for (second, size) in [(signed(40, 7), 7), (signed(40, 8), 8), (signed(3, 8), 8)] {
        let got = Equivocation { first: signed(40, 7), second }.verify(&key);
        assert_eq!(got, Err(EquivocationError::Consistent { first: 7, second: size }));
    }
}

#[test]
fn a_witness_key_serves_no_log_and_a_log_key_no_witness() {
    // One key in both roles: neither kind of line passes for the other.
    let name = origin();
    let [as_log, as_witness] =
        [Scheme::Note, Scheme::Cosignature].map(|scheme| Key::new(&*name, node().public(), scheme));
    assert_ne!(as_log.id(), as_witness.id());
    assert_eq!(signed(40, 7).verify(&[as_witness]), Err(NoteError::Unsigned));
}
