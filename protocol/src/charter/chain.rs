//! The versions of a charter from the genesis on. Not where they are kept or told.
//!
//! Source: the root role of The Update Framework, specification 1.0, §5.3: version N + 1 needs the
//! agreement of N's institutions and of its own. Differs in counting institutions, not keys, and in
//! that two versions of one number stop everything instead of the first one winning.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Change, Charter, CharterError, GENESIS_VERSION, Institution, Owner, Revoked, SignedCharter,
};
use crate::{
    id::{Digest, PeerKey},
    limits::CHARTERS_MAX,
    time::Timestamp,
};

/// Verified charters of one consortium, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    genesis: Digest,
    signed: Vec<SignedCharter>,
    /// What `signed` says; never empty.
    charters: Vec<Charter>,
    /// Every key of any version: one that has served an institution never serves another.
    owners: BTreeMap<PeerKey, Owner>,
    fork: Option<Box<Fork>>,
}

/// Proof that enough institutions signed two different versions of one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The number.
    pub version: u32,
    /// The two, the one held first.
    pub charters: [SignedCharter; 2],
}

impl Chain {
    /// The chain in `charters`, which begins with the genesis of hash `genesis`, if one is known.
    ///
    /// # Errors
    /// [`CharterError`] of the first version that is not accepted.
    pub fn verify(
        charters: &[SignedCharter],
        genesis: Option<&Digest>,
    ) -> Result<Self, CharterError> {
        let (first, rest) = charters.split_first().ok_or(CharterError::Genesis)?;
        let hash = first.hash();
        if genesis.is_some_and(|genesis| *genesis != hash) {
            return Err(CharterError::Genesis);
        }
        let charter = first.verify_genesis()?;
        let mut chain = Self {
            genesis: hash,
            signed: vec![first.clone()],
            owners: charter.keys().collect(),
            charters: vec![charter],
            fork: None,
        };
        for next in rest {
            chain.extend(next.clone())?;
        }
        Ok(chain)
    }

    /// Hash of the genesis: the name of the consortium.
    #[must_use]
    pub const fn genesis(&self) -> Digest {
        self.genesis
    }

    /// The newest version.
    ///
    /// # Panics
    /// Never: a chain begins with a genesis.
    #[must_use]
    pub fn current(&self) -> &Charter {
        self.charters.last().expect("a chain begins with a genesis and never shrinks")
    }

    /// Hash of the newest version.
    #[must_use]
    pub fn hash(&self) -> Digest {
        self.signed.last().map_or(self.genesis, SignedCharter::hash)
    }

    /// The versions as signed, from the genesis on.
    #[must_use]
    pub fn signed(&self) -> &[SignedCharter] {
        &self.signed
    }

    /// The version with this hash.
    #[must_use]
    pub fn by_hash(&self, hash: &Digest) -> Option<&Charter> {
        let index = self.signed.iter().position(|signed| signed.hash() == *hash)?;
        self.charters.get(index)
    }

    /// An institution as the newest version that lists it has it.
    #[must_use]
    pub fn last_known(&self, institution: &str) -> Option<&Institution> {
        self.charters.iter().rev().find_map(|charter| charter.institution(institution))
    }

    /// The newest version that lists an institution whose last known roster key is `roster_key`.
    pub(crate) fn last_listing(&self, roster_key: &PeerKey) -> Option<&Charter> {
        let last = |id| self.last_known(id).map(|institution| institution.roster_key);
        self.charters.iter().rev().find(|charter| {
            let with_key = |it: &&Institution| it.roster_key == *roster_key;
            let institution = charter.institutions.iter().find(with_key);
            institution.is_some_and(|it| last(&it.id) == Some(*roster_key))
        })
    }

    /// Every key with which an institution has witnessed, in ascending order.
    pub(crate) fn witness_keys(&self, institution: &str) -> BTreeSet<PeerKey> {
        let entries = self.charters.iter().filter_map(|charter| charter.institution(institution));
        entries.map(|institution| institution.witness_key).collect()
    }

    /// From when on an institution or peer does not count; `None` if it does.
    #[must_use]
    pub fn revoked_at(&self, revoked: &Revoked) -> Option<Timestamp> {
        self.current().revocations.get(revoked).map(|revocation| revocation.at)
    }

    /// Proof that the consortium split, if it did: nothing new may be done then (P7).
    #[must_use]
    pub fn fork(&self) -> Option<&Fork> {
        self.fork.as_deref()
    }

    /// Takes in `charters`, consecutive versions that may begin anywhere up to the next one; returns
    /// how many were new.
    ///
    /// # Errors
    /// [`CharterError`] of the first that is not accepted; those before it are kept. At
    /// [`CharterError::Fork`] the proof is kept too.
    pub fn merge(&mut self, charters: &[SignedCharter]) -> Result<usize, CharterError> {
        let mut added = 0;
        for charter in charters {
            let version = charter.unverified()?.version;
            // A version is at least 1, and `signed` holds at most CHARTERS_MAX of them.
            let index = (version - GENESIS_VERSION) as usize;
            match self.signed.get(index) {
                Some(held) if held.payload == charter.payload => {}
                Some(_) => return Err(self.contradict(index, charter)),
                None => {
                    self.extend(charter.clone())?;
                    added += 1;
                }
            }
        }
        Ok(added)
    }

    /// Another version of a number that is held: a fork if it is valid, else just wrong.
    fn contradict(&mut self, index: usize, charter: &SignedCharter) -> CharterError {
        let Some(before) = index.checked_sub(1).and_then(|last| self.signed.get(..=last)) else {
            return CharterError::Genesis;
        };
        let verified =
            Self::verify(before, None).and_then(|mut branch| branch.extend(charter.clone()));
        if let Err(error) = verified {
            return error;
        }
        let version = self.charters[index].version;
        let charters = [self.signed[index].clone(), charter.clone()];
        self.fork.get_or_insert_with(|| Box::new(Fork { version, charters }));
        CharterError::Fork { version }
    }

    /// Appends the next version, if the institutions of the newest one and its own agree.
    fn extend(&mut self, next: SignedCharter) -> Result<(), CharterError> {
        let (new, old) = (next.unverified()?, self.current());
        self.follows(&new)?;
        let signers = next.signers(&new, Some(old))?;
        let signed = |charter: &Charter| {
            let roots = charter.institutions.iter().map(|institution| institution.root_key);
            roots.filter(|key| signers.contains_key(key)).count()
        };
        for institution in &new.institutions {
            // Who joins agrees to join, and who changes keys has the new one.
            let known = old.institution(&institution.id).map(|known| known.root_key);
            if known != Some(institution.root_key) && !signers.contains_key(&institution.root_key) {
                return Err(CharterError::Missing { institution: institution.id.clone() });
            }
        }
        let change = Change::between(old, &new);
        for charter in [old, &new] {
            let of = charter.institutions.len();
            let (needed, got) = (change.threshold(of), signed(charter));
            if got < needed {
                let version = charter.version;
                return Err(CharterError::Threshold { change, version, of, needed, got });
            }
        }
        self.owners.extend(new.keys());
        self.signed.push(next);
        self.charters.push(new);
        Ok(())
    }

    /// Checks that `new` may follow the newest version, whoever signed it.
    ///
    /// # Errors
    /// [`CharterError`].
    pub fn follows(&self, new: &Charter) -> Result<(), CharterError> {
        let (version, old) = (new.version, self.current());
        if self.charters.len() >= CHARTERS_MAX {
            return Err(CharterError::TooMany);
        }
        if version != old.version + 1 {
            return Err(CharterError::Version { expected: old.version + 1, got: version });
        }
        if new.previous != Some(self.hash()) {
            return Err(CharterError::Previous { version });
        }
        if new.created_at < old.created_at {
            return Err(CharterError::Order { version });
        }
        for (key, (second, purpose)) in new.keys() {
            if let Some((first, before)) = self.owners.get(&key)
                && (*first != second || *before != purpose)
            {
                return Err(CharterError::SharedKey { key, first: first.clone(), second });
            }
        }
        for (revoked, revocation) in &old.revocations {
            if new.revocations.get(revoked) != Some(revocation) {
                let revoked = match revoked {
                    Revoked::Institution(id) => id.clone(),
                    Revoked::Peer(peer) => peer.to_string(),
                };
                return Err(CharterError::Unrevoked { revoked });
            }
        }
        for Institution { id, .. } in &old.institutions {
            let revoked = new.revocations.contains_key(&Revoked::Institution(id.clone()));
            if new.institution(id).is_none() && !revoked {
                return Err(CharterError::Removed { institution: id.clone() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
