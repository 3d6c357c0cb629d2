//! Where a request may go: one predicate over institutions and jurisdictions. Not who is a member.

use std::{collections::BTreeSet, fmt, str::FromStr};

use crate::{block::BlockRange, id::Digest, wire::Wire as _};

/// An ISO 3166-1 alpha-2 country code: two upper-case letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// Why a text is no [`Country`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a country is two upper-case letters (ISO 3166-1 alpha-2), such as FR")]
pub struct CountryError;

impl FromStr for Country {
    type Err = CountryError;

    fn from_str(text: &str) -> Result<Self, CountryError> {
        match *text.as_bytes() {
            [first @ b'A'..=b'Z', second @ b'A'..=b'Z'] => Ok(Self([first, second])),
            _ => Err(CountryError),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.0;
        write!(f, "{}{}", char::from(first), char::from(second))
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({self})")
    }
}

/// How much harm data can do in wrong hands, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataClass {
    /// Anyone may see it.
    Public,
    /// For members only.
    Internal,
    /// Personal data.
    Personal,
    /// Special categories of personal data, such as health.
    Sensitive,
}

/// Names of the classes, for people and texts.
const DATA_CLASSES: [(DataClass, &str); 4] = [
    (DataClass::Public, "public"),
    (DataClass::Internal, "internal"),
    (DataClass::Personal, "personal"),
    (DataClass::Sensitive, "sensitive"),
];

/// Why a text is no [`DataClass`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a class of data is public, internal, personal or sensitive")]
pub struct DataClassError;

impl FromStr for DataClass {
    type Err = DataClassError;

    fn from_str(text: &str) -> Result<Self, DataClassError> {
        let known = DATA_CLASSES.iter().find(|(_, name)| *name == text);
        known.map(|(class, _)| *class).ok_or(DataClassError)
    }
}

impl fmt::Display for DataClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Personal => "personal",
            Self::Sensitive => "sensitive",
        })
    }
}

/// The rules a request is under. Empty lists do not restrict; forbidden lists always forbid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Name by which requests refer to it; 1 to 64 bytes.
    pub name: String,
    /// Where a stage's node must stand, and its institution's ultimate parent too; at most 64.
    pub allowed_jurisdictions: BTreeSet<Country>,
    /// Where neither a stage's node nor its institution's parent may stand; at most 64.
    pub forbidden_jurisdictions: BTreeSet<Country>,
    /// Institutions that may serve; at most 64.
    pub allowed_institutions: BTreeSet<String>,
    /// First blocks that must stay within home's institution.
    pub pinned_first: u32,
    /// Last blocks that must stay within home's institution.
    pub pinned_last: u32,
}

/// Who would see what derives from a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// Institution id of the node.
    pub institution: &'a str,
    /// Country the node stands in.
    pub jurisdiction: Country,
    /// Country of the ultimate parent of its institution.
    pub parent_country: Country,
}

/// The predicate of a [`Policy`] that a subject fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// The node stands outside the allowed jurisdictions.
    #[error("allowed_jurisdictions lacks {jurisdiction}, where a node of {institution} stands")]
    JurisdictionNotAllowed {
        /// Institution of the node.
        institution: String,
        /// Where the node stands.
        jurisdiction: Country,
    },
    /// The node stands in a forbidden jurisdiction.
    #[error("forbidden_jurisdictions has {jurisdiction}, where a node of {institution} stands")]
    JurisdictionForbidden {
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
    /// The institution's parent is in a forbidden jurisdiction.
    #[error("forbidden_jurisdictions has {parent_country}, country of {institution}'s parent")]
    ParentForbidden {
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
}

impl Denial {
    /// The field of the policy that denies.
    #[must_use]
    pub const fn predicate(&self) -> &'static str {
        match self {
            Self::JurisdictionNotAllowed { .. } | Self::ParentNotAllowed { .. } => {
                "allowed_jurisdictions"
            }
            Self::JurisdictionForbidden { .. } | Self::ParentForbidden { .. } => {
                "forbidden_jurisdictions"
            }
            Self::InstitutionNotAllowed { .. } => "allowed_institutions",
            Self::PinnedFirst { .. } => "pinned_first",
            Self::PinnedLast { .. } => "pinned_last",
        }
    }
}

impl Policy {
    /// Name of the policy of a request that names none; a charter cannot give it to another.
    pub const OPEN: &'static str = "open";

    /// A policy that restricts nothing.
    #[must_use]
    pub fn open(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            allowed_jurisdictions: BTreeSet::new(),
            forbidden_jurisdictions: BTreeSet::new(),
            allowed_institutions: BTreeSet::new(),
            pinned_first: 0,
            pinned_last: 0,
        }
    }

    /// SHA-256 of the canonical bytes: what an open record commits to.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.encode())
    }

    /// Whether anything of a request may reach `subject` (P3).
    ///
    /// # Errors
    /// The first [`Denial`], in the order forbidden, allowed, institution.
    pub fn permits(&self, subject: &Subject<'_>) -> Result<(), Denial> {
        let Subject { jurisdiction, parent_country, .. } = *subject;
        let institution = || subject.institution.to_owned();
        let allowed = |country| {
            self.allowed_jurisdictions.is_empty() || self.allowed_jurisdictions.contains(&country)
        };
        if self.forbidden_jurisdictions.contains(&jurisdiction) {
            return Err(Denial::JurisdictionForbidden { institution: institution(), jurisdiction });
        }
        if self.forbidden_jurisdictions.contains(&parent_country) {
            return Err(Denial::ParentForbidden { institution: institution(), parent_country });
        }
        if !allowed(jurisdiction) {
            return Err(Denial::JurisdictionNotAllowed {
                institution: institution(),
                jurisdiction,
            });
        }
        if !allowed(parent_country) {
            return Err(Denial::ParentNotAllowed { institution: institution(), parent_country });
        }
        if !self.allowed_institutions.is_empty()
            && !self.allowed_institutions.contains(subject.institution)
        {
            return Err(Denial::InstitutionNotAllowed { institution: institution() });
        }
        Ok(())
    }

    /// Whether `subject` may run `blocks` of a model of `block_count` blocks for a request that
    /// `home`, an institution id, took (P3).
    ///
    /// # Errors
    /// The first [`Denial`]; those of [`Self::permits`] come first.
    pub fn permits_stage(
        &self,
        subject: &Subject<'_>,
        blocks: BlockRange,
        block_count: u32,
        home: &str,
    ) -> Result<(), Denial> {
        self.permits(subject)?;
        if subject.institution == home {
            return Ok(());
        }
        let (institution, home) = (subject.institution.to_owned(), home.to_owned());
        if blocks.start() < self.pinned_first {
            return Err(Denial::PinnedFirst { institution, home, pinned: self.pinned_first });
        }
        if blocks.end() > block_count.saturating_sub(self.pinned_last) {
            return Err(Denial::PinnedLast { institution, home, pinned: self.pinned_last });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
