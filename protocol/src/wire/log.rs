//! Encoding of a log's proofs and of what its witnesses are asked and keep.

mod succession;
#[cfg(test)]
mod tests;

use ::bytes::Bytes;

use super::{DecodeError, bytes, id, list, pb, required, session::cause, text, wire};
use crate::{
    id::Digest,
    limits::{
        CONSISTENCY_HASHES_MAX, EQUIVOCATION_BYTES_MAX, INCLUSION_HASHES_MAX, LOG_PROOF_BYTES_MAX,
        NOTE_LINE_BYTES_MAX, TEXT_BYTES_MAX, WITNESS_REPLY_BYTES_MAX,
    },
    log::{
        equivocation::Equivocation,
        note::Note,
        proof::LogProof,
        witness::{WitnessRefusal, WitnessReply, WitnessRequest, WitnessState},
    },
};

wire!(LogProof, pb::LogProof, LOG_PROOF_BYTES_MAX);
wire!(WitnessRequest, pb::WitnessRequest, LOG_PROOF_BYTES_MAX);
wire!(WitnessReply, pb::WitnessReply, WITNESS_REPLY_BYTES_MAX);
wire!(WitnessState, pb::WitnessState, EQUIVOCATION_BYTES_MAX);
wire!(Equivocation, pb::Equivocation, EQUIVOCATION_BYTES_MAX);

impl From<&LogProof> for pb::LogProof {
    fn from(proof: &LogProof) -> Self {
        Self {
            index: proof.index,
            hashes: proof.hashes.iter().map(|hash| bytes(&hash.0)).collect(),
            checkpoint: proof.checkpoint.to_string(),
        }
    }
}

impl TryFrom<pb::LogProof> for LogProof {
    type Error = DecodeError;

    fn try_from(pb: pb::LogProof) -> Result<Self, DecodeError> {
        Ok(Self {
            index: pb.index,
            hashes: hashes(pb.hashes, INCLUSION_HASHES_MAX, "log_proof.hashes")?,
            checkpoint: note(&pb.checkpoint, "log_proof.checkpoint")?,
        })
    }
}

impl From<&WitnessRequest> for pb::WitnessRequest {
    fn from(request: &WitnessRequest) -> Self {
        Self {
            old_size: request.old_size,
            proof: request.proof.iter().map(|hash| bytes(&hash.0)).collect(),
            checkpoint: request.checkpoint.to_string(),
        }
    }
}

impl TryFrom<pb::WitnessRequest> for WitnessRequest {
    type Error = DecodeError;

    fn try_from(pb: pb::WitnessRequest) -> Result<Self, DecodeError> {
        Ok(Self {
            old_size: pb.old_size,
            proof: hashes(pb.proof, CONSISTENCY_HASHES_MAX, "witness_request.proof")?,
            checkpoint: note(&pb.checkpoint, "witness_request.checkpoint")?,
        })
    }
}

impl From<&WitnessReply> for pb::WitnessReply {
    fn from(reply: &WitnessReply) -> Self {
        use pb::witness_reply::Reply;
        let reply = match reply {
            WitnessReply::Cosigned(line) => Reply::Cosignature(line.clone()),
            WitnessReply::Conflict { held } => Reply::Conflict(written(held.as_ref())),
            WitnessReply::Refused(WitnessRefusal { cause, detail }) => {
                Reply::Refusal(pb::WitnessRefusal {
                    cause: i32::from(cause.code()),
                    detail: detail.clone(),
                })
            }
        };
        Self { reply: Some(reply) }
    }
}

impl TryFrom<pb::WitnessReply> for WitnessReply {
    type Error = DecodeError;

    fn try_from(pb: pb::WitnessReply) -> Result<Self, DecodeError> {
        use pb::witness_reply::Reply;
        Ok(match required(pb.reply, "witness_reply.reply")? {
            Reply::Cosignature(line) => {
                Self::Cosigned(text(line, NOTE_LINE_BYTES_MAX, "witness_reply.cosignature")?)
            }
            Reply::Conflict(held) => {
                Self::Conflict { held: optional(&held, "witness_reply.conflict")? }
            }
            Reply::Refusal(pb::WitnessRefusal { cause: number, detail }) => {
                if detail.len() > TEXT_BYTES_MAX {
                    return Err(DecodeError::field("witness_refusal.detail", "too long"));
                }
                let cause = cause(number, "witness_refusal.cause")?;
                Self::Refused(WitnessRefusal { cause, detail })
            }
        })
    }
}

impl From<&WitnessState> for pb::WitnessState {
    fn from(state: &WitnessState) -> Self {
        Self {
            checkpoint: state.checkpoint.to_string(),
            contradiction: written(state.contradiction.as_ref()),
        }
    }
}

impl TryFrom<pb::WitnessState> for WitnessState {
    type Error = DecodeError;

    fn try_from(pb: pb::WitnessState) -> Result<Self, DecodeError> {
        Ok(Self {
            checkpoint: note(&pb.checkpoint, "witness_state.checkpoint")?,
            contradiction: optional(&pb.contradiction, "witness_state.contradiction")?,
        })
    }
}

impl From<&Equivocation> for pb::Equivocation {
    fn from(proof: &Equivocation) -> Self {
        Self { first: proof.first.to_string(), second: proof.second.to_string() }
    }
}

impl TryFrom<pb::Equivocation> for Equivocation {
    type Error = DecodeError;

    fn try_from(pb: pb::Equivocation) -> Result<Self, DecodeError> {
        Ok(Self {
            first: note(&pb.first, "equivocation.first")?,
            second: note(&pb.second, "equivocation.second")?,
        })
    }
}

fn hashes(values: Vec<Bytes>, max: usize, field: &'static str) -> Result<Vec<Digest>, DecodeError> {
    list(values, max, field)?.iter().map(|hash| id(hash, field)).collect()
}

/// A note that need not be there, as text; empty if it is not.
fn written(note: Option<&Note>) -> String {
    note.map(Note::to_string).unwrap_or_default()
}

/// Reads what [`written`] writes.
fn optional(text: &str, field: &'static str) -> Result<Option<Note>, DecodeError> {
    if text.is_empty() { Ok(None) } else { note(text, field).map(Some) }
}

/// Reads a note; written again it has the same bytes.
fn note(note: &str, field: &'static str) -> Result<Note, DecodeError> {
    Note::parse(note).map_err(|_| DecodeError::field(field, "no signed note"))
}
