//! Encoding of policies and of route stages.

use std::collections::BTreeSet;

use crate::{
    limits::{
        BLOCKS_MAX, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, POLICIES_MAX, TRANSFER_BASIS_BYTES_MAX,
    },
    policy::{Audit, Country, DataClass, Policy, Recovery},
    route::RouteStage,
    wire::{DecodeError, ascending, bytes, id, list, pb, required, short, text, wire, within},
};

wire!(Policy, pb::Policy, PAYLOAD_BYTES_MAX);

impl From<&Policy> for pb::Policy {
    fn from(policy: &Policy) -> Self {
        let countries = |set: &BTreeSet<Country>| set.iter().map(Country::to_string).collect();
        Self {
            name: policy.name.clone(),
            allowed_jurisdictions: countries(&policy.allowed_jurisdictions),
            forbidden_jurisdictions: countries(&policy.forbidden_jurisdictions),
            allowed_institutions: policy.allowed_institutions.iter().cloned().collect(),
            pinned_first: policy.pinned_first,
            pinned_last: policy.pinned_last,
            data_class: data_class_to_pb(policy.data_class),
            purpose: policy.purpose.clone(),
            recovery: recovery_to_pb(policy.recovery),
            audit: audit_to_pb(policy.audit),
            transfer_basis: policy.transfer_basis.clone(),
        }
    }
}

impl TryFrom<pb::Policy> for Policy {
    type Error = DecodeError;

    fn try_from(pb: pb::Policy) -> Result<Self, DecodeError> {
        let institutions =
            list(pb.allowed_institutions, POLICIES_MAX, "policy.allowed_institutions")?;
        ascending(&institutions, "policy.allowed_institutions")?;
        Ok(Self {
            name: text(pb.name, NAME_BYTES_MAX, "policy.name")?,
            allowed_jurisdictions: countries(
                pb.allowed_jurisdictions,
                "policy.allowed_jurisdictions",
            )?,
            forbidden_jurisdictions: countries(
                pb.forbidden_jurisdictions,
                "policy.forbidden_jurisdictions",
            )?,
            allowed_institutions: institutions
                .into_iter()
                .map(|name| text(name, NAME_BYTES_MAX, "policy.allowed_institutions"))
                .collect::<Result<_, _>>()?,
            pinned_first: within(pb.pinned_first, 0, BLOCKS_MAX, "policy.pinned_first")?,
            pinned_last: within(pb.pinned_last, 0, BLOCKS_MAX, "policy.pinned_last")?,
            data_class: data_class(pb.data_class, "policy.data_class")?,
            purpose: short(pb.purpose, NAME_BYTES_MAX, "policy.purpose")?,
            recovery: recovery(pb.recovery)?,
            audit: audit(pb.audit)?,
            transfer_basis: short(
                pb.transfer_basis,
                TRANSFER_BASIS_BYTES_MAX,
                "policy.transfer_basis",
            )?,
        })
    }
}

impl From<&RouteStage> for pb::RouteStage {
    fn from(stage: &RouteStage) -> Self {
        Self { peer: bytes(&stage.peer.0), blocks: Some(stage.blocks.into()) }
    }
}

impl TryFrom<pb::RouteStage> for RouteStage {
    type Error = DecodeError;

    fn try_from(pb: pb::RouteStage) -> Result<Self, DecodeError> {
        Ok(Self {
            peer: id(&pb.peer, "route_stage.peer")?,
            blocks: required(pb.blocks, "route_stage.blocks")?.try_into()?,
        })
    }
}

/// Reads a country code.
pub(super) fn country(code: &str, field: &'static str) -> Result<Country, DecodeError> {
    code.parse().map_err(|_| DecodeError::field(field, "no ISO 3166-1 alpha-2 code"))
}

fn countries(codes: Vec<String>, field: &'static str) -> Result<BTreeSet<Country>, DecodeError> {
    let codes = list(codes, POLICIES_MAX, field)?;
    ascending(&codes, field)?;
    codes.iter().map(|code| country(code, field)).collect()
}

fn recovery(number: i32) -> Result<Recovery, DecodeError> {
    match pb::Recovery::try_from(number) {
        Ok(pb::Recovery::Exact) => Ok(Recovery::Exact),
        Ok(pb::Recovery::Any) => Ok(Recovery::Any),
        Ok(pb::Recovery::Unspecified) | Err(_) => {
            Err(DecodeError::field("policy.recovery", "unknown recovery"))
        }
    }
}

fn recovery_to_pb(recovery: Recovery) -> i32 {
    let recovery = match recovery {
        Recovery::Exact => pb::Recovery::Exact,
        Recovery::Any => pb::Recovery::Any,
    };
    recovery.into()
}

fn audit(number: i32) -> Result<Audit, DecodeError> {
    match pb::Audit::try_from(number) {
        Ok(pb::Audit::None) => Ok(Audit::None),
        Ok(pb::Audit::Home) => Ok(Audit::Home),
        Ok(pb::Audit::Text) => Ok(Audit::Text),
        Ok(pb::Audit::Unspecified) | Err(_) => {
            Err(DecodeError::field("policy.audit", "unknown audit"))
        }
    }
}

fn audit_to_pb(audit: Audit) -> i32 {
    let audit = match audit {
        Audit::None => pb::Audit::None,
        Audit::Home => pb::Audit::Home,
        Audit::Text => pb::Audit::Text,
    };
    audit.into()
}

/// Reads a class of data; `None` if nothing is said.
pub(super) fn data_class(
    number: i32,
    field: &'static str,
) -> Result<Option<DataClass>, DecodeError> {
    match pb::DataClass::try_from(number) {
        Ok(pb::DataClass::Unspecified) => Ok(None),
        Ok(pb::DataClass::Public) => Ok(Some(DataClass::Public)),
        Ok(pb::DataClass::Internal) => Ok(Some(DataClass::Internal)),
        Ok(pb::DataClass::Personal) => Ok(Some(DataClass::Personal)),
        Ok(pb::DataClass::Sensitive) => Ok(Some(DataClass::Sensitive)),
        Err(_) => Err(DecodeError::field(field, "unknown class of data")),
    }
}

/// Writes a class of data.
pub(super) fn data_class_to_pb(class: Option<DataClass>) -> i32 {
    let class = match class {
        None => pb::DataClass::Unspecified,
        Some(DataClass::Public) => pb::DataClass::Public,
        Some(DataClass::Internal) => pb::DataClass::Internal,
        Some(DataClass::Personal) => pb::DataClass::Personal,
        Some(DataClass::Sensitive) => pb::DataClass::Sensitive,
    };
    class.into()
}
