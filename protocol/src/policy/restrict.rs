//! Stricter rules on top of a policy, and the order of strictness. Not what a policy permits.

use std::collections::BTreeSet;

use super::{DataClass, Policy};
use crate::limits::POLICIES_MAX;

/// Why a policy and stricter rules make no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestrictError {
    /// The rules are meant for another policy.
    #[error("name: the rules are for policy \"{rules}\", not \"{policy}\"")]
    Name {
        /// Name of the policy.
        policy: String,
        /// Name the rules give.
        rules: String,
    },
    /// Both allow something, but nothing that both allow: empty would mean everything.
    #[error("{field}: policy \"{policy}\" allows none of what the rules allow")]
    Disjoint {
        /// The list.
        field: &'static str,
        /// Name of the policy.
        policy: String,
    },
    /// Together they forbid more than a list may hold.
    #[error("{field}: {got} entries together, more than {POLICIES_MAX}")]
    TooMany {
        /// The list.
        field: &'static str,
        /// Entries of both.
        got: usize,
    },
    /// One keeps sensitive data to home's institution, the other names institutions: what both
    /// permit depends on which of them is home's.
    #[error("allowed_institutions: with sensitive data, policy and rules both name some or none")]
    Sensitive,
    /// They state different texts.
    #[error("{field}: the policy states \"{policy}\", the rules \"{rules}\"")]
    Differs {
        /// The field.
        field: &'static str,
        /// What the policy states.
        policy: String,
        /// What the rules state.
        rules: String,
    },
}

/// Which institutions a policy names.
#[derive(Debug, PartialEq, Eq)]
enum Named<'a> {
    Any,
    Only(&'a BTreeSet<String>),
    /// Sensitive data without a list.
    Home,
}

impl Policy {
    /// This policy with `rules` on top: whoever it permits, both permit.
    ///
    /// Allowed lists intersect, forbidden ones unite, pinned blocks and class of data are the
    /// higher, recovery and audit the stricter. `rules` carry the name of this policy.
    ///
    /// # Errors
    /// [`RestrictError`] naming the field on which no policy is as strict as both.
    pub fn restrict(&self, rules: &Self) -> Result<Self, RestrictError> {
        if rules.name != self.name {
            let (policy, rules) = (self.name.clone(), rules.name.clone());
            return Err(RestrictError::Name { policy, rules });
        }
        match (self.named(), rules.named()) {
            (Named::Home, Named::Only(_)) | (Named::Only(_), Named::Home) => {
                return Err(RestrictError::Sensitive);
            }
            _ => {}
        }
        let forbidden = &self.forbidden_jurisdictions | &rules.forbidden_jurisdictions;
        if forbidden.len() > POLICIES_MAX {
            let (field, got) = ("forbidden_jurisdictions", forbidden.len());
            return Err(RestrictError::TooMany { field, got });
        }
        let purpose = one_of("purpose", &self.purpose, &rules.purpose)?;
        let basis = one_of("transfer_basis", &self.transfer_basis, &rules.transfer_basis)?;
        Ok(Self {
            name: self.name.clone(),
            allowed_jurisdictions: self
                .both(rules, "allowed_jurisdictions", |policy| &policy.allowed_jurisdictions)?,
            forbidden_jurisdictions: forbidden,
            allowed_institutions: self
                .both(rules, "allowed_institutions", |policy| &policy.allowed_institutions)?,
            pinned_first: self.pinned_first.max(rules.pinned_first),
            pinned_last: self.pinned_last.max(rules.pinned_last),
            data_class: self.data_class.max(rules.data_class),
            purpose,
            recovery: self.recovery.min(rules.recovery),
            audit: self.audit.min(rules.audit),
            transfer_basis: basis,
        })
    }

    /// Whether this policy is `base` or stricter: a partial order. A receipt's policy must be so
    /// towards the charter's policy of its name.
    #[must_use]
    pub fn is_within(&self, base: &Self) -> bool {
        let named = match (self.named(), base.named()) {
            (_, Named::Any) | (Named::Home, Named::Home) => true,
            (Named::Only(narrow), Named::Only(wide)) => narrow.is_subset(wide),
            _ => false,
        };
        let (allowed, base_allowed) = (&self.allowed_jurisdictions, &base.allowed_jurisdictions);
        let states = |own: &str, base: &str| base.is_empty() || own == base;
        self.name == base.name
            && named
            && (base_allowed.is_empty() || (!allowed.is_empty() && allowed.is_subset(base_allowed)))
            && self.forbidden_jurisdictions.is_superset(&base.forbidden_jurisdictions)
            && self.pinned_first >= base.pinned_first
            && self.pinned_last >= base.pinned_last
            && self.data_class >= base.data_class
            && states(&self.purpose, &base.purpose)
            && self.recovery <= base.recovery
            && self.audit <= base.audit
            && states(&self.transfer_basis, &base.transfer_basis)
    }

    fn named(&self) -> Named<'_> {
        match (self.allowed_institutions.is_empty(), self.data_class) {
            (false, _) => Named::Only(&self.allowed_institutions),
            (true, Some(DataClass::Sensitive)) => Named::Home,
            (true, _) => Named::Any,
        }
    }

    /// What both lists allow; a list without entries allows everything.
    fn both<T: Ord + Clone>(
        &self,
        rules: &Self,
        field: &'static str,
        list: impl Fn(&Self) -> &BTreeSet<T>,
    ) -> Result<BTreeSet<T>, RestrictError> {
        let (own, other) = (list(self), list(rules));
        if own.is_empty() || other.is_empty() {
            return Ok(own | other);
        }
        let both = own & other;
        if both.is_empty() {
            return Err(RestrictError::Disjoint { field, policy: self.name.clone() });
        }
        Ok(both)
    }
}

/// The text that one of two states, or both.
fn one_of(field: &'static str, policy: &str, rules: &str) -> Result<String, RestrictError> {
    if !policy.is_empty() && !rules.is_empty() && policy != rules {
        let (policy, rules) = (policy.to_owned(), rules.to_owned());
        return Err(RestrictError::Differs { field, policy, rules });
    }
    Ok(if policy.is_empty() { rules } else { policy }.to_owned())
}

#[cfg(test)]
mod tests;
