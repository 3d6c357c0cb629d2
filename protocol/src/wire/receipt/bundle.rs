//! Encoding of bundles and openings.

use crate::{
    bundle::Bundle,
    commitment::Salt,
    limits::{BUNDLE_BYTES_MAX, CHARTERS_MAX, INSTITUTIONS_MAX, PAYLOAD_BYTES_MAX, STAGES_MAX},
    receipt::{NO_CLIENT, Opening},
    signed::Signed,
    wire::{DecodeError, bytes, id, list, pb, required, wire},
};

wire!(Bundle, pb::Bundle, BUNDLE_BYTES_MAX);

impl From<&Bundle> for pb::Bundle {
    fn from(bundle: &Bundle) -> Self {
        Self {
            charters: bundle.charters.iter().map(Into::into).collect(),
            rosters: bundle.rosters.iter().map(Into::into).collect(),
            manifest: bundle.manifest.clone(),
            open_record: Some((&bundle.open_record).into()),
            receipt: Some((&bundle.receipt).into()),
            stage_receipts: bundle.stage_receipts.iter().map(Into::into).collect(),
            opening: bundle.opening.as_ref().map(Into::into),
            acknowledgement: bundle.acknowledgement.as_ref().map(Into::into),
            proof: bundle.proof.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<pb::Bundle> for Bundle {
    type Error = DecodeError;

    fn try_from(pb: pb::Bundle) -> Result<Self, DecodeError> {
        if pb.manifest.len() > PAYLOAD_BYTES_MAX {
            return Err(DecodeError::field("bundle.manifest", "too long"));
        }
        Ok(Self {
            charters: list(pb.charters, CHARTERS_MAX, "bundle.charters")?
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, DecodeError>>()?,
            rosters: signed(pb.rosters, INSTITUTIONS_MAX, "bundle.rosters")?,
            manifest: pb.manifest,
            open_record: required(pb.open_record, "bundle.open_record")?.try_into()?,
            receipt: required(pb.receipt, "bundle.receipt")?.try_into()?,
            stage_receipts: signed(pb.stage_receipts, STAGES_MAX, "bundle.stage_receipts")?,
            opening: pb.opening.map(TryInto::try_into).transpose()?,
            acknowledgement: pb.acknowledgement.map(TryInto::try_into).transpose()?,
            proof: pb.proof.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<&Opening> for pb::Opening {
    fn from(opening: &Opening) -> Self {
        Self {
            salt: bytes(opening.salt.expose()),
            prompt: opening.prompt.clone(),
            output: opening.output.clone(),
            text: opening.text.clone(),
            sampling: Some((&opening.sampling).into()),
            system_prompt: opening.system_prompt.clone(),
            client: bytes(&opening.client.unwrap_or(NO_CLIENT).0),
        }
    }
}

impl TryFrom<pb::Opening> for Opening {
    type Error = DecodeError;

    fn try_from(pb: pb::Opening) -> Result<Self, DecodeError> {
        Ok(Self {
            salt: Salt::new(id(&pb.salt, "opening.salt")?),
            prompt: pb.prompt,
            output: pb.output,
            text: pb.text,
            sampling: required(pb.sampling, "opening.sampling")?.try_into()?,
            system_prompt: pb.system_prompt,
            client: Some(id(&pb.client, "opening.client")?).filter(|key| *key != NO_CLIENT),
        })
    }
}

fn signed(
    values: Vec<pb::Signed>,
    max: usize,
    field: &'static str,
) -> Result<Vec<Signed>, DecodeError> {
    list(values, max, field)?.into_iter().map(Signed::try_from).collect()
}
