//! Encoding of receipts, sampling parameters and bundles.

mod bundle;

use super::{
    DecodeError, ascending, bytes, id, list, pb, required, session::cause, text, wire, within,
};
use crate::{
    id::Digest,
    limits::{
        FILTERS_MAX, NAME_BYTES_MAX, NONCE_BYTES_MAX, PAYLOAD_BYTES_MAX, POSITIONS_MAX, STAGES_MAX,
    },
    policy::Country,
    receipt::{Acknowledgement, Commitments, FinishReason, OpenRecord, Receipt, StageReceipt},
    refusal::Cause,
    route::RouteStage,
    sampler::Sampling,
    time::Timestamp,
};

wire!(Sampling, pb::Sampling, PAYLOAD_BYTES_MAX);
wire!(StageReceipt, pb::StageReceipt, PAYLOAD_BYTES_MAX);
wire!(OpenRecord, pb::OpenRecord, PAYLOAD_BYTES_MAX);
wire!(Receipt, pb::Receipt, PAYLOAD_BYTES_MAX);
wire!(Acknowledgement, pb::Acknowledgement, PAYLOAD_BYTES_MAX);

/// Highest number of a stage: [`STAGES_MAX`] of them, counted from 0.
#[expect(clippy::cast_possible_truncation, reason = "64 stages")]
const STAGE_MAX: u32 = STAGES_MAX as u32 - 1;

impl From<FinishReason> for pb::FinishReason {
    fn from(reason: FinishReason) -> Self {
        match reason {
            FinishReason::Stop => Self::Stop,
            FinishReason::Length => Self::Length,
            FinishReason::Error => Self::Error,
            FinishReason::Cancelled => Self::Cancelled,
        }
    }
}

/// Reads a reason's number.
pub(super) fn finish_reason(number: i32, field: &'static str) -> Result<FinishReason, DecodeError> {
    match pb::FinishReason::try_from(number) {
        Ok(pb::FinishReason::Stop) => Ok(FinishReason::Stop),
        Ok(pb::FinishReason::Length) => Ok(FinishReason::Length),
        Ok(pb::FinishReason::Error) => Ok(FinishReason::Error),
        Ok(pb::FinishReason::Cancelled) => Ok(FinishReason::Cancelled),
        Ok(pb::FinishReason::Unspecified) | Err(_) => {
            Err(DecodeError::field(field, "unknown reason"))
        }
    }
}

impl From<&Sampling> for pb::Sampling {
    fn from(sampling: &Sampling) -> Self {
        Self {
            temperature_millionths: sampling.temperature,
            top_k: sampling.top_k,
            top_p_millionths: sampling.top_p,
            min_p_millionths: sampling.min_p,
            repetition_penalty_millionths: sampling.repetition_penalty,
            seed: sampling.seed,
            max_tokens: sampling.max_tokens,
            stop: sampling.stop.clone(),
        }
    }
}

impl TryFrom<pb::Sampling> for Sampling {
    type Error = DecodeError;

    fn try_from(pb: pb::Sampling) -> Result<Self, DecodeError> {
        let sampling = Self {
            temperature: pb.temperature_millionths,
            top_k: pb.top_k,
            top_p: pb.top_p_millionths,
            min_p: pb.min_p_millionths,
            repetition_penalty: pb.repetition_penalty_millionths,
            seed: pb.seed,
            max_tokens: pb.max_tokens,
            stop: pb.stop,
        };
        sampling.check().map_err(|error| DecodeError::field(error.field(), "out of range"))?;
        Ok(sampling)
    }
}

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
        })
    }
}

impl From<&OpenRecord> for pb::OpenRecord {
    fn from(record: &OpenRecord) -> Self {
        Self {
            session: bytes(&record.session.0),
            institution: record.institution.clone(),
            manifest: bytes(&record.manifest.0),
            policy: bytes(&record.policy.0),
            sequence: record.sequence,
            previous: bytes(&record.previous.0),
            opened_at_ms: record.opened_at.as_ms(),
        }
    }
}

impl TryFrom<pb::OpenRecord> for OpenRecord {
    type Error = DecodeError;

    fn try_from(pb: pb::OpenRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            session: id(&pb.session, "open_record.session")?,
            institution: text(pb.institution, NAME_BYTES_MAX, "open_record.institution")?,
            manifest: id(&pb.manifest, "open_record.manifest")?,
            policy: id(&pb.policy, "open_record.policy")?,
            sequence: sequence(pb.sequence, "open_record.sequence")?,
            previous: id(&pb.previous, "open_record.previous")?,
            opened_at: Timestamp::from_ms(pb.opened_at_ms),
        })
    }
}

impl From<&Acknowledgement> for pb::Acknowledgement {
    fn from(acknowledgement: &Acknowledgement) -> Self {
        Self {
            receipt: bytes(&acknowledgement.receipt.0),
            received_at_ms: acknowledgement.received_at.as_ms(),
        }
    }
}

impl TryFrom<pb::Acknowledgement> for Acknowledgement {
    type Error = DecodeError;

    fn try_from(pb: pb::Acknowledgement) -> Result<Self, DecodeError> {
        Ok(Self {
            receipt: id(&pb.receipt, "acknowledgement.receipt")?,
            received_at: Timestamp::from_ms(pb.received_at_ms),
        })
    }
}

impl From<&Receipt> for pb::Receipt {
    fn from(receipt: &Receipt) -> Self {
        let Commitments { sampling, prompt, output, text } = &receipt.commitments;
        Self {
            session: bytes(&receipt.session.0),
            institution: receipt.institution.clone(),
            jurisdiction: receipt.jurisdiction.to_string(),
            manifest: bytes(&receipt.manifest.0),
            open_record: bytes(&receipt.open_record.0),
            sequence: receipt.sequence,
            previous: bytes(&receipt.previous.0),
            opened_at_ms: receipt.opened_at.as_ms(),
            closed_at_ms: receipt.closed_at.as_ms(),
            policy: Some((&receipt.policy).into()),
            stages: receipt.stages.iter().map(Into::into).collect(),
            sampler: receipt.sampler.clone(),
            sampling: bytes(&sampling.0),
            prompt: bytes(&prompt.0),
            prompt_tokens: receipt.prompt_tokens,
            output: bytes(&output.0),
            output_tokens: receipt.output_tokens,
            text: bytes(&text.0),
            finish_reason: pb::FinishReason::from(receipt.finish_reason).into(),
            cause: receipt.cause.map_or(0, |cause| i32::from(cause.code())),
            filters: receipt.filters.clone(),
            stage_receipts: receipt.stage_receipts.iter().map(|digest| bytes(&digest.0)).collect(),
            client_nonce: receipt.client_nonce.clone(),
            numeric_class: receipt.numeric_class.clone(),
            unsigned_stages: receipt.unsigned_stages.clone(),
        }
    }
}

impl TryFrom<pb::Receipt> for Receipt {
    type Error = DecodeError;

    fn try_from(pb: pb::Receipt) -> Result<Self, DecodeError> {
        let reason = finish_reason(pb.finish_reason, "receipt.finish_reason")?;
        Ok(Self {
            session: id(&pb.session, "receipt.session")?,
            institution: text(pb.institution, NAME_BYTES_MAX, "receipt.institution")?,
            jurisdiction: country(&pb.jurisdiction, "receipt.jurisdiction")?,
            manifest: id(&pb.manifest, "receipt.manifest")?,
            open_record: id(&pb.open_record, "receipt.open_record")?,
            sequence: sequence(pb.sequence, "receipt.sequence")?,
            previous: id(&pb.previous, "receipt.previous")?,
            opened_at: Timestamp::from_ms(pb.opened_at_ms),
            closed_at: Timestamp::from_ms(pb.closed_at_ms),
            policy: required(pb.policy, "receipt.policy")?.try_into()?,
            stages: list(pb.stages, STAGES_MAX, "receipt.stages")?
                .into_iter()
                .map(RouteStage::try_from)
                .collect::<Result<_, _>>()?,
            sampler: text(pb.sampler, NAME_BYTES_MAX, "receipt.sampler")?,
            commitments: Commitments {
                sampling: id(&pb.sampling, "receipt.sampling")?,
                prompt: id(&pb.prompt, "receipt.prompt")?,
                output: id(&pb.output, "receipt.output")?,
                text: id(&pb.text, "receipt.text")?,
            },
            prompt_tokens: within(pb.prompt_tokens, 1, POSITIONS_MAX, "receipt.prompt_tokens")?,
            output_tokens: within(pb.output_tokens, 0, POSITIONS_MAX, "receipt.output_tokens")?,
            finish_reason: reason,
            cause: ending(reason, pb.cause)?,
            filters: list(pb.filters, FILTERS_MAX, "receipt.filters")?
                .into_iter()
                .map(|name| text(name, NAME_BYTES_MAX, "receipt.filters"))
                .collect::<Result<_, _>>()?,
            stage_receipts: list(pb.stage_receipts, STAGES_MAX, "receipt.stage_receipts")?
                .iter()
                .map(|digest| id::<Digest>(digest, "receipt.stage_receipts"))
                .collect::<Result<_, _>>()?,
            client_nonce: nonce(pb.client_nonce)?,
            numeric_class: text(pb.numeric_class, NAME_BYTES_MAX, "receipt.numeric_class")?,
            unsigned_stages: stages(pb.unsigned_stages)?,
        })
    }
}

/// Reads the cause that belongs to a reason: one for an error, none for a whole answer.
fn ending(reason: FinishReason, number: i32) -> Result<Option<Cause>, DecodeError> {
    const FIELD: &str = "receipt.cause";
    let cause = if number == 0 { None } else { Some(cause(number, FIELD)?) };
    let fits = match reason {
        FinishReason::Stop | FinishReason::Length => cause.is_none(),
        FinishReason::Error => cause.is_some(),
        FinishReason::Cancelled => cause.is_none_or(|cause| cause == Cause::Cancelled),
    };
    if fits { Ok(cause) } else { Err(DecodeError::field(FIELD, "does not fit the reason")) }
}

fn stages(numbers: Vec<u32>) -> Result<Vec<u32>, DecodeError> {
    const FIELD: &str = "receipt.unsigned_stages";
    let numbers = list(numbers, STAGES_MAX, FIELD)?;
    ascending(&numbers, FIELD)?;
    numbers.into_iter().map(|stage| within(stage, 0, STAGE_MAX, FIELD)).collect()
}

fn nonce(value: bytes::Bytes) -> Result<bytes::Bytes, DecodeError> {
    if value.len() > NONCE_BYTES_MAX {
        return Err(DecodeError::field("receipt.client_nonce", "too long"));
    }
    Ok(value)
}

fn sequence(number: u64, field: &'static str) -> Result<u64, DecodeError> {
    if number == 0 {
        return Err(DecodeError::field(field, "counted from 1"));
    }
    Ok(number)
}

fn country(code: &str, field: &'static str) -> Result<Country, DecodeError> {
    code.parse().map_err(|_| DecodeError::field(field, "no ISO 3166-1 alpha-2 code"))
}
