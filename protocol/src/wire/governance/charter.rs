//! Encoding of charters.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    institution,
    policy::{country, data_class, data_class_to_pb},
    texts,
};
use crate::{
    charter::{Charter, Institution, Revocation, Revoked, SignedChain, SignedCharter, Suspension},
    id::Digest,
    limits::{
        ADDRESS_BYTES_MAX, ADDRESSES_MAX, CHAIN_BYTES_MAX, CHARTERS_MAX, INSTITUTIONS_MAX,
        NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, POLICIES_MAX, REVOCATIONS_MAX, SHARE_MAX,
        SIGNED_CHARTER_BYTES_MAX, SUSPENSIONS_MAX, TEXT_BYTES_MAX, WITNESSES_MAX,
    },
    policy::Policy,
    sampler::MILLION,
    signed::Signed,
    time::Timestamp,
    wire::{DecodeError, NOT_ASCENDING, ascending, bytes, id, list, pb, short, text, wire, within},
};

/// Manifests a charter may list: they must fit its payload, 34 bytes each.
const MODELS_MAX: usize = PAYLOAD_BYTES_MAX / 34;

wire!(Charter, pb::Charter, PAYLOAD_BYTES_MAX);
wire!(SignedCharter, pb::SignedCharter, SIGNED_CHARTER_BYTES_MAX);

impl From<&Charter> for pb::Charter {
    fn from(charter: &Charter) -> Self {
        Self {
            version: charter.version,
            previous: charter.previous.map_or_else(Default::default, |hash| bytes(&hash.0)),
            name: charter.name.clone(),
            created_at_ms: charter.created_at.as_ms(),
            expires_at_ms: charter.expires_at.as_ms(),
            institutions: charter.institutions.iter().map(Into::into).collect(),
            policies: charter.policies.iter().map(Into::into).collect(),
            models: charter.models.iter().map(|digest| bytes(&digest.0)).collect(),
            audit_rate_millionths: charter.audit_rate_millionths,
            witnesses: charter.witnesses,
            revocations: charter.revocations.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::Charter> for Charter {
    type Error = DecodeError;

    fn try_from(pb: pb::Charter) -> Result<Self, DecodeError> {
        let previous = match pb.previous.is_empty() {
            true => None,
            false => Some(id(&pb.previous, "charter.previous")?),
        };
        Ok(Self {
            version: within(pb.version, 1, u32::MAX, "charter.version")?,
            previous,
            name: text(pb.name, 128, "charter.name")?,
            created_at: Timestamp::from_ms(pb.created_at_ms),
            expires_at: Timestamp::from_ms(pb.expires_at_ms),
            institutions: institutions(pb.institutions)?,
            policies: policies(pb.policies)?,
            models: models(&list(pb.models, MODELS_MAX, "charter.models")?)?,
            audit_rate_millionths: within(
                pb.audit_rate_millionths,
                0,
                MILLION,
                "charter.audit_rate_millionths",
            )?,
            witnesses: within(pb.witnesses, 0, WITNESSES_MAX, "charter.witnesses")?,
            revocations: revocations(pb.revocations)?,
        })
    }
}

impl From<&Institution> for pb::Institution {
    fn from(institution: &Institution) -> Self {
        Self {
            id: institution.id.clone(),
            legal_name: institution.legal_name.clone(),
            country: institution.country.to_string(),
            parent_country: institution.parent_country.to_string(),
            root_key: bytes(&institution.root_key.0),
            roster_key: bytes(&institution.roster_key.0),
            contacts: institution.contacts.clone(),
            witness_key: bytes(&institution.witness_key.0),
            data_class_max: data_class_to_pb(institution.data_class_max),
            purposes: institution.purposes.iter().cloned().collect(),
            data_protection_officer: institution.data_protection_officer.clone(),
            share: institution.share,
            quota: institution.quota,
        }
    }
}

impl TryFrom<pb::Institution> for Institution {
    type Error = DecodeError;

    fn try_from(pb: pb::Institution) -> Result<Self, DecodeError> {
        Ok(Self {
            id: institution(pb.id, "institution.id")?,
            legal_name: text(pb.legal_name, 256, "institution.legal_name")?,
            country: country(&pb.country, "institution.country")?,
            parent_country: country(&pb.parent_country, "institution.parent_country")?,
            root_key: id(&pb.root_key, "institution.root_key")?,
            roster_key: id(&pb.roster_key, "institution.roster_key")?,
            contacts: texts(pb.contacts, ADDRESSES_MAX, ADDRESS_BYTES_MAX, "institution.contacts")?,
            witness_key: id(&pb.witness_key, "institution.witness_key")?,
            data_class_max: data_class(pb.data_class_max, "institution.data_class_max")?,
            purposes: purposes(pb.purposes)?,
            data_protection_officer: short(
                pb.data_protection_officer,
                ADDRESS_BYTES_MAX,
                "institution.data_protection_officer",
            )?,
            share: within(pb.share, 1, SHARE_MAX, "institution.share")?,
            quota: pb.quota,
        })
    }
}

impl From<(&Revoked, &Revocation)> for pb::Revocation {
    fn from((revoked, revocation): (&Revoked, &Revocation)) -> Self {
        let (institution, peer) = match revoked {
            Revoked::Institution(id) => (id.clone(), Default::default()),
            Revoked::Peer(peer) => (String::new(), bytes(&peer.0)),
        };
        let reason = revocation.reason.clone();
        Self { institution, peer, at_ms: revocation.at.as_ms(), reason }
    }
}

impl From<&SignedCharter> for pb::SignedCharter {
    fn from(charter: &SignedCharter) -> Self {
        let signature = |(signer, signature): &(_, [u8; 64])| {
            let crate::id::PeerKey(signer) = signer;
            pb::Signature { signer: bytes(signer), signature: bytes(signature) }
        };
        Self {
            payload: charter.payload.clone(),
            signatures: charter.signatures.iter().map(signature).collect(),
        }
    }
}

impl TryFrom<pb::SignedCharter> for SignedCharter {
    type Error = DecodeError;

    fn try_from(pb: pb::SignedCharter) -> Result<Self, DecodeError> {
        if pb.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(DecodeError::field("signed_charter.payload", "too long"));
        }
        let mut signatures = Vec::new();
        for entry in list(pb.signatures, INSTITUTIONS_MAX, "signed_charter.signatures")? {
            let signer = id(&entry.signer, "signed_charter.signatures.signer")?;
            signatures.push((signer, id(&entry.signature, "signed_charter.signatures.signature")?));
        }
        let signers: Vec<_> = signatures.iter().map(|(signer, _)| *signer).collect();
        ascending(&signers, "signed_charter.signatures")?;
        Ok(Self { payload: pb.payload, signatures })
    }
}

wire!(SignedChain, pb::CharterChain, CHAIN_BYTES_MAX);

impl From<&SignedChain> for pb::CharterChain {
    fn from(chain: &SignedChain) -> Self {
        Self {
            charters: chain.charters.iter().map(Into::into).collect(),
            suspensions: chain.suspensions.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::CharterChain> for SignedChain {
    type Error = DecodeError;

    fn try_from(pb: pb::CharterChain) -> Result<Self, DecodeError> {
        let charters = list(pb.charters, CHARTERS_MAX, "charter_chain.charters")?;
        Ok(Self {
            charters: charters.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            suspensions: suspensions(pb.suspensions, "charter_chain.suspensions")?,
        })
    }
}

/// Reads signed suspensions: each once, in one order.
pub(super) fn suspensions(
    values: Vec<pb::Signed>,
    field: &'static str,
) -> Result<Vec<Signed>, DecodeError> {
    let values = list(values, SUSPENSIONS_MAX, field)?;
    let values =
        values.into_iter().map(Signed::try_from).collect::<Result<Vec<_>, DecodeError>>()?;
    let order: Vec<_> = values.iter().map(|it| (it.payload_digest(), it.signer)).collect();
    ascending(&order, field)?;
    Ok(values)
}

wire!(Suspension, pb::Suspension, PAYLOAD_BYTES_MAX);

impl From<&Suspension> for pb::Suspension {
    fn from(suspension: &Suspension) -> Self {
        Self {
            institution: suspension.institution.clone(),
            from_ms: suspension.from.as_ms(),
            until_ms: suspension.until.as_ms(),
            reason: suspension.reason.clone(),
        }
    }
}

impl TryFrom<pb::Suspension> for Suspension {
    type Error = DecodeError;

    fn try_from(pb: pb::Suspension) -> Result<Self, DecodeError> {
        Ok(Self {
            institution: institution(pb.institution, "suspension.institution")?,
            from: Timestamp::from_ms(pb.from_ms),
            until: Timestamp::from_ms(pb.until_ms),
            reason: text(pb.reason, TEXT_BYTES_MAX, "suspension.reason")?,
        })
    }
}

fn institutions(values: Vec<pb::Institution>) -> Result<Vec<Institution>, DecodeError> {
    let values = list(values, INSTITUTIONS_MAX, "charter.institutions")?;
    if values.is_empty() {
        return Err(DecodeError::field("charter.institutions", "at least one is required"));
    }
    let ids: Vec<_> = values.iter().map(|value| &value.id).collect();
    ascending(&ids, "charter.institutions")?;
    values.into_iter().map(Institution::try_from).collect()
}

fn policies(values: Vec<pb::Policy>) -> Result<Vec<Policy>, DecodeError> {
    let values = list(values, POLICIES_MAX, "charter.policies")?;
    let names: Vec<_> = values.iter().map(|value| &value.name).collect();
    ascending(&names, "charter.policies")?;
    if names.iter().any(|name| *name == Policy::OPEN) {
        return Err(DecodeError::field("charter.policies", "the name 'open' is taken"));
    }
    values.into_iter().map(Policy::try_from).collect()
}

fn purposes(values: Vec<String>) -> Result<BTreeSet<String>, DecodeError> {
    let values = texts(values, POLICIES_MAX, NAME_BYTES_MAX, "institution.purposes")?;
    ascending(&values, "institution.purposes")?;
    Ok(values.into_iter().collect())
}

fn revocations(values: Vec<pb::Revocation>) -> Result<BTreeMap<Revoked, Revocation>, DecodeError> {
    let mut revocations: BTreeMap<Revoked, Revocation> = BTreeMap::new();
    for pb in list(values, REVOCATIONS_MAX, "charter.revocations")? {
        let revoked = match (pb.institution.is_empty(), pb.peer.is_empty()) {
            (false, true) => {
                Revoked::Institution(institution(pb.institution, "revocation.institution")?)
            }
            (true, false) => Revoked::Peer(id(&pb.peer, "revocation.peer")?),
            _ => return Err(DecodeError::field("revocation", "one of institution and peer")),
        };
        let reason = short(pb.reason, TEXT_BYTES_MAX, "revocation.reason")?;
        if revocations.last_key_value().is_some_and(|(last, _)| *last >= revoked) {
            return Err(DecodeError::field("charter.revocations", NOT_ASCENDING));
        }
        revocations.insert(revoked, Revocation { at: Timestamp::from_ms(pb.at_ms), reason });
    }
    Ok(revocations)
}

fn models(values: &[::bytes::Bytes]) -> Result<Vec<Digest>, DecodeError> {
    let digests = values
        .iter()
        .map(|digest| id::<Digest>(digest, "charter.models"))
        .collect::<Result<Vec<_>, _>>()?;
    ascending(&digests, "charter.models")?;
    Ok(digests)
}
