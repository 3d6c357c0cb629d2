//! Messages about logs: each comes back as it was, and each bound holds.

use prost::Message as _;

use super::*;
use crate::{
    control::{ControlReply, ControlRequest},
    limits::NOTE_BYTES_MAX,
    log::checkpoint::Checkpoint,
    refusal::Cause,
    signed::NodeKey,
    wire::Wire,
};

fn signed(size: u64) -> Note {
    let node = NodeKey::from_seed(&[3; 32]);
    Checkpoint { origin: "log".into(), size, root: Digest([7; 32]) }.sign(&node).unwrap()
}

fn log_proof(hashes: usize) -> LogProof {
    LogProof { index: 4, hashes: vec![Digest([1; 32]); hashes], checkpoint: signed(9) }
}

fn request(hashes: usize) -> WitnessRequest {
    WitnessRequest { old_size: 3, proof: vec![Digest([2; 32]); hashes], checkpoint: signed(9) }
}

fn assert_round<T: Wire + PartialEq + std::fmt::Debug>(message: &T) {
    assert_eq!(T::decode(&message.encode()).as_ref(), Ok(message));
}

fn refusal<T: Wire + std::fmt::Debug>(bytes: &[u8]) -> DecodeError {
    T::decode(bytes).unwrap_err()
}

#[test]
fn what_is_written_is_read() {
    assert_round(&log_proof(64));
    assert_round(&LogProof { index: 0, ..log_proof(0) });
    assert_round(&request(63));
    assert_round(&WitnessRequest { old_size: 0, ..request(0) });
    assert_round(&WitnessReply::Cosigned("— a AAAAAAA=\n".into()));
    assert_round(&WitnessReply::Conflict { held: None });
    assert_round(&WitnessReply::Conflict { held: Some(signed(9)) });
    let detail = "d".repeat(TEXT_BYTES_MAX);
    assert_round(&WitnessReply::Refused(WitnessRefusal { cause: Cause::Limit, detail }));
    assert_round(&ControlRequest::Witness(request(63)));
    assert_round(&ControlReply::Witness(WitnessReply::Conflict { held: Some(signed(9)) }));
    assert_round(&WitnessState { checkpoint: signed(9), contradiction: None });
    assert_round(&WitnessState { checkpoint: signed(9), contradiction: Some(signed(10)) });
    assert_round(&Equivocation { first: signed(9), second: signed(10) });
}

#[test]
fn proofs_of_too_many_hashes_are_refused() {
    let too_many = |field| DecodeError::field(field, "too many entries");
    assert_eq!(refusal::<LogProof>(&log_proof(65).encode()), too_many("log_proof.hashes"));
    assert_eq!(refusal::<WitnessRequest>(&request(64).encode()), too_many("witness_request.proof"));
    let mut pb = pb::LogProof::from(&log_proof(1));
    pb.hashes[0] = Bytes::from_static(&[1; 31]);
    let wrong = DecodeError::field("log_proof.hashes", "wrong length");
    assert_eq!(refusal::<LogProof>(&pb.encode_to_vec()), wrong);
}

#[test]
fn what_is_no_note_is_refused_where_a_note_belongs() {
    for note in ["", "log\n", "log\n\n", &"x".repeat(NOTE_BYTES_MAX + 1)] {
        let text = note.to_owned();
        let no_note = |field| DecodeError::field(field, "no signed note");
        let pb = pb::LogProof { checkpoint: text.clone(), ..(&log_proof(0)).into() };
        assert_eq!(refusal::<LogProof>(&pb.encode_to_vec()), no_note("log_proof.checkpoint"));
        let pb = pb::WitnessRequest { checkpoint: text.clone(), ..(&request(0)).into() };
        let got = refusal::<WitnessRequest>(&pb.encode_to_vec());
        assert_eq!(got, no_note("witness_request.checkpoint"));
        let good = signed(9).to_string();
        let pb = pb::Equivocation { first: text.clone(), second: good.clone() };
        assert_eq!(refusal::<Equivocation>(&pb.encode_to_vec()), no_note("equivocation.first"));
        let pb = pb::Equivocation { first: good.clone(), second: text.clone() };
        assert_eq!(refusal::<Equivocation>(&pb.encode_to_vec()), no_note("equivocation.second"));
        let conflict = pb::witness_reply::Reply::Conflict(text.clone());
        let pb = pb::WitnessReply { reply: Some(conflict) };
        let got = WitnessReply::decode(&pb.encode_to_vec());
        match text.is_empty() {
            true => assert_eq!(got, Ok(WitnessReply::Conflict { held: None })),
            false => assert_eq!(got.unwrap_err(), no_note("witness_reply.conflict")),
        }
        let pb = pb::WitnessState { checkpoint: text.clone(), contradiction: String::new() };
        let got = refusal::<WitnessState>(&pb.encode_to_vec());
        assert_eq!(got, no_note("witness_state.checkpoint"));
        let pb = pb::WitnessState { checkpoint: good, contradiction: text.clone() };
        let got = WitnessState::decode(&pb.encode_to_vec());
        match text.is_empty() {
            true => assert_eq!(got.unwrap().contradiction, None),
            false => assert_eq!(got.unwrap_err(), no_note("witness_state.contradiction")),
        }
    }
}

#[test]
fn answers_past_their_bounds_are_refused() {
    assert_eq!(refusal::<WitnessReply>(&[]), DecodeError::field("witness_reply.reply", "missing"));
    for line in [String::new(), "l".repeat(NOTE_LINE_BYTES_MAX + 1)] {
        let wrong = DecodeError::field("witness_reply.cosignature", "empty or too long");
        assert_eq!(refusal::<WitnessReply>(&WitnessReply::Cosigned(line).encode()), wrong);
    }
    let detail = "d".repeat(TEXT_BYTES_MAX + 1);
    let reply = WitnessReply::Refused(WitnessRefusal { cause: Cause::Limit, detail });
    let wrong = DecodeError::field("witness_refusal.detail", "too long");
    assert_eq!(refusal::<WitnessReply>(&reply.encode()), wrong);
    for cause in [0, 200] {
        let inner = pb::WitnessRefusal { cause, detail: String::new() };
        let reply = pb::WitnessReply { reply: Some(pb::witness_reply::Reply::Refusal(inner)) };
        assert!(WitnessReply::decode(&reply.encode_to_vec()).is_err(), "cause {cause}");
    }
}

#[test]
fn the_largest_messages_are_taken() {
    let name = |number: usize| format!("{}{number:03}", "n".repeat(141));
    let mut note = signed(9);
    let node = NodeKey::from_seed(&[3; 32]);
    for number in 1..crate::limits::NOTE_SIGNATURES_MAX {
        let key = crate::log::note::Key::new(
            name(number),
            node.public(),
            crate::log::note::Scheme::Cosignature,
        );
        let now = crate::time::Timestamp::from_ms(0);
        note.add(crate::log::cosignature::sign(&note, &key, &node, now)).unwrap();
    }
    assert_round(&LogProof { index: u64::MAX, checkpoint: note.clone(), ..log_proof(64) });
    assert_round(&WitnessRequest { old_size: 1, checkpoint: note.clone(), ..request(63) });
    assert_round(&WitnessReply::Conflict { held: Some(note.clone()) });
    assert_round(&Equivocation { first: note.clone(), second: note });
}
