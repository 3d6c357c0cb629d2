//! Which predicate of a policy keeps a node out. Not which nodes are left.

use super::{Audit, Country, DataClass};

/// The predicate of a policy that a node fails. Ascending in the order in which they are checked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// The node stands in a forbidden jurisdiction.
    #[error("forbidden_jurisdictions has {jurisdiction}, where a node of {institution} stands")]
    JurisdictionForbidden {
        /// Institution of the node.
        institution: String,
        /// Where the node stands.
        jurisdiction: Country,
    },
    /// The institution's parent is in a forbidden jurisdiction.
    #[error("forbidden_jurisdictions has {parent_country}, country of {institution}'s parent")]
    ParentForbidden {
        /// Institution of the node.
        institution: String,
        /// Country of its ultimate parent.
        parent_country: Country,
    },
    /// The node stands outside the allowed jurisdictions.
    #[error("allowed_jurisdictions lacks {jurisdiction}, where a node of {institution} stands")]
    JurisdictionNotAllowed {
        /// Institution of the node.
        institution: String,
        /// Where the node stands.
        jurisdiction: Country,
    },
    /// The institution's parent is outside the allowed jurisdictions.
    #[error("allowed_jurisdictions lacks {parent_country}, country of {institution}'s parent")]
    ParentNotAllowed {
        /// Institution of the node.
        institution: String,
        /// Country of its ultimate parent.
        parent_country: Country,
    },
    /// The institution may not serve.
    #[error("allowed_institutions lacks {institution}")]
    InstitutionNotAllowed {
        /// Institution of the node.
        institution: String,
    },
    /// The institution may not process data of this class for others.
    #[error("data_class is {class}, and {institution} agreed to {}", agreed(*.max))]
    DataClass {
        /// Institution of the node.
        institution: String,
        /// Class the policy states.
        class: DataClass,
        /// Highest class the charter lets it process.
        max: Option<DataClass>,
    },
    /// The data is sensitive, and no institution is named for it.
    #[error("data_class is sensitive, and no allowed_institutions name {institution}")]
    Unlisted {
        /// Institution of the node.
        institution: String,
    },
    /// The institution does not process data for this purpose.
    #[error("purpose {purpose} is none of {institution}'s")]
    Purpose {
        /// Institution of the node.
        institution: String,
        /// Purpose the policy states.
        purpose: String,
    },
    /// A first block would leave home's institution.
    #[error("pinned_first keeps the first {pinned} blocks within {home}, not {institution}")]
    PinnedFirst {
        /// Institution of the node.
        institution: String,
        /// Institution of home.
        home: String,
        /// First blocks that stay.
        pinned: u32,
    },
    /// A last block would leave home's institution.
    #[error("pinned_last keeps the last {pinned} blocks within {home}, not {institution}")]
    PinnedLast {
        /// Institution of the node.
        institution: String,
        /// Institution of home.
        home: String,
        /// Last blocks that stay.
        pinned: u32,
    },
    /// An audit would show something to an institution that may not see it.
    #[error("audit {audit} shows {institution} nothing")]
    Audit {
        /// Institution of the node.
        institution: String,
        /// What the policy lets an audit see.
        audit: Audit,
    },
}

impl Denial {
    /// The field of the policy that denies.
    #[must_use]
    pub const fn predicate(&self) -> &'static str {
        match self {
            Self::JurisdictionForbidden { .. } | Self::ParentForbidden { .. } => {
                "forbidden_jurisdictions"
            }
            Self::JurisdictionNotAllowed { .. } | Self::ParentNotAllowed { .. } => {
                "allowed_jurisdictions"
            }
            Self::InstitutionNotAllowed { .. } => "allowed_institutions",
            Self::DataClass { .. } | Self::Unlisted { .. } => "data_class",
            Self::Purpose { .. } => "purpose",
            Self::PinnedFirst { .. } => "pinned_first",
            Self::PinnedLast { .. } => "pinned_last",
            Self::Audit { .. } => "audit",
        }
    }

    /// Institution of the node that is kept out.
    #[must_use]
    pub fn institution(&self) -> &str {
        match self {
            Self::JurisdictionForbidden { institution, .. }
            | Self::ParentForbidden { institution, .. }
            | Self::JurisdictionNotAllowed { institution, .. }
            | Self::ParentNotAllowed { institution, .. }
            | Self::InstitutionNotAllowed { institution }
            | Self::DataClass { institution, .. }
            | Self::Unlisted { institution }
            | Self::Purpose { institution, .. }
            | Self::PinnedFirst { institution, .. }
            | Self::PinnedLast { institution, .. }
            | Self::Audit { institution, .. } => institution,
        }
    }
}

fn agreed(max: Option<DataClass>) -> &'static str {
    max.map_or("none", DataClass::as_str)
}
