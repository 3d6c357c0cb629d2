//! What kind of change leads from one charter to the next, and who must agree to it.
//!
//! Thresholds are functions of the number of institutions, never written down, so that no version
//! can lower them: an institution has one vote however many keys or nodes it has.

use std::fmt;

use super::Charter;

/// What kind of change a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Institutions joined or left, or something was revoked; nothing else changed.
    Membership,
    /// Anything else.
    Rules,
}

impl Change {
    /// The change from `old` to `new`.
    #[must_use]
    pub fn between(old: &Charter, new: &Charter) -> Self {
        let same = old.institutions.iter().all(|institution| {
            let now = new.institution(&institution.id);
            now.is_none_or(|now| now == institution)
        });
        let rest = Charter {
            version: old.version,
            previous: old.previous,
            created_at: old.created_at,
            institutions: old.institutions.clone(),
            revocations: old.revocations.clone(),
            ..new.clone()
        };
        if same && rest == *old { Self::Membership } else { Self::Rules }
    }

    /// How many of `institutions` must agree: more than half to a change of membership, two thirds
    /// to any other.
    #[must_use]
    pub const fn threshold(self, institutions: usize) -> usize {
        match self {
            Self::Membership => institutions / 2 + 1,
            Self::Rules => (2 * institutions).div_ceil(3),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Membership => "a change of membership",
            Self::Rules => "a change of rules",
        })
    }
}
