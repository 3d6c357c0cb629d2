//! The emergency brake: two institutions exclude a third for a while, until a charter decides.
//!
//! Two must not be able to silence the rest one by one: whoever has signed a suspension that counts
//! cannot sign another for a week, and nobody is suspended twice within a week. Which suspensions
//! count is a function of the signed statements alone, not of the order in which they came.

use std::collections::{BTreeMap, BTreeSet};

use super::{Chain, Charter};
use crate::{
    id::{Digest, PeerKey},
    limits::{SUSPENSION_LIFE_MAX, SUSPENSION_REST, SUSPENSIONS_MAX, SUSPENSIONS_OF_ONE_MAX},
    signed::{Domain, Signed, SignedError},
    time::{Timestamp, Validity, ValidityError},
};

/// Institutions that must sign a suspension.
const SIGNERS: usize = 2;

/// A decision to exclude an institution's nodes for a while. Signed by root keys of two others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// Institution id.
    pub institution: String,
    /// Start.
    pub from: Timestamp,
    /// End; at most 72 hours later.
    pub until: Timestamp,
    /// Why, for people.
    pub reason: String,
}

/// Why a signed suspension is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SuspensionError {
    /// The signer is no institution's root key.
    #[error("key {0} is no institution's root key")]
    Foreign(PeerKey),
    /// The envelope does not hold.
    #[error("suspension signed by {institution}: {source}")]
    Signed {
        /// Institution whose key signed.
        institution: String,
        /// What is wrong.
        source: SignedError,
    },
    /// It suspends nobody that there is.
    #[error("no institution {0}")]
    Institution(String),
    /// It is over, lasts too long or lies in the future.
    #[error("suspension of {institution}: {source}")]
    Validity {
        /// Institution it suspends.
        institution: String,
        /// What is wrong with its time.
        source: ValidityError,
    },
    /// The signer has too many that are not over.
    #[error("{institution} has signed more than {SUSPENSIONS_OF_ONE_MAX} suspensions")]
    TooMany {
        /// Institution whose key signed.
        institution: String,
    },
}

/// Suspensions that are known, one for each signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suspensions {
    /// By payload and signer.
    votes: BTreeMap<(Digest, PeerKey), (Suspension, Signed)>,
}

impl Suspensions {
    /// Takes one signature under a suspension; whether it is new.
    ///
    /// # Errors
    /// [`SuspensionError`]; nothing is changed then.
    pub fn insert(
        &mut self,
        now: Timestamp,
        chain: &Chain,
        signed: &Signed,
    ) -> Result<bool, SuspensionError> {
        let signer = signed.signer;
        let member = chain.current().by_root_key(&signer);
        let by = member.map(|it| it.id.clone()).ok_or(SuspensionError::Foreign(signer))?;
        let key = (signed.payload_digest(), signer);
        if self.votes.contains_key(&key) {
            return Ok(false);
        }
        let suspension: Suspension = signed
            .open(Domain::SUSPENSION, &chain.genesis())
            .map_err(|source| SuspensionError::Signed { institution: by.clone(), source })?;
        if chain.current().institution(&suspension.institution).is_none() {
            return Err(SuspensionError::Institution(suspension.institution));
        }
        let validity = Validity { from: suspension.from, until: suspension.until };
        // Those that are over still count against their signers, for a while.
        let remembered = Validity { until: suspension.from + SUSPENSION_REST, ..validity };
        validity.check_life(SUSPENSION_LIFE_MAX).and_then(|()| remembered.check(now)).map_err(
            |source| {
                let institution = suspension.institution.clone();
                SuspensionError::Validity { institution, source }
            },
        )?;
        self.expire(now);
        let of_signer = self.votes.keys().filter(|(_, other)| *other == signer).count();
        if of_signer >= SUSPENSIONS_OF_ONE_MAX || self.votes.len() >= SUSPENSIONS_MAX {
            return Err(SuspensionError::TooMany { institution: by });
        }
        self.votes.insert(key, (suspension, signed.clone()));
        Ok(true)
    }

    /// The signed statements, in ascending order of payload and signer.
    pub fn signed(&self) -> impl Iterator<Item = &Signed> {
        self.votes.values().map(|(_, signed)| signed)
    }

    /// Every suspension that is known, with the ids of those who signed it: also those that do not
    /// count.
    #[must_use]
    pub fn proposed(&self, charter: &Charter) -> Vec<(&Suspension, BTreeSet<String>)> {
        let mut proposed: BTreeMap<Digest, (&Suspension, BTreeSet<String>)> = BTreeMap::new();
        for ((payload, signer), (suspension, _)) in &self.votes {
            let Some(by) = charter.by_root_key(signer) else { continue };
            // Nobody helps to suspend himself, nor is asked.
            if by.id != suspension.institution {
                let entry = proposed.entry(*payload).or_insert((suspension, BTreeSet::new()));
                entry.1.insert(by.id.clone());
            }
        }
        let mut proposed: Vec<_> = proposed.into_iter().collect();
        proposed.sort_by_key(|(payload, (suspension, _))| (suspension.from, *payload));
        proposed.into_iter().map(|(_, proposed)| proposed).collect()
    }

    /// Institutions that are suspended at `now`, and until when.
    #[must_use]
    pub fn in_force(&self, now: Timestamp, charter: &Charter) -> BTreeMap<String, Timestamp> {
        // Since when an institution has been resting from signing, or from being suspended.
        let (mut signed, mut suspended) = (BTreeMap::new(), BTreeMap::new());
        let mut in_force = BTreeMap::new();
        for (suspension, signers) in self.proposed(charter) {
            let rests = |since: Option<&Timestamp>| {
                since.is_some_and(|since| suspension.from < *since + SUSPENSION_REST)
            };
            let free: Vec<_> = signers.into_iter().filter(|by| !rests(signed.get(by))).collect();
            if free.len() < SIGNERS || rests(suspended.get(&suspension.institution)) {
                continue;
            }
            signed.extend(free.into_iter().map(|by| (by, suspension.from)));
            suspended.insert(suspension.institution.clone(), suspension.from);
            if suspension.from <= now && now < suspension.until {
                in_force.insert(suspension.institution.clone(), suspension.until);
            }
        }
        in_force
    }

    /// When [`Self::in_force`] next changes by itself.
    #[must_use]
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let times = self.votes.values().flat_map(|(it, _)| [it.from, it.until]);
        times.filter(|time| *time > now).min()
    }

    /// Forgets what no longer counts against anybody.
    fn expire(&mut self, now: Timestamp) {
        self.votes.retain(|_, (suspension, _)| suspension.from + SUSPENSION_REST > now);
    }
}

#[cfg(test)]
mod tests;
