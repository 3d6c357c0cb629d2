//! Encoding of receipts, sampling parameters and bundles.

mod bundle;
mod home;
mod record;
mod stage;

use super::{DecodeError, pb, wire};
use crate::{
    limits::{PAYLOAD_BYTES_MAX, STAGES_MAX},
    policy::Country,
    receipt::FinishReason,
    sampler::Sampling,
};

wire!(Sampling, pb::Sampling, PAYLOAD_BYTES_MAX);

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

pub(super) fn sequence(number: u64, field: &'static str) -> Result<u64, DecodeError> {
    if number == 0 {
        return Err(DecodeError::field(field, "counted from 1"));
    }
    Ok(number)
}

fn country(code: &str, field: &'static str) -> Result<Country, DecodeError> {
    code.parse().map_err(|_| DecodeError::field(field, "no ISO 3166-1 alpha-2 code"))
}
