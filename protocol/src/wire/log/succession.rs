//! Encoding of successions.

use super::{super::receipt::sequence, bytes, id, pb, required, text, wire};
use crate::{
    limits::{NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, SUCCESSION_NOTE_BYTES_MAX},
    log::succession::{Succession, SuccessionReason, SuccessionRecord},
    time::Timestamp,
    wire::{DecodeError, short},
};

wire!(Succession, pb::Succession, PAYLOAD_BYTES_MAX);
wire!(SuccessionRecord, pb::SuccessionRecord, PAYLOAD_BYTES_MAX);

impl From<&Succession> for pb::Succession {
    fn from(said: &Succession) -> Self {
        let reason = match said.reason {
            SuccessionReason::Restored => pb::SuccessionReason::Restored,
            SuccessionReason::Cloned => pb::SuccessionReason::Cloned,
            SuccessionReason::KeyLost => pb::SuccessionReason::KeyLost,
        };
        Self {
            institution: said.institution.clone(),
            from: bytes(&said.from.0),
            to: bytes(&said.to.0),
            reason: reason.into(),
            records: said.records,
            last: bytes(&said.last.0),
            checkpoint: said.checkpoint.clone(),
            seen: said.seen,
            at_ms: said.at.as_ms(),
        }
    }
}

impl TryFrom<pb::Succession> for Succession {
    type Error = DecodeError;

    fn try_from(pb: pb::Succession) -> Result<Self, DecodeError> {
        const CHECKPOINT: &str = "succession.checkpoint";
        let reason = match pb::SuccessionReason::try_from(pb.reason) {
            Ok(pb::SuccessionReason::Restored) => SuccessionReason::Restored,
            Ok(pb::SuccessionReason::Cloned) => SuccessionReason::Cloned,
            Ok(pb::SuccessionReason::KeyLost) => SuccessionReason::KeyLost,
            _ => return Err(DecodeError::field("succession.reason", "unknown")),
        };
        Ok(Self {
            institution: text(pb.institution, NAME_BYTES_MAX, "succession.institution")?,
            from: id(&pb.from, "succession.from")?,
            to: id(&pb.to, "succession.to")?,
            reason,
            records: pb.records,
            last: id(&pb.last, "succession.last")?,
            checkpoint: short(pb.checkpoint, SUCCESSION_NOTE_BYTES_MAX, CHECKPOINT)?,
            seen: pb.seen,
            at: Timestamp::from_ms(pb.at_ms),
        })
    }
}

impl From<&SuccessionRecord> for pb::SuccessionRecord {
    fn from(record: &SuccessionRecord) -> Self {
        Self {
            sequence: record.sequence,
            previous: bytes(&record.previous.0),
            succession: Some((&record.succession).into()),
        }
    }
}

impl TryFrom<pb::SuccessionRecord> for SuccessionRecord {
    type Error = DecodeError;

    fn try_from(pb: pb::SuccessionRecord) -> Result<Self, DecodeError> {
        const SUCCESSION: &str = "succession_record.succession";
        Ok(Self {
            sequence: sequence(pb.sequence, "succession_record.sequence")?,
            previous: id(&pb.previous, "succession_record.previous")?,
            succession: required(pb.succession, SUCCESSION)?.try_into()?,
        })
    }
}
