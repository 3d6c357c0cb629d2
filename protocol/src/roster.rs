//! An institution's own list of its nodes. Not what they serve.

use std::collections::BTreeSet;

use crate::{
    charter::Charter,
    id::{Digest, PeerKey},
    limits::ROSTER_LIFE_MAX,
    policy::Country,
    signed::{Domain, Signed, SignedError},
    time::{Timestamp, Validity, ValidityError},
};

/// What a node may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Takes prompts.
    Home,
    /// Runs blocks for others.
    Stage,
    /// Cosigns checkpoints of other institutions' logs.
    Witness,
}

/// An institution's list of its nodes, signed by its roster key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// Institution id in the charter.
    pub institution: String,
    /// Strictly increasing per institution.
    pub sequence: u64,
    /// Start of validity.
    pub issued_at: Timestamp,
    /// End of validity; at most 72 hours later.
    pub expires_at: Timestamp,
    /// Its nodes, in ascending order of peer; at most 256.
    pub nodes: Vec<RosterNode>,
}

/// One node of an institution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterNode {
    /// The node.
    pub peer: PeerKey,
    /// Where the machine stands, as the institution asserts it.
    pub jurisdiction: Country,
    /// What it may do; at least one.
    pub roles: BTreeSet<Role>,
    /// Control-plane multiaddresses; at most 8 of 256 bytes.
    pub control_addresses: Vec<String>,
}

/// Why a roster is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RosterError {
    /// The signer is no institution's roster key.
    #[error("key {0} is no institution's roster key")]
    Foreign(PeerKey),
    /// An institution signed a roster in another's name.
    #[error("{signer} signed a roster of {institution}")]
    Institution {
        /// Institution the roster names.
        institution: String,
        /// Institution whose roster key signed.
        signer: String,
    },
    /// The envelope does not hold.
    #[error("roster of {institution}: {source}")]
    Signed {
        /// Institution whose roster key it claims.
        institution: String,
        /// What is wrong with it.
        source: SignedError,
    },
    /// It is expired, of the future, or lives too long.
    #[error("roster of {institution}: {source}")]
    Validity {
        /// The institution.
        institution: String,
        /// What is wrong with its time.
        source: ValidityError,
    },
    /// An older roster than the one held.
    #[error("roster {got} of {institution} is older than {held}")]
    Stale {
        /// The institution.
        institution: String,
        /// Sequence of the roster held.
        held: u64,
        /// Sequence given.
        got: u64,
    },
    /// The institution signed two different rosters of one sequence; none of them counts.
    #[error("{institution} signed two different rosters {sequence}")]
    Contradiction {
        /// The institution.
        institution: String,
        /// The sequence both carry.
        sequence: u64,
    },
}

impl Roster {
    /// The roster in `signed`, if the institution it names signed it and it is valid at `now`.
    ///
    /// # Errors
    /// [`RosterError`] naming the institution; nothing is decoded unless the signature holds.
    pub fn verify(
        signed: &Signed,
        charter: &Charter,
        charter_hash: &Digest,
        now: Timestamp,
    ) -> Result<Self, RosterError> {
        let roster = Self::open(signed, charter, charter_hash)?;
        let institution = || roster.institution.clone();
        let valid = roster.validity().check(now);
        valid.map_err(|source| RosterError::Validity { institution: institution(), source })?;
        Ok(roster)
    }

    /// As [`Self::verify`], whatever the time.
    pub(crate) fn open(
        signed: &Signed,
        charter: &Charter,
        charter_hash: &Digest,
    ) -> Result<Self, RosterError> {
        let signer = charter
            .institutions
            .iter()
            .find(|institution| institution.roster_key == signed.signer)
            .ok_or(RosterError::Foreign(signed.signer))?;
        let institution = || signer.id.clone();
        let roster: Self = signed
            .open(Domain::ROSTER, charter_hash)
            .map_err(|source| RosterError::Signed { institution: institution(), source })?;
        if roster.institution != signer.id {
            let institution = roster.institution;
            return Err(RosterError::Institution { institution, signer: signer.id.clone() });
        }
        let life = roster.validity().check_life(ROSTER_LIFE_MAX);
        life.map_err(|source| RosterError::Validity { institution: institution(), source })?;
        Ok(roster)
    }

    /// The entry of `peer`.
    #[must_use]
    pub fn node(&self, peer: &PeerKey) -> Option<&RosterNode> {
        let index = self.nodes.binary_search_by_key(peer, |node| node.peer).ok()?;
        self.nodes.get(index)
    }

    pub(crate) const fn validity(&self) -> Validity {
        Validity { from: self.issued_at, until: self.expires_at }
    }
}

#[cfg(test)]
pub(crate) mod tests;
