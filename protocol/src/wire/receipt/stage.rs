//! Encoding of stage receipts and of the work they are for.

use super::{STAGE_MAX, country, sequence};
use crate::{
    limits::{COMPUTED_MAX, NAME_BYTES_MAX, PARAMETERS_MAX, PAYLOAD_BYTES_MAX, POSITIONS_MAX},
    receipt::{StageReceipt, Work},
    time::Timestamp,
    wire::{DecodeError, bytes, id, pb, required, text, wire, within},
};

wire!(StageReceipt, pb::StageReceipt, PAYLOAD_BYTES_MAX);

impl From<&StageReceipt> for pb::StageReceipt {
    fn from(receipt: &StageReceipt) -> Self {
        Self {
            session: bytes(&receipt.session.0),
            institution: receipt.institution.clone(),
            jurisdiction: receipt.jurisdiction.to_string(),
            stage: receipt.stage,
            blocks: Some(receipt.blocks.into()),
            manifest: bytes(&receipt.manifest.0),
            shard: bytes(&receipt.shard.0),
            numeric_class: receipt.numeric_class.clone(),
            positions: receipt.positions,
            input: bytes(&receipt.input.0),
            output: bytes(&receipt.output.0),
            sequence: receipt.sequence,
            started_at_ms: receipt.started_at.as_ms(),
            signed_at_ms: receipt.signed_at.as_ms(),
            cached: receipt.cached,
            home: bytes(&receipt.home.0),
            home_institution: receipt.home_institution.clone(),
            computed: receipt.computed,
            previous: bytes(&receipt.previous.0),
            parameters: receipt.parameters,
        }
    }
}

impl TryFrom<pb::StageReceipt> for StageReceipt {
    type Error = DecodeError;

    fn try_from(pb: pb::StageReceipt) -> Result<Self, DecodeError> {
        Ok(Self {
            session: id(&pb.session, "stage_receipt.session")?,
            institution: text(pb.institution, NAME_BYTES_MAX, "stage_receipt.institution")?,
            jurisdiction: country(&pb.jurisdiction, "stage_receipt.jurisdiction")?,
            stage: within(pb.stage, 0, STAGE_MAX, "stage_receipt.stage")?,
            blocks: required(pb.blocks, "stage_receipt.blocks")?.try_into()?,
            manifest: id(&pb.manifest, "stage_receipt.manifest")?,
            shard: id(&pb.shard, "stage_receipt.shard")?,
            numeric_class: text(pb.numeric_class, NAME_BYTES_MAX, "stage_receipt.numeric_class")?,
            positions: within(pb.positions, 0, POSITIONS_MAX, "stage_receipt.positions")?,
            input: id(&pb.input, "stage_receipt.input")?,
            output: id(&pb.output, "stage_receipt.output")?,
            sequence: sequence(pb.sequence, "stage_receipt.sequence")?,
            started_at: Timestamp::from_ms(pb.started_at_ms),
            signed_at: Timestamp::from_ms(pb.signed_at_ms),
            cached: within(pb.cached, 0, pb.positions, "stage_receipt.cached")?,
            home: id(&pb.home, "stage_receipt.home")?,
            home_institution: text(
                pb.home_institution,
                NAME_BYTES_MAX,
                "stage_receipt.home_institution",
            )?,
            computed: computed(pb.computed, "stage_receipt.computed")?,
            previous: id(&pb.previous, "stage_receipt.previous")?,
            parameters: parameters(pb.parameters, "stage_receipt.parameters")?,
        })
    }
}

impl From<&Work> for pb::Work {
    fn from(work: &Work) -> Self {
        Self {
            stage: work.stage,
            institution: work.institution.clone(),
            computed: work.computed,
            parameters: work.parameters,
        }
    }
}

impl TryFrom<pb::Work> for Work {
    type Error = DecodeError;

    fn try_from(pb: pb::Work) -> Result<Self, DecodeError> {
        Ok(Self {
            stage: within(pb.stage, 0, STAGE_MAX, "receipt.work.stage")?,
            institution: text(pb.institution, NAME_BYTES_MAX, "receipt.work.institution")?,
            computed: computed(pb.computed, "receipt.work.computed")?,
            parameters: parameters(pb.parameters, "receipt.work.parameters")?,
        })
    }
}

fn computed(rows: u64, field: &'static str) -> Result<u64, DecodeError> {
    if rows > COMPUTED_MAX {
        return Err(DecodeError::field(field, "out of range"));
    }
    Ok(rows)
}

fn parameters(count: u64, field: &'static str) -> Result<u64, DecodeError> {
    if count == 0 || count > PARAMETERS_MAX {
        return Err(DecodeError::field(field, "out of range"));
    }
    Ok(count)
}
