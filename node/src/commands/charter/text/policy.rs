//! A policy as people write it.

use std::collections::BTreeSet;

use comity_protocol::policy::{Audit, Country, Policy, Recovery};
use serde::{Deserialize, Serialize};

use super::{Place, TextError, is_default};

/// A policy as text. Lists may stand in any order.
#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    name: String,
    #[serde(default, skip_serializing_if = "is_default")]
    allowed_jurisdictions: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    forbidden_jurisdictions: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    allowed_institutions: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pinned_first: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pinned_last: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_class: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    purpose: String,
    /// Without it, exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery: Option<String>,
    /// Without it, none.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    transfer_basis: String,
}

/// The policy that a text describes.
pub(super) fn read(file: &str, text: &Text) -> Result<Policy, TextError> {
    let place = Place { file, of: &text.name };
    let (class, recovery, audit) = (&text.data_class, &text.recovery, &text.audit);
    let class = class.as_ref().map(|class| place.parse("data_class", class)).transpose()?;
    let recovery = recovery.as_ref().map(|text| place.parse("recovery", text)).transpose()?;
    let audit = audit.as_ref().map(|text| place.parse("audit", text)).transpose()?;
    Ok(Policy {
        name: text.name.clone(),
        allowed_jurisdictions: place
            .parse_all("allowed_jurisdictions", &text.allowed_jurisdictions)?,
        forbidden_jurisdictions: place
            .parse_all("forbidden_jurisdictions", &text.forbidden_jurisdictions)?,
        allowed_institutions: text.allowed_institutions.clone(),
        pinned_first: text.pinned_first,
        pinned_last: text.pinned_last,
        data_class: class,
        purpose: text.purpose.clone(),
        recovery: recovery.unwrap_or(Recovery::Exact),
        audit: audit.unwrap_or(Audit::None),
        transfer_basis: text.transfer_basis.clone(),
    })
}

/// The text that describes a policy.
pub(super) fn write(policy: &Policy) -> Text {
    let texts = |set: &BTreeSet<Country>| set.iter().map(ToString::to_string).collect();
    let (recovery, audit) = (policy.recovery, policy.audit);
    Text {
        name: policy.name.clone(),
        allowed_jurisdictions: texts(&policy.allowed_jurisdictions),
        forbidden_jurisdictions: texts(&policy.forbidden_jurisdictions),
        allowed_institutions: policy.allowed_institutions.clone(),
        pinned_first: policy.pinned_first,
        pinned_last: policy.pinned_last,
        data_class: policy.data_class.map(|class| class.to_string()),
        purpose: policy.purpose.clone(),
        recovery: (recovery != Recovery::Exact).then(|| recovery.to_string()),
        audit: (audit != Audit::None).then(|| audit.to_string()),
        transfer_basis: policy.transfer_basis.clone(),
    }
}
