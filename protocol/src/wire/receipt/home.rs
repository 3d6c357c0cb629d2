//! Encoding of home's receipts.

use super::{STAGE_MAX, country, finish_reason, sequence};
use crate::{
    id::Digest,
    limits::{
        FILTERS_MAX, MIGRATIONS_MAX, NAME_BYTES_MAX, NONCE_BYTES_MAX, PAYLOAD_BYTES_MAX,
        POSITIONS_MAX, STAGES_MAX,
    },
    receipt::{Commitments, FinishReason, Migration, Receipt, SystemPrompt, Work},
    refusal::Cause,
    route::RouteStage,
    time::Timestamp,
    wire::{
        DecodeError, ascending, bytes, id, list, pb, required, session::cause, text, wire, within,
    },
};

wire!(Receipt, pb::Receipt, PAYLOAD_BYTES_MAX);

impl From<&Receipt> for pb::Receipt {
    fn from(receipt: &Receipt) -> Self {
        let Commitments { sampling, prompt, output, text, system_prompt, client } =
            &receipt.commitments;
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
            charter: bytes(&receipt.charter.0),
            software: receipt.software.clone(),
            system_prompt: bytes(&system_prompt.0),
            system_prompt_by: pb::SystemPrompt::from(receipt.system_prompt_by).into(),
            template: receipt.template.map_or_else(Default::default, |digest| bytes(&digest.0)),
            client: bytes(&client.0),
            retained_until_ms: receipt.retained_until.as_ms(),
            first_token_ms: receipt.first_token_ms,
            migrations: receipt.migrations.iter().map(Into::into).collect(),
            work: receipt.work.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::Receipt> for Receipt {
    type Error = DecodeError;

    fn try_from(pb: pb::Receipt) -> Result<Self, DecodeError> {
        let reason = finish_reason(pb.finish_reason, "receipt.finish_reason")?;
        let system_prompt_by = system_prompt_by(pb.system_prompt_by)?;
        let work = work(pb.work, pb.stage_receipts.len())?;
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
                system_prompt: id(&pb.system_prompt, "receipt.system_prompt")?,
                client: id(&pb.client, "receipt.client")?,
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
            charter: id(&pb.charter, "receipt.charter")?,
            software: text(pb.software, NAME_BYTES_MAX, "receipt.software")?,
            system_prompt_by,
            template: template(system_prompt_by, &pb.template)?,
            retained_until: Timestamp::from_ms(pb.retained_until_ms),
            first_token_ms: pb.first_token_ms,
            migrations: list(pb.migrations, MIGRATIONS_MAX, "receipt.migrations")?
                .into_iter()
                .map(Migration::try_from)
                .collect::<Result<_, _>>()?,
            work,
        })
    }
}

impl From<SystemPrompt> for pb::SystemPrompt {
    fn from(by: SystemPrompt) -> Self {
        match by {
            SystemPrompt::None => Self::None,
            SystemPrompt::Client => Self::Client,
            SystemPrompt::Template => Self::Template,
        }
    }
}

fn system_prompt_by(number: i32) -> Result<SystemPrompt, DecodeError> {
    match pb::SystemPrompt::try_from(number) {
        Ok(pb::SystemPrompt::None) => Ok(SystemPrompt::None),
        Ok(pb::SystemPrompt::Client) => Ok(SystemPrompt::Client),
        Ok(pb::SystemPrompt::Template) => Ok(SystemPrompt::Template),
        Ok(pb::SystemPrompt::Unspecified) | Err(_) => {
            Err(DecodeError::field("receipt.system_prompt_by", "unknown"))
        }
    }
}

/// Reads the template's digest: none for raw text alone.
fn template(by: SystemPrompt, digest: &[u8]) -> Result<Option<Digest>, DecodeError> {
    const FIELD: &str = "receipt.template";
    match (by, digest) {
        (SystemPrompt::None, []) => Ok(None),
        (SystemPrompt::None, _) => Err(DecodeError::field(FIELD, "raw text has none")),
        (_, digest) => Ok(Some(id(digest, FIELD)?)),
    }
}

/// Reads the work: one entry for each stage receipt.
fn work(values: Vec<pb::Work>, receipts: usize) -> Result<Vec<Work>, DecodeError> {
    const FIELD: &str = "receipt.work";
    if values.len() != receipts {
        return Err(DecodeError::field(FIELD, "one entry for each stage receipt is required"));
    }
    let values = list(values, STAGES_MAX, FIELD)?;
    let stages: Vec<u32> = values.iter().map(|work| work.stage).collect();
    ascending(&stages, FIELD)?;
    values.into_iter().map(Work::try_from).collect()
}

impl From<&Migration> for pb::Migration {
    fn from(migration: &Migration) -> Self {
        Self {
            position: migration.position,
            stage: migration.stage,
            from: bytes(&migration.from.0),
            to: bytes(&migration.to.0),
            cause: migration.cause.code().into(),
        }
    }
}

impl TryFrom<pb::Migration> for Migration {
    type Error = DecodeError;

    fn try_from(pb: pb::Migration) -> Result<Self, DecodeError> {
        Ok(Self {
            position: within(pb.position, 0, POSITIONS_MAX, "receipt.migrations.position")?,
            stage: within(pb.stage, 0, STAGE_MAX, "receipt.migrations.stage")?,
            from: id(&pb.from, "receipt.migrations.from")?,
            to: id(&pb.to, "receipt.migrations.to")?,
            cause: cause(pb.cause, "receipt.migrations.cause")?,
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
